//! What the first bytes of a document say of its encoding (XML 1.0, appendix F.1; RFC 7303, section 3.3).

use encoding_rs::{UTF_16BE, UTF_16LE};

use super::Error;
use super::charset::Charset;
use crate::xml::scan::declaration::{self, Parsed};

/// The first bytes of a document.
pub(super) struct Beginning {
    /// What the byte order mark says, and its length.
    pub(super) marked: Option<(Charset, usize)>,
    /// What two-byte units without a mark say (XML 1.0, appendix F.1).
    patterned: Option<Charset>,
    /// What the declaration says, if it can be read as ASCII.
    pub(super) declared: Option<String>,
}

impl Beginning {
    /// `None` if it takes more bytes to know.
    pub(super) fn of(bytes: &[u8], is_all: bool) -> Result<Option<Self>, Error> {
        let mut beginning = Self {
            marked: None,
            patterned: None,
            declared: None,
        };
        match bytes {
            [0x00, 0x00, 0xFE, 0xFF, ..]
            | [0xFF, 0xFE, 0x00, 0x00, ..]
            | [0x00, 0x00, 0x00, b'<', ..]
            | [b'<', 0x00, 0x00, 0x00, ..] => return Err(Error::Unsupported("UTF-32".into())),
            [0x4C, 0x6F, 0xA7, 0x94, ..] => return Err(Error::Unsupported("EBCDIC".into())),
            [] | [_] | [_, _] | [_, _, _] if !is_all => return Ok(None),
            [0xEF, 0xBB, 0xBF, ..] => beginning.marked = Some((Charset::Utf8, 3)),
            [0xFE, 0xFF, ..] => beginning.marked = Some((Charset::Library(UTF_16BE), 2)),
            [0xFF, 0xFE, ..] => beginning.marked = Some((Charset::Library(UTF_16LE), 2)),
            [0x00, b'<', ..] => beginning.patterned = Some(Charset::Library(UTF_16BE)),
            [b'<', 0x00, ..] => beginning.patterned = Some(Charset::Library(UTF_16LE)),
            _ => {}
        }
        let mark = beginning.marked.map_or(0, |(_, length)| length);
        let document = bytes.get(mark..).unwrap_or(&[]);
        // A malformed declaration is the scanner's to refuse, in its own words.
        match declaration::parse(document).unwrap_or(Parsed::None) {
            Parsed::Cut if !is_all => return Ok(None),
            Parsed::Cut | Parsed::None => {}
            Parsed::Declaration(found) => {
                let name = found.encoding.and_then(|range| document.get(range));
                beginning.declared = name.map(|name| String::from_utf8_lossy(name).into_owned());
            }
        }
        Ok(Some(beginning))
    }

    /// Without mark and charset.
    pub(super) fn decided(&self, declared: Option<Charset>) -> Result<Charset, Error> {
        match (self.patterned, declared) {
            (Some(patterned), _) => Ok(patterned),
            // What could be read as ASCII is not in two-byte units, whatever it declares.
            (None, Some(Charset::Library(utf16))) if utf16 == UTF_16BE || utf16 == UTF_16LE => {
                Err(Error::Malformed {
                    offset: 0,
                    encoding: "UTF-16",
                    before: String::new(),
                })
            }
            (None, declared) => Ok(declared.unwrap_or(Charset::Utf8)),
        }
    }
}
