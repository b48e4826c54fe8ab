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
        let key = generate(algorithm)?;
        let mut name = X509Name::builder()?;
        name.append_entry_by_nid(Nid::COMMONNAME, common_name)?;
        let certificate = self_sign(&key, algorithm, &name.build(), &[], now, lifetime)?;
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

fn generate(algorithm: KeyAlgorithm) -> Result<PKey<Private>, ErrorStack> {
    let rsa = |bits| PKey::from_rsa(Rsa::generate(bits)?);
    let ec = |curve| PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(curve)?)?);
    match algorithm {
        KeyAlgorithm::Rsa2048 => rsa(2048),
        KeyAlgorithm::Rsa3072 => rsa(3072),
        KeyAlgorithm::Rsa4096 => rsa(4096),
        KeyAlgorithm::P256 => ec(Nid::X9_62_PRIME256V1),
        KeyAlgorithm::P384 => ec(Nid::SECP384R1),
        KeyAlgorithm::Ed25519 => PKey::generate_ed25519(),
    }
}

fn self_sign(
    key: &PKey<Private>,
    algorithm: KeyAlgorithm,
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
    builder.sign(key, digest(algorithm))?;
    Ok(builder.build())
}

/// 159 bits: positive and at most 20 octets (RFC 5280, section 4.1.2.2).
fn random_serial() -> Result<Asn1Integer, ErrorStack> {
    let mut serial = BigNum::new()?;
    serial.rand(159, MsbOption::MAYBE_ZERO, false)?;
    serial.to_asn1_integer()
}

fn digest(algorithm: KeyAlgorithm) -> MessageDigest {
    match algorithm {
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 | KeyAlgorithm::P256 => {
            MessageDigest::sha256()
        }
        KeyAlgorithm::P384 => MessageDigest::sha384(),
        KeyAlgorithm::Ed25519 => MessageDigest::null(),
    }
}
