//! What operators watch: every name, unit and label set, in one place.
//!
//! Other parts tell what happened, in the past tense; nobody else knows a metric's name. A label's value comes
//! from the configuration or from a closed vocabulary; from a peer only the codes of its faults, a bounded number of
//! them. Each application has a registry of its own.

mod events;
mod held;
mod keys;
mod outbox;
mod receiver_faults;
mod reload;
mod sources;
mod store;
mod table;
mod tokens;
mod traffic;
mod words;

use std::time::Duration;

use prometheus::{Encoder, Histogram, HistogramVec, IntCounterVec, PullingGauge, Registry, TextEncoder};

use crate::keys::lifecycle::Trigger;
use crate::keys::pkcs11::TokenFact;
use crate::keys::{Fingerprint, Purpose};

pub use events::{DeliveryOutcome, EventOutcome};
pub use held::HeldFact;
pub use keys::KeyFact;
pub use outbox::OutboxFact;
pub use reload::ReloadOutcome;
pub use store::StoreFact;
pub use traffic::RouteTraffic;
pub use words::{Outcome, Phase, SelfCheckOutcome};

use events::Events;
use held::HeldCollector;
use keys::KeyCollector;
use outbox::OutboxCollector;
use receiver_faults::ReceiverFaults;
use reload::Reloads;
use sources::SourceCollector;
use store::StoreCollector;
use table::Table;
use tokens::TokenCollector;
use traffic::Traffic;

/// Seconds; from a small message on the same host to a receiver at its time-out.
const REQUEST_BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
];
/// Seconds; from an ECDSA signature to RSA-4096 over many megabytes.
const SIGN_BUCKETS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0,
];
/// Seconds; a switch is a pointer in memory, or a write to disk.
const SWITCH_BUCKETS: &[f64] = &[0.000_01, 0.0001, 0.001, 0.01, 0.1, 1.0, 10.0];
/// Seconds; some pointers and a part of a map.
const PUBLISH_BUCKETS: &[f64] = &[
    0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.0001, 0.000_25, 0.001, 0.01,
];

/// The counters of one application.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    messages_signed: IntCounterVec,
    sign_duration: HistogramVec,
    self_checks: IntCounterVec,
    receiver_faults: ReceiverFaults,
    redirects_followed: IntCounterVec,
    key_lookups: IntCounterVec,
    key_switches: IntCounterVec,
    key_switch_duration: Histogram,
    key_publish_duration: Histogram,
    reloads: Reloads,
    traffic: Traffic,
    events: Events,
}

impl Metrics {
    /// The table.
    ///
    /// # Errors
    /// When two metrics have one name, or the system has no `/proc`.
    pub fn new() -> Result<Self, prometheus::Error> {
        let table = Table(Registry::new());
        table.describe_process()?;
        Ok(Self {
            requests: table.counters(
                "countersign_requests_total",
                "Requests by how they ended.",
                &["route", "outcome"],
            )?,
            request_duration: table.histograms(
                "countersign_request_duration_seconds",
                "Where a request's time goes.",
                &["route", "phase"],
                REQUEST_BUCKETS,
            )?,
            messages_signed: table.counters(
                "countersign_messages_signed_total",
                "Messages signed, by key.",
                &["alias", "key"],
            )?,
            sign_duration: table.histograms(
                "countersign_sign_duration_seconds",
                "Digesting and signing one message.",
                &["alias", "algorithm"],
                SIGN_BUCKETS,
            )?,
            self_checks: table.counters(
                "countersign_self_checks_total",
                "Signed messages that were due for a look by the second engine.",
                &["route", "outcome"],
            )?,
            receiver_faults: ReceiverFaults::new(&table)?,
            redirects_followed: redirects_followed(&table)?,
            key_lookups: table.counters(
                "countersign_key_lookups_total",
                "Keys that were found by a reference, by what it was looked up for.",
                &["alias", "purpose", "state"],
            )?,
            key_switches: table.counters(
                "countersign_key_switches_total",
                "Changes of an alias's active key.",
                &["alias", "trigger"],
            )?,
            key_switch_duration: table.histogram(
                "countersign_key_switch_duration_seconds",
                "From the command to the first instant at which every new message takes the new key.",
                SWITCH_BUCKETS,
            )?,
            key_publish_duration: table.histogram(
                "countersign_key_publish_duration_seconds",
                "Of a switch, the exchange of the keys in memory, after it was stored.",
                PUBLISH_BUCKETS,
            )?,
            reloads: Reloads::new(&table)?,
            traffic: Traffic::new(),
            events: Events::new(&table)?,
            registry: table.0,
        })
    }

