//! What the verifier says of signed messages that other stacks made, each at the time it was made.
//! Whether value and digests are right was found out for the corpus without any code of WS-Security.

use std::fs;
use std::path::Path;

use countersign::keys::Certificate;
use countersign::wss::policy::{Policy, Sha1};
use countersign::wss::verify::{Trust, Untrusted, Verifier, VerifyError};
use countersign::xml::Limits;
use countersign::xml::libxml::Tree;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;

use crate::support::corpus::corpus;
use crate::support::tool::{is_there, run};

/// Messages that carry the certificate they are signed with, and cover their Body.
const VALID: [&str; 12] = [
    "apigee/sample-data/signed-request-nonexpiring-sha256.xml",
    "apigee/sample-data/signed-request.xml",
    "apigee/validate/05-success.xml",
    "apigee/validate/09-from-SOAPUI.xml",
    "apigee/validate/11-soapui-cert-expired.xml",
    "cxf/request-with-comment.xml",
    "govway/digest-1024B.xml",
    "govway/digest-51200B.xml",
    "govway/digest-response-1024B.xml",
    "membrane/request-signed.xml",
    "phase4/TestMessage11.xml",
    "phase4/TestReceipt11.xml",
];

/// The same with RSA keys of 1024 bits.
const VALID_WITH_SHORT_KEY: [&str; 2] = [
    "cxf/signed_x509_direct_ref.xml",
    "xml-crypto/valid_signature_with_unused_prefixes.xml",
];

/// Messages that only refer to a certificate, and where it is: key store, password, alias.
const VALID_WITH_KEY_STORE: [(&str, &str, &str, &str); 5] = [
    (
        "cxf/signed_x509_issuer_serial.xml",
        "cxf/keys/privatestore.jks",
        "keyStorePassword",
        "myalias",
    ),
    (
        "cxf/signed_x509_issuer_serial_token_prot.xml",
        "cxf/keys/privatestore.jks",
        "keyStorePassword",
        "myalias",
    ),
    (
        "jmeter/signed-body.xml",
        "jmeter/keys/keystore.jks",
        "changeit",
        "rsa",
    ),
    (
        "spring-ws/signed-soap.xml",
        "spring-ws/keys/private.jks",
        "123456",
        "rsakey",
    ),
    (
        "ws-attacker/signature/soap11_example_signed_message.xml",
        "rampart/keys/client.jks",
        "apache",
        "client",
    ),
];

/// Messages that are refused, and how the reason begins.
const REFUSED: [(&str, &str); 19] = [
    (
        "apigee/sample-data/STR-transform-Signed.xml",
        "the Security header is not acceptable: BinarySecurityToken is not base64",
    ),
    (
        "apigee/validate/02-STR-transform.xml",
        "the signature value does not verify",
    ),
    (
        "apigee/validate/06-modified-digestvalue-on-body-invalid.xml",
        "the signature value does not verify",
    ),
    (
        "apigee/validate/07-modified-digestvalue-on-TS-invalid.xml",
        "the signature value does not verify",
    ),
    (
        "apigee/validate/08-modified-BST-invalid.xml",
        "the signature value does not verify",
    ),
    (
        "apigee/validate/10-not-a-signed-document.xml",
        "the message is not signed",
    ),
    (
        "apigee/validate/12-pretty-not-checked-in.xml",
        "the signature value does not verify",
    ),
    (
        "apigee/validate/15-soapui-signed-wsa-To.xml",
        "the Body is not covered",
    ),
    (
        "apigee/validate/20.xml",
        "the certificate that signed is not at hand: issuer 1.2.840.113549.1.9.1=",
    ),
    (
        "apigee/validate/30-20240516-default.xml",
        "line 1, column 132: xmlns:v11: URI services.wexhealth",
    ),
    (
        "cxf/encrypted_body_content_signed.xml",
        "signature algorithm \"http://www.w3.org/2000/09/xmldsig#hmac-sha1\"",
    ),
    (
        "cxf/signed_x509_issuer_serial_encrypted.xml",
        "the Body was changed after it was signed",
    ),
    ("govway/auth-1024B.xml", "the Body is not covered"),
    (
        "membrane/request-tampered.xml",
        "the Body was changed after it was signed",
    ),
    (
        "phase4/WrongSigningAlgorithm.xml",
        "signature algorithm \"http://www.randomcrypt.com/random\"",
    ),
    (
        "phase4/WrongSigningDigestAlgorithm.xml",
        "digest algorithm \"http://www.randomdigest.com/randomdigest\"",
    ),
    (
        "sat-mx/authenticate-request.xml",
        "the signature value does not verify",
    ),
    (
        "ws-attacker/encryption/case_signed_no_encryption.xml",
        "canonical form \"http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments\"",
    ),
    (
        "ws-attacker/signature/saml_same_id.xml",
        "this is not a SOAP message",
    ),
];

