//! Which database is ours, and of which version. Looked at before anything is written.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::rand;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};

use super::StoreError;
use super::error::Failed;
use super::master_key::MasterKey;
use super::sealing::{Place, Sealer};

/// `csgn`: by this SQLite databases tell whose they are.
const APPLICATION: i32 = 0x6373_676e;

/// Each brings the one before it up to itself; the first one makes the tables.
const VERSIONS: &[&str] = &[
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
    include_str!("schema_6.sql"),
];

/// For others who hold the database for a moment, such as a backup.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether there is a database; an empty file is none, but what a first start left that was cut off.
pub(super) fn exists(file: &Path) -> Result<bool, StoreError> {
    match fs::metadata(file) {
        Ok(metadata) => Ok(metadata.len() > 0),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::NotWritable {
            file: file.to_owned(),
            problem: error.to_string(),
        }),
    }
}

/// The database, and the id by which it differs from every other one.
pub(super) fn open_or_create(file: &Path, key: &MasterKey) -> Result<(Connection, Vec<u8>), StoreError> {
    if exists(file)? {
        // Before it is opened for writing: what is not ours stays as it is.
        check(&open_read_only(file)?, file)?;
    }
    // SQLite gives its other files the permissions of this one.
    let mut options = OpenOptions::new();
    let made = options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(file);
    made.map_err(|error| StoreError::NotWritable {
        file: file.to_owned(),
        problem: error.to_string(),
    })?;
    let mut connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE).failed(file)?;
    configure(&connection).failed(file)?;
    migrate(&mut connection, file, key)?;
    let id = meta(&connection, "id", file)?;
    Ok((connection, id))
}

/// For reading beside the process that writes.
pub(super) fn open_read_only(file: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).failed(file)?;
    connection.busy_timeout(PATIENCE).failed(file)?;
    Ok(connection)
}

/// The database is ours, of a version that we know, and whole. Reads all of it.
pub(super) fn check(connection: &Connection, file: &Path) -> Result<(), StoreError> {
    check_version(connection, file)?;
    let found: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .failed(file)?;
    if found != "ok" {
        return Err(StoreError::Damaged {
            file: file.to_owned(),
            problem: found,
        });
    }
    Ok(())
}

/// The database is ours, of a version that we know.
pub(super) fn check_version(connection: &Connection, file: &Path) -> Result<(), StoreError> {
    let application = pragma(connection, "application_id").failed(file)?;
    let version = pragma(connection, "user_version").failed(file)?;
    if application != APPLICATION && !is_empty(connection).failed(file)? {
        return Err(StoreError::Foreign {
            file: file.to_owned(),
            problem: "another program made it".to_owned(),
        });
    }
    let known = latest();
    if version > known {
        return Err(StoreError::Newer {
            file: file.to_owned(),
            found: version,
            known,
        });
    }
    Ok(())
}

/// Sealed under the master key when the database was made, to know that key again.
pub(super) fn check_value(connection: &Connection, file: &Path) -> Result<Vec<u8>, StoreError> {
    meta(connection, "check", file)
}

pub(super) fn set_meta(connection: &Connection, name: &str, value: &[u8]) -> rusqlite::Result<()> {
    let statement = "INSERT INTO meta (name, value) VALUES (?1, ?2) \
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection.execute(statement, (name, value)).map(drop)
}

/// A value that every database of ours has.
pub(super) fn meta(connection: &Connection, name: &str, file: &Path) -> Result<Vec<u8>, StoreError> {
    let value = connection
        .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
        .optional()
        .failed(file)?;
    value.ok_or_else(|| StoreError::Damaged {
        file: file.to_owned(),
        problem: format!("its {name} is missing"),
    })
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    // Readers beside the one writer, and every commit on the disk before it is acknowledged.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What is deleted is overwritten: a purged key must be gone.
    connection.pragma_update(None, "secure_delete", true)
}

/// All versions in one transaction, and the marks by which the database is known with them.
fn migrate(connection: &mut Connection, file: &Path, key: &MasterKey) -> Result<(), StoreError> {
    let version = pragma(connection, "user_version").failed(file)?;
    if version == latest() {
        return Ok(());
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .failed(file)?;
    let done = usize::try_from(version).unwrap_or(0);
    for statements in VERSIONS.iter().skip(done) {
        transaction.execute_batch(statements).failed(file)?;
    }
    if done == 0 {
        let mut id = [0; 16];
        rand::fill(&mut id).map_err(|_| StoreError::NoRandomness)?;
        let check = Sealer::new(key, &id)?.seal(&Place::check(), b"countersign")?;
        set_meta(&transaction, "id", &id).failed(file)?;
        set_meta(&transaction, "check", &check).failed(file)?;
    }
    transaction
        .pragma_update(None, "application_id", APPLICATION)
        .failed(file)?;
    transaction
        .pragma_update(None, "user_version", latest())
        .failed(file)?;
    transaction.commit().failed(file)
}

fn latest() -> i32 {
    i32::try_from(VERSIONS.len()).unwrap_or(i32::MAX)
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i32> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}
