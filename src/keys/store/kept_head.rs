//! The end of the audit, kept beside the database: a database that is missing, or ends before, is told from a new one. It
//! proves nothing against who can write to the directory; it is there for copies that were put back, logs that were left out,
//! disks that were lost.

use std::fs;
use std::io;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::StoreError;
use super::error::Failed;
use crate::durable::beside;
use crate::keys::audit::Head;

const NAME: &str = "audit-head";

/// What the directory says of the database that is, or was, in it.
pub(super) enum Kept {
    /// None was in it.
    Nothing,
    /// One was; where its audit ended cannot be read.
    Unreadable,
    /// Its audit ended there, or later.
    Head(Head),
}

pub(super) fn read(directory: &Path) -> Kept {
    match fs::read_to_string(directory.join(NAME)) {
        Ok(text) => text.parse().map_or(Kept::Unreadable, Kept::Head),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Kept::Nothing,
        Err(_) => Kept::Unreadable,
    }
}

/// An older one does no harm: it is to be found in every later audit. So nobody waits for the disk here.
pub(super) fn write(directory: &Path, head: &Head) {
    let (file, next) = (directory.join(NAME), directory.join("audit-head.next"));
    let text = format!("{} {head}\n", head.records);
    let written = fs::write(&next, text).and_then(|()| fs::rename(&next, &file));
    if let Err(error) = written {
        tracing::warn!(file = %file.display(), %error, "the end of the audit is not kept beside the database");
    }
}

/// The database has everything that was in this directory once.
pub(super) fn check(connection: &Connection, file: &Path, directory: &Path) -> Result<(), StoreError> {
    match read(directory) {
        Kept::Head(kept) if !holds(connection, &kept).failed(file)? => Err(StoreError::Older {
            file: file.to_owned(),
            kept,
        }),
        Kept::Unreadable => {
            tracing::warn!(file = %directory.join(NAME).display(), "cannot be read: whether the database is older than it was is not seen");
            Ok(())
        }
        Kept::Nothing if has_records(connection).failed(file)? => {
            tracing::warn!(
                database = %file.display(),
                "there is no file audit-head beside the database, as there is none after an upgrade or where somebody has \
                 put a copy here: whether it is older than it was is not seen. If it is a copy, stop, and put it back with \
                 `countersign state restore`, which keeps what was revoked since"
            );
            Ok(())
        }
        Kept::Nothing | Kept::Head(_) => Ok(()),
    }
}

fn has_records(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT EXISTS (SELECT 1 FROM audit)", [], |row| row.get(0))
}

/// Whether one of its records has this head.
pub(super) fn holds(connection: &Connection, head: &Head) -> rusqlite::Result<bool> {
    if head.records == 0 {
        return Ok(true);
    }
    let statement = "SELECT lower(hex(hash)) FROM audit WHERE sequence = ?1";
    let sequence = i64::try_from(head.records).unwrap_or(i64::MAX);
    let found: Option<String> = connection
        .query_row(statement, [sequence], |row| row.get(0))
        .optional()?;
    Ok(found == Some(head.to_string()))
}

/// Why there ought to be a database; `None`: there never was one. The operator's token says nothing, for whoever runs us may
/// have put it there before the first start.
pub(super) fn lost(directory: &Path, file: &Path) -> Option<&'static str> {
    match read(directory) {
        Kept::Head(_) | Kept::Unreadable => {
            Some("it is missing, and the file audit-head beside it says that it was there")
        }
        Kept::Nothing if beside(file, "-wal").exists() => Some("it is missing, and its -wal file is there"),
        Kept::Nothing if directory.join("master-key").exists() => Some(
            "it is missing, and its master key is there (for a first start with a key of yours, name that as master_key_file)",
        ),
        Kept::Nothing => None,
    }
}
