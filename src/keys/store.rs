//! What outlives the process: every key with its state, the audit, and what keys were used for; one
//! SQLite database in a locked directory.
//!
//! A transition and its audit records are one transaction, and durable when [`Store::commit`] returns.
//! Private halves are sealed under a key derived from the master key. A database that is damaged, of
//! another program, of a later version or sealed under another master key is refused, never written
//! to. What becomes of a commit that fails is found out (`database`). Calls wait for the disk: never make them on threads that move bytes.

mod answer_table;
mod audit_table;
mod backup;
mod beginning;
mod database;
mod directory;
mod error;
mod events;
mod kept_head;
mod key_table;
mod known;
mod master_key;
mod notice_table;
mod outbox;
mod outbox_table;
mod rekey;
mod renewal_table;
mod restore;
mod review;
mod review_table;
mod schema;
mod seal;
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

#[cfg(test)]
use rusqlite::Connection;
use rusqlite::Transaction;
use time::OffsetDateTime;

pub use audit_table::{AuditError, AuditTrail};
pub use backup::back_up;
pub use directory::StateDirectory;
pub use error::StoreError;
pub use master_key::MasterKeyFile;
pub use outbox::{Lying, Outbox};
pub use rekey::rekey;
pub use restore::{Restored, Restoring, restore};
pub use status::StoreStatus;
pub use survey::{Survey, survey};

use super::audit::{Author, Chain, Link, Record};
use super::lifecycle::{Event, Inconsistent, Lifecycle};
use super::waiting::Waiting;
use super::{Fingerprint, UseCounts};
use database::{Database, Outcome};
use error::Failed;
use events::{Telling, Told};
use sealing::Sealer;

/// The file's name in the state directory.
const DATABASE: &str = "countersign.db";
/// In table `meta`, Unix milliseconds: events of before may have been done, and are not remembered.
const EVENTS_AFTER: &str = "events_after";

type Then = Box<dyn FnOnce(&mut Store) + Send>;

/// The open database. There is one in a process, and one process on a directory.
pub struct Store {
    database: Database,
    sealer: Sealer,
    chain: Chain,
    /// Of all audit records, the latest time: the clock may have been put back since.
    latest: OffsetDateTime,
    status: Arc<StoreStatus>,
    telling: Telling,
    /// What follows when the transaction in doubt is known to be there.
    unfinished: Vec<Then>,
    /// With its lock.
    directory: Arc<StateDirectory>,
    /// It is the database of the directory, and not one that is made ready.
    keeps_head: bool,
}

impl Store {
    /// Opens the directory's database; makes it, on first start with a master key, when there is none.
    ///
    /// # Errors
    /// When it is not ours to write to, with what to do; then nothing was changed.
    pub fn open(directory: StateDirectory, master_key: &MasterKeyFile) -> Result<Self, StoreError> {
        let file = directory.path().join(DATABASE);
        if !schema::exists(&file)? {
            beginning::make(directory.path(), &file, master_key)?;
        }
        let store = Self::of(Arc::new(directory), &file, master_key)?;
        kept_head::check(store.database.connection()?, &file, store.directory.path())?;
        kept_head::write(store.directory.path(), &store.chain.head());
        Ok(Self {
            keeps_head: true,
            ..store
        })
    }

    /// A database that is there, under whatever name.
    fn of(
        directory: Arc<StateDirectory>,
        file: &Path,
        master_key: &MasterKeyFile,
    ) -> Result<Self, StoreError> {
        let (connection, sealer, id) = schema::open(file, master_key)?;
        let verified = seal::verify(&connection, Some(&sealer), file, None);
        verified.map_err(|error| error.in_database(file))?;
        let (chain, latest) = audit_table::end(&connection).failed(file)?;
        let events_after = schema::time_of(&connection, EVENTS_AFTER).failed(file)?;
        let status = Arc::new(StoreStatus::new(chain.head(), latest, events_after));
        let telling = Telling::new(&id, outbox_table::load(&connection).failed(file)?);
        Ok(Self {
            database: Database::new(connection, file)?,
            sealer,
            chain,
            latest,
            status,
            telling,
            unfinished: Vec::new(),
            directory,
            keeps_head: false,
        })
    }

    /// The keys of every alias that ever had one, with their renewals.
    ///
    /// # Errors
    /// When something is stored that we do not store: then it is damaged.
    pub fn load(&self) -> Result<Vec<(String, Lifecycle)>, StoreError> {
        let (connection, file) = (self.database.connection()?, self.database.file());
        let mut aliases = key_table::load(connection, &self.sealer, file)?;
        let damaged = |problem: &Inconsistent| StoreError::Damaged {
            file: file.to_owned(),
            problem: problem.to_string(),
        };
        for (alias, renewal) in renewal_table::load(connection, file)? {
            let keys = aliases.entry(alias).or_default();
            keys.remember_renewal(renewal)
                .map_err(|problem| damaged(&problem))?;
        }
        for (alias, key, notice) in notice_table::load(connection, file)? {
            aliases.entry(alias).or_default().remember_notice(key, notice);
        }
        Ok(aliases.into_iter().collect())
    }

    /// The keys that wait for their certificate, with their aliases.
    ///
    /// # Errors
    /// When something is stored that we do not store: then it is damaged.
    pub(super) fn load_waiting(&self) -> Result<Vec<(String, Waiting)>, StoreError> {
        waiting_table::load(self.database.connection()?, &self.sealer, self.database.file())
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
        self.record(
            Some(alias),
            [record],
            now,
            |transaction, sealer| waiting_table::insert(transaction, sealer, alias, waiting),
            nothing_to_tell,
        )
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
        self.record(
            Some(alias),
            [record],
            now,
            |transaction, _| waiting_table::delete(transaction, alias, waiting.public_key()).map(drop),
            nothing_to_tell,
        )?;
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
        self.record(alias, [record], now, |_, _| Ok(()), nothing_to_tell)
    }

