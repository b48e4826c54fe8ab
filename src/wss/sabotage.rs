//! A signer broken on purpose: what the self-check has to find. Only in builds with the feature `sabotage`, which
//! exists for the tests and does not compile into an optimised product (see `lib.rs`).
//!
//! Each method stands at a seam of the signer: where octets are digested, where References go into SignedInfo, where
//! key and certificate come together, and where the message leaves.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use time::OffsetDateTime;

use super::error::SignError;
use super::key_reference::KeyReference;
use super::profile::{InclusivePrefixes, KeyIdentifier};
use super::reference::{PrefixList, Reference, Transform};
use super::{Prepared, Profile};
use crate::keys::Signer;
use crate::keys::generate::{KeyAlgorithm, SelfSigned};
use crate::spelling::vocabulary;

vocabulary! {
    /// One error that a signer could make.
    pub enum Sabotage {
        /// The canonicaliser loses an octet.
        DroppedOctet = "dropped-octet",
        /// The canonicaliser leaves attributes in the wrong order.
        AttributeOrder = "attribute-order",
        /// The canonicaliser loses a carriage return.
        LostCarriageReturn = "lost-carriage-return",
        /// The canonicaliser renders a namespace too few.
        LostNamespace = "lost-namespace",
        /// The canonicaliser keeps white space that attribute values do not have.
        UnnormalizedValue = "unnormalized-value",
        /// A Reference has another PrefixList than its part was digested with.
        PrefixList = "prefix-list",
        /// A Reference names an id that no element has.
        UnknownId = "unknown-id",
        /// Two References have each other's digest.
        SwappedDigests = "swapped-digests",
        /// Two References have each other's id.
        SwappedIds = "swapped-ids",
        /// The Body is not signed.
        BodyNotCovered = "body-not-covered",
        /// The Timestamp is not signed.
        TimestampNotCovered = "timestamp-not-covered",
        /// A part is signed twice.
        CoveredTwice = "covered-twice",
        /// The token is that of another key.
        TokenOfAnotherKey = "token-of-another-key",
        /// The signature is that of another key.
        SignatureOfAnotherKey = "signature-of-another-key",
        /// Token and signature are those of another key.
        AnotherKey = "another-key",
        /// A letter of the payload leaves as another.
        AlteredPayload = "altered-payload",
        /// A comment, which no signature covers, does not leave.
        LostComment = "lost-comment",
        /// A processing instruction before the Envelope, which no signature covers, does not leave.
        LostInstruction = "lost-instruction",
        /// A header block of the sender's, which the profile does not sign, leaves altered.
        AlteredHeader = "altered-header",
        /// The Security header leaves twice.
        DoubledHeader = "doubled-header",
        /// The end of the message does not leave.
        CutOff = "cut-off",
        /// The receiver need not understand the header.
        LostMustUnderstand = "lost-must-understand",
        /// The header is for another actor.
        AnotherActor = "another-actor",
        /// The Timestamp lives a second longer.
        LongerLifetime = "longer-lifetime",
        /// The Timestamp begins an hour ago.
        AnotherMoment = "another-moment",
        /// The certificate is named in another way.
        AnotherKeyIdentifier = "another-key-identifier",
        /// What is inserted has no PrefixLists, and is digested so.
        LostPrefixLists = "lost-prefix-lists",
        /// The token does not say how it is encoded.
        LostEncodingType = "lost-encoding-type",
        /// The signature has an attribute that nobody asked for.
        ForeignAttribute = "foreign-attribute",
        /// A comment gets into KeyInfo.
        ForeignComment = "foreign-comment",
        /// White space gets between the elements of the header.
        ForeignSpace = "foreign-space",
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "each seam has errors of its own and passes the others on"
)]
impl Sabotage {
    /// The profile on its way to where the header is made.
    pub(super) fn profile(self, profile: &Profile) -> Profile {
        let profile = profile.clone();
        match self {
            Self::LostMustUnderstand => Profile {
                must_understand: false,
                ..profile
            },
            Self::AnotherActor => Profile {
                actor: Some("urn:another".to_owned()),
                ..profile
            },
            Self::LongerLifetime => Profile {
                timestamp: profile
                    .timestamp
                    .map(|lifetime| lifetime + Duration::from_secs(1)),
                ..profile
            },
            Self::AnotherKeyIdentifier => Profile {
                key_identifier: KeyIdentifier::Thumbprint,
                include_token: true,
                ..profile
            },
            Self::LostPrefixLists => Profile {
                inclusive_prefixes: InclusivePrefixes::None,
                ..profile
            },
            _ => profile,
        }
    }

