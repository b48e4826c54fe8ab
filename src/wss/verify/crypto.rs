//! OpenSSL's part: is this the signature that this key made over these octets?

use openssl::bn::BigNum;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::{Hasher, MessageDigest};
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Verifier};

use crate::keys::{Certificate, KeyType, SignatureAlgorithm};
use crate::wss::profile::DigestAlgorithm;

/// The type of a certificate's key, when it is one that XML Signature algorithms are made with.
pub(super) fn key_type(certificate: &Certificate) -> Option<KeyType> {
    let key = certificate.public_key();
    match key.id() {
        Id::EC if certificate.has_explicit_curve() => None,
        Id::RSA => Some(KeyType::Rsa {
            bits: usize::try_from(key.bits()).ok()?,
        }),
        Id::ED25519 => Some(KeyType::Ed25519),
        Id::EC => match key.ec_key().ok()?.group().curve_name()? {
            Nid::X9_62_PRIME256V1 => Some(KeyType::P256),
            Nid::SECP384R1 => Some(KeyType::P384),
            Nid::SECP521R1 => Some(KeyType::P521),
            _ => None,
        },
        _ => None,
    }
}

/// Verifies a `SignatureValue`. The algorithm must fit the key: that is the policy's to decide.
pub(super) fn verifies(
    key: &PKey<Public>,
    key_type: KeyType,
    algorithm: SignatureAlgorithm,
    octets: &[u8],
    value: &[u8],
) -> bool {
    // An error is a signature that no key could have made: of a wrong length, say
    try_verify(key, key_type, algorithm, octets, value).unwrap_or(false)
}

fn try_verify(
    key: &PKey<Public>,
    key_type: KeyType,
    algorithm: SignatureAlgorithm,
    octets: &[u8],
    value: &[u8],
) -> Result<bool, ErrorStack> {
    let mut verifier = match message_digest(algorithm) {
        Some(digest) => Verifier::new(digest, key)?,
        None => Verifier::new_without_digest(key)?,
    };
    if is_pss(algorithm) {
        // RFC 9231, section 2.3.10: MGF1 with the same digest, salt as long as the digest
        verifier.set_rsa_padding(Padding::PKCS1_PSS)?;
        verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
    }
    match coordinate_length(key_type) {
        None => verifier.verify_oneshot(value, octets),
        Some(length) if value.len() == 2 * length => verifier.verify_oneshot(&der(value)?, octets),
        Some(_) => Ok(false),
    }
}

/// XML Signature 1.1, section 6.4.3, has r and s beside each other; OpenSSL wants a SEQUENCE.
fn der(value: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let (r, s) = value.split_at(value.len() / 2);
    EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?.to_der()
}

/// Bytes of r and of s.
const fn coordinate_length(key_type: KeyType) -> Option<usize> {
    match key_type {
        KeyType::P256 => Some(32),
        KeyType::P384 => Some(48),
        KeyType::P521 => Some(66),
        KeyType::Rsa { .. } | KeyType::Ed25519 => None,
    }
}

const fn is_pss(algorithm: SignatureAlgorithm) -> bool {
    use SignatureAlgorithm::{RsaPssSha256, RsaPssSha384, RsaPssSha512};
    matches!(algorithm, RsaPssSha256 | RsaPssSha384 | RsaPssSha512)
}

fn message_digest(algorithm: SignatureAlgorithm) -> Option<MessageDigest> {
    use SignatureAlgorithm as A;
    match algorithm {
        A::RsaSha1 => Some(MessageDigest::sha1()),
        A::RsaSha256 | A::RsaPssSha256 | A::EcdsaSha256 => Some(MessageDigest::sha256()),
        A::RsaSha384 | A::RsaPssSha384 | A::EcdsaSha384 => Some(MessageDigest::sha384()),
        A::RsaSha512 | A::RsaPssSha512 | A::EcdsaSha512 => Some(MessageDigest::sha512()),
        A::Ed25519 => None,
    }
}

/// A hasher for octets as they are made.
pub(super) fn hasher(algorithm: DigestAlgorithm) -> Result<Hasher, ErrorStack> {
    Hasher::new(match algorithm {
        DigestAlgorithm::Sha1 => MessageDigest::sha1(),
        DigestAlgorithm::Sha256 => MessageDigest::sha256(),
        DigestAlgorithm::Sha384 => MessageDigest::sha384(),
        DigestAlgorithm::Sha512 => MessageDigest::sha512(),
    })
}
