//! What is wrong with a configuration, in sentences for whoever wrote it.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::AliasConfig;

/// One mistake: where, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; `None` when the file could not be read.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub sentence: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file.display(), self.sentence),
            None => write!(f, "{}: {}", self.file.display(), self.sentence),
        }
    }
}

/// Every mistake of one configuration, by line; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    mistakes: Vec<ConfigError>,
    /// The aliases that are right nonetheless, so that `check` can look at their keys in the same run.
    pub aliases: BTreeMap<String, AliasConfig>,
}

impl ConfigErrors {
    pub(super) fn new(mut mistakes: Vec<ConfigError>, aliases: BTreeMap<String, AliasConfig>) -> Self {
        mistakes.sort_by_key(|mistake| mistake.line);
        Self { mistakes, aliases }
    }

    pub(super) fn unreadable(file: &Path, error: &io::Error) -> Self {
        let mistake = ConfigError {
            file: file.to_owned(),
            line: None,
            sentence: format!("cannot read the configuration file: {error}"),
        };
        Self::new(vec![mistake], BTreeMap::new())
    }

    /// The mistakes, by line.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.mistakes.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.mistakes.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
