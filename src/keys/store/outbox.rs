//! What lies in the outbox, in memory: which event is the next of each alias and sink. The events themselves stay in the
//! database.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use time::OffsetDateTime;
use tokio::sync::Notify;

/// A row of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lying {
    /// Who is to get it.
    pub sink: String,
    /// To whose key it happened.
    pub alias: String,
    /// Its place.
    pub sequence: i64,
    /// When it happened.
    pub at: OffsetDateTime,
}

/// By alias; an alias without rows is not there.
type Lanes = BTreeMap<String, VecDeque<(i64, OffsetDateTime)>>;

/// What lies in the outbox.
#[derive(Default)]
pub struct Outbox {
    sinks: Mutex<BTreeMap<String, Lanes>>,
    changed: Notify,
}

impl Outbox {
    /// The next event of each alias for a sink: none overtakes another of its alias.
    #[must_use]
    pub fn next(&self, sink: &str) -> Vec<Lying> {
        let sinks = self.sinks();
        let lanes = sinks.get(sink).into_iter().flatten();
        let next = lanes.filter_map(|(alias, lane)| {
            let (sequence, at) = lane.front()?;
            Some(Lying {
                sink: sink.to_owned(),
                alias: alias.clone(),
                sequence: *sequence,
                at: *at,
            })
        });
        next.collect()
    }

    /// How many lie there for a sink, and since when the oldest does.
    #[must_use]
    pub fn depth(&self, sink: &str) -> (usize, Option<OffsetDateTime>) {
        let sinks = self.sinks();
        let lanes = || sinks.get(sink).into_iter().flat_map(BTreeMap::values);
        let oldest = lanes().filter_map(|lane| lane.front()).map(|(_, at)| *at).min();
        (lanes().map(VecDeque::len).sum(), oldest)
    }

    /// Resolves when something was added since it was asked last.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Sinks for which something lies there.
    pub(super) fn named(&self) -> Vec<String> {
        self.sinks().keys().cloned().collect()
    }

    pub(super) fn add(&self, rows: Vec<Lying>) {
        if rows.is_empty() {
            return;
        }
        let mut sinks = self.sinks();
        for row in rows {
            let lane = sinks.entry(row.sink).or_default().entry(row.alias).or_default();
            lane.push_back((row.sequence, row.at));
        }
        self.changed.notify_one();
    }

    pub(super) fn remove(&self, row: &Lying) {
        let mut sinks = self.sinks();
        let Some(lanes) = sinks.get_mut(&row.sink) else {
            return;
        };
        if let Some(lane) = lanes.get_mut(&row.alias) {
            lane.retain(|(sequence, _)| *sequence != row.sequence);
        }
        lanes.retain(|_, lane| !lane.is_empty());
        sinks.retain(|_, lanes| !lanes.is_empty());
    }

    /// How many there were.
    pub(super) fn remove_sink(&self, sink: &str) -> usize {
        let lanes = self.sinks().remove(sink).unwrap_or_default();
        lanes.values().map(VecDeque::len).sum()
    }

    fn sinks(&self) -> MutexGuard<'_, BTreeMap<String, Lanes>> {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
