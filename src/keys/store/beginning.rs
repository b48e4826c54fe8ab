//! The first start on a state directory: master key and database are whole before either has its name, so that nothing that
//! is cut off looks like something that was lost, and nothing that was lost like a first start.

use std::fs;
use std::io;
use std::path::Path;

use super::master_key::MasterKey;
use super::{MasterKeyFile, StoreError, kept_head, schema};
use crate::durable::sync_directory_of;

/// Makes the database that is not there, unless there ought to be one.
///
/// Our own master key gets its name first: where it has it, and the database has not, that one waits whole beside.
pub(super) fn make(directory: &Path, file: &Path, master_key: &MasterKeyFile) -> Result<(), StoreError> {
    let waiting = file.with_extension("first");
    let finish = || {
        fs::rename(&waiting, file)
            .and_then(|()| sync_directory_of(file))
            .map_err(|error| StoreError::NotWritable {
                file: file.to_owned(),
                problem: error.to_string(),
            })
    };
    if is_to_be_finished(&waiting, master_key) {
        return finish();
    }
    if let Some(lost) = lost(directory, file, master_key) {
        return Err(lost);
    }
    for suffix in ["first", "first-wal", "first-shm"] {
        remove(&file.with_extension(suffix))?; // of a first start that was cut off
    }
    if let Some(given) = master_key.load(false)? {
        schema::create(&waiting, &given)?;
        return finish();
    }
    remove(&master_key.first())?;
    let key = MasterKey::create(&master_key.first())?;
    schema::create(&waiting, &key)?;
    fs::rename(master_key.first(), master_key.path())
        .and_then(|()| sync_directory_of(file))
        .map_err(|error| StoreError::MasterKeyFile {
            file: master_key.path().to_owned(),
            problem: format!("cannot be made: {error}; make its directory writable"),
        })?;
    finish()
}

fn is_to_be_finished(waiting: &Path, master_key: &MasterKeyFile) -> bool {
    master_key.is_beside_the_database() && waiting.exists() && master_key.path().exists()
}

/// Where a database is missing that was there; `None`: there never was one, or its first start is to be finished.
pub(super) fn lost(directory: &Path, file: &Path, master_key: &MasterKeyFile) -> Option<StoreError> {
    if is_to_be_finished(&file.with_extension("first"), master_key) {
        return None;
    }
    kept_head::lost(directory, file).map(|problem| StoreError::Damaged {
        file: file.to_owned(),
        problem: problem.to_owned(),
    })
}

fn remove(file: &Path) -> Result<(), StoreError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::NotWritable {
            file: file.to_owned(),
            problem: error.to_string(),
        }),
        _ => Ok(()),
    }
}
