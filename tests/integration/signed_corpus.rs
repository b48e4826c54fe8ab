//! Every message that others wrote, signed in every way: our second engine and xmlsec1 verify it, and with the
//! insertion cut out it is the message that came in. What is refused, and why, is listed here by name.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use countersign::keys::Signer;
use countersign::keys::generate::{KeyAlgorithm, SelfSigned};
use countersign::wss::Profile;
use countersign::wss::profile::{
    DigestAlgorithm, ExistingSecurityHeader, InclusivePrefixes, KeyIdentifier, Layout, Part,
};
use tempfile::{TempDir, tempdir};

use crate::support::clock::now;
use crate::support::corpus::{corpus, files};
use crate::support::countersign::countersign_reading;
use crate::support::foreign::{Message, messages};
use crate::support::insertion::{is_all_that_changed, without_security_header};
use crate::support::judges::Judges;
use crate::support::signing::try_sign_at;

const DOCTYPE: &str = "a document type declaration (DOCTYPE)";
const NO_BODY: &str = "the Envelope has no Body";
const RELATIVE: &str = "the relative namespace name";

/// What no setting makes acceptable.
const REFUSED: [(&str, &str); 15] = [
    ("axis2__SOAP12ReqT25.xml", DOCTYPE),
    ("govway__requestRootElementACapo_soap12.xml", RELATIVE),
    ("govway__requestRootElementTab_soap11.xml", RELATIVE),
    ("govway__requestRootElementTab_soap12.xml", RELATIVE),
    ("ihe-xds__body-txt-2.xml", RELATIVE),
    ("ihe-xds__soap.xml", NO_BODY),
    ("membrane__soapFaultFromSpec.xml", RELATIVE),
    (
        "node-soap__GetAccountXml__non_xmlns_attributes_should_be_returned-request.xml",
        RELATIVE,
    ),
    (
        "node-soap__GetAccountXml__non_xmlns_attributes_should_be_returned-response.xml",
        RELATIVE,
    ),
    (
        "node-soap__GetItemInformation__should_ignore_default_namespace_from_schema-request.xml",
        RELATIVE,
    ),
    (
        "node-soap__GetItemInformation__should_ignore_default_namespace_from_schema-response.xml",
        RELATIVE,
    ),
    ("savon__no_body.xml", NO_BODY),
    ("ws-attacker__soap11_envelope_only.xml", NO_BODY),
    ("ws-attacker__soap12_envelope_only.xml", NO_BODY),
    ("xroad__missing-body-query.xml", NO_BODY),
];

/// These bring a Security header with a Timestamp of long ago: refused, unless the header is replaced or not ours.
const EXPIRED: [&str; 4] = [
    "ihe-xds__mustUnderstand-debug-txt.xml",
    "node-soap__GET_ALL_STORE_NUMBERS__should_work_with_more_deeply_nested_XML_message-request.xml",
    "node-soap__RequestHeaders__propogate_basic_security_no_token_created-request.xml",
    "spring-ws__expiredTimestamp-soap.xml",
];

/// These bring a Security header for the ultimate receiver, as the expired ones do.
const WITH_SECURITY_HEADER: [&str; 17] = [
    "amadeus__dummyPnrRequest-txt.xml",
    "as4-phase4__NoResponder.xml",
    "as4-phase4__UserMessage12.xml",
    "cxf__saml_request.xml",
    "membrane__request-invalid.xml",
    "node-soap__RequestHeaders__propogate_basic_security_no_timestamp-request.xml",
    "onvif__GetCapabilities.xml",
    "onvif__GetConfigurationOptions.xml",
    "onvif__GetNodes.xml",
    "onvif__media.GetAudioEncoderConfiguration.xml",
    "spring-ws__emptySecurityHeader-soap.xml",
    "spring-ws__usernameTokenDigest-soap.xml",
    "spring-ws__usernameTokenPlainTextAndTimestamp-soap.xml",
    "spring-ws__usernameTokenPlainTextWithHeaders-soap.xml",
    "security-header-empty.xml",
    "security-header-with-timestamp.xml",
    "security-header-with-username-token.xml",
];

/// A process takes 40 ms to start, most of it for the library's own random numbers (aws-lc collects jitter):
/// the command itself signs with the default identifier, the same code within the test with the others, unless
/// this variable asks for the command everywhere.
const ALL_BY_COMMAND: &str = "COUNTERSIGN_ALL_BY_COMMAND";

