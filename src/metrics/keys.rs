//! The keys there are, made anew at each scrape, so that no series outlives its key.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, IntGaugeVec, Opts};
use time::OffsetDateTime;

use crate::keys::Fingerprint;

/// What the metrics tell of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFact {
    /// The alias it belongs to.
    pub alias: String,
    /// How operators name it.
    pub key: Fingerprint,
    /// The state it is in.
    pub state: &'static str,
    /// Last instant of the certificate's validity.
    pub not_after: OffsetDateTime,
    /// It is going to be activated then.
    pub activate_at: Option<OffsetDateTime>,
}

pub(super) struct KeyCollector {
    facts: Box<dyn Fn() -> Vec<KeyFact> + Send + Sync>,
    described: KeyGauges,
}

impl KeyCollector {
    pub(super) fn new(facts: Box<dyn Fn() -> Vec<KeyFact> + Send + Sync>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            facts,
            described: KeyGauges::new()?,
        })
    }
}

impl Collector for KeyCollector {
    fn desc(&self) -> Vec<&Desc> {
        [
            self.described.info.desc(),
            self.described.not_after.desc(),
            self.described.activate_at.desc(),
        ]
        .concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Ok(gauges) = KeyGauges::new() else {
            return Vec::new(); // the same call succeeded in `KeyCollector::new`
        };
        for fact in (self.facts)() {
            let key = fact.key.short();
            gauges
                .info
                .with_label_values(&[&fact.alias, key, fact.state])
                .set(1);
            let not_after = fact.not_after - OffsetDateTime::UNIX_EPOCH;
            gauges
                .not_after
                .with_label_values(&[&fact.alias, key])
                .set(not_after.as_seconds_f64());
            if let Some(at) = fact.activate_at {
                gauges
                    .activate_at
                    .with_label_values(&[&fact.alias, key])
                    .set((at - OffsetDateTime::UNIX_EPOCH).as_seconds_f64());
            }
        }
        [
            gauges.info.collect(),
            gauges.not_after.collect(),
            gauges.activate_at.collect(),
        ]
        .concat()
    }
}

struct KeyGauges {
    info: IntGaugeVec,
    not_after: GaugeVec,
    activate_at: GaugeVec,
}

impl KeyGauges {
    fn new() -> Result<Self, prometheus::Error> {
        Ok(Self {
            info: IntGaugeVec::new(
                Opts::new("countersign_key_info", "The keys there are, by state."),
                &["alias", "key", "state"],
            )?,
            not_after: GaugeVec::new(
                Opts::new(
                    "countersign_key_not_after_timestamp_seconds",
                    "When the key's certificate expires.",
                ),
                &["alias", "key"],
            )?,
            activate_at: GaugeVec::new(
                Opts::new(
                    "countersign_key_activate_at_timestamp_seconds",
                    "When a key that waits for its time, or for its certificate to be valid, is going to be activated.",
                ),
                &["alias", "key"],
            )?,
        })
    }
}
