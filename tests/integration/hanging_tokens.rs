//! Tokens that hang, crash or lie, by a shim around SoftHSM2: what that does to their own messages, and to everything else.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::Instant;

use crate::support::admin::{new_key, pem};
use crate::support::eventually;
use crate::support::receiver::Receiver;
use crate::support::served::{Place, Served};
use crate::support::shim::Shim;
use crate::support::softhsm::SoftHsm;

const P256: &str = "EC -pkeyopt ec_paramgen_curve:P-256";
/// What is not stopped by a token takes milliseconds; a machine that has much to do takes longer.
const SOON: Duration = Duration::from_secs(5);

/// A process, the tokens of one module, and the module.
struct Stage {
    served: Served,
    hsm: SoftHsm,
    shim: Shim,
    receiver: Receiver,
}

impl Stage {
    /// With these aliases, each of one key on the token of the same name.
    async fn new(tokens: &[&str], settings: &str) -> Self {
        let receiver = Receiver::start().await;
        let place = Place::new();
        let (hsm, shim) = (SoftHsm::new(place.path("hsm")), Shim::new(&place.path("shim")));
        for token in tokens {
            hsm.init(token);
            hsm.add_key(token, "key", "01", P256);
        }
        let sections = sections(&receiver, &hsm, &shim, tokens, settings);
        let environment = shim.environment(&hsm).into_iter();
        let place = environment.fold(place, |place, (name, value)| place.environment(name, value));
        let served = place.serve(&sections).await;
        Self {
            served,
            hsm,
            shim,
            receiver,
        }
    }

    async fn pending(&self, alias: &str) -> String {
        let shown = self
            .served
            .until_alias(alias, |alias| {
                alias["keys"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|key| key["state"] == "pending")
            })
            .await;
        let keys = shown["keys"].as_array().unwrap();
        let pending = keys.iter().find(|key| key["state"] == "pending").unwrap();
        pending["fingerprint"].as_str().unwrap().to_owned()
    }
}

fn sections(receiver: &Receiver, hsm: &SoftHsm, shim: &Shim, tokens: &[&str], settings: &str) -> String {
    let url = receiver.url("/");
    let mut sections = "[proxy]\nlisten = \"127.0.0.1:0\"\ndrain = \"5s\"\n".to_owned();
    for token in tokens {
        let source = hsm.source_through(&shim.module(), &format!("token={token};object=key"), settings);
        sections += &format!("[alias.{token}]\n{source}\n");
    }
    for alias in tokens.iter().chain([&"orders"]) {
        sections += &format!(
            "[[route]]\nname = \"{alias}\"\npath = \"/{alias}\"\nreceiver = \"{url}\"\nalias = \"{alias}\"\nfault_status = \"http\"\n"
        );
    }
    sections
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_token_is_asked_for_a_trial_signature_every_other_command_is_carried_out() {
    let stage = Stage::new(&["signing"], "").await;
    let (served, hsm) = (&stage.served, &stage.hsm);
    hsm.add_key("signing", "next", "02", P256);
    let next = hsm.source_through(&stage.shim.module(), "token=signing;object=next", "");
    let first = hsm.source_through(&stage.shim.module(), "token=signing;object=key", "");
    let sections = sections(&stage.receiver, hsm, &stage.shim, &["signing"], "").replace(&first, &next);
    served.configure(&sections);
    served.exchange("orders.pem", pem(&new_key("Orders")));
    let (on_token, in_memory) = (stage.pending("signing").await, stage.pending("orders").await);

    stage.shim.rules("C_Sign hang");
    let signatures = stage.shim.calls("C_Sign", "signing");
    let begun = Instant::now();
    let hangs = served.activate("signing", &on_token);
    let others = async {
        eventually("the token hangs", || {
            stage.shim.calls("C_Sign", "signing") > signatures
        })
        .await;
        let begun = Instant::now();
        let (status, answer) = served.activate("orders", &in_memory).await;
        assert_eq!(status, StatusCode::OK, "{answer:?}");
        let stop = format!("/api/v1/aliases/orders/keys/{in_memory}/revoke");
        let stop = served.ask(
            Method::POST,
            &stop,
            "application/json",
            r#"{"stop": true, "reason": "test"}"#,
        );
        let (status, answer) = stop.await;
        assert_eq!(status, StatusCode::OK, "{answer:?}");
        let (status, audit) = served.ask(Method::GET, "/api/v1/audit", "text/plain", "").await;
        assert_eq!(status, StatusCode::OK, "{audit:?}");
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
        stage.shim.rules("");
    };
    let ((status, answer), ()) = tokio::join!(hangs, others);
    assert!(begun.elapsed() < 2 * SOON, "{:?}", begun.elapsed());
    assert_eq!(status, StatusCode::OK, "{answer:?}");
}
