//! Every algorithm with every type of key that it fits, and the foreign program that verifies it.

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use countersign::keys::SignatureAlgorithm::{
    EcdsaSha256, EcdsaSha384, EcdsaSha512, Ed25519, RsaPssSha256, RsaPssSha384, RsaPssSha512, RsaSha1,
    RsaSha256, RsaSha384, RsaSha512,
};
use countersign::keys::source::from_pem;
use countersign::keys::{SignatureAlgorithm, Signer};
use countersign::wss::Profile;
use countersign::wss::names::{DS, SOAP12, WSA, WSSE, X509_V3};
use countersign::wss::profile::{DigestAlgorithm, InclusivePrefixes, KeyIdentifier, Part};
use regex::Regex;
use tempfile::{TempDir, tempdir};

use crate::support::clock::now;
use crate::support::judges::Judges;
use crate::support::signing::try_sign_at;
use crate::support::tool::{is_there, openssl, run, succeeds};

/// A foreign program that verifies an algorithm.
#[derive(Clone, Copy, PartialEq)]
enum Oracle {
    /// The whole message.
    Xmlsec1,
    /// What xmlsec1 1.2 does not know: `openssl` with these arguments verifies `value` over `octets`, the SignedInfo
    /// in the canonical form that `xmllint` writes.
    OpenSsl(&'static str),
}

const ORACLES: [(SignatureAlgorithm, Oracle); 11] = [
    (RsaSha1, Oracle::Xmlsec1),
    (RsaSha256, Oracle::Xmlsec1),
    (RsaSha384, Oracle::Xmlsec1),
    (RsaSha512, Oracle::Xmlsec1),
    (
        RsaPssSha256,
        Oracle::OpenSsl(
            "dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -sigopt rsa_mgf1_md:sha256 \
             -verify public.pem -signature value octets",
        ),
    ),
    (
        RsaPssSha384,
        Oracle::OpenSsl(
            "dgst -sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:48 -sigopt rsa_mgf1_md:sha384 \
             -verify public.pem -signature value octets",
        ),
    ),
    (
        RsaPssSha512,
        Oracle::OpenSsl(
            "dgst -sha512 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:64 -sigopt rsa_mgf1_md:sha512 \
             -verify public.pem -signature value octets",
        ),
    ),
    (EcdsaSha256, Oracle::Xmlsec1),
    (EcdsaSha384, Oracle::Xmlsec1),
    (EcdsaSha512, Oracle::Xmlsec1),
    (
        Ed25519,
        Oracle::OpenSsl("pkeyutl -verify -rawin -pubin -inkey public.pem -sigfile value -in octets"),
    ),
];

/// As `openssl genpkey` takes them.
const KEYS: [(&str, &str); 7] = [
    ("RSA-2048", "RSA -pkeyopt rsa_keygen_bits:2048"),
    ("RSA-3072", "RSA -pkeyopt rsa_keygen_bits:3072"),
    ("RSA-4096", "RSA -pkeyopt rsa_keygen_bits:4096"),
    ("P-256", "EC -pkeyopt ec_paramgen_curve:P-256"),
    ("P-384", "EC -pkeyopt ec_paramgen_curve:P-384"),
    ("P-521", "EC -pkeyopt ec_paramgen_curve:P-521"),
    ("Ed25519", "ED25519"),
];

#[test]
fn every_algorithm_has_an_oracle() {
    let oracles: Vec<_> = ORACLES.iter().map(|(algorithm, _)| *algorithm).collect();
    assert_eq!(oracles, SignatureAlgorithm::ALL);
}

#[test]
fn every_algorithm_and_digest_verifies_with_every_key_that_it_fits() {
    let has_openssl = is_there("openssl", "its verdict on RSASSA-PSS and Ed25519")
        && is_there("xmllint", "openssl's verdict on RSASSA-PSS and Ed25519");
    for (name, parameters) in KEYS {
        let key = Key::generate(parameters);
        assert_eq!(key.signer.key_type().to_string(), name);
        let (mut judges, mut ours) = (key.judges(), key.judges().without_xmlsec1());
        let fitting = ORACLES
            .iter()
            .filter(|(algorithm, _)| algorithm.fits(key.signer.key_type()));
        for (algorithm, oracle) in fitting {
            for digest in DigestAlgorithm::ALL {
                let signed = key.sign(Profile {
                    signature_algorithm: Some(*algorithm),
                    digest_algorithm: *digest,
                    sign: ["body", "timestamp", "token", "wsa"].map(part).to_vec(),
                    ..Profile::default()
                });
                let label = format!("{name}-{algorithm}-{digest}");
                match oracle {
                    Oracle::Xmlsec1 => judges.judge(&label, signed.as_bytes()),
                    Oracle::OpenSsl(arguments) => {
                        ours.judge(&label, signed.as_bytes());
                        if has_openssl {
                            key.verify_with_openssl(&label, &signed, arguments);
                        }
                    }
                }
            }
        }
        judges.conclude();
    }
}

#[test]
fn a_token_that_is_not_in_the_message_is_signed_as_the_standard_rebuilds_it() {
    if !is_there("xmllint", "the canonical form of a token signed by STR-Transform") {
        return;
    }
    let key = Key::generate("EC -pkeyopt ec_paramgen_curve:P-256");
    let directory = key.files.path();
    openssl(
        directory,
        "x509 -in certificate.pem -outform DER -out certificate.der",
    );
    let certificate = openssl(directory, "base64 -A -in certificate.der");
    // WSS 1.1.1, section 8.3: the element of the X.509 profile without EncodingType, and xmlns="" at its apex.
    let token = format!(
        "<wsse:BinarySecurityToken ValueType=\"{X509_V3}\" xmlns:wsse=\"{WSSE}\">{certificate}\
         </wsse:BinarySecurityToken>"
    );
    let octets = canonical(directory, &token).replacen(" xmlns:wsse=", " xmlns=\"\" xmlns:wsse=", 1);
    fs::write(directory.join("octets"), octets).unwrap();
    openssl(directory, "dgst -sha256 -binary -out digest octets");
    let digest = openssl(directory, "base64 -A -in digest");
    for key_identifier in [
        KeyIdentifier::IssuerSerial,
        KeyIdentifier::SubjectKeyIdentifier,
        KeyIdentifier::Thumbprint,
    ] {
        for inclusive_prefixes in [InclusivePrefixes::InScope, InclusivePrefixes::None] {
            let signed = key.sign(Profile {
                key_identifier,
                inclusive_prefixes,
                sign: ["body", "timestamp", "token"].map(part).to_vec(),
                ..Profile::default()
            });
            let reference = only(&STR_REFERENCE, &signed);
            assert_eq!(reference, digest, "{key_identifier}");
            key.judges()
                .without_xmlsec1()
                .judge("signed.xml", signed.as_bytes());
        }
    }
}

static STR_REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("<ds:Reference URI=\"#str-[^<]*<ds:Transforms>.*?<ds:DigestValue>([^<]+)<").unwrap()
});
static SIGNED_INFO: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("(<ds:SignedInfo>.*</ds:SignedInfo>)").unwrap());
static SIGNATURE_VALUE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("<ds:SignatureValue>([^<]+)</ds:SignatureValue>").unwrap());