    /// The moment of signing.
    pub(super) fn now(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::AnotherMoment => now - Duration::from_secs(60 * 60),
            _ => now,
        }
    }

    /// Canonical octets on their way into a digest.
    pub(super) fn digested(self, octets: &[u8]) -> Cow<'_, [u8]> {
        let text = String::from_utf8_lossy(octets);
        let broken = match self {
            Self::DroppedOctet => text.replacen('o', "", 1),
            Self::AttributeOrder => with_attributes_exchanged(&text),
            Self::LostCarriageReturn => text.replace("&#xD;", ""),
            Self::LostNamespace => text.replacen(between(&text, " xmlns:", "\" ").trim_end(), "", 1),
            Self::UnnormalizedValue => text.replace("two words", "two\twords"),
            _ => return Cow::Borrowed(octets),
        };
        Cow::Owned(broken.into_bytes())
    }

    /// References on their way into SignedInfo; the Body's is the last of the message, the Timestamp's follows.
    pub(super) fn references(self, references: &mut Vec<Reference>) {
        let at = references.len();
        let [.., body, timestamp] = references.as_mut_slice() else {
            return;
        };
        match self {
            Self::PrefixList => body.transform = Transform::Exclusive(PrefixList::default()),
            Self::UnknownId => body.id.push('x'),
            Self::SwappedDigests => std::mem::swap(&mut body.digest, &mut timestamp.digest),
            Self::SwappedIds => std::mem::swap(&mut body.id, &mut timestamp.id),
            Self::BodyNotCovered => drop(references.remove(at - 2)),
            Self::TimestampNotCovered => drop(references.pop()),
            Self::CoveredTwice => {
                let twice = body.clone();
                references.push(twice);
            }
            _ => {}
        }
    }

    /// A key and the certificate that it is named by.
    pub(super) fn prepared(self, prepared: Prepared, profile: &Profile) -> Result<Prepared, SignError> {
        let another = another_key(&prepared.signer)?;
        let its_reference = KeyReference::prepare(profile, &another)?;
        Ok(match self {
            Self::TokenOfAnotherKey => Prepared {
                key_reference: its_reference,
                ..prepared
            },
            Self::SignatureOfAnotherKey => Prepared {
                signer: another,
                ..prepared
            },
            Self::AnotherKey => Prepared {
                signer: another,
                key_reference: its_reference,
                ..prepared
            },
            _ => prepared,
        })
    }

    /// The signed message on its way out.
    pub(super) fn output(self, segments: Vec<Bytes>) -> Vec<Bytes> {
        let octets = segments.concat();
        let text = String::from_utf8_lossy(&octets);
        let broken = match self {
            Self::AlteredPayload => text.replace("two words", "two swords"),
            Self::LostComment => without_first(&text, "<!--", "-->"),
            Self::LostInstruction => without_first(&text, "<?", "?>"),
            Self::AlteredHeader => text.replace("urn:trace:1", "urn:trace:2"),
            Self::DoubledHeader => {
                let header = between(&text, "<wsse:Security ", "</wsse:Security>");
                text.replacen(header, &header.repeat(2), 1)
            }
            Self::CutOff => text.trim_end_matches('>').to_owned(),
            Self::LostEncodingType => without_first(&text, " EncodingType=", "Base64Binary\""),
            Self::ForeignAttribute => text.replace("<ds:Signature ", "<ds:Signature Id=\"x\" "),
            Self::ForeignComment => text.replace("<ds:KeyInfo>", "<ds:KeyInfo><!-- -->"),
            Self::ForeignSpace => text.replace("<ds:Signature ", "\n<ds:Signature "),
            _ => return segments,
        };
        vec![broken.into()]
    }
}

/// A key of the same type that nobody asked for.
fn another_key(signer: &Signer) -> Result<Arc<Signer>, SignError> {
    let failed = |error: &dyn std::error::Error| SignError::Profile(error.to_string());
    let now = signer.certificate().not_before();
    let key = SelfSigned::generate(KeyAlgorithm::P256, "Another", now, Duration::from_secs(600));
    let material = key
        .and_then(SelfSigned::into_material)
        .map_err(|error| failed(&error))?;
    Signer::new(material, now)
        .map(Arc::new)
        .map_err(|error| failed(&error))
}

/// The last two attributes of every tag that has as many, exchanged.
fn with_attributes_exchanged(text: &str) -> String {
    let exchanged = |tag: &str| {
        let mut attributes: Vec<_> = tag.split("\" ").collect();
        let count = attributes.len();
        if count > 2 {
            attributes.swap(count - 1, count - 2);
        }
        attributes.join("\" ")
    };
    let tags: Vec<_> = text.split("\">").map(exchanged).collect();
    tags.join("\">")
}

/// Without the first stretch that begins and ends so.
fn without_first(text: &str, begin: &str, end: &str) -> String {
    text.replacen(between(text, begin, end), "", 1)
}

/// The first stretch that begins and ends so.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let from_begin = text.find(begin).and_then(|at| text.get(at..));
    let rest = from_begin.unwrap_or_default();
    let length = rest.find(end).map_or(0, |at| at + end.len());
    rest.get(..length).unwrap_or_default()
}
