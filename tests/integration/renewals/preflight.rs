//! What a preflight says of keys that would break something, and of those that would not.

use std::time::Duration;

use countersign::keys::generate::{KeyAlgorithm, SelfSigned};
use http::{Method, Response};
use serde_json::{Value, json};

use super::{Scene, text};
use crate::support::admin::pem;
use crate::support::clock::now;
use crate::support::receiver::{ACKNOWLEDGED, Receiver};
use crate::support::whole::Whole;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn import(scene: &Scene, key: &SelfSigned) -> String {
    let keys = "aliases/orders/keys";
    let imported = scene
        .whole
        .operate_with(Method::POST, keys, "application/x-pem-file", pem(key))
        .await;
    text(&imported.json()["fingerprint"])
}

async fn preflight(scene: &Scene, key: &str) -> Value {
    scene.get(&format!("aliases/orders/keys/{key}/preflight")).await
}

/// Severity and check of each finding.
fn findings(preflight: &Value) -> Vec<String> {
    let findings = preflight["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| format!("{} {}", text(&finding["severity"]), text(&finding["check"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_like_the_one_before_is_nothing_to_speak_of() {
    let scene = Scene::set("", "").await;
    let like = SelfSigned::generate(KeyAlgorithm::P256, "First", now(), 365 * DAY).unwrap();
    let key = import(&scene, &like).await;
    scene.message_signed_by().await;
    let before = scene.receiver.counts();
    let said = preflight(&scene, &key).await;
    assert_eq!(
        (&said["passed"], &said["findings"]),
        (&json!(true), &json!([])),
        "{said}"
    );
    assert_eq!(
        (&said["signed"], &said["active"]),
        (&json!(1), &json!(scene.first))
    );
    let route = &said["routes"][0];
    assert_eq!(
        (&route["name"], &route["receiver"]),
        (&json!("orders"), &json!(scene.origin))
    );
    assert_eq!(route["requests"], 1);
    assert!(route["last_request"].is_string(), "{route}");
    assert_eq!(scene.receiver.counts(), before, "nothing is sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_thing_that_would_break_is_named_with_its_routes_and_what_to_do() {
    let scene = Scene::set("", "").await;
    let key =
        |algorithm, name, begin, lifetime| SelfSigned::generate(algorithm, name, begin, lifetime).unwrap();
    let rsa = key(KeyAlgorithm::Rsa2048, "First", now(), 365 * DAY);
    let later = key(KeyAlgorithm::P256, "First", now() + 2 * DAY, 365 * DAY);
    let short = key(KeyAlgorithm::P256, "Other", now(), DAY / 2);
    for (key, expected) in [
        (&rsa, &["warning algorithm"][..]),
        (&later, &["error validity", "info pending"]),
        (
            &short,
            &[
                "warning validity",
                "warning validity",
                "warning subject",
                "info pending",
            ],
        ),
    ] {
        let key = import(&scene, key).await;
        let said = preflight(&scene, &key).await;
        assert_eq!(findings(&said), expected, "{said}");
        let passed = !expected.iter().any(|finding| finding.starts_with("error"));
        assert_eq!(said["passed"], passed);
        for finding in said["findings"].as_array().unwrap() {
            assert_eq!(finding["routes"], json!(["orders"]), "{finding}");
            assert!(!text(&finding["remedy"]).is_empty());
        }
    }
    let revoked = preflight(&scene, &scene.first).await;
    assert_eq!(findings(&revoked)[..1], ["warning validity"], "{revoked}");
    let unknown = format!("aliases/orders/keys/{}/preflight", "0".repeat(64));
    scene
        .whole
        .operate(Method::GET, &unknown, json!(null))
        .await
        .problem(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_that_cannot_be_kept_and_a_missing_identifier_are_found_by_trying() {
    let profiles = "profile = \"named\"\n[profile.named]\nkey_identifier = \"subject-key-identifier\"\n\
         signature_algorithm = \"ecdsa-sha256\"\n";
    let scene = Scene::set("", profiles).await;
    let rsa = SelfSigned::generate(KeyAlgorithm::Rsa2048, "First", now(), 365 * DAY).unwrap();
    let key = import(&scene, &rsa).await;
    let said = preflight(&scene, &key).await;
    assert_eq!(
        findings(&said),
        ["error trial-signature", "info algorithm"],
        "{said}"
    );

    let at = tempfile::tempdir().unwrap();
    let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=First -keyout key.pem -out \
         certificate.pem -addext subjectKeyIdentifier=none";
    crate::support::tool::openssl(at.path(), make);
    let files = ["key.pem", "certificate.pem"].map(|file| std::fs::read(at.path().join(file)).unwrap());
    let keys = "aliases/orders/keys";
    let imported = scene
        .whole
        .operate_with(Method::POST, keys, "application/x-pem-file", files.concat())
        .await;
    let said = preflight(&scene, &text(&imported.json()["fingerprint"])).await;
    assert_eq!(
        findings(&said),
        ["error key-identifier", "info pending"],
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_whose_clock_is_wrong_is_named() {
    for (ahead, expected) in [(DAY, " s ahead of ours"), (Duration::ZERO, "")] {
        let receiver = Receiver::answering(move |_| {
            let date = httpdate::fmt_http_date((now() + ahead).into());
            let answer = Response::builder()
                .header("date", date)
                .header("content-type", "text/xml");
            answer.body(ACKNOWLEDGED.into()).unwrap()
        })
        .await;
        let whole = Whole::start(&format!(
            "[alias.orders]\n[[route]]\nname = \"orders\"\npath = \"/orders\"\nreceiver = \"{}\"\nalias = \"orders\"\n",
            receiver.url("/in")
        ))
        .await;
        let keys = "aliases/orders/keys";
        let key = SelfSigned::generate(KeyAlgorithm::P256, "First", now(), 365 * DAY).unwrap();
        let imported = whole
            .operate_with(Method::POST, keys, "application/x-pem-file", pem(&key))
            .await;
        let key = text(&imported.json()["fingerprint"]);
        let preflight = format!("{keys}/{key}/preflight");
        let activate = format!("{keys}/{key}/activate");
        whole.operate(Method::POST, &activate, json!(null)).await;
        assert_eq!(whole.send("/orders").await.status, 200);
        let said = whole.operate(Method::GET, &preflight, json!(null)).await.json();
        let findings = said["findings"].as_array().unwrap();
        let clock = findings.iter().find(|finding| finding["check"] == "clock");
        let sentence = clock
            .map(|finding| text(&finding["sentence"]))
            .unwrap_or_default();
        assert!(
            clock.is_some() != expected.is_empty() && sentence.contains(expected),
            "{said}"
        );
        if let Some(clock) = clock {
            assert_eq!(
                (&clock["severity"], &clock["routes"]),
                (&json!("warning"), &json!(["orders"]))
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_sample_the_receivers_are_asked_how_they_refuse() {
    let scene = Scene::set("strategy = \"receiver-led\"", "key_refused = [\"countersign\"]").await;
    let key = scene.import().await;
    let path = format!("aliases/orders/keys/{key}/preflight");
    let sample = crate::support::signing::message("soap11");
    let said = scene
        .whole
        .operate_with(Method::POST, &path, "text/xml", sample)
        .await;
    assert_eq!(said.status, 200, "{said:?}");
    let probe = &said.json()["routes"][0]["probe"];
    assert_eq!(probe["key_refused"], json!(["countersign"]), "{probe}");
    assert_eq!(scene.receiver.counts().refused, 1);
    scene
        .whole
        .operate_with(Method::POST, &path, "text/xml", "no message")
        .await
        .problem(422);
}
