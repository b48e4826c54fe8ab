//! A whole renewal by the admin API alone, as the table of steps tells it.

use std::time::Duration;

use http::Method;
use serde_json::json;

use super::{Scene, path_of, signed_by, steps, text};
use crate::support::authority::Authority;
use crate::support::client::request;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pre_publish_from_the_request_to_the_end_of_retention() {
    let scene = Scene::set("", "").await;
    let (id, next) = created(&scene).await;
    let link = published(&scene, &id).await;
    confirmed(&scene, &id, &next, &link).await;
    activated(&scene, &id, &next).await;
    completed(&scene, &id, &next).await;
    kept_for_ninety_days(&scene, &id).await;
}

/// The key is generated here, the request goes out, the certificate comes in.
async fn created(scene: &Scene) -> (String, String) {
    let authority = Authority::of(&[]);
    let wanted = json!({"type": "p-256", "subject": "CN=Orders,O=Example"});
    let generated = scene
        .operate(Method::POST, "aliases/orders/requests", wanted)
        .await;
    let answer = authority.answer(&text(&generated["request"]["request"]));
    let certified = scene.whole.operate_with(
        Method::POST,
        "aliases/orders/certificates",
        "application/x-pem-file",
        answer,
    );
    let next = text(&certified.await.json()["fingerprint"]);
    let started = scene
        .operate(Method::POST, "aliases/orders/renewals", json!(null))
        .await;
    assert_eq!(
        (&started["step"], &started["key"]),
        (&json!("created"), &json!(next))
    );
    assert_eq!(started["waiting_for"]["to"], "publish");
    (text(&started["id"]), next)
}

/// Its certificate is handed over.
async fn published(scene: &Scene, id: &str) -> String {
    let published = scene.command(id, "publish", json!(null)).await;
    let waiting_for = &published["renewal"]["waiting_for"];
    assert_eq!(
        (&waiting_for["to"], &waiting_for["receivers"]),
        (&json!("confirm"), &json!([scene.origin]))
    );
    path_of(&text(&published["links"][0]["url"]))
}

/// The receiver's administrator adds it to the old one, and says so.
async fn confirmed(scene: &Scene, id: &str, next: &str, link: &str) {
    scene.receiver_trusts(&[&scene.first, next]).await;
    assert!(scene.page(link).await.contains("I have added it"));
    let form = request(Method::POST, link).header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(scene.whole.visit_with(form, "step=confirmed").await.status, 303);
    let renewal = scene.get(&format!("renewals/{id}")).await;
    assert_eq!(
        (&renewal["step"], &renewal["waiting_for"]["to"]),
        (&json!("confirmed"), &json!("activate"))
    );
    assert_eq!(
        scene.message_signed_by().await,
        scene.first,
        "nothing is switched by that"
    );
}

/// Every new message is signed with it.
async fn activated(scene: &Scene, id: &str, next: &str) {
    scene.activate(next).await;
    assert_eq!(scene.message_signed_by().await, next);
    let renewal = scene.get(&format!("renewals/{id}")).await;
    assert_eq!(renewal["waiting_for"]["to"], "complete");
}

/// The receiver has removed the old certificate.
async fn completed(scene: &Scene, id: &str, next: &str) {
    scene.receiver_trusts(&[next]).await;
    let completed = scene.command(id, "complete", json!(null)).await;
    let all = ["created", "published", "confirmed", "activated", "completed"];
    assert_eq!(steps(&completed), all);
    assert_eq!(completed["steps"][2]["by"], format!("link {}", scene.origin));
    assert_eq!(completed["waiting_for"]["who"], "nobody");
    assert_eq!(scene.message_signed_by().await, next);
    assert_eq!(scene.state_of(&scene.first).await, "retired");
}

