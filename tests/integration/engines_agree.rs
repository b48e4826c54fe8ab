//! The scanner and libxml2 give the same verdict and the same canonical octets, on messages, on messages
//! broken on purpose, and on documents made up from the awkward parts of XML.

use std::fs;

use countersign::oracle::{Disagreement, compare, sign_and_verify};
use countersign::xml::Limits;
use countersign::xml::canonical::{Comments, canonicalize};
use countersign::xml::libxml::Tree;
use countersign::xml::namespace::{Namespaces, XML};
use countersign::xml::scan::Problem;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::corpus::{corpus, files};

const PREFIXES: [&str; 6] = ["#default", "a", "b", "soap", "xsi", "wsu"];

#[test]
fn on_every_message() {
    let mut folders = vec![
        std::path::PathBuf::from("tests/messages"),
        "tests/messages/refused".into(),
    ];
    if let Some(corpus) = corpus("messages for the two engines") {
        let foreign = [
            "soap",
            "malformed",
            "attacks/attributes",
            "attacks/xxe",
            "wss/cxf",
            "wss/govway",
            "wss/rampart",
        ];
        folders.extend(foreign.map(|folder| corpus.join(folder)));
    }
    let messages = folders.iter().flat_map(|folder| files(folder, "xml"));
    for path in messages {
        let Ok(text) = String::from_utf8(fs::read(&path).unwrap()) else {
            continue;
        };
        agree(&text).unwrap_or_else(|difference| panic!("{}: {difference:?}", path.display()));
        if text.len() < 16 << 10 {
            sign_and_verify(&text, 1 + text.len() / 3)
                .unwrap_or_else(|what| panic!("{}: {what}", path.display()));
        }
    }
}

#[test]
fn on_documents_made_up_from_awkward_parts() {
    let config = Config {
        cases: cases(),
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&document(), |text| {
            agree(&text).map_err(|difference| fail(&text, &difference))?;
            sign_and_verify(&text, 100).map_err(|what| TestCaseError::fail(format!("{what} over {text:?}")))
        })
        .unwrap();
}

#[test]
fn on_messages_with_bytes_exchanged() {
    let messages: Vec<String> = files(std::path::Path::new("tests/messages"), "xml")
        .into_iter()
        .filter_map(|path| String::from_utf8(fs::read(path).unwrap()).ok())
        .collect();
    let broken = (
        prop::sample::select(messages),
        prop::collection::vec((any::<prop::sample::Index>(), 0..4_usize, piece()), 1..4),
    );
    let config = Config {
        cases: cases(),
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    runner
        .run(&broken, |(mut text, changes)| {
            for (at, length, piece) in changes {
                let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
                let from = at.index(boundaries.len());
                let start = boundaries[from];
                let end = boundaries.get(from + length).copied().unwrap_or(text.len());
                text.replace_range(start..end, &piece);
            }
            agree(&text).map_err(|difference| fail(&text, &difference))?;
            sign_and_verify(&text, 100).map_err(|what| TestCaseError::fail(format!("{what} over {text:?}")))
        })
        .unwrap();
}

#[test]
fn on_how_many_declarations_may_be_in_scope() {
    let limits = Limits {
        depth: 1000,
        ..Limits::default()
    };
    let most = limits.declarations;
    let verdicts = |document: &str| {
        let ours = canonicalize(
            document.as_bytes(),
            limits,
            Namespaces::new(),
            [],
            Comments::Omitted,
            Vec::new(),
        );
        let theirs = Tree::parse(document.as_bytes(), &limits);
        (ours.map(drop).map_err(|error| error.problem), theirs.is_ok())
    };
    let xml = String::from_utf8_lossy(XML);
    // three at a time, of which xml's does not count
    let declared = |count: usize| {
        let outer = format!("<a xmlns='urn:x' xmlns:p='urn:x' xmlns:xml='{xml}'>").repeat(count / 2);
        let inner = if count % 2 == 1 { "<b xmlns='' />" } else { "" };
        outer + inner + &"</a>".repeat(count / 2)
    };
    for (count, allowed) in [(1, true), (most, true), (most + 1, false), (most + 2, false)] {
        let ours = if allowed {
            Ok(())
        } else {
            Err(Problem::TooManyDeclarations(most))
        };
        assert_eq!(
            verdicts(&declared(count)),
            (ours, allowed),
            "{count} declarations"
        );
    }
}

fn agree(text: &str) -> Result<(), Disagreement> {
    compare(text, &[])?;
    compare(text, &PREFIXES)
}

fn fail(text: &str, difference: &Disagreement) -> TestCaseError {
    TestCaseError::fail(format!("{difference:?} over {text:?}"))
}

fn cases() -> u32 {
    std::env::var("COUNTERSIGN_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(2000)
}

/// An element with what is in it, a few levels deep.
fn document() -> impl Strategy<Value = String> {
    let leaf = prop::collection::vec(piece(), 0..4).prop_map(|pieces| pieces.concat());
    let element = leaf.prop_recursive(5, 40, 4, |inner| {
        (
            name(),
            prop::collection::vec(attribute(), 0..5),
            prop::collection::vec(inner, 0..4),
            any::<bool>(),
        )
            .prop_map(|(name, attributes, inner, is_empty)| {
                let attributes = attributes.concat();
                match is_empty {
                    true => format!("<{name}{attributes}/>"),
                    false => format!("<{name}{attributes}>{}</{name}>", inner.concat()),
                }
            })
    });
    let around = prop_oneof![
        Just(""),
        Just("<!-- c -->"),
        Just("<?pi d?>"),
        Just("\n"),
        Just("<?xml version=\"1.0\"?>")
    ];
    (
        around.clone(),
        prop::collection::vec(attribute(), 0..4),
        element,
        around,
    )
        .prop_map(|(before, attributes, inner, after)| {
            let declared = r#" xmlns:a="urn:a" xmlns:b="urn:b""#;
            let attributes: String = attributes
                .into_iter()
                .filter(|text| !text.contains("xmlns:a") && !text.contains("xmlns:b"))
                .collect();
            format!("{before}<a:root{declared}{attributes}>{inner}</a:root>{after}")
        })
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "x", "a:x", "b:y", "c:z", "é", "a:é", "x-1.2", "xml:x", "_", "a:_x",
    ])
}

