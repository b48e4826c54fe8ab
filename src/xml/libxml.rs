//! libxml2 behind safe types: trees and canonical forms of the second engine.
//!
//! The verifier reads messages with it, and tests hold our own scanner and canonicaliser against
//! it. Everything that names libxml2 is in this module, so parser options are set once: no entity
//! is replaced, no DTD is loaded, a document type is refused, the network is never asked. It knows
//! neither SOAP nor keys, and shares no code with the streaming side.

#![expect(
    unsafe_code,
    reason = "libxml2 is a C library, and the safe types of the crate `libxml` offer neither its namespace \
              errors nor a canonicaliser that is linear in the size of the document"
)]

use std::ffi::CStr;
use std::ptr::NonNull;

use libxml::bindings::{_xmlDoc, _xmlNode, xmlChar, xmlDocGetRootElement, xmlFreeDoc};

mod canonical;
mod element;
mod encoding;
mod errors;
mod flood;
mod listed;
mod parse;
mod same;
mod tag;
mod visibility;
mod watch;

pub use canonical::{CanonicalError, CanonicalForm, Mode};
pub use element::{Attribute, Declaration, Element};
pub use parse::{ParseError, ParseErrorKind};
pub use same::same;
pub use visibility::Node;

use super::Limits;

/// A whole document, well-formed by XML 1.0 and Namespaces 1.0, without a document type.
///
/// It stays on the thread that parsed it: libxml2 keeps its errors by thread, and handles may be
/// copied freely only because nothing runs beside them. Canonicalisation also marks nodes for its
/// own duration. Hence neither `Send` nor `Sync`; a verification is one synchronous call.
pub struct Tree {
    document: Document,
    root: NonNull<_xmlNode>,
}

impl Tree {
    /// Parses a whole document, in any encoding that libxml2 knows.
    ///
    /// # Errors
    /// When it is not namespace-well-formed, has a document type or a relative namespace name, or
    /// exceeds the limits. The first fault ends the parsing.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, ParseError> {
        Self::parse_as(bytes, None, limits)
    }

    /// The same of a document that came with a media type: its `charset` goes before what it declares (RFC 7303,
    /// section 3).
    ///
    /// # Errors
    /// As for [`Tree::parse`].
    pub fn parse_as(bytes: &[u8], charset: Option<&str>, limits: &Limits) -> Result<Self, ParseError> {
        let document = parse::parse(bytes, charset, limits)?;
        // SAFETY: the document is live, and reading it changes nothing
        let root = unsafe { xmlDocGetRootElement(document.0.as_ptr()) };
        let root = NonNull::new(root).ok_or_else(ParseError::empty)?;
        let tree = Self { document, root };
        tree.root()
            .descendants()
            .for_each(canonical::spell_namespace_names);
        Ok(tree)
    }

    /// The document element.
    #[must_use]
    pub fn root(&self) -> Element<'_> {
        Element::new(self.root)
    }
}

/// Owns libxml2's document, whole or half-built.
struct Document(NonNull<_xmlDoc>);

impl Drop for Document {
    fn drop(&mut self) {
        // SAFETY: parsing handed the document over to us alone, and no handle outlives the tree
        unsafe { xmlFreeDoc(self.0.as_ptr()) }
    }
}

