//! `[state]`: where everything is that outlives a start.

use std::path::PathBuf;

use super::table::Table;
use super::{defaults, value};

/// Where everything is that outlives a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateConfig {
    /// Mode 0700, one process's at a time.
    pub directory: PathBuf,
    /// Seals private keys; `None`: systemd's credential `master-key`, else one of our own beside the database.
    pub master_key_file: Option<PathBuf>,
}

impl StateConfig {
    pub(super) fn from_table(table: &mut Table<'_>) -> Self {
        Self {
            directory: table
                .optional("directory", value::path)
                .unwrap_or_else(|| table.relative(defaults::STATE_DIRECTORY)),
            master_key_file: table.optional("master_key_file", value::path),
        }
    }
}
