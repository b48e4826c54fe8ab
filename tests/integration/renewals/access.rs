//! Who may see renewals, and who may bring them on.

use http::Method;
use serde_json::json;

use super::text;
use crate::support::admin::{TestAdmin, new_key};

#[tokio::test]
async fn a_renewal_is_its_aliass_and_only_operators_bring_it_on() {
    let admin = TestAdmin::start_for(&[
        ("looks", "role = \"viewer\""),
        ("elsewhere", "role = \"operator\"\naliases = [\"invoices\"]"),
        ("sends", "role = \"event\""),
    ])
    .await;
    admin.import("orders", &new_key("Orders")).await;
    let started = admin.post("/api/v1/aliases/orders/renewals").await;
    assert_eq!(started.status, 201, "{started:?}");
    let again = admin.post("/api/v1/aliases/orders/renewals").await;
    assert_eq!(
        (again.status.as_u16(), &again.body),
        (200, &started.body),
        "it goes on already"
    );
    let id = text(&started.json()["id"]);
    let renewal = format!("/api/v1/renewals/{id}");
    let list = "/api/v1/renewals?open=true";

    let seen = admin.ask_as("looks", Method::GET, list).await.json();
    assert_eq!(seen[0]["id"], id);
    assert_eq!(
        admin
            .ask_as("looks", Method::GET, "/api/v1/renewals?open=false")
            .await
            .json(),
        json!([])
    );
    assert_eq!(admin.ask_as("looks", Method::GET, &renewal).await.status, 200);
    assert_eq!(
        admin.ask_as("elsewhere", Method::GET, list).await.json(),
        json!([])
    );
    let hidden = admin
        .ask_as("elsewhere", Method::GET, &renewal)
        .await
        .problem(404);
    let none = renewal.replace(&id, "r-0000000000000000");
    let none = admin.ask_as("elsewhere", Method::GET, &none).await.problem(404);
    assert_eq!(hidden.replace(&id, ""), none.replace("r-0000000000000000", ""));
    for verb in ["publish", "confirm", "hold", "resume", "complete", "abort"] {
        let command = format!("{renewal}/{verb}");
        admin.ask_as("looks", Method::POST, &command).await.problem(403);
        admin.ask_as("sends", Method::POST, &command).await.problem(403);
        let hidden = admin
            .ask_as("elsewhere", Method::POST, &command)
            .await
            .problem(404);
        assert!(hidden.contains("there is no renewal"), "{hidden}");
        admin.ask(Method::POST, &command).await.problem(401);
    }
    let nameless = renewal.replace(&id, "r-1");
    admin.ask_as("looks", Method::GET, &nameless).await.problem(400);
    let twice = admin.get("/api/v1/aliases/orders").await.json();
    assert_eq!(
        (&twice["renewal"]["id"], &twice["gate"]["state"]),
        (&json!(id), &json!("open"))
    );
}

#[tokio::test]
async fn without_a_listener_for_receivers_there_are_no_links() {
    let admin = TestAdmin::start().await;
    admin.import("orders", &new_key("Orders")).await;
    let id = text(&admin.post("/api/v1/aliases/orders/renewals").await.json()["id"]);
    let publish = format!("/api/v1/renewals/{id}/publish");
    let published = admin.post(&publish).await.json();
    assert_eq!(
        (&published["links"], &published["renewal"]["step"]),
        (&json!([]), &json!("published"))
    );
    let request = admin
        .request(Method::POST, &publish)
        .header("content-type", "application/json");
    let refused = admin.send(request, r#"{"new_links": true}"#).await.problem(409);
    assert!(refused.contains("set [public]"), "{refused}");
    let request = admin
        .request(Method::POST, &publish)
        .header("content-type", "application/json");
    admin.send(request, r#"{"links": true}"#).await.problem(400);
}
