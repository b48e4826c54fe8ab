//! A copy of the database, made while the process runs. The master key is not in it: a backup is worth nothing without it, and whoever keeps one has to keep it elsewhere.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::audit_table::AuditTrail;
use super::error::Failed;
use super::{MasterKeyFile, StoreError, key_table, schema};
use crate::durable::sync_directory_of;
use crate::keys::audit::Head;

/// Copies the database of the state directory into a new file, mode 0600. Returns the end of the audit in it.
///
/// # Errors
/// When there is no whole database, or the file is there already or cannot be written.
pub fn back_up(state: &Path, to: &Path) -> Result<Head, StoreError> {
    let from = super::database(state);
    if !schema::exists(&from)? {
        return Err(unusable(&from, "there is no database to back up"));
    }
    let source = schema::open_read_only(&from)?;
    schema::check(&source, &from)?;
    make_new(to).map_err(|error| {
        unusable(
            to,
            &format!("the backup cannot be written: {error}; name a new file"),
        )
    })?;
    let made = copy(&source, to).and_then(|()| {
        let head = verified(to)?;
        sync_directory_of(to).map_err(|error| unusable(to, &error.to_string()))?;
        Ok(head)
    });
    if made.is_err() {
        let _ = fs::remove_file(to); // half a backup is none
    }
    made
}

fn copy(source: &Connection, to: &Path) -> Result<(), StoreError> {
    /// So that a large database is not copied in one breath, which would hold up whoever writes.
    const PAGES: i32 = 256;
    let mut target = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE).failed(to)?;
    Backup::new(source, &mut target)
        .and_then(|backup| backup.run_to_completion(PAGES, Duration::ZERO, None))
        .failed(to)?;
    // One file, complete in itself.
    target
        .pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))
        .failed(to)
}

/// Whole, ours, and with an unbroken audit.
pub(super) fn verified(file: &Path) -> Result<Head, StoreError> {
    schema::check(&schema::open_read_only(file)?, file)?;
    AuditTrail::at(file)
        .verify(None)
        .map_err(|error| unusable(file, &error.to_string()))
}

/// Every private half of it.
pub(super) fn check_opens(file: &Path, master_key: &MasterKeyFile) -> Result<(), StoreError> {
    let connection = schema::open_read_only(file)?;
    let id = schema::meta(&connection, "id", file)?;
    let sealer = master_key.unlock(&master_key.present()?, &id, &connection, file)?;
    key_table::load(&connection, &sealer, file).map(drop)
}

pub(super) fn make_new(file: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(file)
}

pub(super) fn unusable(file: &Path, problem: &str) -> StoreError {
    StoreError::Backup {
        file: file.to_owned(),
        problem: problem.to_owned(),
    }
}