#[test]
fn every_message_is_signed_with_every_key_identifier_by_rsa_and_ecdsa() {
    let messages = messages();
    let keys = [KeyAlgorithm::Rsa2048, KeyAlgorithm::P256].map(Key::generate);
    let all_by_command = std::env::var_os(ALL_BY_COMMAND).is_some();
    let runs: Vec<_> = KeyIdentifier::ALL
        .iter()
        .flat_map(|&key_identifier| keys.iter().map(move |key| (key, key_identifier)))
        .collect();
    side_by_side(&runs, |&(key, key_identifier)| {
        let profile = Profile {
            key_identifier,
            ..Profile::default()
        };
        if all_by_command || key_identifier == KeyIdentifier::BinarySecurityToken {
            all_are_signed(&messages, key, &profile, Key::sign_by_command);
        } else {
            all_are_signed(&messages, key, &profile, Key::sign);
        }
    });
}

#[test]
fn every_message_is_signed_with_every_setting() {
    let messages = messages();
    let key = Key::generate(KeyAlgorithm::P256);
    side_by_side(&settings(), |profile| {
        all_are_signed(&messages, &key, profile, Key::sign);
    });
}

fn settings() -> Vec<Profile> {
    let parts = |names: &str| names.split(',').map(|part| part.parse().unwrap()).collect();
    let mut settings = vec![
        Profile {
            inclusive_prefixes: InclusivePrefixes::None,
            ..Profile::default()
        },
        Profile {
            sign: parts("body,timestamp,token,wsa"),
            digest_algorithm: DigestAlgorithm::Sha512,
            ..Profile::default()
        },
        Profile {
            sign: parts("body,timestamp,token,wsa"),
            key_identifier: KeyIdentifier::PkiPath,
            inclusive_prefixes: InclusivePrefixes::None,
            ..Profile::default()
        },
        Profile {
            sign: parts("body,timestamp,token"),
            key_identifier: KeyIdentifier::Thumbprint,
            ..Profile::default()
        },
        Profile {
            actor: Some("urn:example:\"gate\" & <way>".to_owned()),
            ..Profile::default()
        },
        Profile {
            timestamp: None,
            must_understand: false,
            ..Profile::default()
        },
        Profile {
            existing_security_header: ExistingSecurityHeader::Replace,
            ..Profile::default()
        },
        Profile {
            existing_security_header: ExistingSecurityHeader::Reject,
            ..Profile::default()
        },
    ];
    settings.extend(
        [Layout::Lax, Layout::LaxTimestampFirst, Layout::LaxTimestampLast].map(|layout| Profile {
            layout,
            ..Profile::default()
        }),
    );
    let named = [
        KeyIdentifier::IssuerSerial,
        KeyIdentifier::SubjectKeyIdentifier,
        KeyIdentifier::Thumbprint,
    ];
    settings.extend(named.map(|key_identifier| Profile {
        key_identifier,
        include_token: true,
        sign: parts("body,timestamp,token"),
        ..Profile::default()
    }));
    settings
}

/// The one refusal that depends on the message's own header: what is signed so would be refused as expired.
#[test]
fn a_message_whose_own_timestamp_has_expired_is_refused_for_that_and_signed_with_its_header_replaced() {
    let key = Key::generate(KeyAlgorithm::P256);
    let replacing = Profile {
        existing_security_header: ExistingSecurityHeader::Replace,
        ..Profile::default()
    };
    let mut expired = Vec::new();
    for Message { name, bytes } in messages() {
        match key.sign(&bytes, &Profile::default()) {
            Err(sentence) if sentence.contains("Timestamp") => {
                let says_when = sentence.starts_with("line ")
                    && sentence.contains("the message's own Timestamp expired at 2")
                    && sentence.contains("; send it again with a new one, or without");
                assert!(says_when, "{name}: {sentence}");
                key.sign(&bytes, &replacing).expect(&name);
                expired.push(name);
            }
            Ok(_) | Err(_) => {}
        }
    }
    let is_ours = corpus("messages with an expired Timestamp").is_none();
    assert!(is_ours || expired == EXPIRED, "{expired:?}");
}

#[test]
fn malformed_messages_are_refused_with_their_place() {
    let key = Key::generate(KeyAlgorithm::P256);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages/refused");
    let foreign = corpus("malformed messages that others wrote").map(|corpus| corpus.join("malformed"));
    let is_own = foreign.is_none();
    for file in files(&foreign.unwrap_or(own), "xml") {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = fs::read(&file).unwrap();
        let refusal = key.sign_by_command(&bytes, &Profile::default()).expect_err(&name);
        let has_place = refusal.contains(": line ") && refusal.contains(", column ");
        // What is wrong with a whole message has no place.
        let is_nowhere = is_own && PLACELESS.contains(&name.as_str());
        assert!(has_place != is_nowhere, "{name}: {refusal}");
    }
}

