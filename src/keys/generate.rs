//! Key pairs, with a request for a certificate ([`KeyPair`]) or self-signed ([`SelfSigned`], for the demo, throwaway keys
//! and tests).

mod pair;
mod subject;

use std::time::Duration;

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{KeyUsage, SubjectKeyIdentifier};
use openssl::x509::{X509, X509Builder, X509Name, X509NameRef};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::material::{Certificate, CertificateError, KeyMaterial};
use super::private_key::{PrivateKey, UnsupportedKey};
use super::signer::KeyType;
pub use pair::{KeyPair, Wanted};
pub use subject::{AlternativeName, InvalidName, Subject};

use crate::spelling::vocabulary;

vocabulary! {
    /// What kind of key pair to generate.
    pub enum KeyAlgorithm {
        /// RSA, 2048 bits.
        Rsa2048 = "rsa-2048",
        /// RSA, 3072 bits.
        Rsa3072 = "rsa-3072",
        /// RSA, 4096 bits.
        Rsa4096 = "rsa-4096",
        /// NIST P-256.
        P256 = "p-256",
        /// NIST P-384.
        P384 = "p-384",
        /// Ed25519.
        Ed25519 = "ed25519",
    }
}

/// A private key and its self-signed certificate.
pub struct SelfSigned {
    key: PKey<Private>,
    certificate: X509,
}

/// The library did not generate a key.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// OpenSSL refused, for instance a subject that is too long.
    #[error("no key was generated")]
    OpenSsl(#[from] ErrorStack),
    /// We cannot read what OpenSSL made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// We cannot use what OpenSSL made.
    #[error(transparent)]
    Key(#[from] UnsupportedKey),
}

impl KeyAlgorithm {
    /// What it makes.
    const fn key_type(self) -> KeyType {
        match self {
            Self::Rsa2048 => KeyType::Rsa { bits: 2048 },
            Self::Rsa3072 => KeyType::Rsa { bits: 3072 },
            Self::Rsa4096 => KeyType::Rsa { bits: 4096 },
            Self::P256 => KeyType::P256,
            Self::P384 => KeyType::P384,
            Self::Ed25519 => KeyType::Ed25519,
        }
    }
}

impl SelfSigned {
    /// Generates a key pair for `CN=common_name`, valid from `now` on. RSA takes up to seconds.
    ///
    /// # Errors
    /// When OpenSSL refuses, for instance a name of more than 64 characters.
    pub fn generate(
        algorithm: KeyAlgorithm,
        common_name: &str,
        now: OffsetDateTime,
        lifetime: Duration,
    ) -> Result<Self, GenerateError> {
        Self::of_type(algorithm.key_type(), common_name, now, lifetime)
    }

    /// The same of any type and size that a key of ours has.
    ///
    /// # Errors
    /// As [`SelfSigned::generate`].
    pub fn of_type(
        key_type: KeyType,
        common_name: &str,
        now: OffsetDateTime,
        lifetime: Duration,
    ) -> Result<Self, GenerateError> {
        let key = generate(key_type)?;
        let mut name = X509Name::builder()?;
        name.append_entry_by_nid(Nid::COMMONNAME, common_name)?;
        let certificate = self_sign(&key, key_type, &name.build(), &[], now, lifetime)?;
        Ok(Self { key, certificate })
    }

    /// The private key, PKCS#8 in PEM, not encrypted.
    ///
    /// # Errors
    /// When OpenSSL cannot write it.
    pub fn private_key_pem(&self) -> Result<Zeroizing<Vec<u8>>, GenerateError> {
        Ok(Zeroizing::new(self.key.private_key_to_pem_pkcs8()?))
    }

    /// The certificate in PEM.
    ///
    /// # Errors
    /// When OpenSSL cannot write it.
    pub fn certificate_pem(&self) -> Result<Vec<u8>, GenerateError> {
        Ok(self.certificate.to_pem()?)
    }

    /// For signing with it.
    ///
    /// # Errors
    /// When what was made cannot be read back.
    pub fn into_material(self) -> Result<KeyMaterial, GenerateError> {
        Ok(KeyMaterial {
            certificate: Certificate::from_der(&self.certificate.to_der()?)?,
            private_key: PrivateKey::new(self.key)?,
            chain: Vec::new(),
        })
    }
}

fn generate(key_type: KeyType) -> Result<PKey<Private>, ErrorStack> {
    // Too large a number is one that OpenSSL refuses.
    let rsa = |bits| PKey::from_rsa(Rsa::generate(u32::try_from(bits).unwrap_or(u32::MAX))?);
    let ec = |curve| PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(curve)?)?);
    match key_type {
        KeyType::Rsa { bits } => rsa(bits),
        KeyType::P256 => ec(Nid::X9_62_PRIME256V1),
        KeyType::P384 => ec(Nid::SECP384R1),
        KeyType::P521 => ec(Nid::SECP521R1),
        KeyType::Ed25519 => PKey::generate_ed25519(),
    }
}

fn self_sign(
    key: &PKey<Private>,
    key_type: KeyType,
    name: &X509NameRef,
    alternative_names: &[AlternativeName],
    now: OffsetDateTime,
    lifetime: Duration,
) -> Result<X509, ErrorStack> {
    let mut builder = X509Builder::new()?;
    builder.set_version(2)?; // counted from 0: X.509 v3
    builder.set_serial_number(&*random_serial()?)?;
    builder.set_subject_name(name)?;
    builder.set_issuer_name(name)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&*Asn1Time::from_unix(now.unix_timestamp())?)?;
    builder.set_not_after(&*Asn1Time::from_unix((now + lifetime).unix_timestamp())?)?;
    builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
    let key_identifier = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
    builder.append_extension(key_identifier)?;
    let names = subject::extension(alternative_names, &builder.x509v3_context(None, None))?;
    names.map(|names| builder.append_extension(names)).transpose()?;
    builder.sign(key, digest(key_type))?;
    Ok(builder.build())
}

/// 159 bits: positive and at most 20 octets (RFC 5280, section 4.1.2.2).
fn random_serial() -> Result<Asn1Integer, ErrorStack> {
    let mut serial = BigNum::new()?;
    serial.rand(159, MsbOption::MAYBE_ZERO, false)?;
    serial.to_asn1_integer()
}

fn digest(key_type: KeyType) -> MessageDigest {
    match key_type {
        KeyType::Rsa { .. } | KeyType::P256 => MessageDigest::sha256(),
        KeyType::P384 => MessageDigest::sha384(),
        KeyType::P521 => MessageDigest::sha512(),
        KeyType::Ed25519 => MessageDigest::null(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Signer;

    #[test]
    fn a_key_of_any_type_is_made_that_may_sign_and_that_every_way_of_naming_finds() {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        for key_type in [
            KeyType::Rsa { bits: 2048 },
            KeyType::Rsa { bits: 2560 },
            KeyType::P256,
            KeyType::P384,
            KeyType::P521,
            KeyType::Ed25519,
        ] {
            let made = SelfSigned::of_type(key_type, "Test", now, Duration::from_secs(60));
            let signer = Signer::new(made.unwrap().into_material().unwrap(), now).unwrap();
            assert_eq!(signer.key_type(), key_type);
            assert!(
                signer.certificate().subject_key_identifier().is_some(),
                "{key_type}"
            );
        }
        assert!(SelfSigned::of_type(KeyType::Rsa { bits: usize::MAX }, "Test", now, Duration::ZERO).is_err());
    }
}