/// The old key's retention runs.
async fn kept_for_ninety_days(scene: &Scene, id: &str) {
    let purge = format!("aliases/orders/keys/{}/purge", scene.first);
    let old_key = async || scene.get(&format!("renewals/{id}")).await["old_key"].clone();
    scene.whole.later(89 * DAY);
    let refused = scene.whole.operate(Method::POST, &purge, json!(null)).await;
    assert!(refused.problem(409).contains("kept until"), "{refused:?}");
    assert_eq!(old_key().await["safe_to_purge"], false);
    scene.whole.later(2 * DAY);
    assert_eq!(old_key().await["safe_to_purge"], true);
    scene.operate(Method::POST, &purge, json!(null)).await;
    assert_eq!(scene.state_of(&scene.first).await, "purged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_with_a_receiver_that_switches_when_it_may() {
    let scene = Scene::set("strategy = \"hold\"", "").await;
    let next = scene.import().await;

    // created, published
    let started = scene
        .operate(Method::POST, "aliases/orders/renewals", json!({"key": next}))
        .await;
    let id = text(&started["id"]);
    let link = scene.link(&id).await;
    let renewal = scene.get(&format!("renewals/{id}")).await;
    assert_eq!(renewal["waiting_for"]["to"], "hold");
    let early = format!("renewals/{id}/confirm");
    let early = scene
        .whole
        .operate(Method::POST, &early, json!(null))
        .await
        .problem(409);
    assert!(early.contains("hold the messages first"), "{early}");

    // the receiver's administrator is ready: messages wait, and once nothing is under way, it may switch
    let form = |step: &'static str| scene.whole.visit_with(request(Method::POST, &link), step);
    assert!(scene.page(&link).await.contains("Exchange nothing yet"));
    assert_eq!(form("step=ready").await.status, 303);
    scene.gate_becomes("holding").await;
    let (page, waiting) = (scene.page(&link).await, scene.send_aside());
    assert!(page.contains("You may switch now"), "{page}");
    assert_eq!(
        form("step=ready").await.status,
        303,
        "a second click changes nothing"
    );
    scene.held_become(1).await;
    let renewal = scene.get(&format!("renewals/{id}")).await;
    assert_eq!(
        (&renewal["step"], &renewal["waiting_for"]["to"]),
        (&json!("activated"), &json!("exchange"))
    );

    // it has switched: that confirms, and what waited is signed with the new key
    scene.receiver_trusts(&[&next]).await;
    assert_eq!(form("step=switched").await.status, 303);
    assert_eq!(signed_by(&waiting.await.unwrap()), next);
    assert_eq!(scene.message_signed_by().await, next);
    assert!(scene.page(&link).await.contains("has confirmed on"));

    // completed
    let completed = scene.command(&id, "complete", json!(null)).await;
    assert_eq!(completed["step"], "completed");
    assert_eq!(scene.state_of(&scene.first).await, "retired");
    assert_eq!(scene.receiver.counts().refused, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_by_commands_alone_and_called_off() {
    let scene = Scene::set("strategy = \"hold\"", "").await;
    let next = scene.import().await;
    let started = scene
        .operate(Method::POST, "aliases/orders/renewals", json!(null))
        .await;
    let id = text(&started["id"]);
    scene.command(&id, "hold", json!(null)).await;
    scene.gate_becomes("holding").await;
    let waiting = scene.send_aside();
    scene.held_become(1).await;
    scene.receiver_trusts(&[&next]).await;
    let resumed = scene.command(&id, "resume", json!(null)).await;
    assert_eq!(
        (&resumed["gate"]["state"], &resumed["step"]),
        (&json!("open"), &json!("activated"))
    );
    assert_eq!(signed_by(&waiting.await.unwrap()), next);
    scene
        .command(&id, "confirm", json!({"receiver": scene.origin}))
        .await;
    let abort = format!("renewals/{id}/abort");
    let either = scene.whole.operate(Method::POST, &abort, json!(null)).await;
    let either = either.problem(409);
    for way in ["countersign renewal complete", "--back"] {
        assert!(either.contains(way), "{either}");
    }
    assert_eq!(scene.message_signed_by().await, next);
    scene.receiver_trusts(&[&scene.first]).await;
    let aborted = scene.command(&id, "abort", json!({"back": true})).await;
    assert_eq!(
        (
            &aborted["step"],
            &aborted["rolled_back"],
            &aborted["signs"]["fingerprint"]
        ),
        (&json!("aborted"), &json!(true), &json!(scene.first))
    );
    assert_eq!(scene.message_signed_by().await, scene.first);
    let over = format!("renewals/{id}/hold");
    let over = scene
        .whole
        .operate(Method::POST, &over, json!(null))
        .await
        .problem(409);
    assert!(over.contains("is aborted: start another one"), "{over}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receiver_led_by_nobody_but_the_receiver() {
    let scene = Scene::set(
        "strategy = \"receiver-led\"\nsettle = \"1ms\"",
        "key_refused = [\"countersign\"]",
    )
    .await;
    let next = scene.import().await;

    // created, published; nobody says when the receiver switches
    let started = scene
        .operate(Method::POST, "aliases/orders/renewals", json!(null))
        .await;
    let id = text(&started["id"]);
    scene.command(&id, "publish", json!(null)).await;
    assert_eq!(scene.message_signed_by().await, scene.first);
    let renewal = scene.get(&format!("renewals/{id}")).await;
    assert_eq!(renewal["waiting_for"]["to"], "exchange");

    // it has: the first message that it refuses is signed with the new key, and so are all that follow
    scene.receiver_trusts(&[&next]).await;
    assert_eq!(scene.message_signed_by().await, next);
    assert_eq!(scene.message_signed_by().await, next);
    let renewal = scene.get(&format!("renewals/{id}")).await;
    assert_eq!(
        steps(&renewal),
        ["created", "published", "confirmed", "activated"]
    );
    assert_eq!(renewal["steps"][3]["by"], format!("receiver {}", scene.origin));
    assert_eq!(scene.receiver.counts().refused, 1);

    // completed
    scene.command(&id, "complete", json!(null)).await;
    assert_eq!(scene.state_of(&scene.first).await, "retired");
}
