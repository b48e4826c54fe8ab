//! The keys' part in events: who caused what, and what lies in the outbox. Waits for the disk, as commands do.

use std::sync::Arc;

use time::OffsetDateTime;

use super::Keys;
use super::answer::{Answer, Cause, Remembered};
use super::store::{Lying, Outbox, StoreError};
use crate::cloud_events::outgoing::Subscription;

impl Keys {
    /// What an event was answered, if it was.
    ///
    /// # Errors
    /// When it cannot be looked up: then none is acted on.
    pub fn answer(&self, cause: &Cause, alias: &str) -> Result<Option<Remembered>, StoreError> {
        self.writer().answer(cause, alias)
    }

    /// Remembers the answer of an event that changed nothing.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn remember(
        &self,
        cause: &Cause,
        alias: &str,
        answer: &Answer,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        self.writer().remember(cause, alias, answer, now)
    }

    /// From now on these sinks are told what happens; what lies in the outbox for others is dropped.
    pub fn subscribe(&self, subscriptions: Vec<Subscription>) {
        self.writer().subscribe(subscriptions);
    }

    /// What lies in the outbox.
    #[must_use]
    pub fn outbox(&self) -> Arc<Outbox> {
        self.writer().outbox()
    }

    /// An event of the outbox as it is sent; `None` if it is not there any more.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn outgoing(&self, row: &Lying) -> Result<Option<String>, StoreError> {
        self.writer().outgoing(row.sequence)
    }

    /// Its sink has acknowledged it.
    ///
    /// # Errors
    /// When that cannot be stored; then it will be sent once more.
    pub fn delivered(&self, row: &Lying) -> Result<(), StoreError> {
        self.writer().delivered(row)
    }
}
