//! What a restored backup left to be looked at, as rows: aliases that are stopped, and keys that are not taken in.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Transaction};
use time::OffsetDateTime;

use super::key_table::{milliseconds, time};
use crate::keys::Fingerprint;

/// The alias does not sign until an operator has looked.
pub(super) fn stop(transaction: &Transaction<'_>, alias: &str, now: OffsetDateTime) -> rusqlite::Result<()> {
    let statement = "INSERT OR REPLACE INTO unreviewed (alias, since) VALUES (?1, ?2)";
    transaction
        .execute(statement, (alias, milliseconds(now)))
        .map(drop)
}

/// An operator has looked.
pub(super) fn reviewed(transaction: &Transaction<'_>, alias: &str) -> rusqlite::Result<()> {
    transaction
        .execute("DELETE FROM unreviewed WHERE alias = ?1", [alias])
        .map(drop)
}

/// Since when which aliases are stopped.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<BTreeMap<String, OffsetDateTime>> {
    let mut statement = connection.prepare("SELECT alias, since FROM unreviewed")?;
    let rows = statement.query_map([], |row| {
        Ok((
            row.get(0)?,
            time(row.get(1)?).unwrap_or(OffsetDateTime::UNIX_EPOCH),
        ))
    })?;
    rows.collect()
}

/// The key is not taken in. `key` is of its certificate or of its public key.
pub(super) fn bar(
    transaction: &Transaction<'_>,
    alias: &str,
    key: &Fingerprint,
    reason: &str,
) -> rusqlite::Result<()> {
    let statement = "INSERT OR REPLACE INTO barred (alias, fingerprint, reason) VALUES (?1, ?2, ?3)";
    transaction.execute(statement, (alias, &**key, reason)).map(drop)
}

/// Why the key is not taken in, by its certificate or by its public key; `None`: it may be.
pub(super) fn barred(
    connection: &Connection,
    alias: &str,
    (certificate, public_key): (&Fingerprint, &Fingerprint),
) -> rusqlite::Result<Option<String>> {
    let statement = "SELECT reason FROM barred WHERE alias = ?1 AND fingerprint IN (?2, ?3)";
    connection
        .query_row(statement, (alias, &**certificate, &**public_key), |row| {
            row.get(0)
        })
        .optional()
}