const PLACELESS: [&str; 2] = ["no-body.xml", "utf7.xml"];

/// Signs all messages and has them judged. What cannot be signed so is signed with its header replaced.
fn all_are_signed(
    messages: &[Message],
    key: &Key,
    profile: &Profile,
    sign: impl Fn(&Key, &[u8], &Profile) -> Result<Vec<u8>, String>,
) {
    let mut judges = Judges::trusting(key.signer.certificate().clone()).acting_as(profile.actor.clone());
    if is_str_transform(profile) {
        judges = judges.without_xmlsec1();
    }
    let replacing = Profile {
        existing_security_header: ExistingSecurityHeader::Replace,
        ..profile.clone()
    };
    for message in messages {
        let Message { name, bytes } = message;
        let mut used = profile;
        if let Some(reason) = refusal(name, used) {
            let sentence = sign(key, bytes, used).expect_err(name);
            assert!(sentence.contains(reason), "{name}: {sentence}");
            used = &replacing;
        }
        if refusal(name, used).is_some() {
            continue;
        }
        let signed = sign(key, bytes, used).unwrap_or_else(|sentence| panic!("{name}: {sentence}"));
        let mut sent = message.in_utf8();
        if used.existing_security_header == ExistingSecurityHeader::Replace && brings_security_header(name) {
            sent = without_security_header(&sent);
        }
        assert!(
            is_all_that_changed(&sent, std::str::from_utf8(&signed).unwrap()),
            "{name} was changed by {used:?}"
        );
        judges.judge(name, &signed);
    }
    judges.conclude();
}

/// Why this message cannot be signed so.
fn refusal(name: &str, profile: &Profile) -> Option<&'static str> {
    let refused = REFUSED.iter().find(|(refused, _)| *refused == name);
    let header_is_ours = profile.actor.is_none() && brings_security_header(name);
    refused
        .map(|(_, reason)| *reason)
        .or_else(|| match profile.existing_security_header {
            ExistingSecurityHeader::Reject if header_is_ours => Some("already has a Security header"),
            ExistingSecurityHeader::Extend if header_is_ours && EXPIRED.contains(&name) => {
                Some("the message's own Timestamp expired at")
            }
            ExistingSecurityHeader::Extend
            | ExistingSecurityHeader::Reject
            | ExistingSecurityHeader::Replace => None,
        })
}

fn brings_security_header(name: &str) -> bool {
    EXPIRED.contains(&name) || WITH_SECURITY_HEADER.contains(&name)
}

/// xmlsec1 does not know STR-Transform, by which a token is signed that is not in the message.
fn is_str_transform(profile: &Profile) -> bool {
    let is_carried = matches!(
        profile.key_identifier,
        KeyIdentifier::BinarySecurityToken | KeyIdentifier::PkiPath
    );
    profile.sign.contains(&Part::Token) && !is_carried && !profile.include_token
}

/// A key, also as a file.
struct Key {
    files: TempDir,
    signer: Arc<Signer>,
}

impl Key {
    fn generate(algorithm: KeyAlgorithm) -> Self {
        let (files, now) = (tempdir().unwrap(), now());
        let pair = SelfSigned::generate(algorithm, "Orders", now, Duration::from_secs(86_400)).unwrap();
        let pem = [
            pair.private_key_pem().unwrap().as_slice(),
            &pair.certificate_pem().unwrap(),
        ]
        .concat();
        fs::write(files.path().join("key.pem"), pem).unwrap();
        let signer = Signer::new(pair.into_material().unwrap(), now).ok().unwrap();
        Self {
            files,
            signer: Arc::new(signer),
        }
    }

    /// As the proxy signs.
    fn sign(&self, message: &[u8], profile: &Profile) -> Result<Vec<u8>, String> {
        try_sign_at(message, profile.clone(), &self.signer, now())
    }

    /// By `countersign sign`, of whose flags these tests use two.
    fn sign_by_command(&self, message: &[u8], profile: &Profile) -> Result<Vec<u8>, String> {
        let arguments = format!(
            "sign --key key.pem --certificate key.pem --key-identifier {} --existing-security-header {}",
            profile.key_identifier, profile.existing_security_header
        );
        let run = countersign_reading(self.files.path(), arguments.split(' '), message);
        match run.code {
            Some(0) => Ok(run.stdout),
            _ => Err(run.stderr),
        }
    }
}

/// Does the work with as many threads as there are processors.
fn side_by_side<T: Sync>(work: &[T], each: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let worker = || {
        while let Some(item) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            each(item);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(worker);
        }
    });
}
