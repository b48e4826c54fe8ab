//! The store's part in events: answers that are remembered, and what goes out.

use std::sync::Arc;

use rusqlite::Transaction;
use time::OffsetDateTime;

use super::error::Failed;
use super::outbox::{Lying, Outbox};
use super::{Store, StoreError, answer_table, outbox_table};
use crate::cloud_events::outgoing::{Outgoing, Source, Subscription};
use crate::keys::answer::{Answer, Cause, Remembered, Verdict};
use crate::keys::audit::{Author, Link};
use crate::keys::lifecycle::{Event, Lifecycle};

/// Whom what happens is told, and as whom. Cheap to clone.
#[derive(Clone)]
pub(super) struct Telling {
    source: Arc<Source>,
    subscriptions: Arc<[Subscription]>,
    pub(super) outbox: Arc<Outbox>,
}

impl Telling {
    /// Of the database of this id; nobody yet.
    pub(super) fn new(id: &[u8], lying: Vec<Lying>) -> Self {
        let outbox = Arc::<Outbox>::default();
        outbox.add(lying);
        Self {
            source: Arc::new(Source::of(id)),
            subscriptions: Arc::default(),
            outbox,
        }
    }
}

/// A transition, as others are told of it.
pub(super) struct Told<'a> {
    pub(super) alias: &'a str,
    /// After it.
    pub(super) keys: &'a Lifecycle,
    pub(super) events: &'a [Event],
    pub(super) author: &'a Author,
    pub(super) at: OffsetDateTime,
}

impl Told<'_> {
    /// Lays it in the outbox, and remembers the answer of the event that caused it; in its transaction.
    pub(super) fn store(
        &self,
        transaction: &Transaction<'_>,
        telling: &Telling,
        links: &[Link],
    ) -> rusqlite::Result<Vec<Lying>> {
        let mut lying = Vec::new();
        for (event, link) in self.events.iter().zip(links) {
            let outgoing = Outgoing {
                alias: self.alias,
                event,
                keys: self.keys,
                at: self.at,
                id: link.name(),
            };
            let (source, subscriptions) = (&telling.source, &telling.subscriptions);
            lying.extend(outbox_table::append(
                transaction,
                source,
                subscriptions,
                &outgoing,
            )?);
        }
        if let Some(cause) = &self.author.event {
            answer_table::insert(transaction, cause, self.alias, &self.answer(), self.at)?;
        }
        Ok(lying)
    }

    fn answer(&self) -> Answer {
        let done: Vec<_> = self.events.iter().map(Event::words).collect();
        Answer {
            verdict: Verdict::Applied,
            reason: done.join("; "),
        }
    }
}

impl Store {
    /// What an event was answered, if it was.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(in crate::keys) fn answer(
        &self,
        cause: &Cause,
        alias: &str,
    ) -> Result<Option<Remembered>, StoreError> {
        answer_table::find(self.database.connection()?, cause, alias).failed(self.database.file())
    }

    /// Remembers the answer of an event that changed nothing; the earlier one counts where there is one.
    ///
    /// # Errors
    /// When the database cannot be written to.
    pub(in crate::keys) fn remember(
        &mut self,
        cause: &Cause,
        alias: &str,
        answer: &Answer,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        self.write(
            |transaction| answer_table::insert(transaction, cause, alias, answer, now),
            |_| {},
        )
    }

    /// What lies in the outbox; shared with whoever empties it.
    pub(in crate::keys) fn outbox(&self) -> Arc<Outbox> {
        Arc::clone(&self.telling.outbox)
    }

    /// An event of the outbox as it is sent.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(in crate::keys) fn outgoing(&self, sequence: i64) -> Result<Option<String>, StoreError> {
        outbox_table::event(self.database.connection()?, sequence).failed(self.database.file())
    }

    /// Its sink has acknowledged it.
    ///
    /// # Errors
    /// When the database cannot be written to; then it will be sent once more.
    pub(in crate::keys) fn delivered(&mut self, row: &Lying) -> Result<(), StoreError> {
        let removed = row.clone();
        self.write(
            |transaction| outbox_table::delete(transaction, row.sequence),
            move |store| store.telling.outbox.remove(&removed),
        )
    }

    /// From now on these are told what happens; what lies there for others is dropped.
    pub(in crate::keys) fn subscribe(&mut self, subscriptions: Vec<Subscription>) {
        self.telling.subscriptions = subscriptions.into();
        for sink in self.telling.outbox.named() {
            if self.telling.subscriptions.iter().any(|known| known.sink == sink) {
                continue;
            }
            let removed = sink.clone();
            let dropped = self.write(
                |transaction| outbox_table::delete_sink(transaction, &sink),
                move |store| {
                    let dropped = store.telling.outbox.remove_sink(&removed);
                    tracing::warn!(sink = %removed, dropped, "a sink is not configured any more: the events that waited for it were dropped");
                },
            );
            if let Err(problem) = dropped {
                // What stays on the disk stays in its order, should the sink come back.
                tracing::warn!(%sink, %problem, "events for a sink that is not configured any more were not dropped now; at the next reload or start they are");
            }
        }
    }
}
