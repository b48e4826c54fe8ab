//! Foreign vectors for canonical forms, byte for byte: those of libxml2, of the W3C's C14N 1.1
//! interop, of Santuario and of Merlin Hughes. Left out are inputs with a document type, which no
//! engine of ours reads, and node sets that are neither a document nor one element with all it
//! holds, which WS-Security never signs.

use std::fs;
use std::path::{Path, PathBuf};

use countersign::xml::Limits;
use countersign::xml::canonical::{Canonicalizer, Comments};
use countersign::xml::libxml::{CanonicalForm, Element, Mode, ParseErrorKind, Tree};
use countersign::xml::namespace::Namespaces;
use countersign::xml::scan::{EndTag, Error, Handler, Piece, Scanner, StartTag};

use crate::support::corpus::{corpus, files};

/// How many of the vectors are of the exclusive form.
const EXCLUSIVE: usize = 13;

struct Vector {
    input: PathBuf,
    /// Local name of the element; none: the document.
    apex: Option<String>,
    form: CanonicalForm,
    expected: PathBuf,
}

#[test]
fn libxml2_gives_the_expected_bytes() {
    let Some(corpus) = corpus("canonicalization vectors") else {
        return;
    };
    let vectors = vectors(&corpus.join("c14n"));
    for vector in &vectors {
        let tree = Tree::parse(&fs::read(&vector.input).unwrap(), &Limits::default()).unwrap();
        let octets = match &vector.apex {
            None => tree.canonicalize(&vector.form),
            Some(apex) => the_only(tree.root(), apex).canonicalize(&vector.form),
        };
        let octets = String::from_utf8(octets.unwrap()).unwrap();
        assert_eq!(
            octets,
            fs::read_to_string(&vector.expected).unwrap(),
            "{}",
            vector.expected.display()
        );
    }
    assert_eq!(
        vectors.len(),
        50,
        "every vector that needs neither a DTD nor XPath"
    );
}

#[test]
fn the_canonicaliser_gives_the_expected_bytes_of_exclusive_vectors() {
    let Some(corpus) = corpus("exclusive canonicalization vectors for the first engine") else {
        return;
    };
    let mut vectors = vectors(&corpus.join("c14n"));
    vectors.retain(|vector| vector.form.mode == Mode::Exclusive);
    for vector in &vectors {
        let document = fs::read(&vector.input).unwrap();
        let octets = Apex::canonicalize(&document, vector);
        let expected = fs::read_to_string(&vector.expected).unwrap();
        assert_eq!(
            String::from_utf8(octets).unwrap(),
            expected,
            "{}",
            vector.expected.display()
        );
    }
    assert_eq!(
        vectors.len(),
        EXCLUSIVE,
        "every exclusive vector that needs neither a DTD nor XPath"
    );
}

#[test]
fn libxml2_finds_no_canonical_form_for_relative_namespace_names() {
    let Some(corpus) = corpus("relative namespace names") else {
        return;
    };
    let input = fs::read(corpus.join("c14n/santuario-in/relative-ns-behaviour.xml")).unwrap();
    let refusal = Tree::parse(&input, &Limits::default()).err().unwrap();
    assert_eq!(refusal.kind, ParseErrorKind::RelativeNamespace);
}

fn vectors(folder: &Path) -> Vec<Vector> {
    let of_libxml2 = [
        ("without-comments", Mode::Inclusive, false),
        ("with-comments", Mode::Inclusive, true),
        ("1-1-without-comments", Mode::Inclusive11, false),
        ("exc-without-comments", Mode::Exclusive, false),
    ];
    let of_libxml2 = of_libxml2.into_iter().flat_map(|(name, mode, with_comments)| {
        let form = CanonicalForm {
            with_comments,
            ..CanonicalForm::new(mode)
        };
        libxml2(&folder.join("libxml2").join(name), &form)
    });
    let all = of_libxml2
        .chain(w3c(&folder.join("w3c-c14n11")))
        .chain(single(folder));
    all.filter(|vector| !fs::read_to_string(&vector.input).unwrap().contains("<!DOCTYPE"))
        .collect()
}

