//! Single values: TOML in, typed out, or a sentence that says what to write instead.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use toml::Spanned;
use toml::de::DeValue;

use super::document::Document;
use super::table::{Table, nearest};
use crate::spelling::UnknownWord;
use crate::xml::text::is_allowed;

/// One value and where it stands.
pub(super) struct Value<'d> {
    document: &'d Document<'d>,
    value: &'d Spanned<DeValue<'d>>,
}

impl<'d> Value<'d> {
    pub(super) fn new(document: &'d Document<'d>, value: &'d Spanned<DeValue<'d>>) -> Self {
        Self { document, value }
    }

    pub(super) fn get(&self) -> &'d DeValue<'d> {
        self.value.get_ref()
    }

    /// The line it stands on, from 1.
    pub(super) fn line(&self) -> usize {
        self.document.line(self.value.span().start)
    }

    /// A path relative to the document.
    pub(super) fn relative(&self, path: &str) -> PathBuf {
        self.document.relative(path)
    }

    /// "a number stands where text is expected".
    pub(super) fn instead_of(&self, expected: &str) -> String {
        let found = match self.get() {
            DeValue::String(_) => "text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        format!("{found} stands where {expected} is expected")
    }

    /// As a table; anything else is a mistake and reads as an empty one.
    pub(super) fn table(&self, path: String) -> Table<'d> {
        let entries = if let DeValue::Table(entries) = self.get() {
            Some(entries)
        } else {
            self.report(format!("{path}: {}; write [{path}]", self.instead_of("a table")));
            None
        };
        Table::new(self.document, path, self.value.span(), entries)
    }

    pub(super) fn report(&self, sentence: String) {
        self.document.report(self.value.span(), sentence);
    }
}

pub(super) fn text<'d>(value: &Value<'d>) -> Result<&'d str, String> {
    let DeValue::String(text) = value.get() else {
        return Err(value.instead_of("text in quotes"));
    };
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(text)
}

pub(super) fn boolean(value: &Value<'_>) -> Result<bool, String> {
    let DeValue::Boolean(boolean) = value.get() else {
        return Err(value.instead_of("true or false"));
    };
    Ok(*boolean)
}

/// Names end up in metric labels, log fields and URLs.
pub(super) fn name(value: &Value<'_>) -> Result<String, String> {
    check_name(text(value)?).map(str::to_owned)
}

pub(super) fn check_name(name: &str) -> Result<&str, String> {
    if name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    {
        return Ok(name);
    }
    Err(format!(
        "{name:?} is not a name; use letters, digits, '-' and '_'"
    ))
}

/// Relative paths are relative to the configuration file.
pub(super) fn path(value: &Value<'_>) -> Result<PathBuf, String> {
    text(value).map(|path| value.relative(path))
}

/// A word of a closed vocabulary.
pub(super) fn word<T: FromStr<Err = UnknownWord>>(value: &Value<'_>) -> Result<T, String> {
    let word = text(value)?;
    word.parse().map_err(
        |unknown: UnknownWord| match nearest(word, unknown.known.split(", ")) {
            Some(known) => format!("{unknown} (did you mean {known}?)"),
            None => unknown.to_string(),
        },
    )
}

pub(super) fn address(value: &Value<'_>) -> Result<SocketAddr, String> {
    let text = text(value)?;
    text.parse().map_err(|_| {
        format!("{text:?} is not an address to listen on; write an IP address and a port, as 127.0.0.1:8080")
    })
}

/// A span of time; none at all is never what is meant.
pub(super) fn duration(value: &Value<'_>) -> Result<Duration, String> {
    parse_duration(text(value)?)
}

/// A part of all, from none to every one.
pub(super) fn share(value: &Value<'_>) -> Result<f64, String> {
    let number = match value.get() {
        DeValue::Integer(number) => number.as_str().parse().ok(),
        DeValue::Float(number) => number.as_str().parse().ok(),
        DeValue::String(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => return Err(value.instead_of("a number from 0 to 1")),
    };
    number.filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| {
        "a share is a number from 0 to 1; write 0.01 for one of a hundred, 1 for all".to_owned()
    })
}

/// A whole number; none at all is never what is meant.
pub(super) fn count(value: &Value<'_>) -> Result<usize, String> {
    let number = match value.get() {
        DeValue::Integer(number) => number.as_str().parse().ok(),
        DeValue::String(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => return Err(value.instead_of("a whole number")),
    };
    number
        .filter(|count| *count > 0)
        .ok_or_else(|| "it is not a whole number from 1 on".to_owned())
}

/// Bytes; none at all is never what is meant.
pub(super) fn size(value: &Value<'_>) -> Result<usize, String> {
    let text = text(value)?;
    let wrong = || format!("{text:?} is not a size; write 64MiB, 512KiB, …");
    let bytes = text.parse::<ByteSize>().map_err(|_| wrong())?.as_u64();
    usize::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes > 0)
        .ok_or_else(wrong)
}

/// A Timestamp's lifetime as configuration and flags write it: `5m`, or `off` for none.
///
/// # Errors
/// With what to write instead.
pub fn lifetime(text: &str) -> Result<Option<Duration>, String> {
    if text == "off" {
        return Ok(None);
    }
    parse_duration(text)
        .map(Some)
        .map_err(|sentence| format!("{sentence}; or \"off\" for none"))
}

/// The actor or role of a Security header: any text that XML has a place for.
///
/// # Errors
/// With what is wrong with it.
pub fn actor(text: &str) -> Result<String, String> {
    match text.chars().find(|character| !is_allowed(*character)) {
        Some(character) => Err(format!(
            "U+{:04X} cannot stand in XML; write a URI",
            u32::from(character)
        )),
        None => Ok(text.to_owned()),
    }
}

/// A span of time, as `90d` or `5m`.
///
/// # Errors
/// With what to write instead.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .ok()
        .filter(|duration| !duration.is_zero());
    match duration {
        Some(duration) if duration > LONGEST => Err(format!("{text:?} is longer than 100 years; write less")),
        Some(duration) => Ok(duration),
        None => Err(format!("{text:?} is not a duration; write 90d, 5m, 10s, …")),
    }
}

/// No clock of ours overflows within it.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
