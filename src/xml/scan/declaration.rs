//! The XML declaration (XML 1.0, section 2.8).

use std::ops::Range;

use super::Problem;
use super::chars;

/// How every declaration begins; a white space follows.
pub(super) const OPENS: &[u8] = b"<?xml";
/// Nobody needs more for three pseudo-attributes.
const LONGEST: usize = 1024;

/// The declaration at the start of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// Its bytes.
    pub length: usize,
    /// Where the name of the encoding stands, without quotes.
    pub encoding: Option<Range<usize>>,
}

/// What the first bytes of a document are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// No declaration.
    None,
    /// The declaration is cut by the end of the bytes.
    Cut,
    /// It is whole.
    Declaration(Declaration),
}

/// Whether the document's first bytes could be the beginning of a declaration that goes on.
#[must_use]
pub fn may_go_on(document: &[u8]) -> bool {
    OPENS.starts_with(document) || parse(document) == Ok(Parsed::Cut)
}

/// Reads the declaration, if the document (after its byte order mark) begins with one.
///
/// # Errors
/// [`Problem::Declaration`], [`Problem::Version`].
pub fn parse(document: &[u8]) -> Result<Parsed, Problem> {
    let Some(after) = document.strip_prefix(OPENS) else {
        return Ok(Parsed::None);
    };
    match after.first() {
        None => return Ok(Parsed::Cut),
        Some(byte) if !chars::is_space(*byte) => return Ok(Parsed::None),
        Some(_) => {}
    }
    let within = document.get(..LONGEST.min(document.len())).unwrap_or(&[]);
    let Some(end) = memchr::memmem::find(within, b"?>") else {
        return if document.len() < LONGEST {
            Ok(Parsed::Cut)
        } else {
            Err(Problem::Declaration)
        };
    };
    let inner = document.get(..end).unwrap_or(&[]);
    let mut at = OPENS.len();
    let version = pseudo_attribute(inner, &mut at, b"version")?.ok_or(Problem::Declaration)?;
    let encoding = pseudo_attribute(inner, &mut at, b"encoding")?;
    let standalone = pseudo_attribute(inner, &mut at, b"standalone")?;
    let text = |range: &Range<usize>| document.get(range.clone()).unwrap_or(&[]);
    if text(&version) != b"1.0" {
        return Err(Problem::Version(
            String::from_utf8_lossy(text(&version)).into_owned(),
        ));
    }
    let encoding_is_a_name = encoding
        .as_ref()
        .is_none_or(|range| is_encoding_name(text(range)));
    let standalone_is_known = standalone
        .as_ref()
        .is_none_or(|range| matches!(text(range), b"yes" | b"no"));
    let only_space_is_left = chars::spaces(inner.get(at..).unwrap_or(&[])) == inner.len() - at;
    if encoding_is_a_name && standalone_is_known && only_space_is_left {
        Ok(Parsed::Declaration(Declaration {
            length: end + 2,
            encoding,
        }))
    } else {
        Err(Problem::Declaration)
    }
}

/// `S name Eq quoted`: where the value stands; `None` if something else comes next.
fn pseudo_attribute(inner: &[u8], at: &mut usize, name: &[u8]) -> Result<Option<Range<usize>>, Problem> {
    let skip_space = |from: usize| from + chars::spaces(inner.get(from..).unwrap_or(&[]));
    let start = skip_space(*at);
    if start == *at || !inner.get(start..).unwrap_or(&[]).starts_with(name) {
        return Ok(None);
    }
    let equals = skip_space(start + name.len());
    if inner.get(equals) != Some(&b'=') {
        return Err(Problem::Declaration);
    }
    let quote_at = skip_space(equals + 1);
    let quote = inner
        .get(quote_at)
        .filter(|quote| matches!(quote, b'"' | b'\''))
        .ok_or(Problem::Declaration)?;
    let value = inner.get(quote_at + 1..).unwrap_or(&[]);
    let length = memchr::memchr(*quote, value).ok_or(Problem::Declaration)?;
    *at = quote_at + 1 + length + 1;
    Ok(Some(quote_at + 1..quote_at + 1 + length))
}

/// `EncName`, section 4.3.3.
fn is_encoding_name(name: &[u8]) -> bool {
    name.first().is_some_and(u8::is_ascii_alphabetic)
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_is_taken_as_the_standard_writes_it() {
        let declared = br#"<?xml version='1.0' encoding = "UTF-8" standalone="no" ?><a/>"#;
        let Ok(Parsed::Declaration(found)) = parse(declared) else {
            panic!("not read")
        };
        assert_eq!(declared.get(found.encoding.unwrap()), Some(&b"UTF-8"[..]));
        assert_eq!(declared.get(found.length..), Some(&b"<a/>"[..]));
        assert_eq!(parse(b"<?xml-stylesheet?>"), Ok(Parsed::None));
        assert_eq!(parse(b"<?xml version="), Ok(Parsed::Cut));
        assert_eq!(
            parse(b"<?xml version='1.1'?>"),
            Err(Problem::Version("1.1".into()))
        );
        for bad in [
            "<?xml ?>",
            "<?xml version='1.0'encoding='x'?>",
            "<?xml encoding='x' version='1.0'?>",
            "<?xml version='1.0' encoding=''?>",
        ] {
            assert_eq!(parse(bad.as_bytes()), Err(Problem::Declaration), "{bad}");
        }
    }
}
