//! What was told of keys, as rows.

use std::path::Path;

use rusqlite::{Connection, Transaction};

use super::StoreError;
use super::error::Failed;
use crate::keys::Fingerprint;
use crate::keys::lifecycle::{Lifecycle, Notice};

/// Writes what differs between the notices of an alias before and after.
pub(super) fn save(
    transaction: &Transaction<'_>,
    alias: &str,
    [before, after]: [&Lifecycle; 2],
) -> rusqlite::Result<()> {
    let (before, after) = (before.notices(), after.notices());
    let mut forget =
        transaction.prepare("DELETE FROM notice WHERE alias = ?1 AND fingerprint = ?2 AND notice = ?3")?;
    for (key, notice) in before.difference(after) {
        forget.execute((alias, &**key, notice.name()))?;
    }
    let mut give =
        transaction.prepare("INSERT INTO notice (alias, fingerprint, notice) VALUES (?1, ?2, ?3)")?;
    for (key, notice) in after.difference(before) {
        give.execute((alias, &**key, notice.name()))?;
    }
    Ok(())
}

/// With their aliases.
pub(super) fn load(
    connection: &Connection,
    file: &Path,
) -> Result<Vec<(String, Fingerprint, Notice)>, StoreError> {
    let mut statement = connection
        .prepare("SELECT alias, fingerprint, notice FROM notice")
        .failed(file)?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .and_then(Iterator::collect::<Result<Vec<(String, String, String)>, _>>);
    let notices = rows.failed(file)?.into_iter().map(|(alias, key, notice)| {
        let read = key.parse().ok().zip(notice.parse().ok());
        let damaged = || StoreError::Damaged {
            file: file.to_owned(),
            problem: format!("the notice {notice:?} of key {key} cannot be read"),
        };
        let (key, notice) = read.ok_or_else(damaged)?;
        Ok((alias, key, notice))
    });
    notices.collect()
}
