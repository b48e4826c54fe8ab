//! How tokens are, made anew at each scrape.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounterVec, IntGaugeVec, Opts};

use crate::keys::pkcs11::TokenFact;

pub(super) type Facts = Box<dyn Fn() -> Vec<TokenFact> + Send + Sync>;

pub(super) struct TokenCollector {
    facts: Facts,
    described: Families,
}

struct Families {
    usable: IntGaugeVec,
    restarts: IntCounterVec,
    hung: IntCounterVec,
    wrong: IntCounterVec,
}

const LABELS: &[&str] = &["token", "module"];

impl TokenCollector {
    pub(super) fn new(facts: Facts) -> Result<Self, prometheus::Error> {
        Ok(Self {
            facts,
            described: Families::new()?,
        })
    }
}

impl Families {
    fn new() -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str| IntCounterVec::new(Opts::new(name, help), LABELS);
        Ok(Self {
            usable: IntGaugeVec::new(
                Opts::new(
                    "countersign_token_usable",
                    "1: the token was well when it was asked last. 0: it is away, fails or hangs.",
                ),
                LABELS,
            )?,
            restarts: counters(
                "countersign_token_restarts_total",
                "How often the token's module was started again.",
            )?,
            hung: counters(
                "countersign_token_hung_calls_total",
                "Calls to the token that got no answer in time.",
            )?,
            wrong: counters(
                "countersign_token_wrong_signatures_total",
                "Signatures of the token that did not verify; none of them left.",
            )?,
        })
    }

    fn show(&self, fact: &TokenFact) {
        let module = fact.module.to_string_lossy();
        let labels = [fact.token.as_str(), &module];
        self.usable.with_label_values(&labels).set(fact.usable.into());
        self.restarts.with_label_values(&labels).inc_by(fact.restarts);
        self.hung.with_label_values(&labels).inc_by(fact.hung);
        self.wrong
            .with_label_values(&labels)
            .inc_by(fact.wrong_signatures);
    }

    fn collectors(&self) -> [&dyn Collector; 4] {
        [&self.usable, &self.restarts, &self.hung, &self.wrong]
    }
}

impl Collector for TokenCollector {
    fn desc(&self) -> Vec<&Desc> {
        let families = self.described.collectors().into_iter();
        families.flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Ok(families) = Families::new() else {
            return Vec::new(); // the same call succeeded in `TokenCollector::new`
        };
        for fact in (self.facts)() {
            families.show(&fact);
        }
        let collectors = families.collectors().into_iter();
        collectors.flat_map(Collector::collect).collect()
    }
}
