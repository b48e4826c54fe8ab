//! What binds the rows of an alias to the audit: the last record of each of its transitions names the SHA-256 of all its
//! rows, and seals that, in its place in the chain, under a key that is derived from the master key.
//!
//! So rows that something else has changed do not fit the audit, which everybody can see; and who writes the audit anew to
//! fit them cannot seal it. The hash is over what is really stored: every column that has a value, by its name, so that a
//! later version of the schema may add others. Use counts, answers to events and what goes out are not bound.

use std::collections::BTreeMap;
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension};
use time::OffsetDateTime;

use super::error::Failed;
use super::sealing::Sealer;
use super::{AuditError, StoreError, audit_table};
use crate::keys::audit::{Author, Chain, Hash, Head, KeptHead, Link, Record, Verification};
use crate::keys::fingerprint::hex;

/// The rows of one alias, in an order of their own.
const ROWS: [(&str, &str); 9] = [
    ("key", "SELECT * FROM key WHERE alias = ?1 ORDER BY sequence"),
    (
        "chain",
        "SELECT chain.* FROM chain JOIN key ON key.id = chain.key WHERE alias = ?1 ORDER BY key.id, chain.position",
    ),
    (
        "waiting",
        "SELECT * FROM waiting WHERE alias = ?1 ORDER BY public_key",
    ),
    (
        "renewal",
        "SELECT * FROM renewal WHERE alias = ?1 ORDER BY position",
    ),
    (
        "renewal_step",
        "SELECT renewal_step.* FROM renewal_step JOIN renewal ON renewal.id = renewal_step.renewal WHERE alias = ?1 \
         ORDER BY renewal.position, renewal_step.position",
    ),
    (
        "renewal_receiver",
        "SELECT renewal_receiver.* FROM renewal_receiver JOIN renewal ON renewal.id = renewal_receiver.renewal \
         WHERE alias = ?1 ORDER BY renewal.position, renewal_receiver.position",
    ),
    (
        "notice",
        "SELECT * FROM notice WHERE alias = ?1 ORDER BY fingerprint, notice",
    ),
    ("unreviewed", "SELECT * FROM unreviewed WHERE alias = ?1"),
    (
        "barred",
        "SELECT * FROM barred WHERE alias = ?1 ORDER BY fingerprint",
    ),
];

/// Whoever has rows of its own.
const ALIASES: &str = "SELECT alias FROM key UNION SELECT alias FROM waiting UNION SELECT alias FROM renewal \
     UNION SELECT alias FROM notice UNION SELECT alias FROM unreviewed UNION SELECT alias FROM barred";

/// SHA-256 of all rows of an alias, in hex.
fn state_of(connection: &Connection, alias: &str) -> rusqlite::Result<String> {
    let mut hash = Context::new(&SHA256);
    for (table, statement) in ROWS {
        let mut statement = connection.prepare(statement)?;
        let names: Vec<String> = statement.column_names().map(ToOwned::to_owned).collect();
        let mut rows = statement.query([alias])?;
        while let Some(row) = rows.next()? {
            put(&mut hash, b'r', table.as_bytes());
            for (index, name) in names.iter().enumerate() {
                let (kind, value) = match row.get_ref(index)? {
                    ValueRef::Null => continue,
                    ValueRef::Integer(number) => (b'i', number.to_be_bytes().to_vec()),
                    ValueRef::Real(number) => (b'f', number.to_be_bytes().to_vec()),
                    ValueRef::Text(text) => (b't', text.to_vec()),
                    ValueRef::Blob(bytes) => (b'b', bytes.to_vec()),
                };
                put(&mut hash, b'c', name.as_bytes());
                put(&mut hash, kind, &value);
            }
        }
    }
    Ok(hex(hash.finish().as_ref()))
}

/// With its length before it, so that nothing can be taken for something else.
fn put(hash: &mut Context, kind: u8, value: &[u8]) {
    hash.update(&[kind]);
    hash.update(&(value.len() as u64).to_be_bytes());
    hash.update(value);
}