#[test]
fn valid_messages_are_accepted_once_their_certificate_is_trusted() {
    let Some(folder) = corpus("signed messages of other stacks") else {
        return;
    };
    for (name, bits) in VALID
        .map(|name| (name, 2048))
        .into_iter()
        .chain(VALID_WITH_SHORT_KEY.map(|name| (name, 1024)))
    {
        let message = Message::read(&folder.join("wss").join(name));
        let certificate = match message.verify(Trust::default(), bits) {
            Err(VerifyError::NotTrusted {
                certificate,
                reason: Untrusted::NoTrust,
            }) => certificate,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(
            message.verify(Trust::new(vec![certificate]), bits),
            Ok(()),
            "{name}"
        );
        if bits < 2048 {
            let refused = message.verify(Trust::default(), 2048);
            assert!(
                matches!(refused, Err(VerifyError::Policy(_))),
                "{name}: {refused:?}"
            );
        }
    }
}

#[test]
fn certificates_that_are_only_referred_to_are_found_among_the_trusted() {
    let Some(folder) = corpus("signed messages without certificate") else {
        return;
    };
    if !is_there("keytool", "key stores of Java") {
        return;
    }
    for (name, store, password, alias) in VALID_WITH_KEY_STORE {
        let arguments = [
            "-exportcert",
            "-rfc",
            "-keystore",
            store,
            "-storepass",
            password,
            "-alias",
            alias,
        ];
        let pem = run(&folder.join("wss"), "keytool", arguments);
        let trust = Trust::read(pem.as_bytes()).unwrap();
        let message = Message::read(&folder.join("wss").join(name));
        assert_eq!(message.verify(trust, 1024), Ok(()), "{name}");
        let unknown = message.verify(Trust::default(), 1024);
        assert!(
            matches!(unknown, Err(VerifyError::UnknownKey(_))),
            "{name}: {unknown:?}"
        );
    }
}

#[test]
fn messages_that_are_not_right_are_refused_for_that() {
    let Some(folder) = corpus("signed messages with faults") else {
        return;
    };
    for (name, reason) in REFUSED {
        let refused = Message::read(&folder.join("wss").join(name)).verify(Trust::default(), 1024);
        let sentence = refused.expect_err(name).to_string();
        assert!(sentence.starts_with(reason), "{name}: {sentence}");
    }
}

struct Message {
    bytes: Vec<u8>,
    created: Option<OffsetDateTime>,
}

impl Message {
    fn read(file: &Path) -> Self {
        let bytes = fs::read(file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let created = text
            .split_once("Created>")
            .and_then(|(_, rest)| rest.split_once("</"));
        let created = created.and_then(|(created, _)| OffsetDateTime::parse(created.trim(), &Rfc3339).ok());
        Self { bytes, created }
    }

    /// At the time it was made; without a Timestamp, at one when its certificate was valid.
    fn verify(&self, trust: Trust, least_rsa_bits: usize) -> Result<(), VerifyError> {
        let valid = |certificate: &Certificate| certificate.not_before() + time::Duration::DAY;
        let now = self.created.or_else(|| trust.certificates().first().map(valid));
        let policy = Policy {
            sha1: Sha1::Allowed,
            least_rsa_bits,
            ..Policy::default()
        };
        let tree = Tree::parse(&self.bytes, &Limits::default())?;
        let verifier = Verifier {
            trust,
            policy,
            actor: None,
        };
        verifier
            .verify(&tree, now.unwrap_or(datetime!(2015-01-01 0:00 UTC)))
            .map(drop)
    }
}
