//! The directory that holds everything which outlives a start: ours alone, and one process's at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::StoreError;

/// A state directory that this process has locked, until this is dropped or the process ends.
pub struct StateDirectory {
    path: PathBuf,
    /// The system lets go of the lock with the file, however the process ends.
    _lock: File,
}

/// The file that is locked; it holds the number of the process.
const LOCK: &str = "lock";

impl StateDirectory {
    /// Makes the directory, mode 0700, unless it is there, and locks it.
    ///
    /// # Errors
    /// When another process has it, or it cannot be written to.
    pub fn lock(path: &Path) -> Result<Self, StoreError> {
        let unusable = |error: io::Error| StoreError::Directory {
            directory: path.to_owned(),
            problem: error.to_string(),
        };
        make(path).map_err(unusable)?;
        let mut file = open(&path.join(LOCK)).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked {
                    directory: path.to_owned(),
                    process: holder(&mut file),
                });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        sign(&mut file).map_err(unusable)?;
        Ok(Self {
            path: path.to_owned(),
            _lock: file,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let mode = fs::metadata(path)?.permissions().mode();
    // A mounted volume may belong to somebody else and be ours by its group.
    if mode & 0o077 != 0 && fs::set_permissions(path, Permissions::from_mode(0o700)).is_err() {
        tracing::warn!(directory = %path.display(), "others may enter the state directory: chmod 700");
    }
    Ok(())
}

fn open(file: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(file)
}

fn holder(file: &mut File) -> String {
    let mut number = String::new();
    match file.read_to_string(&mut number) {
        Ok(1..) => format!("process {}", number.trim()),
        _ => "another process".to_owned(),
    }
}

fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}
