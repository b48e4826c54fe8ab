//! A copy of the database, made while the process runs, and the way back. The master key is in
//! neither: a backup is worth nothing without it, and whoever keeps one has to keep it elsewhere.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::audit_table::AuditTrail;
use super::error::Failed;
use super::{DATABASE, MasterKeyFile, StateDirectory, StoreError, key_table, schema};
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
    let copied = copy(&source, to);
    if copied.is_err() {
        let _ = fs::remove_file(to);
    }
    copied?;
    verified(to)
}

/// Puts a backup into a state directory that has no database. Returns the end of the audit in it.
///
/// # Errors
/// When it is no whole backup, the master key does not open it, or there is a database already.
pub fn restore(state: &StateDirectory, from: &Path, master_key: &MasterKeyFile) -> Result<Head, StoreError> {
    let to = state.path().join(DATABASE);
    if schema::exists(&to)? {
        return Err(unusable(&to, "there is a database already: move it away first"));
    }
    if !schema::exists(from)? {
        return Err(unusable(from, "there is no such backup"));
    }
    let head = verified(from)?;
    check_opens(from, master_key)?;
    let unfinished = to.with_extension("unfinished");
    let installed = install(from, &unfinished, &to);
    installed.map_err(|error| unusable(&to, &format!("the backup cannot be put there: {error}")))?;
    Ok(head)
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
fn verified(file: &Path) -> Result<Head, StoreError> {
    schema::check(&schema::open_read_only(file)?, file)?;
    AuditTrail::at(file)
        .verify(None)
        .map_err(|error| unusable(file, &error.to_string()))
}

/// Every private half of it.
fn check_opens(file: &Path, master_key: &MasterKeyFile) -> Result<(), StoreError> {
    let connection = schema::open_read_only(file)?;
    let id = schema::meta(&connection, "id", file)?;
    let sealer = master_key.unlock(&master_key.load_or_create(true)?, &id, &connection, file)?;
    key_table::load(&connection, &sealer, file).map(drop)
}

fn install(from: &Path, unfinished: &Path, to: &Path) -> io::Result<()> {
    let _ = fs::remove_file(unfinished); // of an attempt that was cut off
    let mut copy = make_new(unfinished)?;
    io::copy(&mut File::open(from)?, &mut copy)?;
    copy.sync_all()?;
    fs::rename(unfinished, to)?;
    File::open(to.parent().unwrap_or_else(|| Path::new(".")))?.sync_all()
}

fn make_new(file: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(file)
}

fn unusable(file: &Path, problem: &str) -> StoreError {
    StoreError::Backup {
        file: file.to_owned(),
        problem: problem.to_owned(),
    }
}