/// `input/X.xml`, its node set in `X.xpath`, its prefixes in `X.ns`; no expected file: an empty set.
fn libxml2(folder: &Path, form: &CanonicalForm) -> Vec<Vector> {
    let vector = |input: PathBuf| {
        let name = Path::new("../expected")
            .join(input.file_name()?)
            .with_extension("c14n");
        let expected = input.parent()?.join(name);
        let prefixes = fs::read_to_string(input.with_extension("ns")).unwrap_or_default();
        let xpath = input.with_extension("xpath");
        let apex = if xpath.exists() { Some(apex(&xpath)?) } else { None };
        expected.exists().then(|| Vector {
            apex,
            form: CanonicalForm {
                prefixes: prefixes.split_whitespace().map(str::to_owned).collect(),
                ..form.clone()
            },
            input,
            expected,
        })
    };
    files(&folder.join("input"), "xml")
        .into_iter()
        .filter_map(vector)
        .collect()
}

/// `X-N.xpath` of `X-input.xml` gives `X-N.output`.
fn w3c(folder: &Path) -> Vec<Vector> {
    let vector = |xpath: PathBuf| {
        let (name, _) = xpath.file_stem()?.to_str()?.rsplit_once('-')?;
        Some(Vector {
            input: folder.join(format!("{name}-input.xml")),
            apex: Some(apex(&xpath)?),
            form: CanonicalForm::new(Mode::Inclusive11),
            expected: xpath.with_extension("output"),
        })
    };
    files(folder, "xpath").into_iter().filter_map(vector).collect()
}

/// Those whose node set is told by prose or by a signature.
fn single(folder: &Path) -> Vec<Vector> {
    let of = |input: &str, apex: &str, mode, expected: &str| Vector {
        input: folder.join(input),
        apex: (!apex.is_empty()).then(|| apex.to_owned()),
        form: CanonicalForm::new(mode),
        expected: folder.join(expected),
    };
    let document = |input, expected| of(input, "", Mode::Inclusive, expected);
    let excl = |input, apex, mode, expected| {
        let file = |name| format!("santuario-in-excl/{name}.xml");
        of(&file(input), apex, mode, &file(expected))
    };
    let merlin = |apex, number, with_comments, prefixes: &[&str]| {
        let expected = format!("merlin-exc-c14n-one/c14n-{number}.txt");
        let mut vector = of(
            "merlin-exc-c14n-one/exc-signature.xml",
            apex,
            Mode::Exclusive,
            &expected,
        );
        vector.form.with_comments = with_comments;
        vector.form.prefixes = prefixes.iter().map(|&prefix| prefix.into()).collect();
        vector
    };
    vec![
        document("santuario-in/32_input.xml", "santuario-in/32_c14n.xml"),
        document("santuario-in/36_input.xml", "santuario-in/36_c14n.xml"),
        of(
            "santuario-in/default_ns_redefinition_input.xml",
            "Object",
            Mode::Inclusive,
            "santuario-in/default_ns_redefinition_c14n.xml",
        ),
        excl("example2_2_1", "elem2", Mode::Inclusive, "example2_2_1_c14nized"),
        excl(
            "example2_2_1",
            "elem2",
            Mode::Exclusive,
            "example2_2_c14nized_exclusive",
        ),
        excl("example2_2_2", "elem2", Mode::Inclusive, "example2_2_2_c14nized"),
        excl(
            "example2_2_2",
            "elem2",
            Mode::Exclusive,
            "example2_2_c14nized_exclusive",
        ),
        excl(
            "example2_2_3",
            "p",
            Mode::Exclusive,
            "example2_2_3_c14nized_exclusive",
        ),
        excl("example2_4", "elem2", Mode::Exclusive, "example2_4_c14nized"),
        excl("plain-soap-1.1", "Body", Mode::Exclusive, "plain-soap-c14nized"),
        merlin("Object", 0, false, &[]),
        merlin("Object", 1, false, &["bar", "#default"]),
        merlin("Object", 2, true, &[]),
        merlin("Object", 3, true, &["bar", "#default"]),
        merlin("SignedInfo", 4, false, &[]),
    ]
}

