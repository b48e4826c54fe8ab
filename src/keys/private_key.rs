//! A private key and what signs with it: where it is held in memory, aws-lc-rs wherever it can, OpenSSL for the pairs
//! it leaves out (SHA-1, ECDSA with another curve's hash); where it is on a token, the token.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature as aws_lc;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, Private, Public};
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Signer as OpenSslSigner};
use x509_parser::asn1_rs::{Any, Tag};
use x509_parser::oid_registry::OID_KEY_TYPE_EC_PUBLIC_KEY;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;
use zeroize::Zeroizing;

use super::Certificate;
use super::pkcs11::{Places, TokenKey};
use super::signer::{Hash, KeyType, Scheme, SignatureAlgorithm, SignerError};
use super::suitability::verifies;

/// A private key. Has no `Debug`; its memory, if it has any, belongs to the two libraries, which clear it.
pub struct PrivateKey {
    key_type: KeyType,
    place: Place,
}

enum Place {
    Memory {
        key: PKey<Private>,
        aws_lc: Option<AwsLc>,
    },
    Token {
        key: TokenKey,
        /// Of the certificate that it was found with.
        public: PKey<Public>,
    },
}

enum AwsLc {
    Rsa(rsa::KeyPair),
    Ecdsa(Hash, aws_lc::EcdsaKeyPair),
    Ed25519(aws_lc::Ed25519KeyPair),
}

/// A key that no signature algorithm of ours fits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsupportedKey {
    /// Of another type.
    #[error("keys of type {0} are not supported: use RSA, P-256, P-384, P-521 or Ed25519")]
    Type(String),
    /// RSA by its own object identifier (RFC 4055).
    #[error(
        "keys for RSASSA-PSS alone (id-RSASSA-PSS) are not supported: use an RSA key for any purpose (rsaEncryption), which makes \
         RSASSA-PSS signatures, too"
    )]
    PssAlone,
    /// RFC 5480, section 2.1.1: MUST NOT. Java reads no such certificate.
    #[error(
        "the parameters of its elliptic curve are written out where the name of the curve has to stand, and many receivers read no \
         such key: convert it with `openssl ec -param_enc named_curve`, and have it certified again"
    )]
    ExplicitCurve,
}

impl PrivateKey {
    /// # Errors
    /// When no signature algorithm of ours fits such a key.
    pub fn new(key: PKey<Private>) -> Result<Self, UnsupportedKey> {
        let key_type = key_type(&key)?;
        let aws_lc = key
            .private_key_to_pkcs8()
            .ok()
            .map(Zeroizing::new)
            .and_then(|pkcs8| AwsLc::new(key_type, &pkcs8));
        let place = Place::Memory { key, aws_lc };
        Ok(Self { key_type, place })
    }

    /// One on a token, whose public half is the certificate's: a trial signature shows whether it is.
    pub(super) fn on_token(key: TokenKey, certificate: &Certificate) -> Result<Self, UnsupportedKey> {
        let public = certificate.public_key().clone();
        Ok(Self {
            key_type: key_type(&public)?,
            place: Place::Token { key, public },
        })
    }

    /// What the store seals: PKCS#8, or, of a key on a token, where it is, in JSON.
    pub(super) fn to_stored(&self) -> Result<Zeroizing<Vec<u8>>, NotStored> {
        match &self.place {
            Place::Memory { key, .. } => Ok(Zeroizing::new(key.private_key_to_pkcs8()?)),
            Place::Token { key, .. } => Ok(Zeroizing::new(serde_json::to_vec(key.reference())?)),
        }
    }

    /// What the store has sealed. A token need not be there.
    pub(super) fn from_stored(stored: &[u8], certificate: &Certificate) -> Result<Self, NotStored> {
        // JSON begins otherwise than DER.
        if stored.starts_with(b"{") {
            let key = TokenKey::remembered(serde_json::from_slice(stored)?);
            return Ok(Self::on_token(key, certificate)?);
        }
        Self::from_pkcs8(stored)
    }

    /// One that the store has sealed, and that is on no token.
    pub(super) fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, NotStored> {
        Ok(Self::new(PKey::private_key_from_pkcs8(pkcs8)?)?)
    }

    /// Where messages wait for its token, if it is on one.
    pub(super) fn places(&self) -> Option<&Places> {
        match &self.place {
            Place::Memory { .. } => None,
            Place::Token { key, .. } => Some(key.places()),
        }
    }

    pub(super) fn key_type(&self) -> KeyType {
        self.key_type
    }

    pub(super) fn belongs_to(&self, certificate: &Certificate) -> bool {
        match &self.place {
            Place::Memory { key, .. } => key.public_eq(certificate.public_key()),
            Place::Token { public, .. } => public.public_eq(certificate.public_key()),
        }
    }

