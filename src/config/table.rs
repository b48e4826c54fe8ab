//! A table of the document. A section's reader asks for its keys; what nobody asked for is unknown,
//! and a mistake.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::Document;
use super::not_yet;
use super::value::{Value, check_name};

/// One table of the document; an absent one reads as empty.
pub(super) struct Table<'d> {
    document: &'d Document<'d>,
    /// Dotted, as [`not_yet`] spells it, names of users' own as they are: `alias.orders`.
    path: String,
    span: Range<usize>,
    entries: Option<&'d DeTable<'d>>,
    asked: Vec<&'static str>,
}

impl<'d> Table<'d> {
    /// All of the document.
    pub(super) fn root(document: &'d Document<'d>, entries: &'d DeTable<'d>) -> Self {
        Self::new(document, String::new(), 0..0, Some(entries))
    }

    /// `None` for one that is not there.
    pub(super) fn new(
        document: &'d Document<'d>,
        path: String,
        span: Range<usize>,
        entries: Option<&'d DeTable<'d>>,
    ) -> Self {
        Self {
            document,
            path,
            span,
            entries,
            asked: Vec::new(),
        }
    }

    /// The value of `key`, if it is there and right.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Value<'_>) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.ask(key)?;
        read(&value)
            .map_err(|sentence| value.report(format!("{key}: {sentence}")))
            .ok()
    }

    /// The value of `key`; its absence is a mistake. `example` shows what to write.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl FnOnce(&Value<'_>) -> Result<T, String>,
    ) -> Option<T> {
        if !self.has(key) {
            self.report(format!("{key} is missing; write {key} = {example}"));
        }
        self.optional(key, read)
    }

    /// Every element of the array `key`, if it is there; `None` too when an element is wrong.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&Value<'_>) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        self.values(key, |element| {
            read(element)
                .map_err(|sentence| element.report(format!("{key}: {sentence}")))
                .ok()
        })
    }

    /// The same where `read` reports what is wrong itself.
    pub(super) fn values<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&Value<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let value = self.ask(key)?;
        let DeValue::Array(elements) = value.get() else {
            value.report(format!(
                "{key}: {}; write [\"…\", \"…\"]",
                value.instead_of("a list")
            ));
            return None;
        };
        // All are read before the first wrong one makes the whole `None`.
        let elements: Vec<_> = elements
            .iter()
            .map(|element| read(&Value::new(self.document, element)))
            .collect();
        elements.into_iter().collect()
    }

    /// The table `key`.
    pub(super) fn section<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Table<'_>) -> T) -> T {
        let path = self.child_path(key);
        match self.ask(key) {
            Some(value) => value.table(path).finish(read),
            None => Table::new(self.document, path, self.span.clone(), None).finish(read),
        }
    }

    /// The table `key`, if it is there.
    pub(super) fn optional_section<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Table<'_>) -> Option<T>,
    ) -> Option<T> {
        let path = self.child_path(key);
        self.ask(key).and_then(|value| value.table(path).finish(read))
    }

    /// Every table under `key`, by the name users gave it.
    pub(super) fn named<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&mut Table<'_>) -> Option<T>,
    ) -> BTreeMap<String, Option<T>> {
        let path = self.child_path(key);
        let Some(parent) = self.ask(key) else {
            return BTreeMap::new();
        };
        let mut tables = BTreeMap::new();
        for (name, value) in parent.table(path.clone()).entries.into_iter().flatten() {
            let table = Value::new(self.document, value).table(format!("{path}.{}", name.get_ref()));
            if let Err(sentence) = check_name(name.get_ref()) {
                self.document.report(name.span(), sentence);
            }
            tables.insert(name.get_ref().to_string(), table.finish(&read));
        }
        tables
    }

    /// Every table of the array of tables `key`.
    pub(super) fn each<T>(&mut self, key: &'static str, mut read: impl FnMut(&mut Table<'_>) -> T) -> Vec<T> {
        let path = self.child_path(key);
        let Some(value) = self.ask(key) else {
            return Vec::new();
        };
        let DeValue::Array(elements) = value.get() else {
            value.report(format!("[{path}] is a list of tables; write [[{path}]]"));
            return Vec::new();
        };
        let table = |element| Value::new(self.document, element).table(path.clone());
        elements
            .iter()
            .map(|element| table(element).finish(&mut read))
            .collect()
    }

    /// Reports a mistake of `key` that only shows beside other keys.
    pub(super) fn report_at(&self, key: &'static str, sentence: &str) {
        self.document
            .report(self.span_of(key), format!("{key}: {sentence}"));
    }

    /// The line of `key`, or of the table where the key is absent.
    pub(super) fn line_of(&self, key: &'static str) -> usize {
        self.document.line(self.span_of(key).start)
    }

    /// Reports a mistake of the table as a whole.
    pub(super) fn report(&self, sentence: String) {
        self.document.report(self.span.clone(), sentence);
    }

    /// Reports a table whose `keys` do not go together; none of them is unknown.
    pub(super) fn refuse(&mut self, keys: &[&'static str], sentence: &str) {
        self.asked.extend(keys);
        self.report(sentence.to_owned());
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.is_some_and(|entries| entries.contains_key(key))
    }

    /// A path relative to the document.
    pub(super) fn relative(&self, path: &str) -> PathBuf {
        self.document.relative(path)
    }

    fn span_of(&self, key: &'static str) -> Range<usize> {
        let value = self.entries.and_then(|entries| entries.get(key));
        value.map_or_else(|| self.span.clone(), Spanned::span)
    }

    fn ask(&mut self, key: &'static str) -> Option<Value<'d>> {
        self.asked.push(key);
        let value = self.entries?.get(key)?;
        Some(Value::new(self.document, value))
    }

    fn child_path(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Reads the table; then whatever `read` has not asked for is a mistake.
    pub(super) fn finish<T>(mut self, read: impl FnOnce(&mut Table<'_>) -> T) -> T {
        let value = read(&mut self);
        for (key, _) in self.entries.into_iter().flatten() {
            if !self.asked.contains(&key.get_ref().as_ref()) {
                self.document.report(key.span(), self.unknown(key.get_ref()));
            }
        }
        value
    }

    fn unknown(&self, key: &str) -> String {
        if let Some(sentence) = not_yet::setting(&self.path, key) {
            return sentence;
        }
        let place = if self.path.is_empty() {
            String::new()
        } else {
            format!(" in [{}]", self.path)
        };
        match nearest(key, self.asked.iter().copied()) {
            Some(known) => format!("{key} is not known{place}; did you mean {known}?"),
            None => format!("{key} is not known{place}; use one of {}", self.asked.join(", ")),
        }
    }
}

/// The known word that was probably meant.
pub(super) fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let distance = |candidate: &str| strsim::damerau_levenshtein(word, candidate);
    known
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len() / 3 + 1)
        .min()
        .map(|(_, candidate)| candidate)
}
