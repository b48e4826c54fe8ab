//! What a key was used for, counted while messages pass and written to the store now and then.
//!
//! A crash loses what was counted since the last writing; the states of keys never depend on it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use time::OffsetDateTime;

/// The counters of one key.
#[derive(Default)]
pub struct Uses {
    signed: Counter,
    looked_up: Counter,
}

/// How often, and when last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// How often.
    pub times: u64,
    /// When last, to the second; `None`: never.
    pub last: Option<OffsetDateTime>,
}

/// Both counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UseCounts {
    /// Messages signed.
    pub signed: Count,
    /// Messages that referred to the key, to be verified or decrypted with it.
    pub looked_up: Count,
}

#[derive(Default)]
struct Counter {
    times: AtomicU64,
    /// Unix seconds.
    last: AtomicI64,
}

impl Uses {
    /// As they were when the process ended.
    pub(super) fn resumed(counts: UseCounts) -> Self {
        Self {
            signed: Counter::resumed(counts.signed),
            looked_up: Counter::resumed(counts.looked_up),
        }
    }

    /// A message was signed with the key.
    pub(super) fn signed(&self, now: OffsetDateTime) {
        self.signed.count(now);
    }

    /// A message referred to the key.
    pub(super) fn looked_up(&self, now: OffsetDateTime) {
        self.looked_up.count(now);
    }

    /// The counts of this moment.
    #[must_use]
    pub fn counts(&self) -> UseCounts {
        UseCounts {
            signed: self.signed.read(),
            looked_up: self.looked_up.read(),
        }
    }
}

impl Counter {
    fn resumed(count: Count) -> Self {
        Self {
            times: count.times.into(),
            last: count.last.map_or(0, OffsetDateTime::unix_timestamp).into(),
        }
    }

    fn count(&self, now: OffsetDateTime) {
        self.last.fetch_max(now.unix_timestamp(), Ordering::Relaxed);
        self.times.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> Count {
        let times = self.times.load(Ordering::Relaxed);
        let last = OffsetDateTime::from_unix_timestamp(self.last.load(Ordering::Relaxed)).ok();
        Count {
            times,
            last: last.filter(|_| times > 0),
        }
    }
}
