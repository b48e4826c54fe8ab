//! How receivers refuse: their faults are read as an independent reader reads them, and only those that a route names count.

use std::path::{Path, PathBuf};

use countersign::config::Config;
use countersign::wss::SoapVersion;
use countersign::wss::fault::{Code, Fault, LARGEST};
use countersign::wss::key_refused::{KeyRefused, NamedSet, Refusals, suggest};
use proptest::prelude::*;

use crate::support::corpus::{corpus, files};
use crate::support::tool::{is_there, run};

const ORACLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/integration/oracles/soap_fault.py"
);

fn vectors() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/receiver-faults");
    files(&folder, "xml")
}

fn read(file: &Path) -> Option<Fault> {
    Fault::read(&std::fs::read(file).unwrap(), None)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn name(file: &Path) -> String {
    file.file_stem().unwrap().to_string_lossy().into_owned()
}

/// A configuration whose route has this list, in line 8.
fn route(list: &str) -> String {
    format!(
        "[alias.o]\nstrategy = \"hold\"\n[[route]]\nname = \"o\"\npath = \"/o\"\nreceiver = \"http://localhost/\"\nalias = \"o\"\n\
         key_refused = [{list}]\n"
    )
}

/// A route's `key_refused`, as its configuration has it.
fn configured(list: &str) -> KeyRefused {
    let config = Config::parse(&route(list), Path::new("test.toml"));
    let config = config.unwrap_or_else(|error| panic!("{list}: {error}"));
    config.routes[0].key_refused.clone()
}

#[test]
fn faults_are_read_as_an_independent_reader_reads_them() {
    if !is_there("python3", "the independent reader of faults") {
        return;
    }
    let mut all = vectors();
    if let Some(corpus) = corpus("the faults that others wrote") {
        let soap = files(&corpus.join("soap"), "xml").into_iter();
        let small = |file: &PathBuf| file.metadata().unwrap().len() <= LARGEST as u64;
        // Ours refuses a document type and a relative namespace name, expat does not.
        all.extend(
            soap.filter(small)
                .filter(|file| Fault::read(&std::fs::read(file).unwrap(), None).is_ok()),
        );
    }
    let oracle = all.iter().map(|file| file.as_os_str().to_owned());
    let told = run(
        Path::new("."),
        "python3",
        [ORACLE.into()].into_iter().chain(oracle),
    );
    let mut faults = 0;
    for (file, told) in all.iter().zip(told.lines()) {
        let told: serde_json::Value = serde_json::from_str(told).unwrap();
        let ours = read(file).map_or(serde_json::Value::Null, |fault| {
            faults += 1;
            serde_json::json!({
                "codes": fault.codes.iter().map(Code::to_string).collect::<Vec<_>>(),
                "texts": fault.texts,
                "secured": fault.secured,
            })
        });
        assert_eq!(ours, told, "{}", file.display());
    }
    assert_eq!(told.lines().count(), all.len());
    assert!(faults >= vectors().len(), "{faults} of {}", all.len());
}

#[test]
fn each_named_set_counts_its_stacks_refusal_and_no_other_fault() {
    let refusals = vectors()
        .into_iter()
        .map(|file| (name(&file), read(&file).unwrap()));
    let all: Vec<_> = NamedSet::ALL.iter().map(|set| Refusals::Set(*set)).collect();
    for (name, fault) in refusals {
        let says: Vec<_> = all
            .iter()
            .filter(|set| KeyRefused(vec![(*set).clone()]).says(&fault))
            .collect();
        if name.starts_with("no-") {
            assert_eq!(says, Vec::<&Refusals>::new(), "{name}");
            continue;
        }
        let stack = name.trim_end_matches("-soap12").parse::<NamedSet>().unwrap();
        assert!(says.contains(&&Refusals::Set(stack)), "{name}: {says:?}");
        // These two are the same by nature: the text of WSS4J's certificate check, with SOAP's own code.
        let twin = matches!(stack, NamedSet::CxfDetailed | NamedSet::SpringWs);
        assert_eq!(says.len(), if twin { 2 } else { 1 }, "{name}: {says:?}");
        let suggested = suggest(&fault).unwrap();
        let expected = if twin { NamedSet::CxfDetailed } else { stack };
        assert_eq!(suggested, Refusals::Set(expected), "{name}");
    }
}

const ENTRY: &str = "{ code = \"{urn:example:bank}KeyUnknown\", text = \"Unbekannter  Schlüssel\" }";

fn soap11(code: &str, text: &str) -> String {
    format!(
        "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/' xmlns:b='urn:example:bank'><e:Body><e:Fault>\
         <faultcode>{code}</faultcode><faultstring>{text}</faultstring></e:Fault></e:Body></e:Envelope>"
    )
}

fn soap12(codes: &[&str], texts: &[&str]) -> String {
    let code = codes.iter().rev().fold(String::new(), |inner, code| {
        let name = if *code == codes[0] { "Code" } else { "Subcode" };
        format!("<e:{name}><e:Value>{code}</e:Value>{inner}</e:{name}>")
    });
    let texts: String = texts
        .iter()
        .map(|text| format!("<e:Text xml:lang='x'>{text}</e:Text>"))
        .collect();
    format!(
        "<e:Envelope xmlns:e='http://www.w3.org/2003/05/soap-envelope' xmlns:b='urn:example:bank'><e:Body><e:Fault>\
         {code}<e:Reason>{texts}</e:Reason></e:Fault></e:Body></e:Envelope>"
    )
}

fn says(list: &str, document: impl AsRef<[u8]>) -> bool {
    let fault = Fault::read(document.as_ref(), None).unwrap().expect("a fault");
    configured(list).says(&fault)
}

#[test]
fn an_own_entry_is_a_code_by_its_namespace_and_a_part_of_the_text() {
    let text = "E17:\n\t Unbekannter\n Schlüssel (4711)";
    assert!(says(ENTRY, soap11("b:KeyUnknown", text)));
    assert!(says(
        ENTRY,
        soap11(
            "<!-- x --> b:Key<![CDATA[Unknown]]> ",
            "Unbekannter <b>Schlüssel</b>"
        )
    ));
    let prefixed = soap11("x:KeyUnknown", text).replace("xmlns:b", "xmlns:x");
    assert!(says(ENTRY, prefixed), "the prefix is the receiver's");
    for other in [
        soap11("b:KeyUnknown", "Unbekannter Kunde"),
        soap11("b:keyunknown", text),
        soap11("e:KeyUnknown", text),
        soap11("KeyUnknown", text),
        soap11("c:KeyUnknown", text),
        soap11("b:KeyUnknown", text).replace("urn:example:bank", "urn:example:Bank"),
    ] {
        assert!(!says(ENTRY, &other), "{other}");
    }
    assert!(says(
        "{ code = \"{urn:example:bank}KeyUnknown\" }",
        soap11("b:KeyUnknown", "whatever it says")
    ));
}

#[test]
fn soap_1_2_is_looked_at_in_every_subcode_and_every_text() {
    let texts = ["Unknown key", "Unbekannter Schlüssel"];
    for codes in [
        &["e:Sender", "b:KeyUnknown"][..],
        &["e:Receiver", "b:Security", "b:KeyUnknown"],
        &["e:Sender", "b:KeyUnknown", "b:Today"],
    ] {
        assert!(says(ENTRY, soap12(codes, &texts)), "{codes:?}");
    }
    assert!(
        !says(ENTRY, soap12(&["b:KeyUnknown"], &texts)),
        "that is no Code of SOAP"
    );
    assert!(
        !says(
            ENTRY,
            soap12(&["e:Sender", "b:KeyUnknown"], &["Unbekannter", "Schlüssel"])
        ),
        "no text has it, only both together"
    );
    let sender = "{ code = \"Sender\", text = \"Schlüssel\" }";
    assert!(says(sender, soap12(&["e:Sender", "b:Any"], &texts)));
    assert!(!says(sender, soap12(&["e:Receiver", "e:Sender"], &texts)));
    assert!(!says(sender, soap11("e:Client", "Schlüssel")));
    assert!(says(
        "{ code = \"Client\", text = \"Schlüssel\" }",
        soap11("e:Client", "Schlüssel")
    ));
}

#[test]
fn what_never_counts_does_not_count_for_an_own_entry_either() {
    let any = "{ code = \"{urn:example:bank}KeyUnknown\" }";
    for text in ["Replay", "this NONCE is known", "Duplicate message"] {
        assert!(!says(any, soap11("b:KeyUnknown", text)), "{text}");
    }
    let secured = |header: &str| {
        soap11("b:KeyUnknown", "x").replace("<e:Body>", &format!("<e:Header>{header}</e:Header><e:Body>"))
    };
    assert!(!says(
        any,
        secured("<Security xmlns='urn:of:some:draft' e:actor='urn:other'/>")
    ));
    assert!(says(any, secured("<Insecurity/>")));
    assert!(!says(
        any,
        soap12(&["e:Sender", "b:KeyUnknown", "b:MessageExpired"], &["x"])
    ));
}

#[test]
fn a_fault_is_read_in_whichever_encoding_its_media_type_or_declaration_names() {
    let document = soap11("b:KeyUnknown", "Unbekannter Schlüssel");
    let expected = Fault::read(document.as_bytes(), None).unwrap().unwrap();
    let latin1: Vec<u8> = document
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    let utf16: Vec<u8> = "\u{feff}"
        .chars()
        .chain(document.chars())
        .flat_map(|c| u16::try_from(u32::from(c)).unwrap().to_be_bytes())
        .collect();
    let declared = [b"<?xml version='1.0' encoding='ISO-8859-1'?>".as_slice(), &latin1].concat();
    for (bytes, charset) in [
        (document.as_bytes(), Some("UTF-8")),
        (&latin1, Some("iso-8859-1")),
        (&declared, None),
        (&utf16, None),
        (&utf16, Some("utf-16")),
    ] {
        assert_eq!(
            Fault::read(bytes, charset).unwrap().as_ref(),
            Some(&expected),
            "{charset:?}"
        );
    }
    assert!(Fault::read(&latin1, None).is_err(), "that is not UTF-8");
}

#[test]
fn what_is_no_fault_is_none() {
    let fault = soap11("b:KeyUnknown", "x");
    for other in [
        String::new(),
        fault.replace("e:Fault", "e:Vault"),
        fault.replace("e:Envelope", "e:Letter"),
        fault.replace("http://schemas.xmlsoap.org/soap/envelope/", "urn:example:soap"),
        fault
            .replace("<e:Body>", "<e:Body><wrapped>")
            .replace("</e:Body>", "</wrapped></e:Body>"),
        format!("<!--{}-->{fault}", "x".repeat(LARGEST)),
    ] {
        assert_eq!(Fault::read(other.as_bytes(), None), Ok(None), "{other}");
    }
    assert!(Fault::read(fault.trim_end_matches('>').as_bytes(), None).is_err());
    let entity = "<!DOCTYPE e [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>";
    assert!(Fault::read(format!("{entity}{fault}").as_bytes(), None).is_err());
}

#[test]
fn a_version_is_told_by_the_envelope() {
    let version = |document: String| Fault::read(document.as_bytes(), None).unwrap().unwrap().version;
    assert_eq!(version(soap11("e:Client", "x")), SoapVersion::Soap11);
    assert_eq!(version(soap12(&["e:Sender"], &["x"])), SoapVersion::Soap12);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Bytes of a peer: cut, doubled and overwritten faults.
    #[test]
    fn no_bytes_panic_the_reader(
        cut in 0_usize..600,
        noise in proptest::collection::vec((0_usize..600, any::<u8>()), 0..8),
        charset in prop_oneof![Just(None), "[ -~]{0,12}".prop_map(Some), Just(Some("utf-16".to_owned()))],
    ) {
        let mut bytes = soap12(&["e:Sender", "b:KeyUnknown"], &["Schlüssel", "key"]).into_bytes();
        bytes.truncate(bytes.len() - cut.min(bytes.len()));
        for (at, byte) in noise {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        if let Ok(Some(fault)) = Fault::read(&bytes, charset.as_deref()) {
            let _any = configured(ENTRY).says(&fault);
            if let Ok(suggested) = suggest(&fault) {
                prop_assert!(KeyRefused(vec![suggested]).says(&fault), "{fault:?}");
            }
        }
    }
}

/// Each list has one mistake, which is told in the line given and with these words.
fn each_says(cases: &[(&str, usize, &str)]) {
    for (list, line, words) in cases {
        let errors = Config::parse(&route(list), Path::new("test.toml")).expect_err(list);
        let told: Vec<_> = errors.iter().map(|error| (error.line, &error.sentence)).collect();
        assert_eq!(told.len(), 1, "{list}: {told:?}");
        assert!(
            told[0].0 == Some(*line) && told[0].1.contains(words),
            "{list}: {told:?}"
        );
    }
}

#[test]
fn mistakes_in_the_list_are_told_with_their_line_and_what_to_write() {
    each_says(&[
        ("\"cfx\"", 8, "did you mean cxf?"),
        (
            "\"metro\"",
            8,
            "use one of: cxf, cxf-detailed, spring-ws, wcf, rampart, countersign",
        ),
        ("17", 8, "a number stands where the name of a set, or { code"),
        (
            "\"cxf\",\n{ text = \"x\" }",
            9,
            "code is missing; write code = \"{namespace}Local\"",
        ),
        ("{ code = \"{urn:x}A\", txet = \"x\" }", 8, "did you mean text?"),
        ("{ code = \"{urn:x}A\", text = \"\" }", 8, "text: it is empty"),
        ("{ code = \"Server\", text = \" \\t\" }", 8, "text: it is empty"),
    ]);
}

#[test]
fn codes_that_cannot_be_meant_are_refused_with_what_to_write() {
    let own = |code: &str, text: &str, words: &'static str| {
        let text = if text.is_empty() {
            String::new()
        } else {
            format!(", text = \"{text}\"")
        };
        each_says(&[(&format!("{{ code = \"{code}\"{text} }}"), 8, words)]);
    };
    own(
        "Client",
        "",
        "the code Client alone says nothing about a key; add text = \"…\"",
    );
    own("Sender", "", "alone says nothing about a key");
    own("{}Denied", "", "alone says nothing about a key");
    own("Cleint", "x", "did you mean \"Client\"?");
    own(
        "MustUnderstand",
        "x",
        "use one of: Client, Sender, Server, Receiver",
    );
    own(
        "wsse:FailedCheck",
        "x",
        "write the namespace, \"{namespace}FailedCheck\"",
    );
    own(
        "{http://www.w3.org/2003/05/soap-envelope}Sender",
        "x",
        "is written without it; write \"Sender\"",
    );
    own("{urn:x", "x", "is not a fault code");
    own("{urn:x}A B", "x", "is not a fault code");
    own(
        "{urn:x}A",
        "a replayed message",
        "names a replay, a nonce or a duplicate; remove it",
    );
    own("{urn:x}MessageExpired", "", "the message has expired; remove it");
}