fn attribute() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "k",
        "a:k",
        "b:k",
        "xml:lang",
        "xml:id",
        "Id",
        "xmlns",
        "xmlns:a",
        "xmlns:b",
        "xmlns:c",
        "z",
        "a:z",
        "xmlns:xml",
    ]);
    let value = prop_oneof![
        4 => prop::sample::select(vec!["urn:a", "urn:b", "urn:c", "", "http://x/?a&amp;b", "v", "http://www.w3.org/XML/1998/namespace"]).prop_map(str::to_owned),
        1 => prop::collection::vec(prop::sample::select(vec!["x", "&lt;", "&#9;", "\t", "\n", "\r\n", "\r", "&#13;", "&#xA;", "&quot;", "'", ">", "é", "&amp;", " ", "&apos;", "&#x1F600;"]), 0..5)
            .prop_map(|pieces| pieces.concat()),
    ];
    (
        name,
        value,
        prop_oneof![4 => Just(" "), 1 => Just("  "), 1 => Just("\n")],
        any::<bool>(),
    )
        .prop_map(
            |(name, value, space, single)| match single && !value.contains('\'') {
                true => format!("{space}{name}='{value}'"),
                false => format!("{space}{name}=\"{value}\""),
            },
        )
}

fn piece() -> impl Strategy<Value = String> {
    prop::sample::select(PIECES).prop_map(str::to_owned)
}

/// Markup whole and cut, references, characters that are forbidden or nearly so.
const PIECES: &[&str] = &[
    "text",
    " ",
    "\n",
    "\r",
    "\r\n",
    "&amp;",
    "&lt;",
    "&gt;",
    "&#13;",
    "&#x41;",
    "&#9;",
    "&nbsp;",
    "&",
    "<",
    ">",
    "]]>",
    "]]",
    "]",
    "é",
    "\u{FFFD}",
    "\u{FFFE}",
    "\u{1}",
    "\u{85}",
    "\u{2028}",
    "<![CDATA[<&]]>",
    "<![CDATA[",
    "<![CDATA[]]]]>",
    "<!-- c -->",
    "<!-- a--b -->",
    "<!--->",
    "-->",
    "<?pi data?>",
    "<?pi?>",
    "<?pi   data ?>",
    "<?xml version='1.0'?>",
    "<?a:b c?>",
    "<x/>",
    "<x >",
    "</x>",
    "<x",
    "<a:x a:k='1'/>",
    "xmlns:q='urn:q'",
    "\"",
    "'",
    "=",
    "<!DOCTYPE a>",
    "<x xmlns='' k='&lt;'/>",
    "<:x/>",
    "<a:/>",
    "<x a:b:c='1'/>",
    "<x xmlns:q=''/>",
    "<x xmlns:q='rel'/>",
    "<xmlns:x/>",
    "&#0;",
    "&#xFFFFF;",
    "&#x110000;",
    "<X\u{0}>",
    "\u{10000}",
];

