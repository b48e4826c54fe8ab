//! The same with Apache CXF as the receiver (`RenewalReceiver` of `tests/interop`). `make interop` runs these: they need what
//! Maven brings, and `COUNTERSIGN_INTEROP_CLASSPATH` to find it.

use std::process::Command;

use countersign::keys::generate::KeyAlgorithm;
use http::Method;
use serde_json::{Value, json};

use super::load::{CONTENT_TYPES, message};
use super::stage::{Key, ROUTES, Setting, Stage};
use super::{RECEIVER_LED, there_and_back};
use crate::support::receiver_process::ReceiverProcess;
use crate::support::served::Place;
use crate::support::soak::Seed;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Apache CXF: make interop"]
async fn receiver_led_follows_the_trust_store_behind_cxf_s_interceptors_there_and_back() {
    there_and_back(
        &stage("interceptors", RECEIVER_LED, r#"key_refused = ["cxf"]"#).await,
        Seed::new(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Apache CXF: make interop"]
async fn receiver_led_follows_the_trust_store_behind_a_policy_that_tells_its_errors_there_and_back() {
    there_and_back(
        &stage("policy", RECEIVER_LED, r#"key_refused = ["cxf-detailed"]"#).await,
        Seed::new(),
    )
    .await;
}

#[tokio::test]
#[ignore = "needs Apache CXF: make interop"]
async fn the_probe_finds_these_sets_and_tells_of_endpoints_that_do_not_verify_that_they_do_not() {
    for (endpoints, accepted, key_refused, warning) in [
        ("interceptors", false, json!(["cxf"]), "[]"),
        ("policy", false, json!(["cxf-detailed"]), "[]"),
        ("unsecured", true, Value::Null, "does not verify signatures"),
        ("ignorant", false, Value::Null, "no entry is safe"),
    ] {
        let stage = stage(endpoints, "strategy = \"pre-publish\"", "").await;
        for (version, route) in ROUTES.into_iter().enumerate() {
            let (path, sample) = (
                format!("routes/{route}/probe"),
                message(version, "urn:example:probe"),
            );
            let found = stage
                .told(Method::POST, &path, CONTENT_TYPES[version], sample.as_bytes())
                .await;
            println!("{endpoints}, {route}: {found}");
            assert_eq!(found["attempts"][0]["accepted"], accepted);
            assert_eq!(found["key_refused"], key_refused);
            assert!(found["warnings"].to_string().contains(warning));
        }
    }
}

/// These endpoints, behind which an AlgorithmSuite takes RSA keys alone.
async fn stage(endpoints: &str, alias: &str, route: &str) -> Stage {
    let setting = Setting {
        keys: KeyAlgorithm::Rsa2048,
        alias,
        route,
        paths: [&format!("{endpoints}/1.1"), &format!("{endpoints}/1.2")],
    };
    Stage::set(&setting, cxf).await
}

fn cxf(place: &Place, trusted: &Key) -> ReceiverProcess {
    let classpath = std::env::var_os("COUNTERSIGN_INTEROP_CLASSPATH").expect("set by make interop");
    place.write("trust.pem", &trusted.certificate);
    let mut command = Command::new("java");
    command
        .arg("-cp")
        .arg(classpath)
        .args(["io.countersign.interop.RenewalReceiver", "trust.pem"])
        .current_dir(place.path(""));
    ReceiverProcess::run(command)
}
