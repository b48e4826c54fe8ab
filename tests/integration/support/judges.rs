//! Who judges what we sign: our second engine at once, and xmlsec1, where it is installed, over many files a
//! process.

use std::fs;

use countersign::keys::Certificate;
use countersign::wss::policy::{Policy, Sha1};
use countersign::wss::verify::{Trust, Verifier};
use countersign::xml::Limits;
use countersign::xml::libxml::Tree;
use tempfile::{TempDir, tempdir};

use super::clock::now;
use super::tool::{is_there, run};

/// Messages of others with a CDATA section in their Header. What a sender wrote is not judged when it is signed; the
/// verifier refuses text where SOAP 1.2 (part 1, section 5.2) has elements alone.
const TEXT_IN_HEADER: [&str; 2] = [
    "govway__requestAllCDATAHeaderBodyEmpty_soap12",
    "govway__requestMixedPrefixAndCDATA_soap11",
];

/// Judges that trust one certificate.
pub(crate) struct Judges {
    verifier: Verifier,
    xmlsec1: Option<TempDir>,
    /// Written for xmlsec1, not judged yet.
    files: Vec<String>,
}

impl Judges {
    pub(crate) fn trusting(certificate: Certificate) -> Self {
        let xmlsec1 = is_there("xmlsec1", "its verdict on what we sign").then(|| tempdir().unwrap());
        if let Some(directory) = &xmlsec1 {
            fs::write(directory.path().join("certificate.der"), certificate.der()).unwrap();
        }
        let policy = Policy {
            sha1: Sha1::Allowed,
            ..Policy::outbound()
        };
        Self {
            verifier: Verifier {
                trust: Trust::new(vec![certificate]),
                policy,
                actor: None,
            },
            xmlsec1,
            files: Vec::new(),
        }
    }

    /// The Security header is for this actor.
    pub(crate) fn acting_as(mut self, actor: Option<String>) -> Self {
        self.verifier.actor = actor;
        self
    }

    /// For what xmlsec1 does not know.
    pub(crate) fn without_xmlsec1(mut self) -> Self {
        self.xmlsec1 = None;
        self
    }

    /// Demands that our second engine verifies the message, and hands it to xmlsec1.
    pub(crate) fn judge(&mut self, name: &str, signed: &[u8]) {
        if name.starts_with("ampersand-in-namespace-name") {
            return; // libxml2 writes it unescaped and so is no oracle; both judges are built on it
        }
        let tree = Tree::parse(signed, &Limits::default()).unwrap();
        let has_text = TEXT_IN_HEADER.iter().any(|file| name.starts_with(file));
        match self.verifier.verify(&tree, now()) {
            Ok(_) => assert!(!has_text, "{name}: its text was not seen"),
            Err(refusal) => assert!(
                has_text && refusal.to_string().contains("text in Header"),
                "{name}: {refusal}"
            ),
        }
        if let Some(directory) = &self.xmlsec1 {
            fs::write(directory.path().join(name), signed).unwrap();
            self.files.push(name.to_owned());
        }
    }

    /// Demands that xmlsec1 verifies every message that it was handed.
    pub(crate) fn conclude(self) {
        let Some(directory) = &self.xmlsec1 else {
            return;
        };
        let key = [
            "--verify",
            "--pubkey-cert-der",
            "certificate.der",
            "--enabled-key-data",
            "key-name",
        ];
        let place = ["--node-xpath", SIGNATURE];
        let ids = PARTS.iter().flat_map(|part| ["--id-attr:Id", part]);
        let arguments: Vec<&str> = key.into_iter().chain(place).chain(ids).collect();
        for files in self.files.chunks(50) {
            let files = files.iter().map(String::as_str);
            run(
                directory.path(),
                "xmlsec1",
                arguments.iter().copied().chain(files),
            );
        }
    }
}

/// The signature of the Security header, not one that a payload has.
const SIGNATURE: &str = "/*[local-name()='Envelope']/*[local-name()='Header']/*[local-name()='Security']\
     /*[local-name()='Signature']";

/// Elements whose `wsu:Id` xmlsec1 shall take for an id.
const PARTS: [&str; 18] = [
    "Body",
    "Timestamp",
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd:BinarySecurityToken",
    "http://www.w3.org/2005/08/addressing:To",
    "http://www.w3.org/2005/08/addressing:From",
    "http://www.w3.org/2005/08/addressing:ReplyTo",
    "http://www.w3.org/2005/08/addressing:FaultTo",
    "http://www.w3.org/2005/08/addressing:FaultDetail",
    "http://www.w3.org/2005/08/addressing:Action",
    "http://www.w3.org/2005/08/addressing:MessageID",
    "http://www.w3.org/2005/08/addressing:RelatesTo",
    "http://schemas.xmlsoap.org/ws/2004/08/addressing:To",
    "http://schemas.xmlsoap.org/ws/2004/08/addressing:From",
    "http://schemas.xmlsoap.org/ws/2004/08/addressing:ReplyTo",
    "http://schemas.xmlsoap.org/ws/2004/08/addressing:FaultTo",
    "http://schemas.xmlsoap.org/ws/2004/08/addressing:Action",
    "http://schemas.xmlsoap.org/ws/2004/08/addressing:MessageID",
    "http://schemas.xmlsoap.org/ws/2004/08/addressing:RelatesTo",
];