/// Aliases that have rows.
pub(super) fn aliases(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(ALIASES)?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// The next record of a chain, as it seals what is stored of an alias now.
pub(super) fn link(
    connection: &Connection,
    sealer: &Sealer,
    alias: &str,
    chain: &mut Chain,
    record: Record,
) -> rusqlite::Result<Link> {
    let state = state_of(connection, alias)?;
    Ok(chain.link_sealed(record, state.clone(), |sequence, before| {
        seal(sealer, alias, sequence, before, &state)
    }))
}

/// Seals every alias as it is stored: after another version, another key or another process has written to it.
pub(super) fn link_all(
    connection: &Connection,
    sealer: &Sealer,
    chain: &mut Chain,
    author: &Author,
    at: OffsetDateTime,
) -> rusqlite::Result<Vec<Link>> {
    let aliases = aliases(connection)?.into_iter();
    let links = aliases.map(|alias| {
        let record = Record::told("state-sealed", Some(alias.as_str()), BTreeMap::new(), author, at);
        link(connection, sealer, &alias, chain, record)
    });
    links.collect()
}

/// Over the record's place in the chain as well: it is good for no other moment.
fn seal(sealer: &Sealer, alias: &str, sequence: u64, before: &Hash, state: &str) -> String {
    hex(sealer.mac(&message(alias, sequence, before, state)).as_ref())
}

fn message(alias: &str, sequence: u64, before: &Hash, state: &str) -> Vec<u8> {
    [
        b"state\0".as_slice(),
        alias.as_bytes(),
        b"\0",
        &sequence.to_be_bytes(),
        before,
        state.as_bytes(),
    ]
    .concat()
}

/// What the last record that seals an alias says.
struct Sealed {
    sequence: u64,
    before: Hash,
    state: Option<String>,
    seal: Option<String>,
}

/// Whether the audit seals anything yet. In a text of its records these quotes would be escaped.
pub(super) fn is_there(connection: &Connection) -> rusqlite::Result<bool> {
    let statement = "SELECT 1 FROM audit WHERE record LIKE '%,\"seal\":\"%' LIMIT 1";
    let found = connection.query_row(statement, [], |_| Ok(()));
    Ok(found.optional()?.is_some())
}

/// Every record follows the one before it, and the rows of every alias are what the audit says: sealed, where the master key
/// is at hand. Where nothing was sealed yet, as in databases of earlier versions, only the records are looked at.
///
/// # Errors
/// With the first record, or the first alias, that is not so.
pub(super) fn verify(
    connection: &Connection,
    sealer: Option<&Sealer>,
    file: &Path,
    kept: Option<KeptHead>,
) -> Result<Head, AuditError> {
    let (mut verification, mut seals) = (Verification::new(kept), BTreeMap::new());
    let broken = |broken| AuditError::Broken {
        file: file.to_owned(),
        broken,
    };
    let mut before = Hash::default();
    let mut statement = connection
        .prepare("SELECT sequence, record, hash FROM audit ORDER BY sequence")
        .failed(file)?;
    for link in statement.query_map([], audit_table::link).failed(file)? {
        let link = link.failed(file)?;
        let record = verification.next(&link).map_err(broken)?;
        if let (Some(alias), true) = (record.alias, record.state.is_some() || record.seal.is_some()) {
            let sealed = Sealed {
                sequence: link.sequence,
                before,
                state: record.state,
                seal: record.seal,
            };
            seals.insert(alias, sealed);
        }
        before = link.hash;
    }
    let head = verification.finish().map_err(broken)?;
    if sealer.is_some() || !seals.is_empty() {
        compare(connection, sealer, file, seals)?;
    }
    Ok(head)
}

fn compare(
    connection: &Connection,
    sealer: Option<&Sealer>,
    file: &Path,
    seals: BTreeMap<String, Sealed>,
) -> Result<(), StoreError> {
    let changed = |alias: String, record| StoreError::Changed {
        file: file.to_owned(),
        alias,
        record,
    };
    let mut aliases = aliases(connection).failed(file)?.into_iter();
    if let Some(alias) = aliases.find(|alias| !seals.contains_key(alias)) {
        return Err(changed(alias, None));
    }
    for (alias, sealed) in seals {
        let state = state_of(connection, &alias).failed(file)?;
        let is_sealed = |sealer: &Sealer| {
            let expected = seal(sealer, &alias, sealed.sequence, &sealed.before, &state);
            sealed.seal.as_ref() == Some(&expected)
        };
        if sealed.state.as_ref() != Some(&state) || !sealer.is_none_or(is_sealed) {
            return Err(changed(alias, Some(sealed.sequence)));
        }
    }
    Ok(())
}
