//! Why the store cannot be used, in words for whoever runs it.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::keys::audit::Head;

/// The store cannot be used; but for [`Self::Unknown`], nothing was changed.
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
        "{} is damaged: {problem}; restore a backup with `countersign state restore`", file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// How that shows.
        problem: String,
    },
    /// Rows are not what the audit says.
    #[error(
        "the keys of {alias} in {} are not as {} left them: something else than countersign has changed the database, so it is \
         not trusted. Find out who could write to it, and restore a backup with `countersign state restore`, which keeps what \
         was revoked since", file.display(), left(*.record)
    )]
    Changed {
        /// The database.
        file: PathBuf,
        /// Whose.
        alias: String,
        /// The record that says how they were; `None`: none does.
        record: Option<u64>,
    },
    /// It lacks what was there once.
    #[error(
        "{} is older than the database that was here, whose audit had {} records and ended with {kept}: a copy was put in its \
         place, or its -wal file was lost, and a key that was revoked since would sign again. Put back what was there, or move \
         this file away and restore it, or a later backup, with `countersign state restore`, which says what may be lost",
        file.display(), .kept.records
    )]
    Older {
        /// The file.
        file: PathBuf,
        /// The end of the audit that was there.
        kept: Head,
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
    /// It failed in its last step, and what is there cannot be read now.
    #[error(
        "whether the change was made is not known: {} failed while it was written to, and cannot be read back ({problem}). \
         Messages are signed as before. See to its disk: as soon as it can be read, the proxy goes by what is really there. \
         Then look, with `countersign keys list` and `countersign audit show`, before you repeat it", file.display()
    )]
    Unknown {
        /// The database.
        file: PathBuf,
        /// Why.
        problem: String,
    },
    /// What became of an earlier one is not known.
    #[error(
        "the change was not made: whether an earlier one is in force is not known yet, for {} cannot be read back \
         ({problem}); see to its disk, and repeat it when countersign_state_writable is 1. Messages are signed as before",
        file.display()
    )]
    InDoubt {
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

fn left(record: Option<u64>) -> String {
    record.map_or_else(
        || "any record of the audit".to_owned(),
        |record| format!("record {record} of the audit"),
    )
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

pub(super) fn describe(error: &rusqlite::Error, file: PathBuf) -> StoreError {
    let problem = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full { file },
        Some(ErrorCode::NotADatabase) => StoreError::Foreign { file, problem },
        Some(ErrorCode::DatabaseCorrupt) => StoreError::Damaged { file, problem },
        // Whatever else SQLite says, it did not write.
        _ => StoreError::NotWritable { file, problem },
    }
}
