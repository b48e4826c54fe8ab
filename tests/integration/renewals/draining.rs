//! While messages under way come to their end: what is shown, and what waits.

use http::Method;
use serde_json::{Value, json};

use super::text;
use crate::support::admin::{new_key, pem};
use crate::support::client::request;
use crate::support::receiver::Receiver;
use crate::support::whole::Whole;
use crate::support::{eventually, within};

async fn import(whole: &Whole) -> String {
    let keys = "aliases/orders/keys";
    let imported = whole.operate_with(
        Method::POST,
        keys,
        "application/x-pem-file",
        pem(&new_key("Orders")),
    );
    text(&imported.await.json()["fingerprint"])
}

async fn operate(whole: &Whole, method: Method, path: &str) -> Value {
    let answer = whole.operate(method, path, json!(null)).await;
    assert!(answer.status.is_success(), "{path}: {answer:?}");
    answer.json()
}

/// A receiver that may keep its answers to itself.
async fn set() -> (Receiver, Whole) {
    let receiver = Receiver::start().await;
    let whole = Whole::start(&format!(
        "[alias.orders]\nstrategy = \"hold\"\n[[route]]\nname = \"orders\"\npath = \"/orders\"\n\
         receiver = \"http://{}/\"\nalias = \"orders\"\n",
        receiver.address
    ))
    .await;
    (receiver, whole)
}

/// A renewal, its key and its link.
async fn published(whole: &Whole) -> (String, String, String) {
    let (first, next) = (import(whole).await, import(whole).await);
    operate(
        whole,
        Method::POST,
        &format!("aliases/orders/keys/{first}/activate"),
    )
    .await;
    let start = whole.operate(Method::POST, "aliases/orders/renewals", json!({"key": next}));
    let id = text(&start.await.json()["id"]);
    let published = operate(whole, Method::POST, &format!("renewals/{id}/publish")).await;
    let link = super::path_of(&text(&published["links"][0]["url"]));
    (id, next, link)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_tells_to_wait_and_an_activation_waits_until_nothing_is_under_way() {
    let (receiver, whole) = set().await;
    let (id, next, link) = published(&whole).await;

    receiver.pause();
    let under_way = tokio::spawn(whole.sending("/orders"));
    eventually("it is under way", || receiver.requests().len() == 1).await;
    let ready = whole.visit_with(request(Method::POST, &link), "step=ready").await;
    assert_eq!(ready.status, 303);
    let page = whole.visit(Method::GET, &link).await;
    let refreshes = page
        .text()
        .contains("<meta http-equiv=\"refresh\" content=\"2\">");
    assert!(
        refreshes && page.text().contains("exchange nothing yet"),
        "{}",
        page.text()
    );
    assert!(!page.text().contains("<form"), "{}", page.text());
    let renewal = operate(&whole, Method::GET, &format!("renewals/{id}")).await;
    assert_eq!(
        (&renewal["gate"]["state"], &renewal["waiting_for"]["who"]),
        (&json!("draining"), &json!("drain"))
    );
    for verb in ["resume", "confirm"] {
        let early = whole
            .operate(Method::POST, &format!("renewals/{id}/{verb}"), json!(null))
            .await;
        assert!(early.problem(409).contains("drain"), "{verb}: {early:?}");
    }
    let rollback = whole.operate(Method::POST, "aliases/orders/rollback", json!(null));
    rollback.await.problem(409);

    let activate = format!("aliases/orders/keys/{next}/activate");
    let activating = whole.operate(Method::POST, &activate, json!(null));
    let going_on = async {
        receiver.go_on();
        under_way.await.unwrap()
    };
    let (activated, answered) = within(async { tokio::join!(activating, going_on) }).await;
    assert_eq!((activated.status.as_u16(), answered.status.as_u16()), (200, 200));
    assert_eq!(activated.json()["keys"][0]["fingerprint"], next);
    let page = whole.visit(Method::GET, &link).await;
    assert!(page.text().contains("You may switch now"), "{}", page.text());

    // Messages were let go before the administrator's button was pressed, which says the same as it did.
    operate(&whole, Method::POST, &format!("renewals/{id}/resume")).await;
    let switched = whole
        .visit_with(request(Method::POST, &link), "step=switched")
        .await;
    assert_eq!(switched.status, 303);
    let page = whole.visit(Method::GET, &link).await;
    assert!(page.text().contains("has confirmed on"), "{}", page.text());
    assert!(
        page.text().contains("Messages are signed with the new key."),
        "{}",
        page.text()
    );
}
