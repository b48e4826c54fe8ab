//! The real application, asked by events alone, and what an event is made of.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign::app::{App, Origin, StartError};
use countersign::clock::Clock;
use countersign::config::Config;
use countersign::keys::audit::Author;
use countersign::keys::generate::{KeyAlgorithm, SelfSigned};
use countersign::keys::store::StoreError;
use countersign::keys::{AfterImport, Fingerprint};
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::admin::pem;
use super::client::{Answer, Flow};
use super::clock::now;
use super::within;

/// An application with the aliases `orders` and `invoices`, and one who may send events for each, and for `orders` alone.
pub(crate) struct Evented {
    pub(crate) app: App,
    directory: TempDir,
    sections: String,
    clock: Clock,
}

/// The token of an entry of `[[admin.access]]`.
fn token_of(name: &str) -> String {
    format!("{name:-<43}")
}

const ACCESS: &str = "[[admin.access]]\nname = \"hr\"\nrole = \"event\"\ntoken_file = \"hr.token\"\n\
    [[admin.access]]\nname = \"narrow\"\nrole = \"event\"\ntoken_file = \"narrow.token\"\naliases = [\"invoices\"]\n\
    [[admin.access]]\nname = \"viewer\"\nrole = \"viewer\"\ntoken_file = \"viewer.token\"\n";

/// The two aliases; the key of `orders` comes by a file.
pub(crate) const ALIASES: &str = "[alias.orders]\nsource = { certificate = \"orders.pem\", private_key = \"orders.pem\" }\n\
    [alias.invoices]\n";

impl Evented {
    /// With further sections.
    pub(crate) async fn start(sections: &str) -> Self {
        Self::start_by(sections, Clock::system()).await
    }

    /// The same by a clock of the test's.
    pub(crate) async fn start_by(sections: &str, clock: Clock) -> Self {
        Self::start_with(&key("First"), sections, clock).await
    }

    /// The same with this key of `orders`.
    pub(crate) async fn start_with(first: &SelfSigned, sections: &str, clock: Clock) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ["hr", "narrow", "viewer"] {
            let file = directory.path().join(format!("{name}.token"));
            std::fs::write(file, token_of(name)).expect("a file");
        }
        std::fs::write(directory.path().join("orders.pem"), pem(first)).expect("a file");
        let config = Config::parse(&text(sections), &directory.path().join("test.toml"));
        let app = App::start(config.expect("a configuration"), clock.clone()).await;
        Self {
            app: app.expect("it starts"),
            directory,
            sections: sections.to_owned(),
            clock,
        }
    }

    /// Stops it and starts it once more on the same state, with these sections.
    pub(crate) async fn restart_with(self, sections: &str) -> Self {
        within(self.app.shutdown()).await;
        let config = Config::parse(&text(sections), &self.directory.path().join("test.toml"));
        let config = config.expect("a configuration");
        // A look at files may be under way still, and holds the directory for as long.
        let app = within(async {
            loop {
                match App::start(config.clone(), self.clock.clone()).await {
                    Err(StartError::Store(StoreError::Locked { .. })) => tokio::task::yield_now().await,
                    started => return started.expect("it starts"),
                }
            }
        })
        .await;
        Self {
            app,
            directory: self.directory,
            sections: sections.to_owned(),
            clock: self.clock,
        }
    }

    /// The same with what it had.
    pub(crate) async fn restart(self) -> Self {
        let sections = self.sections.clone();
        self.restart_with(&sections).await
    }

    /// Puts other sections in force.
    pub(crate) async fn reload(&self, sections: &str) {
        let (text, file) = (text(sections), self.file("test.toml"));
        let origin: Origin = Arc::new(move || Config::parse(&text, &file));
        within(self.app.reload(&origin))
            .await
            .expect("a right configuration");
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.app.admin_address
    }

    /// Sends one event in structured mode.
    pub(crate) async fn send(&self, event: &Value) -> Value {
        let answer = self.post_as("hr", STRUCTURED, event.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Posts to `/events`.
    pub(crate) async fn post_as(&self, name: &str, media_type: &str, body: impl Into<Bytes>) -> Answer {
        self.ask(name, Method::POST, &[("content-type", media_type)], body)
            .await
    }

    /// Asks `/events` with these header fields.
    pub(crate) async fn ask(
        &self,
        name: &str,
        method: Method,
        fields: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri("/events")
            .header("host", "localhost")
            .header("authorization", format!("Bearer {}", token_of(name)));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).expect("a request");
        Flow::connect(self.admin()).await.send(request).await
    }

    /// A new key in the file of `orders`.
    pub(crate) fn exchange_source(&self) -> String {
        let key = key("Next");
        self.exchange_source_for(&key);
        fingerprint(&key)
    }

    /// This key in the file of `orders`.
    pub(crate) fn exchange_source_for(&self, key: &SelfSigned) {
        std::fs::write(self.file("unfinished"), pem(key)).expect("a file");
        std::fs::rename(self.file("unfinished"), self.file("orders.pem")).expect("a file");
    }

    /// Imports a new key as pending, by a command.
    pub(crate) fn import(&self, alias: &str) -> String {
        let key = key("Imported");
        let name = fingerprint(&key);
        let operator = self.app.keys.by(Author::cli());
        let material = key.into_material().expect("a key");
        let imported = operator.import(alias, material, AfterImport::ActivateIfNone, now());
        imported.expect("a key that may sign");
        name
    }

    /// Keys of an alias with their states, in the order of the API.
    pub(crate) fn states(&self, alias: &str) -> Vec<(String, &'static str)> {
        let ring = self.app.keys.ring();
        let keys = ring.alias(alias).expect("the alias").keys();
        keys.map(|entry| (entry.fingerprint().to_string(), entry.state.name()))
            .collect()
    }

    /// The key that signs.
    pub(crate) fn active(&self, alias: &str) -> String {
        let states = self.states(alias);
        let active = states.into_iter().find(|(_, state)| *state == "active");
        active.expect("an active key").0
    }

    /// The value of one series; 0 where there is none.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let text = String::from_utf8(self.app.metrics.render().expect("metrics")).expect("text");
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().expect("a number"))
    }
}

pub(crate) const STRUCTURED: &str = "application/cloudevents+json";
pub(crate) const BATCHED: &str = "application/cloudevents-batch+json";

fn text(sections: &str) -> String {
    format!("[proxy]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n{ACCESS}{sections}\n")
}

/// One route for each alias.
pub(crate) fn routes(receiver: &str) -> String {
    let route = |name: &str| {
        format!(
            "[[route]]\nname = \"{name}\"\npath = \"/{name}\"\nreceiver = \"{receiver}\"\nalias = \"{name}\"\n"
        )
    };
    route("orders") + &route("invoices")
}

/// An event of `/hr` about `orders`.
pub(crate) fn event(id: &str, kind: &str, data: Value) -> Value {
    let mut event = json!({
        "specversion": "1.0",
        "id": id,
        "source": "/hr",
        "type": format!("io.countersign.{kind}"),
        "subject": "orders",
    });
    event["data"] = data;
    event
}

/// That nobody is told expires.
pub(crate) fn key(name: &str) -> SelfSigned {
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    SelfSigned::generate(KeyAlgorithm::P256, name, now(), year).expect("a key")
}

pub(crate) fn fingerprint(key: &SelfSigned) -> String {
    let pem = key.certificate_pem().expect("a certificate");
    let x509 = openssl::x509::X509::from_pem(&pem).expect("a certificate");
    Fingerprint::of(&x509.to_der().expect("a certificate")).to_string()
}
