//! What a message is in: both engines decide alike (RFC 7303), and neither lets a peer's bytes write to our standard
//! error.

use std::fmt::Write as _;

use bytes::Bytes;
use countersign::keys::generate::KeyAlgorithm;
use countersign::wss::{Profile, Protection};
use countersign::xml::Limits;
use countersign::xml::libxml::{CanonicalForm, Mode, Tree};
use encoding_rs::{Encoding, SHIFT_JIS, WINDOWS_1252};

use crate::support::countersign::countersign_reading;
use crate::support::signing::{NOW, key};

/// How a message is written.
const WRITTEN: [&str; 7] = [
    "utf-8",
    "utf-16le",
    "utf-16be",
    "iso-8859-1",
    "us-ascii",
    "windows-1252",
    "shift_jis",
];
/// What a declaration or a media type may say of it; the empty one is none.
const SAID: [&str; 15] = [
    "",
    "utf-8",
    "UTF8",
    "utf-16",
    "UTF-16LE",
    "UTF-16BE",
    "ISO-8859-1",
    "latin1",
    "US-ASCII",
    "windows-1252",
    "Shift_JIS",
    "utf-7",
    "ISO-2022-JP",
    "utf-32",
    "x-unknown",
];

#[test]
fn both_engines_read_the_same_text_whatever_mark_media_type_and_declaration_say() {
    let (mut read, mut differences) = (0, String::new());
    for written in WRITTEN {
        for text in ["a", "\u{e9}", "\u{20ac}", "\u{ff71}"] {
            for declared in SAID {
                for marked in [false, true] {
                    let Some(bytes) = message(written, text, declared, marked) else {
                        continue;
                    };
                    for charset in SAID {
                        let said = [charset, declared];
                        let charset = Some(charset).filter(|said| !said.is_empty());
                        match (by_the_signer(&bytes, charset), by_libxml(&bytes, charset)) {
                            (Ok(ours), Ok(theirs)) if ours == theirs => read += 1,
                            (Err(_), Err(_)) => {}
                            // WHATWG's Shift_JIS has a character for the byte 0x80, iconv's like JIS X 0208 none.
                            (Ok(ours), Err(_)) if said.contains(&"Shift_JIS") && ours.contains('\u{80}') => {}
                            // Libxml2 would read it, and what looks for floods of attributes before it would not.
                            (Ok(_), Err(_)) if said.contains(&"ISO-2022-JP") => {}
                            (ours, theirs) => writeln!(
                                differences,
                                "{text} in {written}, marked {marked}, declared {declared:?}, charset {charset:?}: \
                                 {ours:?} and {theirs:?}"
                            )
                            .unwrap(),
                        }
                    }
                }
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
    assert!(read > 1000, "{read}");
}

/// The payload in canonical form, of what the signer made of the bytes.
fn by_the_signer(bytes: &[u8], charset: Option<&str>) -> Result<String, String> {
    let protection = Protection::new(Profile::default(), Limits::default());
    let mut reader = protection.read(charset);
    reader
        .feed(Bytes::copy_from_slice(bytes))
        .map_err(|refused| refused.to_string())?;
    let plain = reader.finish().map_err(|refused| refused.to_string())?;
    let signer = key(KeyAlgorithm::P256);
    let signed = protection.sign(&plain, &signer, NOW);
    let signed = signed.map_err(|refused| refused.to_string())?;
    protection
        .self_check(&plain, signed.segments(), &signer, NOW, &|| true)
        .unwrap_or_else(|wrong| panic!("charset {charset:?}: {wrong}"));
    by_libxml(&signed.segments().concat(), Some("utf-8"))
}

fn by_libxml(bytes: &[u8], charset: Option<&str>) -> Result<String, String> {
    let tree = Tree::parse_as(bytes, charset, &Limits::default()).map_err(|refused| refused.to_string())?;
    let payload = tree
        .root()
        .descendants()
        .find(|element| element.is("", "order"))
        .ok_or("it has no order")?;
    let octets = payload.canonicalize(&CanonicalForm::new(Mode::Exclusive));
    let octets = octets.map_err(|refused| refused.to_string())?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// None, if the encoding has no such text.
fn message(written: &str, text: &str, declared: &str, marked: bool) -> Option<Vec<u8>> {
    let declaration = match declared {
        "" => String::new(),
        _ => format!("<?xml version=\"1.0\" encoding=\"{declared}\"?>"),
    };
    let mark = if marked { "\u{feff}" } else { "" };
    let message = format!(
        "{mark}{declaration}<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
         <order>{text}</order></s:Body></s:Envelope>"
    );
    let by_library = |encoding: &'static Encoding| {
        let (bytes, _, unmappable) = encoding.encode(&message);
        (!unmappable).then(|| bytes.into_owned())
    };
    let by_table = |last| {
        message
            .chars()
            .map(|c| u8::try_from(c).ok().filter(|byte| *byte <= last))
            .collect()
    };
    match written {
        "utf-8" => Some(message.into_bytes()),
        "utf-16le" => Some(message.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        "utf-16be" => Some(message.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        "iso-8859-1" => by_table(0xff),
        "us-ascii" => by_table(0x7f),
        "windows-1252" => by_library(WINDOWS_1252),
        _ => by_library(SHIFT_JIS),
    }
}

#[test]
fn malformed_bytes_are_one_sentence_on_standard_error() {
    for declared in [
        "UTF-8",
        "US-ASCII",
        "ISO-8859-1",
        "windows-1252",
        "Shift_JIS",
        "EUC-JP",
        "GBK",
        "x-unknown",
    ] {
        for bytes in [&b"\xff\xff"[..], b"\x81 ", b"\x8e", b"\xe9", b"\0"] {
            let head = format!("<?xml version='1.0' encoding='{declared}'?><a>");
            for document in [
                [head.as_bytes(), bytes, b"</a>"].concat(),
                [head.as_bytes(), b"</a>", bytes].concat(),
                [head.as_bytes(), "x".repeat(5000).as_bytes(), bytes, b"</a>"].concat(),
            ] {
                is_one_sentence_at_most(&document);
            }
        }
    }
    for document in [
        &b"\xff\xfe<\0a\0>\0\0\xdc<\0/\0a\0>\0"[..],
        b"\xfe\xff\0<\0a\0>\xd8\0\0<",
        b"\xff\xfe<",
    ] {
        is_one_sentence_at_most(document);
    }
}

fn is_one_sentence_at_most(document: &[u8]) {
    let run = countersign_reading(std::path::Path::new("."), ["canonicalize"], document);
    match run.code {
        Some(0) => assert_eq!(run.stderr, ""),
        Some(1) => assert!(
            run.stderr.starts_with("error: ") && run.stderr.lines().count() == 1,
            "{}",
            run.stderr
        ),
        other => panic!("{other:?}: {}", run.stderr),
    }
}

#[test]
fn bytes_that_are_not_in_the_encoding_are_refused_where_libxml2_takes_them_for_the_end() {
    for document in [
        &b"<?xml version='1.0' encoding='EUC-JP'?><a/>\xff\xff"[..],
        b"<?xml version='1.0' encoding='Shift_JIS'?><a/>\n\x81 ",
        b"\xff\xfe<\0a\0/\0>\0\0\xdc\0\xdc",
    ] {
        let tree = Tree::parse(document, &Limits::default());
        assert!(tree.is_err(), "{document:?}");
    }
}
