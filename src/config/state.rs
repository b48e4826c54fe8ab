//! `[state]`: where everything is that outlives a start.

use std::path::PathBuf;

use super::table::Table;
use super::{defaults, value};
use crate::keys::store::MasterKeyFile;

/// Where everything is that outlives a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateConfig {
    /// Mode 0700, one process's at a time.
    pub directory: PathBuf,
    /// Seals private keys; `None`: systemd's credential `master-key`, else one of our own beside the database.
    pub master_key_file: Option<PathBuf>,
}

impl StateConfig {
    /// Where the master key is; `$CREDENTIALS_DIRECTORY` is systemd's.
    #[must_use]
    pub fn master_key(&self) -> MasterKeyFile {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
        MasterKeyFile::locate(
            self.master_key_file.as_deref(),
            credentials.as_deref(),
            &self.directory,
        )
    }

    pub(super) fn from_table(table: &mut Table<'_>) -> Self {
        Self {
            directory: table
                .optional("directory", value::path)
                .unwrap_or_else(|| table.relative(defaults::STATE_DIRECTORY)),
            master_key_file: table.optional("master_key_file", value::path),
        }
    }
}
