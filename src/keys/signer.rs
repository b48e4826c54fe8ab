//! A private key that may sign, with its certificate: what `wss` signs with.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::pkcs11::{Places, TokenError};
use super::private_key::PrivateKey;
use super::suitability::{self, KeyRefused};
use super::uses::Uses;
use super::{Certificate, Identity, KeyMaterial};
use crate::spelling::vocabulary;

vocabulary! {
    /// Signature algorithms by the names of the configuration; URIs are in `wss`.
    pub enum SignatureAlgorithm {
        /// RSASSA-PKCS1-v1_5 with SHA-1.
        RsaSha1 = "rsa-sha1",
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        RsaSha256 = "rsa-sha256",
        /// RSASSA-PKCS1-v1_5 with SHA-384.
        RsaSha384 = "rsa-sha384",
        /// RSASSA-PKCS1-v1_5 with SHA-512.
        RsaSha512 = "rsa-sha512",
        /// RSASSA-PSS with SHA-256, MGF1 with SHA-256, salt of 32 bytes.
        RsaPssSha256 = "rsa-pss-sha256",
        /// RSASSA-PSS with SHA-384, MGF1 with SHA-384, salt of 48 bytes.
        RsaPssSha384 = "rsa-pss-sha384",
        /// RSASSA-PSS with SHA-512, MGF1 with SHA-512, salt of 64 bytes.
        RsaPssSha512 = "rsa-pss-sha512",
        /// ECDSA with SHA-256.
        EcdsaSha256 = "ecdsa-sha256",
        /// ECDSA with SHA-384.
        EcdsaSha384 = "ecdsa-sha384",
        /// ECDSA with SHA-512.
        EcdsaSha512 = "ecdsa-sha512",
        /// Ed25519.
        Ed25519 = "ed25519",
    }
}

impl SignatureAlgorithm {
    pub(super) const fn parts(self) -> (Scheme, Option<Hash>) {
        match self {
            Self::RsaSha1 => (Scheme::RsaPkcs1, Some(Hash::Sha1)),
            Self::RsaSha256 => (Scheme::RsaPkcs1, Some(Hash::Sha256)),
            Self::RsaSha384 => (Scheme::RsaPkcs1, Some(Hash::Sha384)),
            Self::RsaSha512 => (Scheme::RsaPkcs1, Some(Hash::Sha512)),
            Self::RsaPssSha256 => (Scheme::RsaPss, Some(Hash::Sha256)),
            Self::RsaPssSha384 => (Scheme::RsaPss, Some(Hash::Sha384)),
            Self::RsaPssSha512 => (Scheme::RsaPss, Some(Hash::Sha512)),
            Self::EcdsaSha256 => (Scheme::Ecdsa, Some(Hash::Sha256)),
            Self::EcdsaSha384 => (Scheme::Ecdsa, Some(Hash::Sha384)),
            Self::EcdsaSha512 => (Scheme::Ecdsa, Some(Hash::Sha512)),
            Self::Ed25519 => (Scheme::Ed25519, None),
        }
    }

    /// A key of this type can make such signatures.
    #[must_use]
    pub const fn fits(self, key_type: KeyType) -> bool {
        match self.parts().0 {
            Scheme::RsaPkcs1 | Scheme::RsaPss => matches!(key_type, KeyType::Rsa { .. }),
            Scheme::Ecdsa => matches!(key_type, KeyType::P256 | KeyType::P384 | KeyType::P521),
            Scheme::Ed25519 => matches!(key_type, KeyType::Ed25519),
        }
    }
}

/// What is done with the hash; Ed25519 hashes on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Scheme {
    RsaPkcs1,
    RsaPss,
    Ecdsa,
    Ed25519,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// The type of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// RSA.
    Rsa {
        /// Bits of the modulus.
        bits: usize,
    },
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// Ed25519.
    Ed25519,
}

