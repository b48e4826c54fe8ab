//! The messages that wait for a receiver to exchange a certificate, made anew at each scrape.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGaugeVec, Opts};

/// What waits at one alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldFact {
    /// The alias.
    pub alias: String,
    /// How many messages.
    pub messages: usize,
    /// Their bytes.
    pub bytes: usize,
}

type Facts = Box<dyn Fn() -> Vec<HeldFact> + Send + Sync>;

pub(super) struct HeldCollector {
    facts: Facts,
    described: HeldGauges,
}

impl HeldCollector {
    pub(super) fn new(facts: Facts) -> Result<Self, prometheus::Error> {
        Ok(Self {
            facts,
            described: HeldGauges::new()?,
        })
    }
}

impl Collector for HeldCollector {
    fn desc(&self) -> Vec<&Desc> {
        [self.described.messages.desc(), self.described.bytes.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Ok(gauges) = HeldGauges::new() else {
            return Vec::new(); // the same call succeeded in `HeldCollector::new`
        };
        for fact in (self.facts)() {
            let [messages, bytes] =
                [fact.messages, fact.bytes].map(|number| i64::try_from(number).unwrap_or(i64::MAX));
            gauges.messages.with_label_values(&[&fact.alias]).set(messages);
            gauges.bytes.with_label_values(&[&fact.alias]).set(bytes);
        }
        [gauges.messages.collect(), gauges.bytes.collect()].concat()
    }
}

struct HeldGauges {
    messages: IntGaugeVec,
    bytes: IntGaugeVec,
}

impl HeldGauges {
    fn new() -> Result<Self, prometheus::Error> {
        let gauges = |name, help| IntGaugeVec::new(Opts::new(name, help), &["alias"]);
        Ok(Self {
            messages: gauges(
                "countersign_held_messages",
                "Messages that wait for their receiver to exchange a certificate.",
            )?,
            bytes: gauges("countersign_held_bytes", "Bytes of the messages that wait so.")?,
        })
    }
}
