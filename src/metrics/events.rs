//! What is told of events that come in and go out.

use prometheus::IntCounterVec;

use super::{Metrics, Table};
use crate::spelling::vocabulary;

vocabulary! {
    /// What became of an event from outside.
    pub enum EventOutcome {
        /// It was done.
        Applied = "applied",
        /// There was nothing to do.
        Ignored = "ignored",
        /// It was not done.
        Refused = "refused",
        /// It had come before, and was answered as it was then.
        Repeated = "repeated",
        /// It was not decided; its sender sends it again.
        Failed = "failed",
    }
}

vocabulary! {
    /// What became of an attempt to tell a sink.
    pub enum DeliveryOutcome {
        /// It has acknowledged the event.
        Delivered = "delivered",
        /// It answered that it does not take it, in whatever way.
        Refused = "refused",
        /// It could not be reached, or broke off.
        Unreachable = "unreachable",
        /// It did not answer in time.
        TimedOut = "timed-out",
    }
}

/// The label of events whose type nobody here knows.
const OTHER: &str = "other";

pub(super) struct Events {
    received: IntCounterVec,
    delivered: IntCounterVec,
}

impl Events {
    pub(super) fn new(table: &Table) -> Result<Self, prometheus::Error> {
        Ok(Self {
            received: table.counters(
                "countersign_events_total",
                "Events from outside, by what became of them.",
                &["type", "outcome"],
            )?,
            delivered: table.counters(
                "countersign_event_deliveries_total",
                "Attempts to tell sinks of events.",
                &["sink", "outcome"],
            )?,
        })
    }
}

impl Metrics {
    /// An event from outside was answered; `kind` is its type, where that is known here.
    pub fn event_answered(&self, kind: Option<&str>, outcome: EventOutcome) {
        let labels = [kind.unwrap_or(OTHER), outcome.name()];
        self.events.received.with_label_values(&labels).inc();
    }

    /// A sink was told of an event, or was to be.
    pub fn event_delivered(&self, sink: &str, outcome: DeliveryOutcome) {
        let labels = [sink, outcome.name()];
        self.events.delivered.with_label_values(&labels).inc();
    }
}
