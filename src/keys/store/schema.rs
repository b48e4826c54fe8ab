//! Which database is ours, and of which version. Looked at before anything is written.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::rand;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};
use time::OffsetDateTime;

use super::error::Failed;
use super::key_table::time;
use super::master_key::MasterKey;
use super::sealing::{Place, Sealer};
use super::{MasterKeyFile, StoreError, audit_table, seal};
use crate::keys::audit::Author;

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
    include_str!("schema_7.sql"),
];

/// The first one whose audit seals the aliases.
const SEALED: i32 = 7;

/// For others who hold the database for a moment, such as a backup.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether there is a database. One that is empty was not made by us: a new one has its name only when it is whole.
pub(super) fn exists(file: &Path) -> Result<bool, StoreError> {
    match fs::metadata(file) {
        Ok(metadata) if metadata.len() == 0 => Err(StoreError::Damaged {
            file: file.to_owned(),
            problem: "it is empty, 0 bytes".to_owned(),
        }),
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(not_writable(file, &error)),
    }
}

fn not_writable(file: &Path, error: &std::io::Error) -> StoreError {
    StoreError::NotWritable {
        file: file.to_owned(),
        problem: error.to_string(),
    }
}

/// A new database, in a file that is not there yet. Nothing of it is left beside when this returns.
pub(super) fn create(file: &Path, key: &MasterKey) -> Result<(), StoreError> {
    // SQLite gives its other files the permissions of this one.
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(file);
    made.map_err(|error| not_writable(file, &error))?;
    let mut connection = reopen(file).failed(file)?;
    let mut id = [0; 16];
    rand::fill(&mut id).map_err(|_| StoreError::NoRandomness)?;
    let check = Sealer::new(key, &id)?.seal(&Place::check(), b"countersign")?;
    let transaction = connection.transaction().failed(file)?;
    for statements in VERSIONS {
        transaction.execute_batch(statements).failed(file)?;
    }
    set_meta(&transaction, "id", &id).failed(file)?;
    set_meta(&transaction, "check", &check).failed(file)?;
    mark(&transaction).failed(file)?;
    transaction.commit().failed(file)?;
    close(connection, file)
}

/// With the last connection the log goes, for what was in it is in the file.
pub(super) fn close(connection: Connection, file: &Path) -> Result<(), StoreError> {
    let failed = |problem: String| StoreError::NotWritable {
        file: file.to_owned(),
        problem,
    };
    let busy: bool = connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .failed(file)?;
    connection
        .close()
        .map_err(|(_, error)| failed(error.to_string()))?;
    if busy {
        return Err(failed("something else has it open".to_owned()));
    }
    Ok(())
}

/// The database with what opens it, and the id by which it differs from every other one; brought up to this version.
pub(super) fn open(
    file: &Path,
    master_key: &MasterKeyFile,
) -> Result<(Connection, Sealer, Vec<u8>), StoreError> {
    // Before it is opened for writing: what is not ours stays as it is.
    check(&open_read_only(file)?, file)?;
    let key = master_key.present()?;
    let mut connection = reopen(file).failed(file)?;
    let id = meta(&connection, "id", file)?;
    let sealer = master_key.unlock(&key, &id, &connection, file)?;
    migrate(&mut connection, file, &sealer)?;
    Ok((connection, sealer, id))
}

/// A database that was looked at before.
pub(super) fn reopen(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    configure(&connection)?;
    Ok(connection)
}

/// The database, with nobody beside: its log is read anew, as after a restart.
pub(super) fn open_alone(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(()))?;
    Ok(connection)
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

/// A time in table `meta`; `None`: it was never set.
pub(super) fn time_of(connection: &Connection, name: &str) -> rusqlite::Result<Option<OffsetDateTime>> {
    let statement = "SELECT value FROM meta WHERE name = ?1";
    let stored: Option<[u8; 8]> = connection
        .query_row(statement, [name], |row| row.get(0))
        .optional()?;
    Ok(stored.and_then(|stored| time(i64::from_be_bytes(stored))))
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

/// All versions in one transaction. What an earlier one has left is sealed once, as it is found.
fn migrate(connection: &mut Connection, file: &Path, sealer: &Sealer) -> Result<(), StoreError> {
    let version = pragma(connection, "user_version").failed(file)?;
    if version == latest() {
        return Ok(());
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .failed(file)?;
    if version < SEALED && seal::is_there(&transaction).failed(file)? {
        return Err(StoreError::Damaged {
            file: file.to_owned(),
            problem: format!("it says that it is of version {version}, and a later one has written to it"),
        });
    }
    let done = usize::try_from(version).unwrap_or(0);
    for statements in VERSIONS.iter().skip(done) {
        transaction.execute_batch(statements).failed(file)?;
    }
    mark(&transaction).failed(file)?;
    if version < SEALED {
        seal_all(&transaction, sealer).failed(file)?;
    }
    transaction.commit().failed(file)
}

/// At the time of the last record: what is found was so since then.
fn seal_all(transaction: &Transaction<'_>, sealer: &Sealer) -> rusqlite::Result<()> {
    let (mut chain, at) = audit_table::end(transaction)?;
    let links = seal::link_all(transaction, sealer, &mut chain, &Author::upgrade(), at)?;
    audit_table::append(transaction, &links, at)
}

/// By what the database is known.
fn mark(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", latest())
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