fn only<'a>(what: &Regex, message: &'a str) -> &'a str {
    let found: Vec<_> = what.captures_iter(message).collect();
    assert_eq!(found.len(), 1, "{message}");
    found[0].get(1).expect("the one group").as_str()
}

fn part(name: &str) -> Part {
    name.parse().unwrap()
}

/// A key that OpenSSL made.
struct Key {
    files: TempDir,
    signer: Arc<Signer>,
}

impl Key {
    fn generate(parameters: &str) -> Self {
        let files = tempdir().unwrap();
        let directory = files.path();
        openssl(
            directory,
            &format!("genpkey -algorithm {parameters} -out key.pem"),
        );
        openssl(directory, "pkey -in key.pem -pubout -out public.pem");
        openssl(
            directory,
            "req -x509 -new -key key.pem -subj /CN=Orders -days 2 -out certificate.pem",
        );
        let pem = ["key.pem", "certificate.pem"].map(|file| fs::read(directory.join(file)).unwrap());
        let material = from_pem(&pem.concat(), None, now()).unwrap();
        let signer = Arc::new(Signer::new(material, now()).ok().unwrap());
        Self { files, signer }
    }

    fn judges(&self) -> Judges {
        Judges::trusting(self.signer.certificate().clone())
    }

    fn sign(&self, profile: Profile) -> String {
        let signed = try_sign_at(order().as_bytes(), profile, &self.signer, now()).unwrap();
        String::from_utf8(signed).unwrap()
    }

    fn verify_with_openssl(&self, label: &str, signed: &str, arguments: &str) {
        let directory = self.files.path();
        // The inclusive canonical form of a SignedInfo of its own that declares what is in scope in the message
        // is the exclusive one with all of that in the PrefixList.
        let apex = format!(
            "<ds:SignedInfo xmlns=\"{DEFAULT}\" xmlns:s=\"{SOAP12}\" xmlns:wsa=\"{WSA}\" xmlns:wsse=\"{WSSE}\" \
             xmlns:ds=\"{DS}\">"
        );
        let signed_info = only(&SIGNED_INFO, signed).replacen("<ds:SignedInfo>", &apex, 1);
        let octets = canonical(directory, &signed_info);
        fs::write(directory.join("octets"), &octets).unwrap();
        let value = BASE64.decode(only(&SIGNATURE_VALUE, signed)).unwrap();
        fs::write(directory.join("value"), value).unwrap();
        let verifies = || succeeds(directory, "openssl", arguments.split_whitespace());
        assert!(verifies(), "{label}");
        fs::write(
            directory.join("octets"),
            octets.replacen("Reference", "reference", 1),
        )
        .unwrap();
        assert!(!verifies(), "{label}, altered");
    }
}

/// In inclusive canonical form, by libxml2's own program.
fn canonical(directory: &Path, document: &str) -> String {
    fs::write(directory.join("document.xml"), document).unwrap();
    run(directory, "xmllint", ["--c14n", "document.xml"])
}

const DEFAULT: &str = "urn:example:default";

fn order() -> String {
    format!(
        "<s:Envelope xmlns:s=\"{SOAP12}\" xmlns:wsa=\"{WSA}\" xmlns=\"{DEFAULT}\"><s:Header>\
         <wsa:To>https://erp.example.com/orders</wsa:To></s:Header><s:Body><order n=\"1\"/></s:Body></s:Envelope>"
    )
}
