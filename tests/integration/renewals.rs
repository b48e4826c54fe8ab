//! Renewals as those who take part see them: an operator, a receiver's administrator, and messages that go on meanwhile.

mod access;
mod by_api;
mod by_command;
mod draining;
mod links;
mod preflight;

use std::time::Duration;

use countersign::clock::Clock;
use countersign::keys::Certificate;
use countersign::keys::source::certificates;
use countersign::receiver::{Options, Receiver};
use countersign::wss::verify::Trust;
use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::admin::{new_key, pem};
use crate::support::client::Answer;
use crate::support::whole::Whole;
use crate::support::within;

/// A proxy, the receiver that its one route leads to, and the key that signs until it is renewed.
struct Scene {
    whole: Whole,
    receiver: Receiver,
    /// As links name it.
    origin: String,
    /// That key's name.
    first: String,
}

impl Scene {
    /// With this strategy, and further lines of the route.
    async fn set(alias: &str, route: &str) -> Self {
        let first = new_key("First");
        let own = first.certificate_pem().unwrap();
        let trusted = Trust::new(certificates(&own).unwrap());
        let receiver = Receiver::bind(([127, 0, 0, 1], 0).into(), trusted, Options::new(Clock::system()));
        let receiver = receiver.await.unwrap();
        let origin = format!("http://{}", receiver.address());
        let whole = Whole::start(&format!(
            "[alias.orders]\n{alias}\n[[route]]\nname = \"orders\"\npath = \"/orders\"\nreceiver = \"{origin}/in\"\n\
             alias = \"orders\"\n{route}\n"
        ))
        .await;
        let imported = whole.operate_with(
            Method::POST,
            "aliases/orders/keys",
            "application/x-pem-file",
            pem(&first),
        );
        let first = text(&imported.await.json()["fingerprint"]);
        let scene = Self {
            whole,
            receiver,
            origin,
            first,
        };
        scene.activate(&scene.first).await;
        scene
    }

    /// What the operator is answered, who is not refused.
    async fn operate(&self, method: Method, path: &str, body: Value) -> Value {
        let answer = self.whole.operate(method, path, body).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        answer.json()
    }

    async fn get(&self, path: &str) -> Value {
        self.operate(Method::GET, path, json!(null)).await
    }

    async fn activate(&self, key: &str) {
        let path = format!("aliases/orders/keys/{key}/activate");
        self.operate(Method::POST, &path, json!(null)).await;
    }

    /// A new key, imported: its name.
    async fn import(&self) -> String {
        let imported = self.whole.operate_with(
            Method::POST,
            "aliases/orders/keys",
            "application/x-pem-file",
            pem(&new_key("Next")),
        );
        text(&imported.await.json()["fingerprint"])
    }

    /// A command to a renewal, and what it leaves.
    async fn command(&self, renewal: &str, verb: &str, body: Value) -> Value {
        self.operate(Method::POST, &format!("renewals/{renewal}/{verb}"), body)
            .await
    }

    /// Publishes, and hands over the link to confirm by: what follows the listener's address.
    async fn link(&self, renewal: &str) -> String {
        let published = self.command(renewal, "publish", json!({"new_links": true})).await;
        path_of(&text(&published["links"][0]["url"]))
    }

    /// The receiver trusts these, as it gets them from the public listener.
    async fn receiver_trusts(&self, keys: &[&str]) {
        let mut trusted: Vec<Certificate> = Vec::new();
        for key in keys {
            let certificate = format!("/certificates/orders?fingerprint={key}&format=pem");
            let answer = self.whole.visit(Method::GET, &certificate).await;
            trusted.extend(certificates(&answer.body).unwrap());
        }
        self.receiver.exchange_trust(Trust::new(trusted));
    }

    /// Sends a message that the receiver has to accept: the key that it is signed with.
    async fn message_signed_by(&self) -> String {
        let answer = self.whole.send("/orders").await;
        signed_by(&answer)
    }

    /// The same, while the test goes on.
    fn send_aside(&self) -> JoinHandle<Answer> {
        tokio::spawn(self.whole.sending("/orders"))
    }

    /// What a link shows.
    async fn page(&self, link: &str) -> String {
        let answer = self.whole.visit(Method::GET, link).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.text().to_owned()
    }

    async fn gate_becomes(&self, state: &str) {
        self.alias_becomes(|alias| alias["gate"]["state"] == state).await;
    }

    async fn held_become(&self, messages: usize) {
        self.alias_becomes(|alias| alias["gate"]["messages"] == messages)
            .await;
    }

    async fn alias_becomes(&self, holds: impl Fn(&Value) -> bool) {
        within(async {
            let mut tick = tokio::time::interval(Duration::from_millis(5));
            while !holds(&self.get("aliases/orders").await) {
                tick.tick().await;
            }
        })
        .await;
    }

    async fn state_of(&self, key: &str) -> String {
        let alias = self.get("aliases/orders").await;
        let mut keys = alias["keys"].as_array().unwrap().iter();
        let key = keys.find(|known| known["fingerprint"] == key).unwrap();
        text(&key["state"])
    }
}

fn signed_by(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    let (_, key) = answer
        .text()
        .split_once("key=\"")
        .expect("the demo receiver names it");
    key.split_once('"').unwrap().0.to_owned()
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

/// A link leads to the listener by whatever is in front of it.
fn path_of(link: &str) -> String {
    let path = link.strip_prefix("https://keys.example.com").unwrap();
    assert_eq!(path.len(), "/confirm/".len() + 43, "256 bits: {path}");
    path.to_owned()
}

/// Taken steps, in order.
fn steps(renewal: &Value) -> Vec<String> {
    let steps = renewal["steps"].as_array().unwrap().iter();
    steps.map(|taken| text(&taken["step"])).collect()
}