    /// Aliases that have something stored.
    fn aliases(&self) -> Result<Vec<String>, StoreError> {
        seal::aliases(self.database.connection()?).failed(self.database.file())
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
        let telling = self.telling.clone();
        let told = Told {
            alias,
            keys: keys[1],
            events,
            author,
            at: now,
        };
        self.record(
            Some(alias),
            records,
            now,
            |transaction, sealer| {
                key_table::save(transaction, sealer, alias, keys)?;
                renewal_table::save(transaction, alias, keys)?;
                notice_table::save(transaction, alias, keys)
            },
            |transaction, links| told.store(transaction, &telling, links),
        )?;
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
        self.write(|transaction| use_table::save(transaction, uses), |_| {})
    }

    /// For metrics; shared, so that nobody waits for a writer to read it.
    #[must_use]
    pub fn status(&self) -> Arc<StoreStatus> {
        Arc::clone(&self.status)
    }

    /// The audit, on a connection of its own.
    #[must_use]
    pub fn audit_trail(&self) -> AuditTrail {
        AuditTrail::at(self.database.file())
    }

    /// One transaction with its audit records, the last of which seals what `work` has left of the alias.
    fn record(
        &mut self,
        alias: Option<&str>,
        records: impl IntoIterator<Item = Record>,
        now: OffsetDateTime,
        work: impl FnOnce(&Transaction<'_>, &Sealer) -> rusqlite::Result<()>,
        tell: impl FnOnce(&Transaction<'_>, &[Link]) -> rusqlite::Result<Vec<Lying>>,
    ) -> Result<(), StoreError> {
        let mut chain = self.chain.clone();
        let mut records: Vec<_> = records.into_iter().collect();
        let (sealer, mut lying) = (&self.sealer, Vec::new());
        let written = self.database.write(|transaction| {
            work(transaction, sealer)?;
            // One that is of no alias seals nothing.
            let last = alias.and_then(|alias| Some((alias, records.pop()?)));
            let mut links: Vec<_> = records.into_iter().map(|record| chain.link(record)).collect();
            if let Some((alias, record)) = last {
                links.push(seal::link(transaction, sealer, alias, &mut chain, record)?);
            }
            lying = tell(transaction, &links)?;
            audit_table::append(transaction, &links, now)
        });
        self.finish(written, move |store| store.recorded(chain, now, lying))
    }

    fn recorded(&mut self, chain: Chain, now: OffsetDateTime, lying: Vec<Lying>) {
        self.chain = chain;
        self.latest = self.latest.max(now);
        self.status.recorded(self.chain.head());
        self.status.latest(self.latest);
        if self.keeps_head {
            kept_head::write(self.directory.path(), &self.chain.head());
        }
        self.telling.outbox.add(lying);
    }

    /// One transaction without a record, and what follows when it is there.
    fn write(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
        then: impl FnOnce(&mut Self) + Send + 'static,
    ) -> Result<(), StoreError> {
        let written = self.database.write(work);
        self.finish(written, then)
    }

    /// In any case it is told how writing went; what follows is done at once, or when it is known that it was written.
    fn finish(
        &mut self,
        written: Result<(), StoreError>,
        then: impl FnOnce(&mut Self) + Send + 'static,
    ) -> Result<(), StoreError> {
        match &written {
            Ok(()) => then(self),
            Err(StoreError::Unknown { .. }) => self.once_made(then),
            Err(_) => {}
        }
        match &written {
            Ok(()) if !self.status.is_writable() => tracing::info!("the store can be written to again"),
            Err(problem) => tracing::error!(%problem, "the store was not written to"),
            Ok(()) => {}
        }
        self.status.written(written.is_ok());
        written
    }

    /// Does this when the transaction in doubt is known to be there.
    pub(super) fn once_made(&mut self, then: impl FnOnce(&mut Self) + Send + 'static) {
        self.unfinished.push(Box::new(then));
    }

    /// Finds out what became of a transaction in doubt, if there is one, and does what follows from it.
    pub(super) fn settle(&mut self) {
        if !self.database.is_in_doubt() {
            return;
        }
        match self.database.settle() {
            Ok(Outcome::Made) => {
                tracing::warn!(
                    "a change whose outcome was not known was made after all, and is in force now"
                );
                for then in std::mem::take(&mut self.unfinished) {
                    then(self);
                }
            }
            Ok(Outcome::NotMade) => {
                tracing::warn!("a change whose outcome was not known was not made");
                self.unfinished.clear();
            }
            Err(problem) => tracing::debug!(%problem, "it is still not known what is in the database"),
        }
    }

    /// What was deleted stands in the log of the database until that is written back. If it cannot be now, it will be
    /// with the next transaction.
    fn forget_deleted_pages(&self) {
        let Ok(connection) = self.database.connection() else {
            return;
        };
        let checkpoint = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = checkpoint {
            tracing::debug!(%error, "the log of the database was not written back");
        }
    }

    #[cfg(test)]
    pub(in crate::keys) fn connection(&self) -> &Connection {
        self.database.connection().unwrap()
    }
}

fn nothing_to_tell(_: &Transaction<'_>, _: &[Link]) -> rusqlite::Result<Vec<Lying>> {
    Ok(Vec::new())
}

const fn destroys(event: &Event) -> bool {
    matches!(event, Event::KeyPurged { .. } | Event::KeyDiscarded { .. })
}

/// The database of a state directory.
#[must_use]
pub fn database(directory: &Path) -> PathBuf {
    directory.join(DATABASE)
}
