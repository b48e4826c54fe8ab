//! How the store is, for metrics; read without waiting for whoever writes.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use time::OffsetDateTime;

use super::key_table::{milliseconds, time};
use crate::keys::audit::Head;
use crate::keys::lifecycle::Moment;

/// How the store is.
pub struct StoreStatus {
    writable: AtomicBool,
    failures: AtomicU64,
    head: ArcSwap<Head>,
    /// Unix milliseconds.
    latest: AtomicI64,
    events_after: Option<OffsetDateTime>,
}

impl StoreStatus {
    pub(super) fn new(head: Head, latest: OffsetDateTime, events_after: Option<OffsetDateTime>) -> Self {
        Self {
            writable: true.into(),
            failures: 0.into(),
            head: ArcSwap::from_pointee(head),
            latest: milliseconds(latest).into(),
            events_after,
        }
    }

    pub(super) fn latest(&self, latest: OffsetDateTime) {
        self.latest.store(milliseconds(latest), Ordering::Relaxed);
    }

    /// Where `now` stands beside the latest record of the audit.
    #[must_use]
    pub fn moment(&self, now: OffsetDateTime) -> Moment {
        let latest = time(self.latest.load(Ordering::Relaxed));
        Moment::new(now, latest.unwrap_or(OffsetDateTime::UNIX_EPOCH))
    }

    /// Events of before this time may have been done without being remembered: a backup was restored then.
    #[must_use]
    pub fn events_after(&self) -> Option<OffsetDateTime> {
        self.events_after
    }

    pub(super) fn written(&self, succeeded: bool) {
        self.writable.store(succeeded, Ordering::Relaxed);
        if !succeeded {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn recorded(&self, head: Head) {
        self.head.store(head.into());
    }

    /// The last writing succeeded.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.writable.load(Ordering::Relaxed)
    }

    /// How many writings failed since the start.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The end of the audit.
    #[must_use]
    pub fn audit_head(&self) -> Head {
        self.head.load().as_ref().clone()
    }
}
