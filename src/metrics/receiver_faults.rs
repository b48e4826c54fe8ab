//! Faults that receivers sent, by code: the one label that a peer chooses, so there is a bound to how many there are and
//! how long they get.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use prometheus::IntCounterVec;

use super::Table;

/// Codes of a route that are told apart: the first ones.
const MOST: usize = 20;
/// Bytes of one; those that are known have less than 120.
const LONGEST: usize = 200;
/// What the others are counted under.
const OTHER: &str = "other";

pub(super) struct ReceiverFaults {
    counters: IntCounterVec,
    /// By route; they outlive its configuration, as counters do.
    known: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

impl ReceiverFaults {
    pub(super) fn new(table: &Table) -> Result<Self, prometheus::Error> {
        Ok(Self {
            counters: table.counters(
                "countersign_receiver_faults_total",
                "SOAP faults that receivers answered with, by code; those beyond a route's first 20 codes are other.",
                &["route", "code"],
            )?,
            known: Mutex::default(),
        })
    }

    pub(super) fn count(&self, route: &str, code: &str) {
        let label = if self.knows(route, code) { code } else { OTHER };
        self.counters.with_label_values(&[route, label]).inc();
    }

    fn knows(&self, route: &str, code: &str) -> bool {
        if code.len() > LONGEST || code.chars().any(char::is_control) {
            return false;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let codes = known.entry(route.to_owned()).or_default();
        codes.contains(code) || (codes.len() < MOST && codes.insert(code.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::Metrics;

    #[test]
    fn the_first_codes_of_a_route_are_told_apart_and_the_rest_are_other() {
        let metrics = Metrics::new().unwrap();
        for number in 0..25 {
            metrics.receiver_fault("orders", &format!("{{urn:x}}Code{number}"));
        }
        metrics.receiver_fault("orders", "{urn:x}Code3");
        metrics.receiver_fault("invoices", "{urn:x}Code24");
        metrics.receiver_fault("invoices", &format!("{{urn:{}}}Long", "x".repeat(200)));
        metrics.receiver_fault("invoices", "a\nb");
        let text = String::from_utf8(metrics.render().unwrap()).unwrap();
        for line in [
            r#"countersign_receiver_faults_total{code="{urn:x}Code3",route="orders"} 2"#,
            r#"countersign_receiver_faults_total{code="{urn:x}Code19",route="orders"} 1"#,
            r#"countersign_receiver_faults_total{code="other",route="orders"} 5"#,
            r#"countersign_receiver_faults_total{code="{urn:x}Code24",route="invoices"} 1"#,
            r#"countersign_receiver_faults_total{code="other",route="invoices"} 2"#,
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
