//! Whether the sources of keys can be used, made anew at each scrape.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGaugeVec, Opts};

/// By alias: its source can be used.
pub(super) type Facts = Box<dyn Fn() -> Vec<(String, bool)> + Send + Sync>;

pub(super) struct SourceCollector {
    facts: Facts,
    described: IntGaugeVec,
}

impl SourceCollector {
    pub(super) fn new(facts: Facts) -> Result<Self, prometheus::Error> {
        Ok(Self {
            facts,
            described: gauges()?,
        })
    }
}

impl Collector for SourceCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.described.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Ok(gauges) = gauges() else {
            return Vec::new(); // the same call succeeded in `SourceCollector::new`
        };
        for (alias, usable) in (self.facts)() {
            gauges.with_label_values(&[&alias]).set(usable.into());
        }
        gauges.collect()
    }
}

fn gauges() -> Result<IntGaugeVec, prometheus::Error> {
    let help = "1: what the alias's source brings may sign. 0: it brings nothing of use; the alias keeps the keys it has.";
    IntGaugeVec::new(Opts::new("countersign_key_source_usable", help), &["alias"])
}
