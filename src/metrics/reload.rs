//! What is told of configurations that come into force, or do not.

use prometheus::{Gauge, IntCounterVec, IntGauge};
use time::OffsetDateTime;

use super::{Metrics, Table};
use crate::spelling::vocabulary;

vocabulary! {
    /// What became of a configuration that was read again.
    pub enum ReloadOutcome {
        /// It is in force.
        Applied = "applied",
        /// It is wrong; the one before stays in force.
        Refused = "refused",
    }
}

pub(super) struct Reloads {
    total: IntCounterVec,
    last_successful: IntGauge,
    last_success: Gauge,
}

impl Reloads {
    pub(super) fn new(table: &Table) -> Result<Self, prometheus::Error> {
        let total = table.counters(
            "countersign_config_reloads_total",
            "Configurations that were read again.",
            &["outcome"],
        )?;
        // From the beginning, so that the first one is seen as a change.
        for outcome in ReloadOutcome::ALL {
            total.with_label_values(&[outcome.name()]);
        }
        Ok(Self {
            total,
            last_successful: table.registered(IntGauge::new(
                "countersign_config_last_reload_successful",
                "1 if the configuration read last is in force, 0 if it was refused.",
            )?)?,
            last_success: table.registered(Gauge::new(
                "countersign_config_last_reload_success_timestamp_seconds",
                "When the configuration in force was read.",
            )?)?,
        })
    }
}

impl Metrics {
    /// A configuration is in force: the first, or one that was read again.
    pub fn config_in_force(&self, now: OffsetDateTime) {
        let since = now - OffsetDateTime::UNIX_EPOCH;
        self.reloads.last_successful.set(1);
        self.reloads.last_success.set(since.as_seconds_f64());
    }

    /// A configuration was read again.
    pub fn config_reloaded(&self, outcome: ReloadOutcome) {
        self.reloads.total.with_label_values(&[outcome.name()]).inc();
        let in_force = outcome == ReloadOutcome::Applied;
        self.reloads.last_successful.set(i64::from(in_force));
    }
}
