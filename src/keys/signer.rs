//! A private key that may sign, with its certificate.

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

/// A private key that may sign, with its certificate. Never shows the key: no `Debug` of it.
pub struct Signer {}

impl Signer {
    /// The signing certificate.
    #[must_use]
    pub fn certificate(&self) -> &super::Certificate {
        todo!()
    }

    /// Further certificates of the path, signer's issuer first, as the source gave them.
    #[must_use]
    pub fn chain(&self) -> &[super::Certificate] {
        todo!()
    }

    /// The type of the key.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        todo!()
    }

    /// Signs `message` (not its digest). ECDSA values are r||s of fixed length (XML Signature 1.1, section 6.4.3).
    ///
    /// # Errors
    /// When the algorithm does not fit the key, or the key refuses.
    pub fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let _ = (algorithm, message);
        todo!()
    }
}

/// Why a key did not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// The algorithm needs a key of another type.
    #[error("{algorithm} does not fit a key of type {key_type:?}")]
    AlgorithmMismatch {
        /// Asked for.
        algorithm: SignatureAlgorithm,
        /// The key's.
        key_type: KeyType,
    },
    /// The key refused.
    #[error("the key did not sign")]
    Failed,
}
