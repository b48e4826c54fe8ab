//! What the verifier accepts. All that is not listed here is refused.
//!
//! Every algorithm, key and bound that a message may ask for is looked up here and nowhere else.
//! Identifiers are compared as strings, exactly (xml-crypto #576: white space in an algorithm URI).

use std::time::Duration;

use super::names;
use super::profile::{DigestAlgorithm, ProcessingInstructions};
use crate::keys::{KeyType, SignatureAlgorithm};
use crate::xml::libxml::Mode;

/// The rules that one verifier applies. `Policy::default()` is the strictest that stacks of today
/// can meet.
#[derive(Debug, Clone)]
pub struct Policy {
    /// SHA-1 in signatures, digests and certificates. Collisions are practical (NIST SP 800-131A);
    /// some receivers know nothing else.
    pub sha1: Sha1,
    /// The shortest RSA modulus, in bits (NIST SP 800-131A).
    pub least_rsa_bits: usize,
    /// How far clocks may differ when a Timestamp is judged.
    pub clock_skew: Duration,
    /// How long a Timestamp without `Expires` is fresh.
    pub freshness: Duration,
    /// Processing instructions within the Envelope (SOAP 1.1, section 3; SOAP 1.2 part 1, section 5).
    pub processing_instructions: ProcessingInstructions,
    /// References in one signature (W3C XML Signature Best Practices, section 2.1.4).
    pub most_references: usize,
    /// Prefixes in one `PrefixList`: each is looked up, for every part.
    pub most_prefixes: usize,
    /// Whether the Timestamp has to be signed.
    pub signed_timestamp: SignedTimestamp,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            sha1: Sha1::Refused,
            least_rsa_bits: 2048,
            clock_skew: Duration::from_secs(60),
            freshness: Duration::from_secs(5 * 60),
            processing_instructions: ProcessingInstructions::Reject,
            most_references: MOST_PARTS,
            most_prefixes: 256,
            signed_timestamp: SignedTimestamp::WherePresent,
        }
    }
}

impl Policy {
    /// The rules for messages that this side sends: what their senders wrote is signed as it is.
    #[must_use]
    pub fn outbound() -> Self {
        Self {
            processing_instructions: ProcessingInstructions::Keep,
            ..Self::default()
        }
    }
}

/// What becomes of SHA-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sha1 {
    /// As its age demands.
    Refused,
    /// For a peer that knows nothing else.
    Allowed,
}

/// What a trusted signature has to cover besides the Body. A Timestamp that nobody signed can be exchanged by anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedTimestamp {
    /// The Timestamp of a message that has one.
    WherePresent,
    /// A Timestamp, which every message has to have.
    Always,
    /// The Body alone, which is what WSS4J signs unless it is told more.
    NotNeeded,
}

/// Parts that one signature covers, ours included: Apache Santuario takes no more References.
pub const MOST_PARTS: usize = 30;
/// The longest RSA modulus: longer ones only cost time.
const MOST_RSA_BITS: usize = 8192;
/// Signatures in one Security header.
pub(super) const MOST_SIGNATURES: usize = 8;
/// Certificates that one message carries.
pub(super) const MOST_CERTIFICATES: usize = 32;
/// Characters of a serial number: RFC 5280, section 4.1.2.2, has 20 octets.
pub(super) const MOST_SERIAL_DIGITS: usize = 128;

/// What RSASSA-PSS says of itself, where it says it (RFC 9231, section 2.3.9).
#[derive(Debug, Clone, Default)]
pub(super) struct PssParameters {
    /// The URI of the digest.
    pub(super) digest: Option<String>,
    /// The URI of the digest within MGF1.
    pub(super) mask_digest: Option<String>,
    /// Bytes.
    pub(super) salt_length: Option<u32>,
    /// By its number in RFC 8017, appendix A.2.3.
    pub(super) trailer_field: Option<u32>,
}

/// What a message asks for and does not get.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Of a signature, digest, canonical form or transform.
    #[error("{role} {uri:?} is not accepted")]
    Algorithm {
        /// What it is for.
        role: &'static str,
        /// As the message spells it.
        uri: String,
    },
    /// SHA-1, which is refused unless allowed.
    #[error("{role} with SHA-1 is not accepted, unless SHA-1 is allowed explicitly")]
    Sha1 {
        /// What it is for.
        role: &'static str,
    },
    /// The algorithm is made with keys of another type (CVE-2025-48994: HMAC with an RSA key).
    #[error("{algorithm} is not made with a key of type {key_type}")]
    KeyType {
        /// The message's.
        algorithm: SignatureAlgorithm,
        /// The certificate's.
        key_type: KeyType,
    },
    /// RSASSA-PSS as nobody needs it: each part its own digest, a salt that protects less or only costs.
    #[error("RSASSA-PSS with {parameter} {found} is not accepted, only with {expected}")]
    PssParameter {
        /// Which.
        parameter: &'static str,
        /// As the message has it.
        found: String,
        /// What goes with the digest.
        expected: String,
    },
    /// Too short to protect, or so long that it only costs.
    #[error("{key_type} is not accepted: RSA keys have {least} to {MOST_RSA_BITS} bits")]
    KeySize {
        /// The certificate's.
        key_type: KeyType,
        /// The shortest accepted.
        least: usize,
    },
}

