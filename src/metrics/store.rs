//! How the store is, made anew at each scrape.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntGauge, IntGaugeVec, Opts};

/// What the metrics tell of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFact {
    /// The last writing succeeded.
    pub writable: bool,
    /// Writings that failed since the start.
    pub failures: u64,
    /// Records of the audit.
    pub records: u64,
    /// The hash of the last one.
    pub head: String,
}

pub(super) struct StoreCollector {
    fact: Box<dyn Fn() -> StoreFact + Send + Sync>,
    described: StoreGauges,
}

impl StoreCollector {
    pub(super) fn new(fact: Box<dyn Fn() -> StoreFact + Send + Sync>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            fact,
            described: StoreGauges::new()?,
        })
    }
}

impl Collector for StoreCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.described
            .all()
            .into_iter()
            .flat_map(Collector::desc)
            .collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Ok(gauges) = StoreGauges::new() else {
            return Vec::new(); // the same call succeeded in `StoreCollector::new`
        };
        let fact = (self.fact)();
        gauges.writable.set(fact.writable.into());
        gauges.failures.inc_by(fact.failures);
        gauges
            .records
            .set(i64::try_from(fact.records).unwrap_or(i64::MAX));
        gauges.head.with_label_values(&[&fact.head]).set(1);
        gauges.all().into_iter().flat_map(Collector::collect).collect()
    }
}

struct StoreGauges {
    writable: IntGauge,
    failures: IntCounter,
    records: IntGauge,
    head: IntGaugeVec,
}

impl StoreGauges {
    fn new() -> Result<Self, prometheus::Error> {
        Ok(Self {
            writable: IntGauge::new(
                "countersign_state_writable",
                "1: the last writing to the state directory succeeded. 0: keys cannot be exchanged; messages are signed.",
            )?,
            failures: IntCounter::new(
                "countersign_state_write_failures_total",
                "Writings to the state directory that failed.",
            )?,
            records: IntGauge::new("countersign_audit_records", "Records of the audit.")?,
            head: IntGaugeVec::new(
                Opts::new(
                    "countersign_audit_head_info",
                    "The hash that stands for the audit to its end; kept elsewhere, it shows later whether it was cut off.",
                ),
                &["head"],
            )?,
        })
    }

    fn all(&self) -> [&dyn Collector; 4] {
        [&self.writable, &self.failures, &self.records, &self.head]
    }
}
