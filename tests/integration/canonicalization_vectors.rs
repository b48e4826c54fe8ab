//! Foreign vectors for canonical forms, byte for byte: those of libxml2, of the W3C's C14N 1.1
//! interop, of Santuario and of Merlin Hughes. Left out are inputs with a document type, which no
//! engine of ours reads, and node sets that are neither a document nor one element with all it
//! holds, which WS-Security never signs.

use std::fs;
use std::path::{Path, PathBuf};

use countersign::xml::Limits;
use countersign::xml::libxml::{CanonicalForm, Element, Mode, ParseErrorKind, Tree};

use crate::support::corpus::{corpus, files};

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