#[test]
fn on_namespace_names_of_every_kind() {
    for name in [
        "http://host:/path",
        "http://host:80/",
        "http://:/",
        "http://user:@host:",
        "http://a:b:c/",
        "http://[::1]/",
        "http://[::1/",
        "http://[v1.x]:/",
        "urn:",
        "urn:a[b",
        "urn:a%41",
        "urn:a%4",
        "urn:a%zz",
        "urn:a b",
        "urn:a\u{e9}",
        "urn:a#b#c",
        "urn:a?b?c#d?e",
        "urn:a|b",
        "urn:a^b",
        "urn:a`b",
        "urn:{a}",
        "urn:a\\b",
        "urn:&lt;a&gt;",
        "urn:&quot;",
        "urn:a&amp;b",
        "URN:A",
        "1urn:a",
        "u+r-n.1:a",
        "u_n:a",
        "a/b:c",
        "//host/path",
        "/path",
        "?a",
        "#a",
        ":a",
        "file:///a",
        "mailto:a@b",
        "http://host:99999999999999999999/",
        "http://ho%20st/",
        "http://\u{1}",
    ] {
        let document = format!("<a xmlns='{name}' xmlns:p='{name}'><p:b/></a>");
        agree(&document).unwrap_or_else(|difference| panic!("{name}: {difference:?}"));
    }
}

#[test]
fn on_declarations_of_every_kind() {
    for document in [
        "<?xml version='1.0' encoding='UTF-8'standalone='yes'?><a/>",
        "<?xml version='1.0' encoding='UTF-8'?><a/>",
        "<?xml version='1.0'encoding='UTF-8'?><a/>",
        "<?xml version='1.0' encoding='UTF-16'?><a/>",
        "<?xml version='1.0' encoding='UTF-16LE' standalone='no' ?><a/>",
        "<?xml version='1.0' encoding='x-unknown'standalone='no' ?><a/>",
        "<?xml version='1.0' encoding='UTF-7'?><a/>",
        "<?xml version='1.0' encoding='EBCDIC-CP-US'?><a/>",
        "<?xml version='1.0' encoding='ISO-10646-UCS-4'?><a/>",
        "<?xml version='1.0' encoding='8'?><a/>",
        "<?xml version='1.0' encoding=''?><a/>",
        "<?xml version='1.0' encoding='UTF-8?><a/>",
        "<?xml version='1.0' standalone='yes'?><a/>",
        "<?xml version='1.0' standalone='maybe'?><a/>",
        "<?xml version='1.0'standalone='yes'?><a/>",
        "<?xml version='1.0' standalone='yes' encoding='UTF-8'?><a/>",
        "<?xml version='1.0' encoding='UTF-8' encoding='UTF-8'?><a/>",
        "<?xml version='1.0' encoding='UTF-8' x='y'?><a/>",
        "<?xml encoding='UTF-8'?><a/>",
        "<?xml version='1.0' ?><a/>",
        "<?xml\tversion\n=\r'1.0'?><a/>",
        "<?xml version='1.0'? ><a/>",
        "<?xml version=1.0?><a/>",
        "<?XML version='1.0'?><a/>",
        "\u{feff}<?xml version='1.0' encoding='ISO-8859-1'?><a>\u{e9}</a>",
        "\u{feff}\u{feff}<a/>",
        "\u{feff} <?xml version='1.0'?><a/>",
    ] {
        agree(document).unwrap_or_else(|difference| panic!("{document:?}: {difference:?}"));
    }
}
