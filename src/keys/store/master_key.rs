//! The master key: what the private halves in the database are sealed under, so that a copy of the
//! database alone gives no key away. Kept in a file; never in the database, and never in a backup.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rusqlite::Connection;
use zeroize::Zeroizing;

use super::sealing::{Place, Sealer};
use super::{StoreError, schema};
use crate::{durable, files};

/// The file's name, beside the database and among systemd's credentials.
const NAME: &str = "master-key";
/// Bytes; what `openssl rand -base64 32` writes has 44.
const SHORTEST: usize = 32;

/// What to do about a file that is not there.
const PUT_BACK: &str =
    "put the one back that the database was sealed with: without it no private key in it can be opened";
const MAKE_ONE: &str = "make one with `openssl rand -base64 32`, readable by the proxy alone";

/// A secret. Has no `Debug`.
#[derive(PartialEq, Eq)]
pub(super) struct MasterKey(Zeroizing<Vec<u8>>);

impl MasterKey {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Makes a file with a random one, mode 0600, on the disk when this returns.
    pub(super) fn create(file: &Path) -> Result<Self, StoreError> {
        let mut random = Zeroizing::new([0; 32]);
        rand::fill(random.as_mut_slice()).map_err(|_| StoreError::NoRandomness)?;
        let text = Zeroizing::new(STANDARD.encode(random.as_slice()));
        let line = Zeroizing::new([text.as_bytes(), b"\n"].concat());
        durable::write_new(file, &line).map_err(|error| {
            unusable(
                file,
                format!("cannot be made: {error}; make its directory writable"),
            )
        })?;
        Ok(Self(Zeroizing::new(text.as_bytes().to_vec())))
    }

    /// What the file holds, white space around it aside.
    pub(super) fn read(file: &Path) -> Result<Self, StoreError> {
        Self::read_or(file, MAKE_ONE)
    }

    /// Likewise; where it cannot be read, the remedy is this.
    fn read_or(file: &Path, remedy: &str) -> Result<Self, StoreError> {
        let bytes = files::read(file)
            .map_err(|error| unusable(file, format!("cannot be read: {error}; {remedy}")))?;
        let key = bytes.trim_ascii();
        if key.len() < SHORTEST {
            let advice = "holds less than 32 bytes; make one with `openssl rand -base64 32`";
            return Err(unusable(file, advice.to_owned()));
        }
        Ok(Self(Zeroizing::new(key.to_vec())))
    }

    #[cfg(test)]
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

fn unusable(file: &Path, problem: String) -> StoreError {
    StoreError::MasterKeyFile {
        file: file.to_owned(),
        problem,
    }
}

/// Where the master key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterKeyFile {
    path: PathBuf,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Whoever runs us keeps it, and changes it.
    Given,
    /// Ours, beside the database.
    Own,
}

impl MasterKeyFile {
    /// The configured one; else systemd's credential `master-key`, if `$CREDENTIALS_DIRECTORY` has it; else our own
    /// beside the database.
    #[must_use]
    pub fn locate(configured: Option<&Path>, credentials: Option<&OsStr>, state: &Path) -> Self {
        let credential = credentials.map(|directory| Path::new(directory).join(NAME));
        let given = configured
            .map(Path::to_owned)
            .or_else(|| credential.filter(|file| file.exists()));
        match given {
            Some(path) => Self {
                path,
                kind: Kind::Given,
            },
            None => Self {
                path: state.join(NAME),
                kind: Kind::Own,
            },
        }
    }

    /// Beside the database it protects copies of that alone.
    #[must_use]
    pub fn is_beside_the_database(&self) -> bool {
        self.kind == Kind::Own
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a new one of our own waits while the database is sealed anew.
    pub(super) fn next(&self) -> PathBuf {
        self.path.with_extension("next")
    }

    /// Where our own waits for the first database to be whole.
    pub(super) fn first(&self) -> PathBuf {
        self.path.with_extension("first")
    }

    /// The one of a database that is there. None is made here: a second one would open nothing.
    pub(super) fn present(&self) -> Result<MasterKey, StoreError> {
        let key = MasterKey::read_or(&self.path, PUT_BACK)?;
        if self.is_exposed() {
            tracing::warn!(file = %self.path.display(), "others may read the master key: chmod 600");
        }
        Ok(key)
    }

    /// `None`: it is to be made on first start.
    pub(super) fn load(&self, database_exists: bool) -> Result<Option<MasterKey>, StoreError> {
        if self.kind == Kind::Own && !database_exists && !self.path.exists() {
            return Ok(None);
        }
        let remedy = if database_exists { PUT_BACK } else { MAKE_ONE };
        MasterKey::read_or(&self.path, remedy).map(Some)
    }

    /// Others than its owner may read it.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
    }

    /// The one that waits for a change that was cut off, if one was.
    pub(super) fn load_next(&self) -> Result<Option<MasterKey>, StoreError> {
        let next = Some(self.next()).filter(|next| self.kind == Kind::Own && next.exists());
        next.map(|next| MasterKey::read_or(&next, PUT_BACK)).transpose()
    }

    /// It does not open this database.
    pub(super) fn wrong_for(&self, database: &Path) -> StoreError {
        StoreError::WrongMasterKey {
            key: self.path.clone(),
            file: database.to_owned(),
        }
    }

    /// What opens the database. A change of our own key that was cut off is finished, or forgotten, here.
    pub(super) fn unlock(
        &self,
        key: &MasterKey,
        id: &[u8],
        connection: &Connection,
        file: &Path,
    ) -> Result<Sealer, StoreError> {
        let check = schema::check_value(connection, file)?;
        let opens = |sealer: &Sealer| sealer.open(&Place::check(), &check).is_ok();
        let sealer = Sealer::new(key, id)?;
        let next = Some(self.next()).filter(|next| self.kind == Kind::Own && next.exists());
        match next {
            Some(next) if opens(&sealer) => {
                let _ = fs::remove_file(next); // of a change that had not come to pass
                return Ok(sealer);
            }
            Some(next) => {
                let sealer = Sealer::new(&MasterKey::read(&next)?, id)?;
                if opens(&sealer) {
                    self.replace()?;
                    return Ok(sealer);
                }
            }
            None if opens(&sealer) => return Ok(sealer),
            None => {}
        }
        Err(self.wrong_for(file))
    }

    /// Puts the next one in its place.
    pub(super) fn replace(&self) -> Result<(), StoreError> {
        fs::rename(self.next(), &self.path)
            .and_then(|()| durable::sync_directory_of(&self.path))
            .map_err(|error| unusable(&self.path, format!("cannot be replaced: {error}")))
    }
}