impl Policy {
    /// The signature algorithm of this URI. HMAC is not one: whoever knows its key can sign.
    pub(super) fn signature_algorithm(&self, uri: &str) -> Result<SignatureAlgorithm, PolicyError> {
        let role = "signature algorithm";
        let known = SignatureAlgorithm::ALL.iter().copied();
        let algorithm = find(known, names::signature_algorithm, role, uri)?;
        self.permit(role, algorithm == SignatureAlgorithm::RsaSha1)?;
        Ok(algorithm)
    }

    /// RSASSA-PSS with these parameters, when they are those of an algorithm that needs none: MGF1 with the same
    /// digest, a salt as long as that. What is left out is so too, the digest then SHA-256 (RFC 9231, section 2.3.9).
    pub(super) fn pss_algorithm(
        &self,
        parameters: &PssParameters,
    ) -> Result<SignatureAlgorithm, PolicyError> {
        let sha256 = names::digest_algorithm(DigestAlgorithm::Sha256);
        let digest = parameters.digest.as_deref().unwrap_or(sha256);
        let (_, algorithm, length) = PSS
            .into_iter()
            .find(|(known, ..)| names::digest_algorithm(*known) == digest)
            .ok_or_else(|| PolicyError::Algorithm {
                role: "digest algorithm of RSASSA-PSS",
                uri: digest.to_owned(),
            })?;
        let mask_digest = parameters.mask_digest.as_deref().unwrap_or(digest);
        let salt_length = parameters.salt_length.unwrap_or(length);
        let trailer_field = parameters.trailer_field.unwrap_or(TRAILER_FIELD_BC);
        only("MGF1 by", mask_digest, digest)?;
        only("a salt length of", salt_length, length)?;
        only("trailer field", trailer_field, TRAILER_FIELD_BC)?;
        Ok(algorithm)
    }

    /// The digest algorithm of this URI.
    pub(super) fn digest_algorithm(&self, uri: &str) -> Result<DigestAlgorithm, PolicyError> {
        let role = "digest algorithm";
        let algorithm = find(
            DigestAlgorithm::ALL.iter().copied(),
            names::digest_algorithm,
            role,
            uri,
        )?;
        self.permit(role, algorithm == DigestAlgorithm::Sha1)?;
        Ok(algorithm)
    }

    /// The canonical form of this URI: exclusive, without comments (BSP R5404, R5423). Comments of a part
    /// named by `#id` are not signed in any form (XML Signature 1.1, section 4.4.3.3). Inclusive forms
    /// change with the surroundings, and cost the product of elements and namespaces.
    pub(super) fn canonical_form(&self, uri: &str) -> Result<Mode, PolicyError> {
        let exclusive = |_| names::EXC_C14N;
        find([Mode::Exclusive].into_iter(), exclusive, "canonical form", uri)
    }

    /// May a key of this type have made such a signature?
    pub(super) fn key(&self, algorithm: SignatureAlgorithm, key_type: KeyType) -> Result<(), PolicyError> {
        let least = self.least_rsa_bits;
        match key_type {
            _ if !algorithm.fits(key_type) => Err(PolicyError::KeyType { algorithm, key_type }),
            KeyType::Rsa { bits } if !(least..=MOST_RSA_BITS).contains(&bits) => {
                Err(PolicyError::KeySize { key_type, least })
            }
            KeyType::Rsa { .. } | KeyType::P256 | KeyType::P384 | KeyType::P521 | KeyType::Ed25519 => Ok(()),
        }
    }

    /// OpenSSL's security level for certificate paths: 2 demands 112 bits of every key and digest,
    /// 0 nothing. (1 would refuse SHA-1 like 2.)
    pub(super) const fn path_security_level(&self) -> i32 {
        match self.sha1 {
            Sha1::Refused if self.least_rsa_bits >= 2048 => 2,
            Sha1::Refused | Sha1::Allowed => 0,
        }
    }

    fn permit(&self, role: &'static str, is_sha1: bool) -> Result<(), PolicyError> {
        match self.sha1 {
            Sha1::Refused if is_sha1 => Err(PolicyError::Sha1 { role }),
            Sha1::Refused | Sha1::Allowed => Ok(()),
        }
    }
}

/// By digest, with the bytes of the salt. SHA-1 is none, allowed or not: who knows PSS knows better.
const PSS: [(DigestAlgorithm, SignatureAlgorithm, u32); 3] = [
    (DigestAlgorithm::Sha256, SignatureAlgorithm::RsaPssSha256, 32),
    (DigestAlgorithm::Sha384, SignatureAlgorithm::RsaPssSha384, 48),
    (DigestAlgorithm::Sha512, SignatureAlgorithm::RsaPssSha512, 64),
];
/// The only one that there is (RFC 8017, appendix A.2.3).
const TRAILER_FIELD_BC: u32 = 1;

fn only<T: PartialEq + ToString + Copy>(
    parameter: &'static str,
    found: T,
    expected: T,
) -> Result<(), PolicyError> {
    if found == expected {
        return Ok(());
    }
    Err(PolicyError::PssParameter {
        parameter,
        found: found.to_string(),
        expected: expected.to_string(),
    })
}

fn find<T: Copy>(
    mut known: impl Iterator<Item = T>,
    spelled: fn(T) -> &'static str,
    role: &'static str,
    uri: &str,
) -> Result<T, PolicyError> {
    let unknown = || PolicyError::Algorithm {
        role,
        uri: uri.to_owned(),
    };
    known
        .find(|&algorithm| spelled(algorithm) == uri)
        .ok_or_else(unknown)
}
