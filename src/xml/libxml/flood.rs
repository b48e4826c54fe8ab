//! A guard before the parser: libxml2 (up to 2.11 at least) compares every attribute of a start tag with
//! every other before anybody can stop it, so that a megabyte of attributes costs a minute.
//!
//! It counts attributes and judges nothing else. A tag that it misreads stands behind a fault that
//! ends the parsing.

use std::borrow::Cow;

use memchr::{memchr, memchr3, memmem};

/// Whether some start tag has more than `most` attributes.
pub(super) fn floods(document: &[u8], most: usize) -> bool {
    let text = markup(document);
    let mut rest: &[u8] = &text;
    while let Some(start) = memchr(b'<', rest) {
        rest = rest.get(start + 1..).unwrap_or_default();
        rest = match rest {
            [b'!', b'-', b'-', within @ ..] => after(within, b"-->"),
            [b'!', b'[', within @ ..] => after(within, b"]]>"),
            [b'?', within @ ..] => after(within, b"?>"),
            _ => match tag_end(rest, most) {
                Some(after) => after,
                None => return true,
            },
        };
    }
    false
}

/// What follows a tag, unless it has more than `most` values. A quote within a value is of the other kind.
fn tag_end(tag: &[u8], most: usize) -> Option<&[u8]> {
    let mut rest = tag;
    for _ in 0..=most {
        let Some(at) = memchr3(b'>', b'"', b'\'', rest) else {
            return Some(&[]);
        };
        let (mark, within) = rest.get(at..).and_then(<[u8]>::split_first)?;
        if *mark == b'>' {
            return Some(within);
        }
        rest = after(within, std::slice::from_ref(mark));
    }
    None
}

fn after<'b>(text: &'b [u8], end: &[u8]) -> &'b [u8] {
    let found = memmem::find(text, end).map(|at| at + end.len());
    found.and_then(|end| text.get(end..)).unwrap_or_default()
}

/// The document with markup in single bytes: UTF-16 is narrowed, and what it has beyond ASCII replaced.
/// Every other encoding that is let in has ASCII's bytes for ASCII's characters alone.
fn markup(document: &[u8]) -> Cow<'_, [u8]> {
    let narrow: fn(&[u8; 2]) -> u8 = match document {
        [0xfe, 0xff, ..] | [0, _, ..] => |&[high, low]| if high == 0 { low } else { b' ' },
        [0xff, 0xfe, ..] | [_, 0, ..] => |&[low, high]| if high == 0 { low } else { b' ' },
        _ => return document.into(),
    };
    let (units, _) = document.as_chunks::<2>();
    units.iter().map(narrow).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_attributes_of_one_tag_count() {
        for (document, most) in [
            ("<a b='1' c=\"2\"/>", 2),
            ("<a b='>\"\"' c=\"'>'\">'''</a>", 2),
            ("<a b='1'/><a b='1'/><a b='1'/>", 1),
            ("<!-- ' \" ' --><?p ' \" '?><a><![CDATA[<a b='1' c='2'>]]></a>", 0),
            ("", 0),
            ("<a b='", 1),
        ] {
            assert!(!floods(document.as_bytes(), most), "{document}");
        }
        for (document, most) in [
            ("<a b='1' c=\"2\"/>", 1),
            ("<!--<a--><a b='-->' c='<!--'>", 1),
            ("<a b='1'/><a b='1' c='2'/>", 1),
        ] {
            assert!(floods(document.as_bytes(), most), "{document}");
        }
    }

    #[test]
    fn utf16_is_read_by_its_units() {
        // U+3C22 and U+223C hold the bytes of a quote and of markup
        let text = "<a b='\u{3c22}\u{223c}' c='2'/>";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let marked = [&[0xfe, 0xff], big.as_slice()].concat();
        for document in [little, big, marked] {
            assert!(!floods(&document, 2) && floods(&document, 1), "{document:x?}");
        }
    }
}
