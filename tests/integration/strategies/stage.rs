//! A receiver, a proxy that signs for it, and the key that comes next, all as they run.

use std::time::Duration;

use countersign::keys::generate::{KeyAlgorithm, SelfSigned};
use http::Method;
use serde_json::Value;
use tokio::time::sleep;

use super::load::{Came, Load};
use crate::support::admin::pem;
use crate::support::clock::now;
use crate::support::receiver_process::ReceiverProcess;
use crate::support::served::{Place, Served};
use crate::support::within;

/// All of it.
pub(crate) struct Stage {
    pub(crate) receiver: ReceiverProcess,
    pub(crate) proxy: Served,
    pub(crate) old: Key,
    pub(crate) new: Key,
}

/// As the receiver gets to know it.
pub(crate) struct Key {
    pub(crate) fingerprint: String,
    pub(crate) certificate: Vec<u8>,
    pem: Vec<u8>,
}

/// What differs from test to test.
pub(crate) struct Setting<'a> {
    pub(crate) keys: KeyAlgorithm,
    /// Of the alias, lines of the configuration.
    pub(crate) alias: &'a str,
    /// Of each route.
    pub(crate) route: &'a str,
    /// Where the receiver takes SOAP 1.1 and SOAP 1.2.
    pub(crate) paths: [&'a str; 2],
}

/// Of the proxy, for SOAP 1.1 and SOAP 1.2.
pub(crate) const ROUTES: [&str; 2] = ["soap11", "soap12"];
const PATHS: [&str; 2] = ["/soap11", "/soap12"];

impl Stage {
    /// Starts both: the receiver trusts the old key, the proxy has it.
    pub(crate) async fn set(
        setting: &Setting<'_>,
        receiver: impl FnOnce(&Place, &Key) -> ReceiverProcess,
    ) -> Self {
        let [old, new] = ["Old", "New"].map(|name| Key::generate(setting.keys, name));
        let place = Place::new();
        place.write("orders.pem", &old.pem);
        let receiver = receiver(&place, &old);
        let routes = ROUTES.iter().zip(setting.paths).map(|(name, at)| {
            format!(
                "[[route]]\nname = \"{name}\"\npath = \"/{name}\"\nreceiver = \"http://{}/{at}\"\nalias = \"orders\"\n{}\n",
                receiver.address,
                setting.route
            )
        });
        let sections = format!(
            "{}\n[proxy]\nlisten = \"127.0.0.1:0\"\n{}",
            setting.alias,
            routes.collect::<String>()
        );
        let proxy = place.serve(&sections).await;
        Self {
            receiver,
            proxy,
            old,
            new,
        }
    }

    /// Load through the proxy.
    pub(crate) fn load(&self) -> Load {
        Load::start(self.proxy.proxy, PATHS)
    }

    /// Gives the proxy the new key, which is pending then.
    pub(crate) async fn import_new(&self) {
        self.told(
            Method::POST,
            "aliases/orders/keys",
            "application/x-pem-file",
            &self.new.pem,
        )
        .await;
    }

    /// Activates the new key.
    pub(crate) async fn activate_new(&self) {
        let path = format!("aliases/orders/keys/{}/activate", self.new.fingerprint);
        self.told(Method::POST, &path, "application/json", b"").await;
    }

    /// Holds messages to exchange the key; the renewal's id.
    pub(crate) async fn hold(&self) -> String {
        let renewal = self
            .told(Method::POST, "aliases/orders/renewals", "application/json", b"{}")
            .await;
        let id = renewal["id"].as_str().expect("a renewal has an id").to_owned();
        self.told(
            Method::POST,
            &format!("renewals/{id}/hold"),
            "application/json",
            b"",
        )
        .await;
        id
    }

    /// Waits until the receiver may switch: what was under way is over, and the new key the active one.
    pub(crate) async fn until_may_switch(&self, renewal: &str) {
        let path = format!("renewals/{renewal}");
        within(async {
            while self.told(Method::GET, &path, "text/plain", b"").await["gate"]["state"] != "holding" {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    /// Tells that the receiver has switched.
    pub(crate) async fn confirm(&self, renewal: &str) {
        let path = format!("renewals/{renewal}/confirm");
        self.told(Method::POST, &path, "application/json", b"{}").await;
    }

    /// Waits until so many messages are held.
    pub(crate) async fn until_held(&self, messages: usize) {
        let series = "countersign_held_messages{alias=\"orders\"}";
        self.proxy.until(series, |held| held == messages as f64).await;
    }

    /// Waits until the proxy signs with this key.
    pub(crate) async fn until_active(&self, key: &Key) {
        self.proxy
            .until_alias("orders", |alias| active(alias) == Some(&key.fingerprint))
            .await;
    }

    /// What the API answers; it must not refuse.
    pub(crate) async fn told(&self, method: Method, path: &str, media_type: &str, body: &[u8]) -> Value {
        let path = format!("/api/v1/{path}");
        let (status, answer) = self.proxy.ask(method, &path, media_type, body.to_vec()).await;
        assert!(status.is_success(), "{path}: {status} {answer:?}");
        serde_json::from_slice(&answer).unwrap_or_default()
    }

    /// No message failed at its client, and the receiver has processed each of them exactly once. How many it refused before.
    pub(crate) async fn nothing_was_lost(&self, came: &[Came]) -> u64 {
        let failed: Vec<_> = came.iter().filter(|message| message.status / 100 != 2).collect();
        assert!(failed.is_empty(), "{failed:?}\n{}", self.proxy.log());
        let counts = self.receiver.counts().await;
        let exactly_once = (counts.accepted, counts.duplicates, counts.unsigned);
        assert_eq!(exactly_once, (came.len() as u64, 0, 0), "{counts:?}");
        for key in [&self.old, &self.new] {
            assert!(
                counts.keys.contains_key(&key.fingerprint),
                "each key signed: {counts:?}"
            );
        }
        println!(
            "{} messages, each processed once; {} refused before",
            came.len(),
            counts.refused
        );
        counts.refused
    }
}

fn active(alias: &Value) -> Option<&str> {
    let mut keys = alias["keys"].as_array()?.iter();
    keys.find(|key| key["state"] == "active")?["fingerprint"].as_str()
}

impl Key {
    fn generate(algorithm: KeyAlgorithm, name: &str) -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        let key = SelfSigned::generate(algorithm, name, now(), day).expect("a key");
        Self {
            certificate: key.certificate_pem().expect("a certificate"),
            pem: pem(&key),
            fingerprint: key
                .into_material()
                .expect("a key")
                .certificate
                .fingerprint()
                .to_string(),
        }
    }
}
