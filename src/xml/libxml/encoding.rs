//! What a document is in (RFC 7303, section 3): its byte order mark decides, then the charset of its media type, then
//! its own declaration. libxml2 would let a declaration overrule a mark.

use std::ffi::CString;

use encoding_rs::Encoding;
use libxml::bindings::{xmlCharEncCloseFunc, xmlFindCharEncodingHandler};

use super::parse::{ParseError, ParseErrorKind};

/// How a document is to be read.
pub(super) enum Told {
    /// As the parser finds it out: nothing but its declaration tells.
    Nothing,
    /// In UTF-8, whatever it declares.
    Utf8,
    /// In this, whatever it declares.
    Other(CString),
}

/// Who decides, and the bytes behind the mark.
pub(super) fn told<'b>(bytes: &'b [u8], charset: Option<&str>) -> Result<(Told, &'b [u8]), ParseError> {
    let told = |name, document| Ok((named(name)?, document));
    for (mark, name) in MARKS {
        match bytes.strip_prefix(*mark) {
            // A second one is a character, and the parser would skip it
            Some(document) if document.starts_with(mark) => {
                let message = "a second byte order mark before the document";
                return Err(ParseError::new(ParseErrorKind::NotWellFormed, message, None));
            }
            Some(document) => return told(name, document),
            None => {}
        }
    }
    match (bytes, charset) {
        (_, Some(charset)) => told(charset.trim(), bytes),
        // Two bytes a character and no mark: XML 1.0, appendix F.1
        ([0, b'<', ..], None) => told("UTF-16BE", bytes),
        ([b'<', 0, ..], None) => told("UTF-16LE", bytes),
        (_, None) => Ok((Told::Nothing, bytes)),
    }
}

fn named(name: &str) -> Result<Told, ParseError> {
    let refused = || ParseError::new(ParseErrorKind::Encoding, NOT_SERVED, None);
    if !is_served(name) {
        return Err(refused());
    }
    if Encoding::for_label(name.as_bytes()) == Some(encoding_rs::UTF_8) {
        return Ok(Told::Utf8);
    }
    let name = CString::new(name).map_err(|_| refused())?;
    match is_known(&name) {
        true => Ok(Told::Other(name)),
        false => Err(refused()),
    }
}

/// U+FEFF, and what it is written in.
const MARKS: &[(&[u8], &str)] = &[
    (&[0xef, 0xbb, 0xbf], "UTF-8"),
    (&[0xfe, 0xff], "UTF-16BE"),
    (&[0xff, 0xfe], "UTF-16LE"),
];

/// Said of an encoding.
pub(super) const NOT_SERVED: &str = "the encoding of the document is not served: send UTF-8";

/// Encodings in which a byte of ASCII may be something else would hide markup from [`super::flood`].
pub(super) fn is_served(name: &str) -> bool {
    const UTF_16: [&Encoding; 2] = [encoding_rs::UTF_16LE, encoding_rs::UTF_16BE];
    let encoding = Encoding::for_label(name.as_bytes());
    encoding.is_some_and(|known| known.is_ascii_compatible() || UTF_16.contains(&known))
}

/// To libxml2, which would read UTF-8 in place of an encoding that it does not know.
fn is_known(name: &CString) -> bool {
    // SAFETY: a text that ends with NUL
    let handler = unsafe { xmlFindCharEncodingHandler(name.as_ptr()) };
    // SAFETY: null, which it refuses, or found above and used by nobody
    unsafe { xmlCharEncCloseFunc(handler) };
    !handler.is_null()
}