    /// A request ended; `route` is `None` where none was found.
    pub fn request_ended(&self, route: Option<&str>, outcome: Outcome) {
        if let Some(route) = route {
            self.traffic.count(route);
        }
        self.requests
            .with_label_values(&[route.unwrap_or("none"), outcome.name()])
            .inc();
    }

    /// What went by a route since the start.
    #[must_use]
    pub fn traffic(&self, route: &str) -> RouteTraffic {
        self.traffic.of(route)
    }

    /// A request got through one phase.
    pub fn phase_passed(&self, route: Option<&str>, phase: Phase, took: Duration) {
        self.request_duration
            .with_label_values(&[route.unwrap_or("none"), phase.name()])
            .observe(took.as_secs_f64());
    }

    /// A message was signed.
    pub fn message_signed(&self, alias: &str, key: &Fingerprint, algorithm: &str, took: Duration) {
        self.messages_signed
            .with_label_values(&[alias, key.short()])
            .inc();
        self.sign_duration
            .with_label_values(&[alias, algorithm])
            .observe(took.as_secs_f64());
    }

    /// A signed message was due for a look by the second engine.
    pub fn self_checked(&self, route: &str, outcome: SelfCheckOutcome) {
        self.self_checks.with_label_values(&[route, outcome.name()]).inc();
    }

    /// A receiver answered with a fault; `code` as it is written in a configuration.
    pub fn receiver_fault(&self, route: &str, code: &str) {
        self.receiver_faults.count(route, code);
    }

    /// A signed message followed a redirect of its receiver.
    pub fn redirect_followed(&self, route: &str) {
        self.redirects_followed.with_label_values(&[route]).inc();
    }

    /// A key was found by a reference.
    pub fn key_looked_up(&self, alias: &str, purpose: Purpose, state: &str) {
        self.key_lookups
            .with_label_values(&[alias, purpose.name(), state])
            .inc();
    }

    /// An alias's active key changed; `trigger` says what asked for it.
    pub fn key_switched(&self, alias: &str, trigger: Trigger, took: Duration) {
        self.key_switches
            .with_label_values(&[alias, trigger.name()])
            .inc();
        self.key_switch_duration.observe(took.as_secs_f64());
    }

    /// Of that, the exchange of the keys in memory.
    pub fn keys_published(&self, took: Duration) {
        self.key_publish_duration.observe(took.as_secs_f64());
    }

    /// From now on every scrape shows what messages take: requests under way, bytes buffered. Call it once.
    ///
    /// # Errors
    /// When it was called before.
    pub fn watch_load(
        &self,
        requests: impl Fn() -> f64 + Send + Sync + 'static,
        bytes: impl Fn() -> f64 + Send + Sync + 'static,
    ) -> Result<(), prometheus::Error> {
        let gauges = [
            PullingGauge::new(
                "countersign_requests_under_way",
                "Requests not yet answered to their end; at most max_requests.",
                Box::new(requests),
            )?,
            PullingGauge::new(
                "countersign_buffered_bytes",
                "Bytes of messages that have not left; at most max_buffered.",
                Box::new(bytes),
            )?,
        ];
        gauges
            .into_iter()
            .try_for_each(|gauge| self.registry.register(Box::new(gauge)))
    }

    /// From now on every scrape shows how the store is. Call it once.
    ///
    /// # Errors
    /// When it was called before.
    pub fn watch_store(
        &self,
        fact: impl Fn() -> StoreFact + Send + Sync + 'static,
    ) -> Result<(), prometheus::Error> {
        self.registry
            .register(Box::new(StoreCollector::new(Box::new(fact))?))
    }

    /// From now on every scrape shows the keys that `facts` returns. Call it once.
    ///
    /// # Errors
    /// When it was called before.
    pub fn watch_keys(
        &self,
        facts: impl Fn() -> Vec<KeyFact> + Send + Sync + 'static,
    ) -> Result<(), prometheus::Error> {
        self.registry
            .register(Box::new(KeyCollector::new(Box::new(facts))?))
    }

    /// From now on every scrape shows the sources that `facts` returns. Call it once.
    ///
    /// # Errors
    /// When it was called before.
    pub fn watch_sources(
        &self,
        facts: impl Fn() -> Vec<(String, bool)> + Send + Sync + 'static,
    ) -> Result<(), prometheus::Error> {
        self.registry
            .register(Box::new(SourceCollector::new(Box::new(facts))?))
    }

