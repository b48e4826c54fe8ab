//! The two engines held against each other: what property tests and fuzzing assert. Not on any message's way.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use time::OffsetDateTime;

use crate::keys::Signer;
use crate::keys::generate::{KeyAlgorithm, SelfSigned};
use crate::wss::fault::{Code, Fault};
use crate::wss::key_refused::{KeyRefused, Refusals, excluded, suggest};
use crate::wss::profile::{ExistingSecurityHeader, KeyIdentifier, ProcessingInstructions};
use crate::wss::verify::{Trust, Verifier, VerifyError};
use crate::wss::{Profile, Protection, SignError};
use crate::xml::Limits;
use crate::xml::canonical::{Comments, canonicalize};
use crate::xml::libxml::{CanonicalForm, Mode, Tree};
use crate::xml::namespace::Namespaces;
use crate::xml::scan::declaration::{self, Parsed};
use crate::xml::scan::{Error, Problem};

mod events;
mod growth;

pub use events::read_events;
pub use growth::{Grown, Shape, Work, slow_inputs};

/// How the scanner and libxml2 differ over a document.
#[derive(Debug)]
pub enum Disagreement {
    /// Only the scanner refuses it.
    OnlyScannerRefuses(Error),
    /// Only libxml2 refuses it.
    OnlyLibxmlRefuses(String),
    /// Both accept it, with different canonical octets.
    Octets {
        /// The scanner's.
        ours: String,
        /// libxml2's.
        theirs: String,
    },
}

/// Compares verdict and exclusive canonical form of a whole document, with comments and without, with every
/// prefix of `inclusive` listed.
///
/// # Errors
/// The difference, unless it is a known one.
pub fn compare(document: &str, inclusive: &[&str]) -> Result<(), Disagreement> {
    for comments in [Comments::Omitted, Comments::Kept] {
        let prefixes = inclusive.iter().copied();
        let ours = canonicalize(
            document.as_bytes(),
            Limits::default(),
            Namespaces::new(),
            prefixes,
            comments,
            Vec::new(),
        );
        match (ours, canonical_by_libxml(document, inclusive, comments)) {
            (Err(_), Err(_)) => {}
            (Err(ours), Ok(_)) if known(&ours.problem, document) => {}
            (Err(ours), Ok(_)) => return Err(Disagreement::OnlyScannerRefuses(ours)),
            (Ok(_), Err(theirs)) if known_of_libxml(&theirs) => {}
            (Ok(_), Err(theirs)) => return Err(Disagreement::OnlyLibxmlRefuses(theirs)),
            (Ok(ours), Ok(theirs)) if ours == theirs => {}
            (Ok(ours), Ok(theirs)) => {
                let text = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
                return Err(Disagreement::Octets {
                    ours: text(ours),
                    theirs: text(theirs),
                });
            }
        }
    }
    Ok(())
}

/// Both read the document as the text that it is, whatever it declares.
const UTF_8: Option<&str> = Some("utf-8");

fn canonical_by_libxml(document: &str, inclusive: &[&str], comments: Comments) -> Result<Vec<u8>, String> {
    let tree =
        Tree::parse_as(document.as_bytes(), UTF_8, &Limits::default()).map_err(|error| error.to_string())?;
    let form = CanonicalForm {
        with_comments: comments == Comments::Kept,
        prefixes: inclusive.iter().map(|prefix| (*prefix).to_owned()).collect(),
        ..CanonicalForm::new(Mode::Exclusive)
    };
    tree.root().canonicalize(&form).map_err(|error| error.to_string())
}

/// Where libxml2 accepts what the standards do not, or we refuse more by choice.
fn known(problem: &Problem, document: &str) -> bool {
    // By choice: 1.1 must be refused, and nobody sends another (XML 1.0, section 2.8, allows 1.2 to be read).
    let other_version = matches!(problem, Problem::Version(_));
    // libxml2 2.9 misses the second of two declarations of xml (XML 1.0, section 3.1, Unique Att Spec).
    let xml_twice = matches!(problem, Problem::DuplicateAttribute(name) if name == "xmlns:xml");
    // libxml2 takes brackets anywhere in a URI; RFC 3986, section 3.2.2, around an IP address alone.
    let brackets = matches!(problem, Problem::NotAUri(name) if is_uri_without_brackets(name));
    // libxml2 2.9 misses the white space that is due before `standalone` (XML 1.0, section 2.8, production 32).
    let unspaced = matches!(problem, Problem::Declaration) && is_declared_but_for_a_space(document);
    other_version || xml_twice || brackets || unspaced
}

fn is_declared_but_for_a_space(document: &str) -> bool {
    let document = document.trim_start_matches('\u{FEFF}');
    let spaced =
        document
            .replacen("'standalone", "' standalone", 1)
            .replacen("\"standalone", "\" standalone", 1);
    spaced != document && matches!(declaration::parse(spaced.as_bytes()), Ok(Parsed::Declaration(_)))
}

fn is_uri_without_brackets(name: &str) -> bool {
    let without = name.replace(['[', ']'], "");
    without != name && fluent_uri::Uri::parse(without.as_str()).is_ok()
}

