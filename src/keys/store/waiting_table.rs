//! Keys that wait for their certificate, as rows. The arrival of the certificate ends the row, in the same transaction.

use std::path::Path;

use rusqlite::{Connection, Transaction, params};
use time::OffsetDateTime;

use super::StoreError;
use super::error::Failed;
use super::key_table::{milliseconds, time};
use super::sealing::{Place, Sealer};
use crate::keys::waiting::Waiting;
use crate::keys::{Certificate, Fingerprint};

type Failure = Box<dyn std::error::Error + Send + Sync>;

pub(super) fn insert(
    transaction: &Transaction<'_>,
    sealer: &Sealer,
    alias: &str,
    waiting: &Waiting,
) -> rusqlite::Result<()> {
    let sealed = seal(sealer, alias, waiting);
    let (private_half, request) = sealed.map_err(rusqlite::Error::ToSqlConversionFailure)?;
    transaction.execute(
        "INSERT INTO waiting (alias, public_key, subject, request, made, private_half) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            alias,
            &**waiting.public_key(),
            waiting.subject(),
            request,
            milliseconds(waiting.made()),
            private_half,
        ],
    )?;
    Ok(())
}

fn seal(sealer: &Sealer, alias: &str, waiting: &Waiting) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let plain = waiting.private_key().to_stored()?;
    let place = Place::waiting(alias, waiting.public_key());
    Ok((sealer.seal(&place, &plain)?, waiting.request_der()?))
}

/// Whether it was there.
pub(super) fn delete(
    transaction: &Transaction<'_>,
    alias: &str,
    public_key: &Fingerprint,
) -> rusqlite::Result<usize> {
    let statement = "DELETE FROM waiting WHERE alias = ?1 AND public_key = ?2";
    transaction.execute(statement, (alias, &**public_key))
}

/// The certificate has come.
pub(super) fn certified(
    transaction: &Transaction<'_>,
    alias: &str,
    certificate: &Certificate,
) -> rusqlite::Result<()> {
    delete(transaction, alias, &certificate.public_key_fingerprint()).map(drop)
}

/// A row as it stands.
struct Stored {
    alias: String,
    public_key: String,
    subject: String,
    request: Vec<u8>,
    made: i64,
    private_half: Vec<u8>,
}

fn rows(connection: &Connection) -> rusqlite::Result<Vec<Stored>> {
    let mut statement = connection.prepare(
        "SELECT alias, public_key, subject, request, made, private_half FROM waiting ORDER BY alias, made, public_key",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Stored {
            alias: row.get(0)?,
            public_key: row.get(1)?,
            subject: row.get(2)?,
            request: row.get(3)?,
            made: row.get(4)?,
            private_half: row.get(5)?,
        })
    })?;
    rows.collect()
}

/// With their aliases.
pub(super) fn load(
    connection: &Connection,
    sealer: &Sealer,
    file: &Path,
) -> Result<Vec<(String, Waiting)>, StoreError> {
    let restored = rows(connection).failed(file)?.into_iter().map(|row| {
        let plain = row.open(sealer).ok_or_else(|| damaged(file, &row))?;
        let made = time(row.made).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let waiting = Waiting::restored(&plain, row.subject.clone(), &row.request, made);
        let waiting = waiting
            .ok()
            .filter(|waiting| **waiting.public_key() == *row.public_key);
        Ok((row.alias.clone(), waiting.ok_or_else(|| damaged(file, &row))?))
    });
    restored.collect()
}

/// Alias, public key and private half under another key.
pub(super) fn sealed_anew(
    connection: &Connection,
    file: &Path,
    old: &Sealer,
    new: &Sealer,
) -> Result<Vec<(String, String, Vec<u8>)>, StoreError> {
    let anew = rows(connection).failed(file)?.into_iter().map(|row| {
        let plain = row.open(old).ok_or_else(|| damaged(file, &row))?;
        let place = row.place().ok_or_else(|| damaged(file, &row))?;
        let sealed = new.seal(&place, &plain)?;
        Ok((row.alias, row.public_key, sealed))
    });
    anew.collect()
}

pub(super) fn replace(
    transaction: &Transaction<'_>,
    anew: &[(String, String, Vec<u8>)],
) -> rusqlite::Result<()> {
    let statement = "UPDATE waiting SET private_half = ?3 WHERE alias = ?1 AND public_key = ?2";
    let mut statement = transaction.prepare(statement)?;
    for (alias, public_key, sealed) in anew {
        statement.execute((alias, public_key, sealed))?;
    }
    Ok(())
}

impl Stored {
    fn place(&self) -> Option<Place> {
        Some(Place::waiting(&self.alias, &self.public_key.parse().ok()?))
    }

    fn open(&self, sealer: &Sealer) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        sealer.open(&self.place()?, &self.private_half).ok()
    }
}

fn damaged(file: &Path, row: &Stored) -> StoreError {
    StoreError::Damaged {
        file: file.to_owned(),
        problem: format!(
            "the key {} that waits for its certificate does not open",
            row.public_key
        ),
    }
}