    /// What a token has signed is verified: hardware fails, sessions are mixed up, keys exchanged under their names.
    pub(super) fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let value = self.sign_on_trial(algorithm, message)?;
        match &self.place {
            Place::Token { key, public }
                if !verifies(public, algorithm, message, &value).unwrap_or(false) =>
            {
                Err(key.signed_wrongly().into())
            }
            Place::Token { .. } | Place::Memory { .. } => Ok(value),
        }
    }

    /// The same for who verifies it himself.
    pub(super) fn sign_on_trial(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, SignerError> {
        if !algorithm.fits(self.key_type) {
            return Err(SignerError::AlgorithmMismatch {
                algorithm,
                key_type: self.key_type,
            });
        }
        match &self.place {
            Place::Memory { key, aws_lc } => {
                match aws_lc.as_ref().and_then(|key| key.sign(algorithm, message)) {
                    Some(signature) => signature,
                    None => sign_with_openssl(key, algorithm, message).map_err(|_| SignerError::Failed),
                }
            }
            Place::Token { key, .. } => Ok(key.sign(algorithm, self.key_type, message)?),
        }
    }
}

/// A private key that cannot be written or read as the store keeps it.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotStored {
    #[error(transparent)]
    OpenSsl(#[from] ErrorStack),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Key(#[from] UnsupportedKey),
}

fn key_type(key: &PKey<impl HasPublic>) -> Result<KeyType, UnsupportedKey> {
    match key.id() {
        Id::RSA => Ok(KeyType::Rsa {
            bits: key.bits().try_into().unwrap_or(usize::MAX),
        }),
        Id::ED25519 => Ok(KeyType::Ed25519),
        Id::EC if !names_its_curve(key) => Err(UnsupportedKey::ExplicitCurve),
        Id::RSA_PSS => Err(UnsupportedKey::PssAlone),
        Id::EC => match key.ec_key().ok().and_then(|key| key.group().curve_name()) {
            Some(Nid::X9_62_PRIME256V1) => Ok(KeyType::P256),
            Some(Nid::SECP384R1) => Ok(KeyType::P384),
            Some(Nid::SECP521R1) => Ok(KeyType::P521),
            Some(other) => Err(UnsupportedKey::Type(
                other.short_name().unwrap_or("EC").to_owned(),
            )),
            None => Err(UnsupportedKey::ExplicitCurve),
        },
        other => Err(UnsupportedKey::Type(
            Nid::from_raw(other.as_raw())
                .short_name()
                .unwrap_or("unknown")
                .to_owned(),
        )),
    }
}

/// OpenSSL knows a curve by its parameters, too, and writes a key as it was read.
fn names_its_curve(key: &PKey<impl HasPublic>) -> bool {
    let der = key.public_key_to_der().unwrap_or_default();
    SubjectPublicKeyInfo::from_der(&der).is_ok_and(|(_, key)| !has_explicit_curve(&key))
}

/// An elliptic curve in parameters, in place of its name.
pub(super) fn has_explicit_curve(key: &SubjectPublicKeyInfo<'_>) -> bool {
    let parameters = key.algorithm.parameters.as_ref().map(Any::tag);
    key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY && parameters != Some(Tag::Oid)
}

impl AwsLc {
    /// `None` for keys outside its limits, such as RSA over 8192 bits.
    fn new(key_type: KeyType, pkcs8: &[u8]) -> Option<Self> {
        let ecdsa = |hash, algorithm| {
            let key = aws_lc::EcdsaKeyPair::from_pkcs8(algorithm, pkcs8).ok()?;
            Some(Self::Ecdsa(hash, key))
        };
        match key_type {
            KeyType::Rsa { .. } => rsa::KeyPair::from_pkcs8(pkcs8).ok().map(Self::Rsa),
            KeyType::P256 => ecdsa(Hash::Sha256, &aws_lc::ECDSA_P256_SHA256_FIXED_SIGNING),
            KeyType::P384 => ecdsa(Hash::Sha384, &aws_lc::ECDSA_P384_SHA384_FIXED_SIGNING),
            KeyType::P521 => ecdsa(Hash::Sha512, &aws_lc::ECDSA_P521_SHA512_FIXED_SIGNING),
            KeyType::Ed25519 => aws_lc::Ed25519KeyPair::from_pkcs8(pkcs8).ok().map(Self::Ed25519),
        }
    }