/// Where libxml2 refuses a namespace name that the standards accept.
fn known_of_libxml(message: &str) -> bool {
    // An ampersand, which it keeps as `&#38;` and takes for the beginning of a fragment when it looks at the URI.
    let ampersand = message.contains("&#38;");
    // A port without a digit, or with too many: RFC 3986, section 3.2.3, has `*DIGIT`, libxml2 2.9 an `int`.
    let port = || message.split('\'').any(has_port_beyond_int);
    message.contains("is not a valid URI") && (ampersand || port())
}

fn has_port_beyond_int(name: &str) -> bool {
    let uri = fluent_uri::Uri::parse(name).ok();
    let is_int = uri.and_then(|uri| {
        uri.authority()?
            .port()
            .map(|port| port.as_str().parse::<i32>().is_ok())
    });
    is_int == Some(false)
}

/// Signs the message in every way of naming the key, `chunk` bytes arriving at a time; libxml2 and OpenSSL
/// accept what comes out.
///
/// A message that the signer refuses is no finding: [`compare`] judges refusals.
///
/// # Errors
/// What the second engine has against the signed message, or why signing failed.
pub fn sign_and_verify(message: &str, chunk: usize) -> Result<(), String> {
    KeyIdentifier::ALL.iter().try_for_each(|identifier| {
        let profile = Profile {
            key_identifier: *identifier,
            // What others signed or put into the header is theirs to answer for.
            existing_security_header: ExistingSecurityHeader::Replace,
            processing_instructions: ProcessingInstructions::Reject,
            ..Profile::default()
        };
        sign_and_verify_with(profile, message, chunk).map_err(|what| format!("{identifier}: {what}"))
    })
}

fn sign_and_verify_with(profile: Profile, message: &str, chunk: usize) -> Result<(), String> {
    let protection = Protection::new(profile, Limits::default());
    let mut reader = protection.read(UTF_8);
    for chunk in message.as_bytes().chunks(chunk.max(1)) {
        if reader.feed(Bytes::copy_from_slice(chunk)).is_err() {
            return Ok(());
        }
    }
    let Ok(plain) = reader.finish() else {
        return Ok(());
    };
    let signed = match protection.sign(&plain, &SIGNER, now()) {
        Ok(signed) => signed,
        Err(SignError::Message(_)) => return Ok(()),
        Err(other) => return Err(other.to_string()),
    };
    match protection.self_check(&plain, signed.segments(), &SIGNER, now(), &|| true) {
        Ok(()) => {}
        Err(error) if known_of_libxml(&error.to_string()) => return Ok(()),
        Err(error) => return Err(format!("the self-check: {error}")),
    }
    let trust = Trust::new(vec![SIGNER.certificate().clone()]);
    let verifier = Verifier {
        trust,
        ..Verifier::default()
    };
    let signed = signed.segments().concat();
    let tree = Tree::parse_as(&signed, UTF_8, &Limits::default()).map_err(|error| error.to_string())?;
    match verifier.verify(&tree, now()) {
        // The signer leaves it there, for the receiver to judge.
        Ok(_) | Err(VerifyError::StrayText(_)) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads any bytes as a receiver's answer, in every way that a media type may say: what is suggested for a fault names
/// it, what never counts does not, and a code is read again as it is written.
///
/// # Errors
/// With what does not hold.
pub fn read_fault(bytes: &[u8]) -> Result<(), String> {
    const CHARSETS: [Option<&str>; 4] = [None, UTF_8, Some("utf-16le"), Some("iso-8859-1")];
    let faults = CHARSETS
        .iter()
        .filter_map(|charset| Fault::read(bytes, *charset).ok().flatten());
    for fault in faults {
        if fault
            .texts
            .iter()
            .any(|text| text.contains(['\n', '\t']) || text.contains("  "))
        {
            return Err(format!("white space in {fault:?}"));
        }
        let suggested = suggest(&fault).ok();
        if suggested.is_some() && excluded(&fault).is_some() {
            return Err(format!("{suggested:?} is suggested for {fault:?}"));
        }
        if let Some(Err(refused)) = suggested.map(|own| is_written_back(&own, &fault)) {
            return Err(refused);
        }
    }
    Ok(())
}

fn is_written_back(suggested: &Refusals, fault: &Fault) -> Result<(), String> {
    if let Refusals::Own(entry) = suggested
        && entry.code.to_string().parse::<Code>().as_ref() != Ok(&entry.code)
    {
        return Err(format!("the code of {entry:?} is not read as it is written"));
    }
    match KeyRefused(vec![suggested.clone()]).says(fault) {
        true => Ok(()),
        false => Err(format!("{suggested:?} does not name {fault:?}")),
    }
}

fn now() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

#[expect(clippy::expect_used, reason = "without a key there is nothing to assert")]
static SIGNER: LazyLock<Arc<Signer>> = LazyLock::new(|| {
    let pair = SelfSigned::generate(KeyAlgorithm::P256, "oracle", now(), Duration::from_secs(86_400));
    let material = pair
        .and_then(SelfSigned::into_material)
        .expect("OpenSSL generates a key");
    Arc::new(Signer::new(material, now()).expect("a key just made is usable"))
});
