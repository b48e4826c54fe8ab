//! What `countersign check` finds in the state directory, without changing anything: whether its database is ours, and
//! whether the master key opens it. It does not ask which process has the directory, for it is right that a running proxy does.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{Access, access};

use super::error::Failed;
use super::master_key::{MasterKey, MasterKeyFile};
use super::sealing::{Place, Sealer};
use super::{DATABASE, StoreError, beginning, schema};

/// What is in a state directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Survey {
    /// No database, so the first start makes it.
    Empty {
        /// The directory, or the first above it that is there, where this process cannot write to it.
        unwritable: Option<PathBuf>,
    },
    /// A database that the master key opens.
    Opened {
        /// The directory, where this process cannot write to it.
        unwritable: Option<PathBuf>,
    },
    /// This process may not look into it.
    Hidden,
}

/// Looks at the directory and the master key. Whoever asks need not be the user that the proxy runs as.
///
/// # Errors
/// When a start with both would be refused.
pub fn survey(directory: &Path, master_key: &MasterKeyFile) -> Result<Survey, StoreError> {
    let file = directory.join(DATABASE);
    if file
        .metadata()
        .is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
    {
        if !master_key.is_beside_the_database() {
            master_key.load(true)?;
        }
        return Ok(Survey::Hidden);
    }
    if directory.exists() && !directory.is_dir() {
        return Err(StoreError::Directory {
            directory: directory.to_owned(),
            problem: "it is no directory".to_owned(),
        });
    }
    let exists = schema::exists(&file)?;
    if !exists && let Some(problem) = beginning::lost(directory, &file, master_key) {
        return Err(problem);
    }
    let key = master_key.load(exists)?;
    let unwritable = unwritable(directory);
    match key {
        Some(key) if exists => {
            opens(&file, master_key, &key)?;
            Ok(Survey::Opened { unwritable })
        }
        _ => Ok(Survey::Empty { unwritable }),
    }
}

/// As a start would have it: our own key, or the next one, where a change of it was cut off.
fn opens(file: &Path, master_key: &MasterKeyFile, key: &MasterKey) -> Result<(), StoreError> {
    let connection = open_unchanged(file)?;
    schema::check_version(&connection, file)?;
    let id = schema::meta(&connection, "id", file)?;
    let check = schema::check_value(&connection, file)?;
    let fits = |key: &MasterKey| {
        let sealer = Sealer::new(key, &id)?;
        Ok(sealer.open(&Place::check(), &check).is_ok())
    };
    if fits(key)? {
        return Ok(());
    }
    match master_key.load_next()? {
        Some(next) if fits(&next)? => Ok(()),
        _ => Err(master_key.wrong_for(file)),
    }
}

/// For reading. A database that nobody has open is read as it lies there, for SQLite would make files beside it.
fn open_unchanged(file: &Path) -> Result<Connection, StoreError> {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    if Path::new(&log).exists() {
        return schema::open_read_only(file);
    }
    let path: String = file
        .to_string_lossy()
        .chars()
        .map(|letter| match letter {
            '%' | '?' | '#' => format!("%{:02x}", u32::from(letter)),
            other => other.to_string(),
        })
        .collect();
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{path}?immutable=1"), flags).failed(file)
}

/// The directory, or the first above it that is there, unless this process may write to it.
fn unwritable(directory: &Path) -> Option<PathBuf> {
    let present = directory
        .ancestors()
        .map(|path| {
            if path.as_os_str().is_empty() {
                Path::new(".")
            } else {
                path
            }
        })
        .find(|path| path.exists())?;
    let writable = access(present, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    (!writable).then(|| present.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use tempfile::{TempDir, tempdir};

    use super::*;
    use crate::keys::store::{StateDirectory, Store};

    /// A state directory that a proxy has made and left, and where its master key is.
    fn left() -> (TempDir, MasterKeyFile) {
        let directory = tempdir().unwrap();
        let key = MasterKeyFile::locate(None, None, directory.path());
        drop(Store::open(StateDirectory::lock(directory.path()).unwrap(), &key).unwrap());
        (directory, key)
    }

    fn listing(directory: &Path) -> Vec<(PathBuf, u64)> {
        let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
        let mut listing: Vec<_> = entries
            .map(|entry| (entry.path(), entry.metadata().unwrap().len()))
            .collect();
        listing.sort();
        listing
    }

    #[test]
    fn a_directory_is_looked_at_and_left_as_it_is() {
        let (directory, key) = left();
        let before = listing(directory.path());
        assert_eq!(
            survey(directory.path(), &key),
            Ok(Survey::Opened { unwritable: None })
        );
        assert_eq!(listing(directory.path()), before);

        let nothing = tempdir().unwrap();
        let path = nothing.path().join("a/state");
        let key = MasterKeyFile::locate(None, None, &path);
        assert_eq!(survey(&path, &key), Ok(Survey::Empty { unwritable: None }));
        assert!(listing(nothing.path()).is_empty());
    }

    #[test]
    fn beside_a_process_that_has_it_a_directory_is_looked_at_too() {
        let (directory, key) = left();
        let store = Store::open(StateDirectory::lock(directory.path()).unwrap(), &key).unwrap();
        assert_eq!(
            survey(directory.path(), &key),
            Ok(Survey::Opened { unwritable: None })
        );
        drop(store);
    }

    #[test]
    fn a_master_key_that_a_start_would_refuse_is_refused_by_name() {
        let (directory, own) = left();
        let elsewhere = tempdir().unwrap();
        let file = elsewhere.path().join("key");
        let given = MasterKeyFile::locate(Some(&file), None, directory.path());
        let refused = |given: &MasterKeyFile, part: &str| {
            let sentence = survey(directory.path(), given).unwrap_err().to_string();
            assert!(sentence.contains(part), "{sentence}");
        };
        refused(&given, "put the one back that the database was sealed with");
        fs::write(&file, "short").unwrap();
        refused(&given, "holds less than 32 bytes");
        fs::write(&file, [b'k'; 44]).unwrap();
        refused(&given, "does not open");
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        refused(&given, "regular file");
        fs::remove_file(own.path()).unwrap();
        refused(&own, "put the one back that the database was sealed with");
    }

    #[test]
    fn a_master_key_that_was_never_made_is_to_be_made() {
        let directory = tempdir().unwrap();
        let given = MasterKeyFile::locate(Some(&directory.path().join("key")), None, directory.path());
        let sentence = survey(directory.path(), &given).unwrap_err().to_string();
        assert!(
            sentence.contains("make one with `openssl rand -base64 32"),
            "{sentence}"
        );
        assert!(!sentence.contains("put the one back"), "{sentence}");
    }

    #[test]
    fn a_master_key_that_others_may_read_is_exposed() {
        let (_directory, key) = left();
        assert!(!key.is_exposed());
        fs::set_permissions(key.path(), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(key.is_exposed());
    }
}
