//! One TOML document, read so that every mistake in it is collected, where serde stops at the first.

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memchr::memchr_iter;
use toml::de::DeTable;

use super::error::ConfigError;
use super::table::Table;

/// The text and the mistakes found in it so far.
pub(super) struct Document<'i> {
    /// The offsets of all line ends; every alias and route is asked for its line.
    line_ends: Vec<usize>,
    file: &'i Path,
    errors: RefCell<Vec<ConfigError>>,
}

impl<'i> Document<'i> {
    /// Reads `text` with `read`, which gives `None` only after it has reported why.
    pub(super) fn read<T>(
        text: &'i str,
        file: &'i Path,
        read: impl FnOnce(&mut Table<'_>) -> Option<T>,
    ) -> Result<T, Vec<ConfigError>> {
        let document = Self {
            line_ends: memchr_iter(b'\n', text.as_bytes()).collect(),
            file,
            errors: RefCell::default(),
        };
        let (root, syntax) = DeTable::parse_recoverable(text);
        for error in &syntax {
            document.report(
                error.span().unwrap_or_default(),
                format!("not TOML: {}", error.message()),
            );
        }
        // What a recovering parser guesses would only raise mistakes that nobody made.
        let value = syntax
            .is_empty()
            .then(|| Table::root(&document, root.get_ref()).finish(read))
            .flatten();
        let errors = document.errors.into_inner();
        match value {
            Some(value) if errors.is_empty() => Ok(value),
            _ => Err(errors),
        }
    }

    /// Notes a mistake; the first line of the span is where it stands.
    pub(super) fn report(&self, span: Range<usize>, sentence: String) {
        let line = Some(self.line(span.start));
        self.errors.borrow_mut().push(ConfigError {
            file: self.file.to_owned(),
            line,
            sentence,
        });
    }

    /// The line of an offset, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        1 + self.line_ends.partition_point(|end| *end < offset)
    }

    /// A path relative to the document.
    pub(super) fn relative(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or_else(|| Path::new("")).join(path)
    }
}