    /// `None` when it has no such pair.
    fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Option<Result<Vec<u8>, SignerError>> {
        match self {
            Self::Rsa(key) => rsa_encoding(algorithm).map(|encoding| sign_rsa(key, encoding, message)),
            Self::Ecdsa(hash, key) if algorithm.parts().1 == Some(*hash) => {
                let signature = key.sign(&SystemRandom::new(), message);
                Some(
                    signature
                        .map(|value| value.as_ref().to_vec())
                        .map_err(|_| SignerError::Failed),
                )
            }
            Self::Ecdsa(..) => None,
            Self::Ed25519(key) => {
                let signature = key.try_sign(message);
                Some(
                    signature
                        .map(|value| value.as_ref().to_vec())
                        .map_err(|_| SignerError::Failed),
                )
            }
        }
    }
}

fn rsa_encoding(algorithm: SignatureAlgorithm) -> Option<&'static aws_lc::RsaSignatureEncoding> {
    match algorithm.parts() {
        (Scheme::RsaPkcs1, Some(Hash::Sha256)) => Some(&aws_lc::RSA_PKCS1_SHA256),
        (Scheme::RsaPkcs1, Some(Hash::Sha384)) => Some(&aws_lc::RSA_PKCS1_SHA384),
        (Scheme::RsaPkcs1, Some(Hash::Sha512)) => Some(&aws_lc::RSA_PKCS1_SHA512),
        (Scheme::RsaPss, Some(Hash::Sha256)) => Some(&aws_lc::RSA_PSS_SHA256),
        (Scheme::RsaPss, Some(Hash::Sha384)) => Some(&aws_lc::RSA_PSS_SHA384),
        (Scheme::RsaPss, Some(Hash::Sha512)) => Some(&aws_lc::RSA_PSS_SHA512),
        _ => None,
    }
}

fn sign_rsa(
    key: &rsa::KeyPair,
    encoding: &'static aws_lc::RsaSignatureEncoding,
    message: &[u8],
) -> Result<Vec<u8>, SignerError> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(encoding, &SystemRandom::new(), message, &mut signature)
        .map_err(|_| SignerError::Failed)?;
    Ok(signature)
}

fn sign_with_openssl(
    key: &PKey<Private>,
    algorithm: SignatureAlgorithm,
    message: &[u8],
) -> Result<Vec<u8>, ErrorStack> {
    let (scheme, hash) = algorithm.parts();
    let mut signer = match hash {
        Some(hash) => OpenSslSigner::new(message_digest(hash), key)?,
        None => OpenSslSigner::new_without_digest(key)?,
    };
    if scheme == Scheme::RsaPss {
        signer.set_rsa_padding(Padding::PKCS1_PSS)?;
        signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
    }
    let signature = signer.sign_oneshot_to_vec(message)?;
    match scheme {
        Scheme::Ecdsa => fixed_length(&signature, key),
        Scheme::RsaPkcs1 | Scheme::RsaPss | Scheme::Ed25519 => Ok(signature),
    }
}

/// r||s, each as long as the curve's order (XML Signature 1.1, section 6.4.3).
fn fixed_length(der: &[u8], key: &PKey<Private>) -> Result<Vec<u8>, ErrorStack> {
    let signature = EcdsaSig::from_der(der)?;
    let length = i32::try_from(key.bits().div_ceil(8)).unwrap_or(i32::MAX);
    let (r, s) = (
        signature.r().to_vec_padded(length)?,
        signature.s().to_vec_padded(length)?,
    );
    Ok([r, s].concat())
}

pub(super) fn message_digest(hash: Hash) -> MessageDigest {
    match hash {
        Hash::Sha1 => MessageDigest::sha1(),
        Hash::Sha256 => MessageDigest::sha256(),
        Hash::Sha384 => MessageDigest::sha384(),
        Hash::Sha512 => MessageDigest::sha512(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::OffsetDateTime;

    use super::*;
    use crate::keys::generate::{KeyAlgorithm, SelfSigned};

    #[test]
    fn of_a_key_on_a_token_the_store_keeps_where_it_is_and_no_more() {
        let day = Duration::from_secs(24 * 60 * 60);
        let key = SelfSigned::generate(KeyAlgorithm::P256, "Test", OffsetDateTime::UNIX_EPOCH, day).unwrap();
        let certificate = key.into_material().unwrap().certificate;
        let reference = r#"{"module":"/m.so","uri":"pkcs11:token=a;id=%01","pin_file":"pin"}"#;
        let key = PrivateKey::from_stored(reference.as_bytes(), &certificate).unwrap();
        assert!(key.places().is_some() && key.belongs_to(&certificate));
        assert_eq!(key.to_stored().unwrap().as_slice(), reference.as_bytes());
        let other = r#"{"module":"/m.so","uri":"pkcs11:token=a","pin_file":"pin"}"#;
        assert!(PrivateKey::from_stored(other.as_bytes(), &certificate).is_err());
    }
}