/// The element that an XPath selects with all it holds, if it does just that.
fn apex(xpath: &Path) -> Option<String> {
    let expression = without_markup(&fs::read_to_string(xpath).unwrap());
    let expression: String = expression.split_whitespace().collect();
    let condition = expression.strip_prefix("(//.|//@*|//namespace::*)[ancestor-or-self::")?;
    let (_, name) = condition.strip_suffix(']')?.split_once(':')?;
    name.chars().all(char::is_alphanumeric).then(|| name.to_owned())
}

fn without_markup(document: &str) -> String {
    let (mut text, mut rest) = (String::new(), document);
    while let Some((before, markup)) = rest.split_once('<') {
        text.push_str(before);
        let end = if markup.starts_with("!--") { "-->" } else { ">" };
        rest = markup.split_once(end).unwrap().1;
    }
    text + rest
}

fn the_only<'t>(root: Element<'t>, local_name: &str) -> Element<'t> {
    let mut found = root
        .descendants()
        .filter(|element| element.local_name() == local_name);
    let first = found.next().unwrap();
    let outside = found.find(|element| !first.descendants().any(|within| within == *element));
    assert!(outside.is_none(), "{local_name} is one element");
    first
}

/// Finds an element by its local name, or takes the root, and canonicalises it with our engine.
struct Apex<'v> {
    name: Option<&'v str>,
    canonicalizer: Canonicalizer<Vec<u8>>,
    inside: bool,
}

impl<'v> Apex<'v> {
    fn canonicalize(document: &[u8], vector: &'v Vector) -> Vec<u8> {
        let mut namespaces = Namespaces::new();
        let number = |prefix: &String| namespaces.number(prefix.trim_start_matches("#default").as_bytes());
        let inclusive = vector.form.prefixes.iter().map(number).collect();
        let comments = match vector.form.with_comments {
            true => Comments::Kept,
            false => Comments::Omitted,
        };
        let mut apex = Self {
            name: vector.apex.as_deref(),
            canonicalizer: Canonicalizer::new(Vec::new(), inclusive, comments),
            inside: false,
        };
        let mut scanner = Scanner::within(Limits::default(), namespaces);
        scanner.feed(document, &mut apex).unwrap();
        scanner.finish(&mut apex).unwrap();
        apex.canonicalizer.finish(&[])
    }
}

impl Handler for Apex<'_> {
    type Error = Error;

    fn start_tag(&mut self, tag: &StartTag<'_>) -> Result<(), Error> {
        self.inside |= self.name.is_none_or(|name| name.as_bytes() == tag.local_name());
        if self.inside {
            self.canonicalizer.start_tag(tag);
        }
        Ok(())
    }

    fn end_tag(&mut self, tag: &EndTag<'_>) -> Result<(), Error> {
        if self.inside {
            self.inside = !self.canonicalizer.end_tag(tag);
        }
        Ok(())
    }

    fn text(&mut self, piece: &Piece<'_>) -> Result<(), Error> {
        if self.inside {
            self.canonicalizer.piece(piece);
        }
        Ok(())
    }

    fn comment(&mut self, piece: &Piece<'_>) -> Result<(), Error> {
        if self.inside {
            self.canonicalizer.comment(piece);
        }
        Ok(())
    }

    fn processing_instruction(&mut self, piece: &Piece<'_>) -> Result<(), Error> {
        self.text(piece)
    }

    fn buffer_ends(&mut self, buffer: &[u8]) {
        self.canonicalizer.buffer_ends(buffer);
    }
}
