//! Takes events out of the outbox to their sinks, over and over until each was acknowledged: at least once, and never given
//! up. An event of an alias goes out when the one before it was acknowledged; aliases do not wait for each other.
//!
//! Waits are measured by the monotonic clock; a restart begins anew with what lies in the outbox.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep_until};

use crate::keys::Keys;
use crate::keys::store::{Lying, Outbox};
use crate::metrics::{DeliveryOutcome, Metrics};

mod lanes;
mod sink;

pub use sink::{Sink, SinkError};

use lanes::Lanes;
use sink::NotTaken;

/// The sinks of the configuration in force.
#[derive(Default)]
pub struct Sinks {
    current: ArcSwap<Vec<Arc<Sink>>>,
    changed: Notify,
}

impl Sinks {
    /// From now on these. What failed is tried again at once, for what was wrong may be mended.
    pub fn set(&self, sinks: Vec<Arc<Sink>>) {
        self.current.store(Arc::new(sinks));
        self.changed.notify_one();
    }
}

/// Delivers, for as long as it is polled.
pub struct Delivery {
    keys: Keys,
    outbox: Arc<Outbox>,
    sinks: Arc<Sinks>,
    metrics: Arc<Metrics>,
    lanes: Lanes,
    under_way: JoinSet<(Lying, Attempt)>,
}

/// How an attempt ended.
enum Attempt {
    /// The sink has acknowledged it.
    Taken,
    /// It was not there any more: its sink was removed meanwhile.
    Gone,
    /// The sink did not take it.
    NotTaken(NotTaken),
    /// We failed, before it or after.
    Failed(String),
}

impl Delivery {
    /// Of what lies in the outbox of these keys.
    #[must_use]
    pub fn new(keys: Keys, sinks: Arc<Sinks>, metrics: Arc<Metrics>) -> Self {
        Self {
            outbox: keys.outbox(),
            keys,
            sinks,
            metrics,
            lanes: Lanes::default(),
            under_way: JoinSet::new(),
        }
    }

    /// Until it is dropped.
    pub async fn run(mut self) {
        loop {
            let now = Instant::now();
            self.begin_what_is_due(now);
            let again = self.lanes.next_due(now);
            let due = async {
                match again {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.outbox.changed() => {}
                () = self.sinks.changed.notified() => self.lanes.try_again(),
                () = due => {}
                Some(ended) = self.under_way.join_next() => match ended {
                    Ok((row, attempt)) => self.ended(&row, attempt),
                    Err(error) => {
                        // Nobody knows which one it was.
                        tracing::error!(%error, "an attempt to tell a sink stopped midway");
                        self.lanes = Lanes::default();
                    }
                },
            }
        }
    }

    fn begin_what_is_due(&mut self, now: Instant) {
        for sink in self.sinks.current.load().iter() {
            let next = self.outbox.next(sink.name());
            for row in self.lanes.begin(sink.name(), next, now) {
                let (keys, sink) = (self.keys.clone(), Arc::clone(sink));
                self.under_way.spawn(async move {
                    let attempt = attempt(&keys, &sink, &row).await;
                    (row, attempt)
                });
            }
        }
    }

    fn ended(&mut self, row: &Lying, attempt: Attempt) {
        let Lying {
            sink,
            alias,
            sequence,
            ..
        } = row;
        let (problem, wait, outcome) = match attempt {
            Attempt::Gone => {
                self.lanes.succeeded(row);
                return;
            }
            Attempt::Taken => {
                self.metrics.event_delivered(sink, DeliveryOutcome::Delivered);
                let failed = self.lanes.succeeded(row);
                if failed > 0 {
                    tracing::info!(%sink, %alias, sequence, failed, "the sink has taken an event that it did not take before");
                }
                return;
            }
            Attempt::NotTaken(NotTaken {
                problem,
                wait,
                outcome,
            }) => (problem, wait, Some(outcome)),
            Attempt::Failed(problem) => (problem, None, None),
        };
        if let Some(outcome) = outcome {
            self.metrics.event_delivered(sink, outcome);
        }
        let (times, wait) = self.lanes.failed(row, wait, Instant::now());
        if times == 1 {
            tracing::warn!(%sink, %alias, sequence, problem, ?wait, "an event was not delivered; it is tried again until it is");
        } else {
            tracing::debug!(%sink, %alias, sequence, problem, ?wait, times, "an event was not delivered");
        }
    }
}

/// Reads the event, sends it, and takes it out of the outbox.
async fn attempt(keys: &Keys, sink: &Sink, row: &Lying) -> Attempt {
    let (own, read) = (keys.clone(), row.clone());
    let event = match spawn_blocking(move || own.outgoing(&read)).await {
        Ok(Ok(event)) => event,
        Ok(Err(problem)) => return Attempt::Failed(problem.to_string()),
        Err(error) => return Attempt::Failed(error.to_string()),
    };
    let ended = match event {
        None => Attempt::Gone,
        Some(event) => match sink.tell(event).await {
            Ok(()) => Attempt::Taken,
            Err(not_taken) => return Attempt::NotTaken(not_taken),
        },
    };
    let (own, delivered) = (keys.clone(), row.clone());
    match spawn_blocking(move || own.delivered(&delivered)).await {
        Ok(Ok(())) => ended,
        Ok(Err(problem)) => Attempt::Failed(problem.to_string()),
        Err(error) => Attempt::Failed(error.to_string()),
    }
}
