//! The encodings that are served, by the names that people give them.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::{Error, Stage};

/// What a document is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    Utf8,
    Latin1,
    Ascii,
    Library(&'static Encoding),
}

impl Charset {
    pub(super) fn named(name: &str) -> Result<Self, Error> {
        let name = name.trim();
        let is_one_of = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        if is_one_of(&["iso-8859-1", "iso_8859-1", "iso8859-1", "latin1", "latin-1", "l1"]) {
            return Ok(Self::Latin1);
        }
        if is_one_of(&["us-ascii", "ascii", "iso646-us", "ansi_x3.4-1968"]) {
            return Ok(Self::Ascii);
        }
        match Encoding::for_label_no_replacement(name.as_bytes()) {
            Some(utf8) if utf8 == UTF_8 => Ok(Self::Utf8),
            Some(known) => Ok(Self::Library(known)),
            None => Err(Error::Unsupported(name.to_owned())),
        }
    }

    pub(super) fn stage(self) -> Stage {
        match self {
            Self::Utf8 => Stage::Utf8,
            Self::Latin1 => Stage::Latin1,
            Self::Ascii => Stage::Ascii,
            Self::Library(encoding) => Stage::Library(Box::new(encoding.new_decoder_without_bom_handling())),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Latin1 => "ISO-8859-1",
            Self::Ascii => "US-ASCII",
            Self::Library(encoding) => encoding.name(),
        }
    }
}

/// US-ASCII is UTF-8, and "UTF-16" names either order: neither is a disagreement.
pub(super) fn disagreement(
    used: Charset,
    charset: Option<Result<Charset, Error>>,
    declared: Option<Result<Charset, Error>>,
) -> Option<String> {
    let is_utf16 =
        |charset| matches!(charset, Charset::Library(utf16) if utf16 == UTF_16BE || utf16 == UTF_16LE);
    let agrees = |other: Charset| {
        other == used
            || (is_utf16(other) && is_utf16(used))
            || (used, other) == (Charset::Utf8, Charset::Ascii)
    };
    let others = [
        ("the charset of the media type", charset),
        ("the XML declaration", declared),
    ];
    others.into_iter().find_map(|(what, other)| {
        let name = match other? {
            Ok(other) if agrees(other) => return None,
            Ok(other) => other.name().to_owned(),
            Err(Error::Unsupported(name)) => name,
            Err(Error::Malformed { encoding, .. }) => encoding.to_owned(),
        };
        let used = used.name();
        Some(format!(
            "{what} says {name}, the message was read as {used} (RFC 7303, section 3)"
        ))
    })
}
