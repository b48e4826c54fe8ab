//! What outlives the process: every key with its state, the audit, and what keys were used for; one
//! SQLite database in a locked directory.
//!
//! A transition and its audit records are one transaction, and durable when [`Store::commit`] returns.
//! Private halves are sealed under a key derived from the master key. A database that is damaged, of
//! another program, of a later version or sealed under another master key is refused, never written
//! to. Calls wait for the disk: never make them on threads that move bytes.

mod answer_table;
mod audit_table;
mod backup;
mod directory;
mod error;
mod events;
mod key_table;
mod master_key;
mod notice_table;
mod outbox;
mod outbox_table;
mod rekey;
mod renewal_table;
mod schema;
mod sealing;
mod status;
mod survey;
#[cfg(test)]
pub(super) mod tests;
mod use_table;
mod waiting_table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior};
use time::OffsetDateTime;

pub use audit_table::{AuditError, AuditTrail};
pub use backup::{back_up, restore};
pub use directory::StateDirectory;
pub use error::StoreError;
pub use master_key::MasterKeyFile;
pub use outbox::{Lying, Outbox};
pub use rekey::rekey;
pub use status::StoreStatus;
pub use survey::{Survey, survey};

use super::audit::{Author, Chain, Link, Record};
use super::lifecycle::{Inconsistent, Lifecycle};
use super::waiting::Waiting;
use super::{Fingerprint, UseCounts};
use crate::event::Event;
use error::Failed;
use events::{Telling, Told};
use sealing::Sealer;

/// The file's name in the state directory.
const DATABASE: &str = "countersign.db";

/// The open database. There is one in a process, and one process on a directory.
pub struct Store {
    connection: Connection,
    file: PathBuf,
    sealer: Sealer,
    chain: Chain,
    /// Of all audit records, the latest time: the clock may have been put back since.
    latest: OffsetDateTime,
    status: Arc<StoreStatus>,
    telling: Telling,
    /// Kept for its lock.
    _directory: StateDirectory,
}

impl Store {
    /// Opens the directory's database; makes it, on first start with a master key, when there is none.
    ///
    /// # Errors
    /// When it is not ours to write to, with what to do; then nothing was changed.
    pub fn open(directory: StateDirectory, master_key: &MasterKeyFile) -> Result<Self, StoreError> {
        let file = directory.path().join(DATABASE);
        let exists = schema::exists(&file)?;
        let key = master_key.load_or_create(exists)?;
        let (connection, id) = schema::open_or_create(&file, &key)?;
        let sealer = master_key.unlock(&key, &id, &connection, &file)?;
        let (chain, latest) = audit_table::end(&connection).failed(&file)?;
        let status = Arc::new(StoreStatus::new(chain.head(), latest));
        let telling = Telling::new(&id, outbox_table::load(&connection).failed(&file)?);
        Ok(Self {
            connection,
            file,
            sealer,
            chain,
            latest,
            status,
            telling,
            _directory: directory,
        })
    }

    /// The keys of every alias that ever had one, with their renewals.
    ///
    /// # Errors
    /// When something is stored that we do not store: then it is damaged.
    pub fn load(&self) -> Result<Vec<(String, Lifecycle)>, StoreError> {
        let mut aliases = key_table::load(&self.connection, &self.sealer, &self.file)?;
        let damaged = |problem: &Inconsistent| StoreError::Damaged {
            file: self.file.clone(),
            problem: problem.to_string(),
        };
        for (alias, renewal) in renewal_table::load(&self.connection, &self.file)? {
            let keys = aliases.entry(alias).or_default();
            keys.remember_renewal(renewal)
                .map_err(|problem| damaged(&problem))?;
        }
        for (alias, key, notice) in notice_table::load(&self.connection, &self.file)? {
            aliases.entry(alias).or_default().remember_notice(key, notice);
        }
        Ok(aliases.into_iter().collect())
    }

    /// The keys that wait for their certificate, with their aliases.
    ///
    /// # Errors
    /// When something is stored that we do not store: then it is damaged.
    pub(super) fn load_waiting(&self) -> Result<Vec<(String, Waiting)>, StoreError> {
        waiting_table::load(&self.connection, &self.sealer, &self.file)
    }

    /// Makes a key durable that waits for its certificate.
    ///
    /// # Errors
    /// When the database cannot be written to; then nothing was.
    pub(super) fn add_waiting(
        &mut self,
        alias: &str,
        waiting: &Waiting,
        author: &Author,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let record = Record::of_waiting("key-generated", alias, waiting, author, now);
        self.record([record], now, |transaction, sealer, _| {
            waiting_table::insert(transaction, sealer, alias, waiting)
        })
    }

