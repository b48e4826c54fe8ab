//! A whole renewal by events alone. Whoever conducts it sends events and is told of events, and knows nothing else; each
//! step is one of `created, published, confirmed, activated`, or of a hold.

use std::slice;
use std::time::Duration;

use countersign::clock::Clock;
use countersign::keys::audit::Author;
use countersign::keys::generate::SelfSigned;
use countersign::keys::source::from_pem;
use countersign::keys::{AfterImport, Certificate, Fingerprint};
use serde_json::{Value, json};

use crate::support::admin::pem;
use crate::support::client::{Answer, Flow, SOAP11};
use crate::support::clock::now;
use crate::support::evented::{Evented, event, fingerprint, key, routes};
use crate::support::eventually;
use crate::support::load::message;
use crate::support::partner::Partner;
use crate::support::receiver::Receiver;
use crate::support::sink::Sink;

/// A proxy, its receiver that trusts one key, and the sink that is all that the conductor sees.
struct Scene {
    proxy: Evented,
    partner: Partner,
    sink: Sink,
    seen: usize,
    next: SelfSigned,
    sent: usize,
}

impl Scene {
    async fn start(strategy: &str) -> Self {
        let (first, next) = (key("First"), key("Next"));
        let certificates = [&first, &next].map(|key| {
            let pem = key.certificate_pem().unwrap();
            let x509 = openssl::x509::X509::from_pem(&pem).unwrap();
            Certificate::from_der(&x509.to_der().unwrap()).unwrap()
        });
        let partner = Partner::scripted(&certificates, |seen| seen.usual()).await;
        let sink = Sink::start().await;
        let sections = format!(
            "[alias.orders]\nstrategy = \"{strategy}\"\n\
             source = {{ certificate = \"orders.pem\", private_key = \"orders.pem\" }}\n[alias.invoices]\n\
             [[route]]\nname = \"orders\"\npath = \"/orders\"\nreceiver = \"{}\"\nalias = \"orders\"\n{}",
            partner.receiver.url("/"),
            sink.sections("conductor", "aliases = [\"orders\"]"),
        );
        Self {
            proxy: Evented::start_with(&first, &sections, Clock::system()).await,
            partner,
            sink,
            seen: 0,
            next,
            sent: 0,
        }
    }

    /// What the conductor is told next of this type.
    async fn told(&mut self, kind: &str) -> Value {
        let event = self.sink.next(&mut self.seen, kind).await;
        event["data"].clone()
    }

    /// What the conductor asks for is done.
    async fn ask(&mut self, kind: &str, data: Value) {
        self.sent += 1;
        let answer = self.proxy.send(&event(&self.sent.to_string(), kind, data)).await;
        assert_eq!(answer["result"], "applied", "{answer}");
    }

    async fn send(&self, id: &str) -> Answer {
        let mut flow = Flow::connect(self.proxy.app.proxy_address).await;
        flow.post("/orders", SOAP11, message(id)).await
    }

    /// The receiver processes a message, signed with this key.
    async fn passes(&self, id: &str, key: &Fingerprint) {
        assert_eq!(self.send(id).await.status, 200);
        assert_eq!(self.partner.keys_of(id), slice::from_ref(key));
    }
}

