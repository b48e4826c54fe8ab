//! `countersign verify` and `canonicalize` as users run them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use countersign::keys::generate::{KeyAlgorithm, SelfSigned};
use tempfile::{TempDir, tempdir};

use crate::support::clock::now;
use crate::support::countersign::{Run, countersign, countersign_reading};

/// A folder with a key, its certificate, another certificate and a signed message.
struct Folder {
    folder: TempDir,
    fingerprint: String,
}

impl Folder {
    fn new() -> Self {
        let folder = tempdir().unwrap();
        let generate =
            |name| SelfSigned::generate(KeyAlgorithm::P256, name, now(), Duration::from_secs(3600)).unwrap();
        let (key, other) = (generate("Signer"), generate("Other"));
        let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        write("key.pem", &key.private_key_pem().unwrap());
        write("certificate.pem", &key.certificate_pem().unwrap());
        write("other.pem", &other.certificate_pem().unwrap());
        let message = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages/soap11.xml");
        let sign = format!(
            "sign --key key.pem --certificate certificate.pem {}",
            message.display()
        );
        write("signed.xml", &countersign(folder.path(), &sign).stdout);
        let fingerprint = key.into_material().unwrap().certificate.fingerprint().to_string();
        Self { folder, fingerprint }
    }

    fn run(&self, arguments: &str) -> Run {
        countersign(self.folder.path(), arguments)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }
}

#[test]
fn verify_tells_which_parts_which_certificate_signed() {
    let folder = Folder::new();
    let run = folder.run("verify --trust other.pem --trust certificate.pem signed.xml");
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let fingerprint = &folder.fingerprint;
    let head = format!("signed by CN=Signer sha256:{fingerprint} with ecdsa-sha256:\n  the Body (#");
    assert!(run.text().starts_with(&head), "{}", run.text());
    assert!(run.text().contains("\n  the Timestamp (#"), "{}", run.text());
}

#[test]
fn verify_without_trust_says_who_signed_and_fails() {
    let folder = Folder::new();
    let run = folder.run("verify signed.xml");
    let fingerprint = &folder.fingerprint;
    let sentence = format!(
        "error: the signature is valid, signed by CN=Signer sha256:{fingerprint}; not trusted: pass --trust FILE\n"
    );
    assert_eq!(
        (run.code, run.text(), run.stderr.as_str()),
        (Some(1), "", sentence.as_str())
    );
    let run = folder.run("verify --trust other.pem signed.xml");
    let sentence = format!("error: signed by CN=Signer sha256:{fingerprint}; not trusted: ");
    assert!(
        run.code == Some(1) && run.stderr.starts_with(&sentence),
        "{}",
        run.stderr
    );
}

#[test]
fn verify_names_what_is_wrong() {
    let folder = Folder::new();
    folder.write("changed.xml", &folder.read("signed.xml").replace("bolt", "nut"));
    folder.write("broken.xml", &folder.read("signed.xml").replace("</o:Item>", ""));
    folder.write("nothing.pem", "nothing");
    for (arguments, sentence) in [
        (
            "verify --trust certificate.pem changed.xml",
            "error: the Body was changed after it was signed: ",
        ),
        (
            "verify --trust certificate.pem broken.xml",
            "error: broken.xml: line 5, column 106: Opening and ending tag mismatch",
        ),
        (
            "verify --trust nothing.pem signed.xml",
            "error: nothing.pem: there is no certificate in it",
        ),
        (
            "verify --trust absent.pem signed.xml",
            "error: cannot read absent.pem: ",
        ),
        (
            "verify --trust certificate.pem --at 2020-01-01T00:00:00Z signed.xml",
            "error: the Timestamp was created in the future, at 20",
        ),
    ] {
        let run = folder.run(arguments);
        assert_eq!((run.code, run.text()), (Some(1), ""), "{arguments}");
        assert!(run.stderr.starts_with(sentence), "{arguments}: {}", run.stderr);
    }
    let run = folder.run("verify --at yesterday signed.xml");
    assert_eq!(run.code, Some(2), "{}", run.stderr);
}

#[test]
fn verify_takes_a_timestamp_that_is_not_signed_when_told_to() {
    let folder = Folder::new();
    let message = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages/soap11.xml");
    let sign = "sign --key key.pem --certificate certificate.pem --sign body";
    let signed = folder.run(&format!("{sign} {}", message.display()));
    folder.write("body.xml", &String::from_utf8(signed.stdout).unwrap());
    let run = folder.run("verify --trust certificate.pem body.xml");
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("the Timestamp is not covered by a signature; where the sender signs the Body alone: --require body"), "{}", run.stderr);
    let run = folder.run("verify --trust certificate.pem --require body body.xml");
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(!run.text().contains("created"), "{}", run.text());
    let run = folder.run("verify --trust certificate.pem --require timestamp body.xml");
    assert_eq!(run.code, Some(1));
    let run = folder.run("verify --trust certificate.pem --require timestamp signed.xml");
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
}

#[test]
fn verify_reads_standard_input() {
    let folder = Folder::new();
    let signed = folder.read("signed.xml");
    let arguments = ["verify", "--trust", "certificate.pem"];
    let run = countersign_reading(folder.folder.path(), arguments, signed.as_bytes());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn canonicalize_prints_the_form_that_is_asked_for() {
    let folder = tempdir().unwrap();
    let document = "<a:b xmlns:a='urn:a' xmlns:c='urn:c' d='2' c='1'><!--e--></a:b>";
    for (flags, expected) in [
        ("", r#"<a:b xmlns:a="urn:a" c="1" d="2"></a:b>"#),
        (
            "--with-comments",
            r#"<a:b xmlns:a="urn:a" c="1" d="2"><!--e--></a:b>"#,
        ),
        (
            "--prefixes c,x",
            r#"<a:b xmlns:a="urn:a" xmlns:c="urn:c" c="1" d="2"></a:b>"#,
        ),
        (
            "--mode inclusive",
            r#"<a:b xmlns:a="urn:a" xmlns:c="urn:c" c="1" d="2"></a:b>"#,
        ),
        (
            "--mode inclusive-1.1",
            r#"<a:b xmlns:a="urn:a" xmlns:c="urn:c" c="1" d="2"></a:b>"#,
        ),
    ] {
        let arguments = format!("canonicalize {flags} -");
        let run = countersign_reading(folder.path(), arguments.split_whitespace(), document.as_bytes());
        assert_eq!((run.code, run.text()), (Some(0), expected), "{flags}");
    }
}

#[test]
fn canonicalize_refuses_what_has_no_form() {
    let folder = tempdir().unwrap();
    for (flags, document, code, sentence) in [
        ("", "<a>\n<b></a>", 1, "error: standard input: line 2, column 8: "),
        (
            "",
            "<a xmlns='SAMPLE'/>",
            1,
            "error: standard input: line 1, column 18: xmlns: URI SAMPLE is not absolute",
        ),
        (
            "",
            "<!DOCTYPE a><a/>",
            1,
            "error: standard input: line 1, column ",
        ),
        (
            "--mode inclusive --prefixes a",
            "<a/>",
            2,
            "error: --prefixes belongs to --mode exclusive",
        ),
        (
            "--mode other",
            "<a/>",
            2,
            "error: invalid value 'other' for '--mode <MODE>'",
        ),
    ] {
        let arguments = format!("canonicalize {flags} -");
        let run = countersign_reading(folder.path(), arguments.split_whitespace(), document.as_bytes());
        assert_eq!((run.code, run.text()), (Some(code), ""), "{flags} {document}");
        assert!(run.stderr.starts_with(sentence), "{}", run.stderr);
    }
}