    /// Forgets a key that waited for its certificate.
    ///
    /// # Errors
    /// When the database cannot be written to; then it is still there.
    pub(super) fn discard_waiting(
        &mut self,
        alias: &str,
        waiting: &Waiting,
        author: &Author,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let record = Record::of_waiting("request-discarded", alias, waiting, author, now);
        self.record([record], now, |transaction, _, _| {
            waiting_table::delete(transaction, alias, waiting.public_key()).map(drop)
        })?;
        self.forget_deleted_pages();
        Ok(())
    }

    /// Notes something that was done with an alias, and to none of its keys.
    ///
    /// # Errors
    /// When the database cannot be written to.
    pub(super) fn note(
        &mut self,
        what: &str,
        alias: Option<&str>,
        detail: BTreeMap<String, String>,
        author: &Author,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let record = Record::told(what, alias, detail, author, now);
        self.record([record], now, |_, _, _| Ok(()))
    }

    /// Makes one alias's transition durable, with its audit records; all of it or nothing.
    ///
    /// # Errors
    /// When the database cannot be written to; then nothing was.
    pub fn commit(
        &mut self,
        alias: &str,
        keys: [&Lifecycle; 2],
        events: &[Event],
        author: &Author,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let records = events.iter().map(|event| Record::of(alias, event, author, now));
        let (telling, mut lying) = (self.telling.clone(), Vec::new());
        let told = Told {
            alias,
            keys: keys[1],
            events,
            author,
            at: now,
        };
        self.record(records, now, |transaction, sealer, links| {
            key_table::save(transaction, sealer, alias, keys)?;
            renewal_table::save(transaction, alias, keys)?;
            notice_table::save(transaction, alias, keys)?;
            lying = told.store(transaction, &telling, links)?;
            Ok(())
        })?;
        telling.outbox.add(lying);
        if events.iter().any(destroys) {
            self.forget_deleted_pages();
        }
        Ok(())
    }

    /// Writes what keys were used for; and something in any case, to see whether writing works again when it did not.
    ///
    /// # Errors
    /// When the database cannot be written to.
    pub fn save_uses<'a>(
        &mut self,
        uses: impl Iterator<Item = (&'a str, &'a Fingerprint, UseCounts)>,
    ) -> Result<(), StoreError> {
        let written = write(&mut self.connection, |transaction| {
            use_table::save(transaction, uses)?;
            schema::set_meta(transaction, "uses", b"written")
        });
        self.finish(written)
    }

    /// For metrics; shared, so that nobody waits for a writer to read it.
    #[must_use]
    pub fn status(&self) -> Arc<StoreStatus> {
        Arc::clone(&self.status)
    }

    /// The audit, on a connection of its own.
    #[must_use]
    pub fn audit_trail(&self) -> AuditTrail {
        AuditTrail::at(&self.file)
    }

    /// One transaction with its audit records.
    fn record(
        &mut self,
        records: impl IntoIterator<Item = Record>,
        now: OffsetDateTime,
        work: impl FnOnce(&rusqlite::Transaction<'_>, &Sealer, &[Link]) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let mut chain = self.chain.clone();
        let links: Vec<_> = records.into_iter().map(|record| chain.link(record)).collect();
        let sealer = &self.sealer;
        let written = write(&mut self.connection, |transaction| {
            work(transaction, sealer, &links)?;
            audit_table::append(transaction, &links, now)
        });
        self.finish(written)?;
        self.chain = chain;
        self.latest = self.latest.max(now);
        self.status.recorded(self.chain.head());
        self.status.latest(self.latest);
        Ok(())
    }

    fn finish(&self, written: rusqlite::Result<()>) -> Result<(), StoreError> {
        let written = written.failed(&self.file);
        match &written {
            Ok(()) if !self.status.is_writable() => tracing::info!("the store can be written to again"),
            Err(problem) => tracing::error!(%problem, "the store was not written to"),
            Ok(()) => {}
        }
        self.status.written(written.is_ok());
        written
    }

    /// What was deleted stands in the log of the database until that is written back. If it cannot be now, it will be
    /// with the next transaction.
    fn forget_deleted_pages(&self) {
        let checkpoint = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = checkpoint {
            tracing::debug!(%error, "the log of the database was not written back");
        }
    }

    #[cfg(test)]
    pub(in crate::keys) fn connection(&self) -> &Connection {
        &self.connection
    }
}

const fn destroys(event: &Event) -> bool {
    matches!(event, Event::KeyPurged { .. } | Event::KeyDiscarded { .. })
}

/// The database of a state directory.
#[must_use]
pub fn database(directory: &Path) -> PathBuf {
    directory.join(DATABASE)
}

/// One transaction; it is undone when `work` fails.
fn write(
    connection: &mut Connection,
    work: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    work(&transaction)?;
    transaction.commit()
}
