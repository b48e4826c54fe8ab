//! The connection that writes: one transaction after the other, and what became of each.
//!
//! When the last step of a commit fails, its bytes may stand in the log of the database all the same, and a restart would find
//! them. So nothing is told before it was looked what is really there: the connection is closed, and the log read anew by
//! one that nobody shares. As long as that fails, too, the outcome is not known, and no other transaction is begun.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::error::{Failed, describe};
use super::{StoreError, schema};

/// In table `meta`: how many transactions there were, by which each is known again.
const COMMITS: &str = "commits";

/// An open database, or one that could not be opened again.
pub(super) struct Database {
    file: PathBuf,
    connection: Option<Connection>,
    commits: u64,
    /// Whether the transaction after those is there, nobody knows; and why not.
    doubt: Option<String>,
}

/// What became of a transaction in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is there, and on the disk.
    Made,
    /// It is not, and never will be.
    NotMade,
}

impl Database {
    pub(super) fn new(connection: Connection, file: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            commits: commits(&connection).failed(file)?,
            file: file.to_owned(),
            connection: Some(connection),
            doubt: None,
        })
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// For reading.
    ///
    /// # Errors
    /// When it could not be opened again since a failure.
    pub(super) fn connection(&self) -> Result<&Connection, StoreError> {
        self.connection.as_ref().ok_or_else(|| StoreError::NotWritable {
            file: self.file.clone(),
            problem: "it could not be opened again after a failure".to_owned(),
        })
    }

    /// One transaction.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when it may be there or not; with any other error it is not.
    pub(super) fn write(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        if let Some(problem) = &self.doubt {
            return Err(StoreError::InDoubt {
                file: self.file.clone(),
                problem: problem.clone(),
            });
        }
        let next = self.commits + 1;
        match self.transact(next, work)? {
            Ok(()) => {
                self.commits = next;
                Ok(())
            }
            Err(failed) => {
                let problem = describe(&failed, self.file.clone());
                #[cfg(test)]
                if mutation::GUESSES.load(std::sync::atomic::Ordering::Relaxed) {
                    return Err(problem);
                }
                tracing::warn!(%failed, "a transaction failed in its last step; looking what is really there");
                self.doubt = Some(failed.to_string());
                match self.settle()? {
                    Outcome::Made => Ok(()),
                    Outcome::NotMade => Err(problem),
                }
            }
        }
    }

    /// Everything before the commit has an error of its own: then nothing was made for certain.
    fn transact(
        &mut self,
        number: u64,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<rusqlite::Result<()>, StoreError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => schema::reopen(&self.file).failed(&self.file)?,
        };
        let connection = self.connection.insert(connection);
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .failed(&self.file)?;
        work(&transaction).failed(&self.file)?;
        schema::set_meta(&transaction, COMMITS, &number.to_be_bytes()).failed(&self.file)?;
        Ok(transaction.commit())
    }

    /// Whether it is not known what became of a transaction.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// Finds out what became of the transaction in doubt.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when that cannot be found out now.
    pub(super) fn settle(&mut self) -> Result<Outcome, StoreError> {
        let next = self.commits + 1;
        // With it goes what it alone knows of the log; often the log itself, too.
        drop(self.connection.take());
        match look(&self.file, next) {
            Ok(outcome) => {
                tracing::info!(?outcome, "it is known again what is in the database");
                self.doubt = None;
                if outcome == Outcome::Made {
                    self.commits = next;
                }
                self.connection = schema::reopen(&self.file).ok();
                Ok(outcome)
            }
            Err(error) => {
                let problem = error.to_string();
                self.doubt = Some(problem.clone());
                Err(StoreError::Unknown {
                    file: self.file.clone(),
                    problem,
                })
            }
        }
    }
}

/// By a connection that has the database for itself, so that it has to read the log as a restart would.
fn look(file: &Path, next: u64) -> rusqlite::Result<Outcome> {
    let alone = schema::open_alone(file)?;
    if commits(&alone)? != next {
        return Ok(Outcome::NotMade);
    }
    // What a failed fsync left may be in memory alone, and a second fsync would not say so: the pages are written anew, to
    // another place.
    let busy: bool = alone.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy {
        let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        return Err(rusqlite::Error::SqliteFailure(busy, None));
    }
    Ok(Outcome::Made)
}

fn commits(connection: &Connection) -> rusqlite::Result<u64> {
    let statement = "SELECT value FROM meta WHERE name = ?1";
    let stored: Option<[u8; 8]> = connection
        .query_row(statement, [COMMITS], |row| row.get(0))
        .optional()?;
    Ok(stored.map_or(0, u64::from_be_bytes))
}

/// For the test that shows that the tests would find it.
#[cfg(test)]
pub(super) mod mutation {
    use std::sync::atomic::AtomicBool;

    /// Takes a failed commit for one that was not made, without looking.
    pub(in crate::keys::store) static GUESSES: AtomicBool = AtomicBool::new(false);
}
