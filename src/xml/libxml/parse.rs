//! Bytes to a document: what can be refused before the parser sees it, and the parser's verdict.

use std::ffi::c_int;

use super::encoding::{self, NOT_SERVED, Told};
use super::errors::Errors;
use super::watch::Parser;
use super::{Document, flood};
use crate::xml::{Limits, Position};

/// Why a document is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", position.map(|at| format!("{at}: ")).unwrap_or_default())]
pub struct ParseError {
    /// What kind of fault.
    pub kind: ParseErrorKind,
    /// What is wrong, in libxml2's words where they are its own.
    pub message: String,
    /// Where, as libxml2 counts.
    pub position: Option<Position>,
}

/// The kinds of fault that callers tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseErrorKind {
    /// Not well-formed by XML 1.0 or by Namespaces 1.0.
    NotWellFormed,
    /// It has a document type: entities, defaults and external subsets are never read.
    DocumentType,
    /// A namespace name that is not absolute has no canonical form (Canonical XML 1.0, section 1.3).
    RelativeNamespace,
    /// It exceeds a limit.
    Limit,
    /// It is in an encoding that is not accepted, or in XML 1.1.
    Encoding,
}

impl ParseError {
    /// Nothing was there to parse.
    pub(super) fn empty() -> Self {
        Self::new(
            ParseErrorKind::NotWellFormed,
            "the document has no root element",
            None,
        )
    }

    pub(super) fn new(kind: ParseErrorKind, message: impl Into<String>, position: Option<Position>) -> Self {
        Self {
            kind,
            message: message.into(),
            position,
        }
    }
}

/// How far beyond the limit attributes are too many for the parser to see. What is just over the limit
/// it refuses itself, and tells the place.
const FLOOD: usize = 4;

/// Parses; the first fault ends it. `charset` is the media type's, where it is known.
pub(super) fn parse(bytes: &[u8], charset: Option<&str>, limits: &Limits) -> Result<Document, ParseError> {
    let refuse = |kind, message: &str| Err(ParseError::new(kind, message, None));
    if is_foreign(bytes) {
        return refuse(ParseErrorKind::Encoding, NOT_SERVED);
    }
    if flood::floods(bytes, limits.attributes.saturating_mul(FLOOD)) {
        return refuse(ParseErrorKind::Limit, "an element has far too many attributes");
    }
    let errors = Errors::kept();
    let (told, document) = encoding::told(bytes, charset)?;
    let Ok(size) = c_int::try_from(document.len()) else {
        return refuse(ParseErrorKind::Limit, "the document is larger than 2 GiB");
    };
    // By these the parser would know UTF-16
    if matches!(told, Told::Utf8)
        && document
            .first_chunk::<4>()
            .is_some_and(|first| first.contains(&0))
    {
        return refuse(ParseErrorKind::NotWellFormed, "a NUL character in UTF-8");
    }
    Parser::parse(document, size, &told, limits, &errors)?.ok_or_else(ParseError::empty)
}

/// UTF-32 and EBCDIC, which libxml2 would recognise by their first bytes (XML 1.0, appendix F).
fn is_foreign(bytes: &[u8]) -> bool {
    const FIRST: [[u8; 4]; 7] = [
        [0, 0, 0xfe, 0xff],
        [0xff, 0xfe, 0, 0],
        [0, 0, 0, 0x3c],
        [0x3c, 0, 0, 0],
        [0, 0, 0x3c, 0],
        [0, 0x3c, 0, 0],
        [0x4c, 0x6f, 0xa7, 0x94],
    ];
    bytes
        .first_chunk::<4>()
        .is_some_and(|first| FIRST.contains(first))
}
