//! The audit in the database: added to in the transaction of what it tells of, read on a connection of its
//! own, beside the one that writes.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row};
use time::OffsetDateTime;

use super::error::Failed;
use super::key_table::{milliseconds, time};
use super::{StoreError, schema, seal};
use crate::keys::audit::{BrokenChain, Chain, Head, KeptHead, Link, Record};

/// The end of the chain, and the latest time of all its records.
pub(super) fn end(connection: &Connection) -> rusqlite::Result<(Chain, OffsetDateTime)> {
    let mut statement = connection.prepare(
        "SELECT sequence, record, hash, (SELECT max(at) FROM audit) FROM audit ORDER BY sequence DESC LIMIT 1",
    )?;
    let mut rows = statement.query([])?;
    match rows.next()? {
        None => Ok((Chain::default(), OffsetDateTime::UNIX_EPOCH)),
        Some(row) => {
            let link = link(row)?;
            let latest = time(row.get(3)?).unwrap_or(OffsetDateTime::UNIX_EPOCH);
            Ok((Chain::at(Head::new(link.sequence, link.hash)), latest))
        }
    }
}

pub(super) fn append(connection: &Connection, links: &[Link], now: OffsetDateTime) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare("INSERT INTO audit (sequence, at, record, hash) VALUES (?1, ?2, ?3, ?4)")?;
    for link in links {
        statement.execute((sequence(link.sequence), milliseconds(now), &link.text, link.hash))?;
    }
    Ok(())
}

/// The audit of a database, for reading; also while another process writes.
pub struct AuditTrail {
    file: PathBuf,
}

/// Why the audit was not verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It was tampered with, or the disk failed.
    #[error("the audit of {} is broken: {broken}; ask those who could write to that file", file.display())]
    Broken {
        /// The database.
        file: PathBuf,
        /// How.
        broken: BrokenChain,
    },
}

impl AuditError {
    /// As whoever opens the database has it.
    pub(super) fn in_database(self, file: &Path) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Broken { broken, .. } => StoreError::Damaged {
                file: file.to_owned(),
                problem: format!("its audit is broken: {broken}"),
            },
        }
    }
}

impl AuditTrail {
    /// Of this database.
    #[must_use]
    pub fn at(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
        }
    }

    /// Of a state directory.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        Self::at(&super::database(directory))
    }

    /// At most so many records after this one, in their order.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, after: u64, limit: u32) -> Result<Vec<Record>, StoreError> {
        let connection = self.open()?;
        let mut statement = connection
            .prepare(
                "SELECT sequence, record, hash FROM audit WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
            )
            .failed(&self.file)?;
        let links = statement
            .query_map((sequence(after), limit), link)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .failed(&self.file)?;
        links.iter().map(|link| self.record(link)).collect()
    }

    /// Holds every record against the one before it, and the keys against the records.
    ///
    /// # Errors
    /// When the chain is broken, does not hold the head that was kept, or keys are not as it left them.
    pub fn verify(&self, kept: Option<KeptHead>) -> Result<Head, AuditError> {
        let connection = self.open()?;
        schema::check(&connection, &self.file)?;
        // One moment's rows and records, whoever writes meanwhile.
        connection.execute_batch("BEGIN").failed(&self.file)?;
        seal::verify(&connection, None, &self.file, kept)
    }

    fn open(&self) -> Result<Connection, StoreError> {
        let connection = schema::open_read_only(&self.file)?;
        schema::check_version(&connection, &self.file)?;
        Ok(connection)
    }

    fn record(&self, link: &Link) -> Result<Record, StoreError> {
        serde_json::from_str(&link.text).map_err(|error| StoreError::Damaged {
            file: self.file.clone(),
            problem: format!("record {} of the audit cannot be read: {error}", link.sequence),
        })
    }
}

pub(super) fn link(row: &Row<'_>) -> rusqlite::Result<Link> {
    Ok(Link {
        sequence: row.get::<_, i64>(0)?.unsigned_abs(),
        text: row.get(1)?,
        hash: row.get(2)?,
    })
}

fn sequence(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