impl KeyType {
    /// What `signature_algorithm = "auto"` means for a key of this type.
    #[must_use]
    pub const fn auto(self) -> SignatureAlgorithm {
        match self {
            Self::Rsa { .. } => SignatureAlgorithm::RsaSha256,
            Self::P256 => SignatureAlgorithm::EcdsaSha256,
            Self::P384 => SignatureAlgorithm::EcdsaSha384,
            Self::P521 => SignatureAlgorithm::EcdsaSha512,
            Self::Ed25519 => SignatureAlgorithm::Ed25519,
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA-{bits}"),
            Self::P256 => f.write_str("P-256"),
            Self::P384 => f.write_str("P-384"),
            Self::P521 => f.write_str("P-521"),
            Self::Ed25519 => f.write_str("Ed25519"),
        }
    }
}

/// As it is displayed.
impl FromStr for KeyType {
    type Err = UnknownKeyType;

    fn from_str(text: &str) -> Result<Self, UnknownKeyType> {
        match text {
            "P-256" => Ok(Self::P256),
            "P-384" => Ok(Self::P384),
            "P-521" => Ok(Self::P521),
            "Ed25519" => Ok(Self::Ed25519),
            _ => text
                .strip_prefix("RSA-")
                .and_then(|bits| bits.parse().ok())
                .map(|bits| Self::Rsa { bits })
                .ok_or_else(|| UnknownKeyType(text.to_owned())),
        }
    }
}

/// Not a type of key that we know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no type of key")]
pub struct UnknownKeyType(String);

/// A private key that may sign, with its certificate. Never shows the key: no `Debug` of it.
pub struct Signer {
    private_key: PrivateKey,
    identity: Arc<Identity>,
}

impl Signer {
    /// Of material that may sign at `now`: the two halves belong together, the certificate has not
    /// expired and permits signing, the key is strong enough, and a trial signature verifies.
    ///
    /// # Errors
    /// With the first of these that does not hold.
    pub fn new(material: KeyMaterial, now: OffsetDateTime) -> Result<Self, KeyRefused> {
        suitability::check(&material.private_key, &material.certificate, now)?;
        Ok(Self::restored(material, Uses::default()))
    }

    /// Of material that could sign once, and was used so far. Whether it still may is asked when it is activated.
    pub(super) fn restored(material: KeyMaterial, uses: Uses) -> Self {
        let KeyMaterial {
            private_key,
            certificate,
            chain,
        } = material;
        let identity = Identity::new(certificate, chain, private_key.key_type(), uses);
        Self {
            private_key,
            identity,
        }
    }

    /// What stays known of it.
    #[must_use]
    pub fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// The signing certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        self.identity.certificate()
    }

    /// Further certificates of the path, signer's issuer first, as the source gave them.
    #[must_use]
    pub fn chain(&self) -> &[Certificate] {
        self.identity.chain()
    }

    /// The type of the key.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        self.identity.key_type()
    }

    /// Where messages wait for its token. `None`: it is on none, and signing needs a core.
    #[must_use]
    pub fn places(&self) -> Option<&Places> {
        self.private_key.places()
    }

    /// The private half, for the store.
    pub(super) fn private_key(&self) -> &PrivateKey {
        &self.private_key
    }

    /// Signs `message` (not its digest). ECDSA values are r||s of fixed length (XML Signature 1.1, section 6.4.3).
    ///
    /// # Errors
    /// When the algorithm does not fit the key, or the key refuses.
    pub fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        self.private_key.sign(algorithm, message)
    }

    /// Asks again, as before every activation, whether it may sign at `now` and does.
    pub(super) fn check(&self, now: OffsetDateTime) -> Result<(), KeyRefused> {
        suitability::check(&self.private_key, self.certificate(), now)
    }

    /// Counts one message signed with it.
    pub fn record_use(&self, now: OffsetDateTime) {
        self.identity.uses().signed(now);
    }
}

/// Why a key did not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// The algorithm needs a key of another type.
    #[error(
        "{algorithm} does not fit a key of type {key_type}; leave the signature algorithm to \"auto\", or name one that does"
    )]
    AlgorithmMismatch {
        /// Asked for.
        algorithm: SignatureAlgorithm,
        /// The key's.
        key_type: KeyType,
    },
    /// The key refused.
    #[error("the key did not sign")]
    Failed,
    /// The token that the key is on did not sign.
    #[error(transparent)]
    Token(#[from] TokenError),
}
