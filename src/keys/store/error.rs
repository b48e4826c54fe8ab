//! Why the store cannot be used, in words for whoever runs it.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// The store cannot be used; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Not to be entered or written to.
    #[error("the state directory {} cannot be used: {problem}; make it writable, or name another one as [state] directory", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// Why.
        problem: String,
    },
    /// Somebody else's.
    #[error(
        "the state directory {} is in use by {process}: stop that one first, or give this one a directory of its own", directory.display()
    )]
    Locked {
        /// The directory.
        directory: PathBuf,
        /// Who has it.
        process: String,
    },
    /// Not our database.
    #[error(
        "{} is no database of countersign: {problem}; move it away, or name another directory as [state] directory", file.display()
    )]
    Foreign {
        /// The file.
        file: PathBuf,
        /// How that shows.
        problem: String,
    },
    /// A later version's.
    #[error(
        "{} was written by a later version of countersign (schema {found}, this one knows {known}): run that version, or \
         restore a backup of this one", file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its schema.
        found: i32,
        /// The latest that we know.
        known: i32,
    },
    /// Not as we left it.
    #[error(
        "{} is damaged: {problem}; move it away and restore a backup with `countersign state restore`", file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// How that shows.
        problem: String,
    },
    /// The master key's file is of no use.
    #[error("the master key file {} {problem}", file.display())]
    MasterKeyFile {
        /// The file.
        file: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// Another one than the database was sealed with.
    #[error(
        "the master key in {} does not open {}: give the one that the database was sealed with", key.display(), file.display()
    )]
    WrongMasterKey {
        /// The key's file.
        key: PathBuf,
        /// The database.
        file: PathBuf,
    },
    /// No room.
    #[error(
        "the change could not be stored and was not made: the disk of {} is full; free some space and repeat it. Messages \
         are signed as before", file.display()
    )]
    Full {
        /// The database.
        file: PathBuf,
    },
    /// Not to be written to.
    #[error(
        "the change could not be stored and was not made: {} cannot be written to ({problem}); see to its disk and its \
         permissions and repeat it. Messages are signed as before", file.display()
    )]
    NotWritable {
        /// The database.
        file: PathBuf,
        /// Why.
        problem: String,
    },
    /// A backup or the file for one cannot be used.
    #[error("{}: {problem}", file.display())]
    Backup {
        /// The file.
        file: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The system gave none.
    #[error("the system gives no random numbers, so nothing can be sealed")]
    NoRandomness,
}

/// Says of which file it is that SQLite complains.
pub(super) trait Failed<T> {
    fn failed(self, file: &Path) -> Result<T, StoreError>;
}

impl<T> Failed<T> for rusqlite::Result<T> {
    fn failed(self, file: &Path) -> Result<T, StoreError> {
        self.map_err(|error| describe(&error, file.to_owned()))
    }
}

fn describe(error: &rusqlite::Error, file: PathBuf) -> StoreError {
    let problem = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full { file },
        Some(ErrorCode::NotADatabase) => StoreError::Foreign { file, problem },
        Some(ErrorCode::DatabaseCorrupt) => StoreError::Damaged { file, problem },
        // Whatever else SQLite says, it did not write.
        _ => StoreError::NotWritable { file, problem },
    }
}
