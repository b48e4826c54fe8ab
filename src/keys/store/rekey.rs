//! Another master key: every private half is sealed anew under it, in one transaction. The process must not be
//! running, for it has the old key in memory.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, Transaction};
use time::OffsetDateTime;

use super::error::Failed;
use super::master_key::MasterKey;
use super::sealing::{Place, Sealer};
use super::{
    MasterKeyFile, StateDirectory, Store, StoreError, audit_table, kept_head, schema, seal, waiting_table,
};
use crate::keys::Fingerprint;
use crate::keys::audit::{Author, Record};

/// Seals the database anew: under the key in `to`, or under a new one of our own that takes the place of the old
/// one.
///
/// A crash on the way leaves the old key or the new one, and what it opens: our own new key waits beside the old one
/// until the transaction is over (see [`MasterKeyFile`]).
///
/// # Errors
/// When the database or a key cannot be used, or the key is not ours to replace.
pub fn rekey(
    directory: StateDirectory,
    master_key: &MasterKeyFile,
    to: Option<&Path>,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let mut store = Store::open(directory, master_key)?;
    let new = match to {
        Some(file) => MasterKey::read(file)?,
        None if master_key.is_beside_the_database() => {
            let _ = fs::remove_file(master_key.next()); // of an attempt that was cut off
            MasterKey::create(&master_key.next())?
        }
        None => {
            return Err(StoreError::MasterKeyFile {
                file: master_key.path().to_owned(),
                problem: "is kept by you: name the file of the new one with --to".to_owned(),
            });
        }
    };
    store.seal_anew(&new, now)?;
    match to {
        Some(_) => Ok(()),
        None => master_key.replace(),
    }
}

impl Store {
    fn seal_anew(&mut self, new: &MasterKey, now: OffsetDateTime) -> Result<(), StoreError> {
        let (connection, file) = (self.database.connection()?, self.database.file());
        let id = schema::meta(connection, "id", file)?;
        let sealer = Sealer::new(new, &id)?;
        let check = sealer.seal(&Place::check(), b"countersign")?;
        let anew = sealed_anew(connection, file, &self.sealer, &sealer)?;
        let waiting = waiting_table::sealed_anew(connection, file, &self.sealer, &sealer)?;
        let (mut chain, author) = (self.chain.clone(), Author::cli());
        let changed = chain.link(Record::note("master-key-changed", &author, now));
        self.database.write(|transaction| {
            replace(transaction, &anew)?;
            waiting_table::replace(transaction, &waiting)?;
            schema::set_meta(transaction, "check", &check)?;
            audit_table::append(transaction, &[changed], now)?;
            let sealed = seal::link_all(transaction, &sealer, &mut chain, &author, now)?;
            audit_table::append(transaction, &sealed, now)
        })?;
        kept_head::write(self.directory.path(), &chain.head());
        self.forget_deleted_pages();
        Ok(())
    }
}

/// Row and private half, under the new key.
fn sealed_anew(
    connection: &Connection,
    file: &Path,
    old: &Sealer,
    new: &Sealer,
) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    let mut statement = connection
        .prepare("SELECT id, alias, fingerprint, private_half FROM key WHERE private_half IS NOT NULL")
        .failed(file)?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .and_then(Iterator::collect::<Result<Vec<(i64, String, String, Vec<u8>)>, _>>)
        .failed(file)?;
    let damaged = |id| StoreError::Damaged {
        file: file.to_owned(),
        problem: format!("the private half of key {id} does not open"),
    };
    let anew = rows.into_iter().map(|(id, alias, fingerprint, sealed)| {
        let fingerprint: Fingerprint = fingerprint.parse().map_err(|_| damaged(id))?;
        let place = Place::private_half(&alias, &fingerprint);
        let plain = old.open(&place, &sealed).map_err(|_| damaged(id))?;
        Ok((id, new.seal(&place, &plain)?))
    });
    anew.collect()
}

fn replace(transaction: &Transaction<'_>, anew: &[(i64, Vec<u8>)]) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare("UPDATE key SET private_half = ?2 WHERE id = ?1")?;
    for (id, sealed) in anew {
        statement.execute((id, sealed))?;
    }
    Ok(())
}