    /// From now on every scrape shows the tokens that `facts` returns. Call it once.
    ///
    /// # Errors
    /// When it was called before.
    pub fn watch_tokens(
        &self,
        facts: impl Fn() -> Vec<TokenFact> + Send + Sync + 'static,
    ) -> Result<(), prometheus::Error> {
        self.registry
            .register(Box::new(TokenCollector::new(Box::new(facts))?))
    }

    /// From now on every scrape shows the messages that wait for a receiver to exchange a certificate. Call it once.
    ///
    /// # Errors
    /// When it was called before.
    pub fn watch_held(
        &self,
        facts: impl Fn() -> Vec<HeldFact> + Send + Sync + 'static,
    ) -> Result<(), prometheus::Error> {
        self.registry
            .register(Box::new(HeldCollector::new(Box::new(facts))?))
    }

    /// From now on every scrape shows what waits for the sinks that `facts` returns. Call it once.
    ///
    /// # Errors
    /// When it was called before.
    pub fn watch_outbox(
        &self,
        facts: impl Fn() -> Vec<OutboxFact> + Send + Sync + 'static,
    ) -> Result<(), prometheus::Error> {
        self.registry
            .register(Box::new(OutboxCollector::new(Box::new(facts))?))
    }

    /// Everything in the Prometheus text format.
    ///
    /// # Errors
    /// When a part of it cannot be written as text.
    pub fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        self.render_where(|_, _| true)
    }

    /// The same without the series of which a label, by name and value, is not to be seen.
    ///
    /// # Errors
    /// When a part of it cannot be written as text.
    pub fn render_where(&self, seen: impl Fn(&str, &str) -> bool) -> Result<Vec<u8>, prometheus::Error> {
        let mut families = self.registry.gather();
        for family in &mut families {
            family.mut_metric().retain(|metric| {
                let mut labels = metric.get_label().iter();
                labels.all(|label| seen(label.name(), label.value()))
            });
        }
        families.retain(|family| !family.get_metric().is_empty());
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text)?;
        Ok(text)
    }
}

fn redirects_followed(table: &Table) -> Result<IntCounterVec, prometheus::Error> {
    table.counters(
        "countersign_redirects_followed_total",
        "Redirects of a receiver that signed messages followed.",
        &["route"],
    )
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    fn key() -> Fingerprint {
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
            .parse()
            .unwrap()
    }

    fn rendered(metrics: &Metrics) -> String {
        String::from_utf8(metrics.render().unwrap()).unwrap()
    }

    #[test]
    fn what_happened_is_counted_under_its_labels() {
        let metrics = Metrics::new().unwrap();
        metrics.request_ended(Some("orders"), Outcome::Answered);
        metrics.phase_passed(Some("orders"), Phase::Read, Duration::from_millis(3));
        metrics.message_signed("orders", &key(), "rsa-sha256", Duration::from_millis(1));
        metrics.self_checked("orders", SelfCheckOutcome::Passed);
        metrics.key_switched("orders", Trigger::Activate, Duration::from_millis(2));
        metrics.keys_published(Duration::from_micros(20));

        let text = rendered(&metrics);
        for line in [
            r#"countersign_requests_total{outcome="answered",route="orders"} 1"#,
            r#"countersign_request_duration_seconds_count{phase="read",route="orders"} 1"#,
            r#"countersign_messages_signed_total{alias="orders",key="0011223344556677"} 1"#,
            r#"countersign_sign_duration_seconds_count{algorithm="rsa-sha256",alias="orders"} 1"#,
            r#"countersign_self_checks_total{outcome="passed",route="orders"} 1"#,
            r#"countersign_key_switches_total{alias="orders",trigger="activate"} 1"#,
            "countersign_key_switch_duration_seconds_count 1",
            r#"countersign_key_publish_duration_seconds_bucket{le="0.000025"} 1"#,
            r#"countersign_build_info{version="#,
            "process_open_fds ",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn a_key_that_is_gone_has_no_series() {
        let keys = std::sync::Arc::new(std::sync::Mutex::new(vec![KeyFact {
            alias: "orders".into(),
            key: key(),
            state: "active",
            not_after: OffsetDateTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000),
            activate_at: None,
        }]));
        let metrics = Metrics::new().unwrap();
        let watched = keys.clone();
        metrics
            .watch_keys(move || watched.lock().unwrap().clone())
            .unwrap();

        let text = rendered(&metrics);
        assert!(
            text.contains(r#"countersign_key_info{alias="orders",key="0011223344556677",state="active"} 1"#)
        );
        assert!(text.contains(
            r#"countersign_key_not_after_timestamp_seconds{alias="orders",key="0011223344556677"} 2000000000"#
        ));

        keys.lock().unwrap().clear();
        assert!(!rendered(&metrics).contains("countersign_key_info{"));
    }
}
