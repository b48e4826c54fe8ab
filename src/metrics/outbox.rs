//! What waits for the sinks of events, made anew at each scrape.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, IntGaugeVec, Opts};
use time::OffsetDateTime;

/// What the metrics tell of one sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxFact {
    /// Its name.
    pub sink: String,
    /// Events that it has not acknowledged.
    pub events: usize,
    /// When the oldest of them happened.
    pub oldest: Option<OffsetDateTime>,
}

/// One a sink.
pub(super) type Facts = Box<dyn Fn() -> Vec<OutboxFact> + Send + Sync>;

pub(super) struct OutboxCollector {
    facts: Facts,
    described: Gauges,
}

impl OutboxCollector {
    pub(super) fn new(facts: Facts) -> Result<Self, prometheus::Error> {
        Ok(Self {
            facts,
            described: Gauges::new()?,
        })
    }
}

impl Collector for OutboxCollector {
    fn desc(&self) -> Vec<&Desc> {
        [self.described.events.desc(), self.described.oldest.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Ok(gauges) = Gauges::new() else {
            return Vec::new(); // the same call succeeded in `OutboxCollector::new`
        };
        for fact in (self.facts)() {
            let events = i64::try_from(fact.events).unwrap_or(i64::MAX);
            gauges.events.with_label_values(&[&fact.sink]).set(events);
            if let Some(oldest) = fact.oldest {
                let since = oldest - OffsetDateTime::UNIX_EPOCH;
                let oldest = gauges.oldest.with_label_values(&[&fact.sink]);
                oldest.set(since.as_seconds_f64());
            }
        }
        [gauges.events.collect(), gauges.oldest.collect()].concat()
    }
}

struct Gauges {
    events: IntGaugeVec,
    oldest: GaugeVec,
}

impl Gauges {
    fn new() -> Result<Self, prometheus::Error> {
        let events = Opts::new(
            "countersign_outbox_events",
            "Events that a sink has not acknowledged.",
        );
        let oldest = Opts::new(
            "countersign_outbox_oldest_timestamp_seconds",
            "When the oldest event happened that a sink has not acknowledged; absent: there is none.",
        );
        Ok(Self {
            events: IntGaugeVec::new(events, &["sink"])?,
            oldest: GaugeVec::new(oldest, &["sink"])?,
        })
    }
}
