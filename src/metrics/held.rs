//! The messages that wait for a receiver to exchange a certificate, made anew at each scrape.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGaugeVec, Opts};
use time::OffsetDateTime;

/// What waits at one alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldFact {
    /// The alias.
    pub alias: String,
    /// How many messages.
    pub messages: usize,
    /// Their bytes.
    pub bytes: usize,
    /// When the hold ends, if nobody acts before; `None`: none goes on, or nobody waits for its end.
    pub ends: Option<OffsetDateTime>,
    /// It has lasted for too long, and messages are refused.
    pub refuses: bool,
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
        let described = [
            &self.described.messages,
            &self.described.bytes,
            &self.described.ends,
            &self.described.refuses,
        ];
        described.into_iter().flat_map(Collector::desc).collect()
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
            if let Some(ends) = fact.ends {
                gauges
                    .ends
                    .with_label_values(&[&fact.alias])
                    .set(ends.unix_timestamp());
            }
            gauges
                .refuses
                .with_label_values(&[&fact.alias])
                .set(i64::from(fact.refuses));
        }
        let gauges = [gauges.messages, gauges.bytes, gauges.ends, gauges.refuses];
        gauges.iter().flat_map(Collector::collect).collect()
    }
}

struct HeldGauges {
    messages: IntGaugeVec,
    bytes: IntGaugeVec,
    ends: IntGaugeVec,
    refuses: IntGaugeVec,
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
            ends: gauges(
                "countersign_hold_ends_timestamp_seconds",
                "When a hold ends, if nobody acts before.",
            )?,
            refuses: gauges(
                "countersign_hold_refuses",
                "Whether a hold has lasted for too long and messages are refused.",
            )?,
        })
    }
}