fn key_of(data: &Value) -> Fingerprint {
    data["fingerprint"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn pre_publish_goes_from_a_new_file_to_a_new_key_by_events_alone() {
    let mut scene = Scene::start("pre-publish").await;
    let old = key_of(&scene.told("key.activated").await);
    scene.passes("1", &old).await;

    // Created: the key comes by its source.
    scene.proxy.exchange_source_for(&scene.next);
    scene.ask("key.import", json!({})).await;
    let pending = scene.told("key.pending").await;
    let new = key_of(&pending);
    assert_eq!(new.to_string(), fingerprint(&scene.next));
    let started = scene.told("renewal.started").await;
    assert_eq!(key_of(&started), new);

    // Published: the receiver's administrator gets the certificate, and adds it.
    let waiting = scene.told("renewal.waiting").await;
    let receiver = &waiting["receivers"][0];
    assert_eq!(receiver["confirmed"], false);
    assert!(
        pending["certificate"]
            .as_str()
            .unwrap()
            .contains("BEGIN CERTIFICATE")
    );
    scene.partner.trust(&[&old, &new]);
    scene.passes("2", &old).await;

    // Confirmed.
    let confirm = json!({"renewal": waiting["renewal"], "receiver": receiver["receiver"]});
    scene.ask("renewal.confirm", confirm).await;
    let confirmed = scene.told("renewal.confirmed").await;
    assert_eq!(confirmed["all"], true);
    assert_eq!(confirmed["receivers"][0]["confirmed"], true);
    scene.passes("3", &old).await;

    // Activated.
    let activate = json!({"fingerprint": new.to_string(), "replaces": old.to_string()});
    scene.ask("key.activate", activate).await;
    assert_eq!(key_of(&scene.told("key.activated").await), new);
    let retired = scene.told("key.retired").await;
    assert_eq!(key_of(&retired), old);
    assert!(retired["kept_until"].is_string());
    assert_eq!(
        scene.told("renewal.activated").await["renewal"],
        waiting["renewal"]
    );
    scene.partner.trust(&[&new]);
    scene.passes("4", &new).await;
    assert_eq!(scene.partner.processed(), ["1", "2", "3", "4"]);

    // The next renewal completes it.
    scene.proxy.exchange_source();
    scene.ask("key.import", json!({})).await;
    assert_eq!(
        scene.told("renewal.completed").await["renewal"],
        waiting["renewal"]
    );
}

#[tokio::test]
async fn hold_goes_from_a_new_file_to_a_new_key_by_events_alone() {
    let mut scene = Scene::start("hold").await;
    let old = key_of(&scene.told("key.activated").await);
    scene.passes("1", &old).await;

    // Created.
    scene.proxy.exchange_source_for(&scene.next);
    scene.ask("key.import", json!({})).await;
    let new = key_of(&scene.told("renewal.started").await);
    scene.passes("2", &old).await;

    // Held: nothing is under way, so the receiver may switch.
    scene.ask("hold.start", json!({})).await;
    assert_eq!(key_of(&scene.told("hold.started").await), new);
    assert_eq!(key_of(&scene.told("key.activated").await), new);
    scene.told("hold.may-switch").await;
    let held = async {
        let answer = scene.send("3").await;
        assert_eq!(answer.status, 200);
    };
    let conductor = async {
        let waits = || scene.proxy.metric("countersign_held_messages{alias=\"orders\"}") == 1.0;
        eventually("a message waits", waits).await;
        assert_eq!(scene.partner.ids(), ["1", "2"]);
        scene.partner.trust(&[&new]);
        let answer = scene.proxy.send(&event("end", "hold.end", json!({}))).await;
        assert_eq!(answer["result"], "applied", "{answer}");
    };
    tokio::join!(held, conductor);

    // On its way again, with the new key.
    scene.told("hold.ended").await;
    assert_eq!(scene.partner.keys_of("3"), slice::from_ref(&new));
    scene.passes("4", &new).await;
    assert_eq!(scene.partner.processed(), ["1", "2", "3", "4"]);
    let again = scene.proxy.send(&event("end", "hold.end", json!({}))).await;
    assert_eq!(again["result"], "applied", "as it was answered");
    let ended = scene.proxy.send(&event("end again", "hold.end", json!({}))).await;
    assert_eq!(ended["result"], "ignored", "{ended}");
}

#[tokio::test]
async fn a_key_that_the_look_at_the_source_found_first_is_renewed_all_the_same_and_once() {
    let mut scene = Scene::start("pre-publish").await;
    let (operator, next) = (scene.proxy.app.keys.by(Author::source()), key("Next"));
    scene.proxy.exchange_source_for(&next);
    let material = from_pem(&pem(&next), None, now()).unwrap();
    let brought = operator.bring("orders", material, AfterImport::StayPending, now());
    let new = brought.unwrap().fingerprint;

    scene.ask("key.import", json!({})).await;
    let started = scene.told("renewal.started").await;
    assert_eq!(key_of(&started), new);
    let renewal = started["renewal"].as_str().unwrap().parse().unwrap();
    scene
        .proxy
        .app
        .keys
        .by(Author::cli())
        .abort("orders", &renewal, now())
        .unwrap();
    let again = scene.proxy.send(&event("again", "key.import", json!({}))).await;
    assert_eq!(again["result"], "ignored", "it was given up: {again}");
}

#[tokio::test]
async fn an_activation_during_a_drain_waits_for_its_end() {
    let receiver = Receiver::slow(Duration::from_millis(300)).await;
    let sections = format!(
        "[alias.orders]\nstrategy = \"hold\"\nsource = {{ certificate = \"orders.pem\", private_key = \"orders.pem\" }}\n\
         [alias.invoices]\n{}",
        routes(&receiver.url("/"))
            .split("[[route]]")
            .take(2)
            .collect::<Vec<_>>()
            .join("[[route]]"),
    );
    let proxy = Evented::start(&sections).await;
    let new = proxy.import("orders");
    let flow = async {
        let mut flow = Flow::connect(proxy.app.proxy_address).await;
        assert_eq!(flow.post("/orders", SOAP11, message("1")).await.status, 200);
    };
    let conductor = async {
        let under_way = || proxy.metric("countersign_requests_under_way") == 1.0;
        eventually("a message is under way", under_way).await;
        let started = proxy.send(&event("1", "hold.start", json!({}))).await;
        assert_eq!(started["result"], "applied", "{started}");
        let activate = event("2", "key.activate", json!({"fingerprint": new}));
        let answer = proxy.send(&activate).await;
        // The hold has done it.
        assert_eq!(answer["result"], "ignored", "{answer}");
        assert_eq!(proxy.active("orders"), new);
    };
    tokio::join!(flow, conductor);
}
