//! Signature algorithms in PKCS#11's terms. The hash is made here, so that the message stays here, and tokens need no
//! mechanism for each pair.

use cryptoki::error::Error;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use openssl::error::ErrorStack;
use openssl::hash;
use serde::{Deserialize, Serialize};

use super::super::private_key::message_digest;
use super::super::signer::{Hash, KeyType, Scheme, SignatureAlgorithm};

/// What a token is given to sign.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Input {
    scheme: Scheme,
    hash: Option<Hash>,
    bytes: Vec<u8>,
}

impl Input {
    pub(super) fn new(
        algorithm: SignatureAlgorithm,
        key_type: KeyType,
        message: &[u8],
    ) -> Result<Self, ErrorStack> {
        let (scheme, hash) = algorithm.parts();
        let digest = match hash {
            Some(hash) => hash::hash(message_digest(hash), message)?.to_vec(),
            None => message.to_vec(),
        };
        let bytes = match (scheme, hash) {
            (Scheme::RsaPkcs1, Some(hash)) => [digest_info(hash), &digest].concat(),
            (Scheme::Ecdsa, _) => leftmost(digest, order_length(key_type)),
            (Scheme::RsaPkcs1 | Scheme::RsaPss | Scheme::Ed25519, _) => digest,
        };
        Ok(Self { scheme, hash, bytes })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn mechanism(&self) -> Result<Mechanism<'static>, Error> {
        Ok(match self.scheme {
            Scheme::RsaPkcs1 => Mechanism::RsaPkcs,
            Scheme::RsaPss => Mechanism::RsaPkcsPss(pss(self.hash)?),
            Scheme::Ecdsa => Mechanism::Ecdsa,
            Scheme::Ed25519 => Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure)),
        })
    }
}

/// The salt is as long as the hash.
fn pss(hash: Option<Hash>) -> Result<PkcsPssParams, Error> {
    let (hash_alg, mgf, length) = match hash {
        Some(Hash::Sha256) => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, 32_u64),
        Some(Hash::Sha384) => (MechanismType::SHA384, PkcsMgfType::MGF1_SHA384, 48),
        Some(Hash::Sha512) => (MechanismType::SHA512, PkcsMgfType::MGF1_SHA512, 64),
        Some(Hash::Sha1) | None => return Err(Error::NotSupported),
    };
    Ok(PkcsPssParams {
        hash_alg,
        mgf,
        s_len: length.into(),
    })
}

/// DER of DigestInfo up to the hash itself (RFC 8017, section 9.2, note 1).
const fn digest_info(hash: Hash) -> &'static [u8] {
    match hash {
        Hash::Sha1 => b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
        Hash::Sha256 => b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
        Hash::Sha384 => b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
        Hash::Sha512 => b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
    }
}

/// Of a hash longer than the curve's order, ECDSA takes the leftmost bits (FIPS 186-5, section 6.4.1); tokens differ in
/// whether they do it themselves. All orders here are whole bytes, but P-521's, which no hash exceeds.
fn leftmost(mut digest: Vec<u8>, length: usize) -> Vec<u8> {
    digest.truncate(length);
    digest
}

/// Bytes.
const fn order_length(key_type: KeyType) -> usize {
    match key_type {
        KeyType::P256 => 32,
        KeyType::P384 => 48,
        KeyType::P521 | KeyType::Rsa { .. } | KeyType::Ed25519 => 66,
    }
}