/// Borrows a string of libxml2; null is empty. It is UTF-8, which the parser has made sure of; a
/// byte that were not would become U+FFFD, which equals no name and no digest.
///
/// # Safety
/// `text` is null or ends with NUL, and stays as it is for `'a`.
unsafe fn borrow<'a>(text: *const xmlChar) -> std::borrow::Cow<'a, str> {
    if text.is_null() {
        return "".into();
    }
    // SAFETY: the caller's promise
    unsafe { CStr::from_ptr(text.cast()) }.to_string_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(document: &str) -> Result<Tree, ParseError> {
        Tree::parse(document.as_bytes(), &Limits::default())
    }

    fn refusal(document: &str) -> ParseErrorKind {
        parse(document).err().expect(document).kind
    }

    #[test]
    fn namespaces_are_part_of_well_formedness() {
        for document in [
            "<p:a/>",
            "<a p:b=''/>",
            "<a xmlns:p='urn:x' xmlns:q='urn:x' p:b='' q:b=''/>",
            "<a xmlns:p=''/>",
            "<a:b:c xmlns:a='urn:x'/>",
            "<a xmlns:xmlns='urn:x'/>",
            "<a xmlns:xml='urn:x'/>",
            "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
            "<a><?p:q r?></a>",
        ] {
            assert_eq!(refusal(document), ParseErrorKind::NotWellFormed, "{document}");
        }
    }

    #[test]
    fn a_refusal_names_the_first_fault_and_its_place() {
        let refusal = parse("<a>\n  <b>\n</a><<<").err().expect("not well-formed");
        assert_eq!(
            refusal.to_string(),
            "line 3, column 5: Opening and ending tag mismatch: b line 2 and a"
        );
    }

    #[test]
    fn a_document_type_is_refused_before_its_entities_exist() {
        let bomb = "<!DOCTYPE a [<!ENTITY b 'b'><!ENTITY c '&b;&b;'>]><a>&c;</a>";
        assert_eq!(refusal(bomb), ParseErrorKind::DocumentType);
        assert_eq!(
            refusal("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>"),
            ParseErrorKind::DocumentType
        );
    }

    #[test]
    fn relative_namespace_names_are_refused() {
        for document in ["<a xmlns='SAMPLE'/>", "<a><b xmlns:p='#Foo'/></a>"] {
            assert_eq!(refusal(document), ParseErrorKind::RelativeNamespace);
        }
    }

    #[test]
    fn nothing_is_not_a_document() {
        for document in ["", " ", "<!-- -->"] {
            assert_eq!(refusal(document), ParseErrorKind::NotWellFormed, "{document:?}");
        }
    }

    #[test]
    fn nothing_stands_behind_a_document_not_even_nul() {
        let wide: Vec<u8> = "\u{feff}<a/>\n\0\0<b/>"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for document in [&b"<a/>\0"[..], b"<a/>\n\0\0", b"<a/>\0<b/>", &wide] {
            let refusal = Tree::parse(document, &Limits::default()).err().expect("a NUL");
            assert_eq!(refusal.kind, ParseErrorKind::NotWellFormed, "{refusal}");
        }
        let parsed = |document: &str| parse(document).is_ok();
        assert!(parsed("<a/>") && parsed("<a/>\n<!-- b -->\n"));
    }

    #[test]
    fn our_limits_hold_and_those_of_libxml2_do_not() {
        let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
        assert!(parse(&nested(256)).is_ok());
        assert_eq!(refusal(&nested(257)), ParseErrorKind::Limit);
        let crowded = |count: usize| {
            format!(
                "<a {}/>",
                (0..count).map(|n| format!("b{n}='' ")).collect::<String>()
            )
        };
        assert!(parse(&crowded(256)).is_ok());
        assert_eq!(refusal(&crowded(257)), ParseErrorKind::Limit);
        let named = |length: usize| format!("<{}/>", "a".repeat(length));
        assert!(parse(&named(1024)).is_ok());
        assert_eq!(refusal(&named(1025)), ParseErrorKind::Limit);
        let valued = |length: usize| format!("<a b='{}'/>", "c".repeat(length));
        assert!(parse(&valued(1 << 20)).is_ok());
        assert_eq!(refusal(&valued((1 << 20) + 1)), ParseErrorKind::Limit);
        let namespaced = |length: usize| format!("<a xmlns='u:{}'/>", "c".repeat(length - 2));
        assert!(parse(&namespaced(512)).is_ok());
        assert_eq!(refusal(&namespaced(513)), ParseErrorKind::Limit);
        let within = |outer: usize| crowded(outer).replace("/>", "><b/>") + &crowded(256) + "</a>";
        assert!(parse(&within(256)).is_ok());
        assert_eq!(
            refusal(
                &within(256)
                    .replace("<b/>", "<b c=''>")
                    .replace("</a>", "</b></a>")
            ),
            ParseErrorKind::Limit
        );
    }

    #[test]
    fn declarations_in_scope_are_limited_because_each_name_looks_through_them() {
        let nested = |count: usize| {
            let tags = (0..count).map(|n| format!("<a xmlns:p{n}='urn:x' xmlns:q{n}='urn:x'>"));
            tags.collect::<String>() + &"</a>".repeat(count)
        };
        assert!(parse(&nested(64)).is_ok());
        assert_eq!(refusal(&nested(65)), ParseErrorKind::Limit);
    }

    #[test]
    fn attributes_beyond_all_measure_never_reach_the_parser() {
        let flood = format!(
            "<a {}/>",
            (0..100_000).map(|n| format!("b{n}='' ")).collect::<String>()
        );
        let wide: Vec<u8> = flood.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for document in [flood.as_bytes(), &wide] {
            let refusal = Tree::parse(document, &Limits::default()).err().unwrap();
            assert_eq!(refusal.kind, ParseErrorKind::Limit);
        }
    }

    #[test]
    fn encodings_that_hide_markup_are_refused() {
        let wide: Vec<u8> = "<a/>"
            .chars()
            .flat_map(|unit| u32::from(unit).to_le_bytes())
            .collect();
        let declared = |encoding| format!("<?xml version='1.0' encoding='{encoding}'?><a/>").into_bytes();
        for document in [wide, declared("UTF-7"), declared("ISO-2022-JP")] {
            let refusal = Tree::parse(&document, &Limits::default()).err().unwrap();
            assert_eq!(refusal.kind, ParseErrorKind::Encoding, "{refusal}");
        }
        for encoding in [
            "UTF-8",
            "utf8",
            "ISO-8859-1",
            "US-ASCII",
            "windows-1252",
            "Shift_JIS",
        ] {
            assert!(
                Tree::parse(&declared(encoding), &Limits::default()).is_ok(),
                "{encoding}"
            );
        }
    }

    #[test]
    fn xml_1_1_is_refused() {
        assert_eq!(refusal("<?xml version='1.1'?><a/>"), ParseErrorKind::Encoding);
    }

    /// The table would take longer for each: 2.9.14 (dict.c) puts texts of three bytes and white space into it by itself.
    #[test]
    fn texts_are_not_in_the_table_of_names() {
        let names = Limits::default().names;
        let different = |count: usize, one: &dyn Fn(usize) -> String| {
            let all: String = (0..count).map(one).collect();
            Tree::parse(format!("<a>{all}</a>").as_bytes(), &Limits::default()).map(drop)
        };
        let space = |number: usize| {
            let bits = (0..18).map(|bit| if number >> bit & 1 == 0 { ' ' } else { '\t' });
            format!("\n{}<e/>", bits.collect::<String>())
        };
        let letters: Vec<_> = ('0'..='9')
            .chain('A'..='Z')
            .chain('a'..='z')
            .chain('-'..='.')
            .collect();
        let short = |number: usize| {
            let letter = |number: usize| letters[number % letters.len()];
            let text: String = [number, number >> 6, number >> 12]
                .map(letter)
                .into_iter()
                .collect();
            format!("<e a='{text}'>{text}</e>")
        };
        assert_eq!(different(3 * names, &space), Ok(()));
        assert_eq!(different(3 * names, &short), Ok(()));
        let refused = different(4 * names, &|number| format!("<e{number}/>")).unwrap_err();
        assert_eq!(refused.kind, ParseErrorKind::Limit);
        assert_eq!(refused.message, "more than 65536 different names");
    }

    #[test]
    fn no_depth_exhausts_the_stack_of_a_thread() {
        let canonicalize = |depth: usize| {
            let limits = Limits {
                depth,
                ..Limits::default()
            };
            let nested = "<a>".repeat(depth) + &"</a>".repeat(depth);
            let tree = Tree::parse(nested.as_bytes(), &limits)?;
            let octets = tree.root().canonicalize(&CanonicalForm::new(Mode::Exclusive));
            assert_eq!(octets.unwrap(), nested.as_bytes());
            Ok::<_, ParseError>(tree.root().descendants().count())
        };
        let thread = std::thread::Builder::new().stack_size(2 << 20);
        let results = thread
            .spawn(move || (canonicalize(4096), canonicalize(4097)))
            .unwrap()
            .join()
            .unwrap();
        assert_eq!(results.0, Ok(4096));
        assert!(results.1.is_err());
    }

    #[test]
    fn a_text_of_64_mib_is_no_limit() {
        let long = format!("<a>{}</a>", "x".repeat(64 << 20));
        let tree = parse(&long).unwrap();
        assert_eq!(tree.root().text().unwrap().len(), 64 << 20);
        let octets = tree
            .root()
            .canonicalize(&CanonicalForm::new(Mode::Exclusive))
            .unwrap();
        assert!(octets == long.as_bytes());
    }

    #[test]
    fn text_with_anything_else_in_it_is_no_text() {
        let text = |document| parse(document).unwrap().root().text();
        assert_eq!(
            text("<a>b&amp;<![CDATA[<c>]]>&#13;</a>").as_deref(),
            Some("b&<c>\r")
        );
        assert_eq!(text("<a/>").as_deref(), Some(""));
        for document in ["<a>b<!-- c -->d</a>", "<a>b<?c?></a>", "<a>b<c/></a>"] {
            assert_eq!(text(document), None, "{document}");
        }
    }

    #[test]
    fn attributes_have_namespaces_and_normalised_values() {
        let tree = parse("<a xmlns:p='urn:x' p:b='1&#38;&lt;\n2' b='3'/>").unwrap();
        assert_eq!(tree.root().attribute("urn:x", "b").as_deref(), Some("1&< 2"));
        assert_eq!(tree.root().attribute("", "b").as_deref(), Some("3"));
        assert_eq!(tree.root().attribute("", "p"), None);
    }

    #[test]
    fn an_element_is_canonicalised_in_its_own_document() {
        let tree =
            parse("<a xmlns='urn:a' xmlns:b='urn:b' xml:lang='en'><!-- x --><b:c><d b:e='f'/></b:c><g/></a>")
                .unwrap();
        let c = tree.root().children().next().unwrap();
        let form = |mode, prefixes: &[&str]| CanonicalForm {
            prefixes: prefixes.iter().map(|&prefix| prefix.into()).collect(),
            ..CanonicalForm::new(mode)
        };
        let canonical = |form: &CanonicalForm| String::from_utf8(c.canonicalize(form).unwrap()).unwrap();
        assert_eq!(
            canonical(&form(Mode::Exclusive, &[])),
            r#"<b:c xmlns:b="urn:b"><d xmlns="urn:a" b:e="f"></d></b:c>"#
        );
        assert_eq!(
            canonical(&form(Mode::Exclusive, &["#default"])),
            r#"<b:c xmlns="urn:a" xmlns:b="urn:b"><d b:e="f"></d></b:c>"#
        );
        assert_eq!(
            canonical(&form(Mode::Inclusive, &[])),
            r#"<b:c xmlns="urn:a" xmlns:b="urn:b" xml:lang="en"><d b:e="f"></d></b:c>"#
        );
        let whole = tree.canonicalize(&form(Mode::Exclusive, &[])).unwrap();
        assert!(
            whole.starts_with(b"<a ") && whole.ends_with(b"<g></g></a>"),
            "the tree is as before"
        );
    }
}
