//! Certificates as they are read from sources: the facts that WS-Security and operators ask for.
//! Whether a certificate is trusted is not asked here.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Public};
use openssl::x509::X509;
use time::OffsetDateTime;
use x509_parser::extensions::{KeyUsage, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

use super::fingerprint::Fingerprint;
use super::name::{for_receivers, rfc4514};
use super::private_key::{PrivateKey, has_explicit_curve};
use super::public_numbers::PublicNumbers;
use crate::clock::rfc3339;

/// What a source gives: a private key, its certificate, and what leads from there to a root.
pub struct KeyMaterial {
    /// The private key.
    pub private_key: PrivateKey,
    /// The certificate that belongs to it.
    pub certificate: Certificate,
    /// Further certificates of the path, signer's issuer first.
    pub chain: Vec<Certificate>,
}

/// One X.509 certificate and the facts WS-Security needs of it. Cheap to clone.
#[derive(Clone)]
pub struct Certificate(Arc<Facts>);

struct Facts {
    der: Vec<u8>,
    x509: X509,
    public_key: PKey<Public>,
    fingerprint: Fingerprint,
    thumbprint: [u8; 20],
    issuer: String,
    issuer_in_messages: String,
    subject: String,
    serial: String,
    subject_key_identifier: Option<Vec<u8>>,
    computed_identifier: [u8; 20],
    self_issued: bool,
    may_issue: bool,
    may_sign: bool,
    explicit_curve: bool,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
}

/// Not a certificate that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is not a valid X.509 certificate: {0}")]
pub struct CertificateError(String);

/// Outside the validity of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotValid {
    /// Before it.
    #[error("is not valid before {}", rfc3339(*.0))]
    Early(OffsetDateTime),
    /// After it.
    #[error("expired on {}", rfc3339(*.0))]
    Expired(OffsetDateTime),
}

impl Certificate {
    /// Reads exactly one certificate.
    ///
    /// # Errors
    /// When the bytes are no DER certificate, or there are more of them.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let (rest, parsed) = X509Certificate::from_der(der).map_err(malformed)?;
        if !rest.is_empty() {
            return Err(CertificateError(format!("{} bytes follow it", rest.len())));
        }
        let x509 = X509::from_der(der).map_err(malformed)?;
        let key_usage = parsed.key_usage().map_err(malformed)?;
        Ok(Self(Arc::new(Facts {
            der: der.to_vec(),
            public_key: x509.public_key().map_err(malformed)?,
            x509,
            fingerprint: Fingerprint::of(der),
            thumbprint: sha1(der)?,
            issuer: rfc4514(parsed.issuer()),
            issuer_in_messages: for_receivers(parsed.issuer()),
            subject: rfc4514(parsed.subject()),
            serial: decimal(parsed.raw_serial()).map_err(malformed)?,
            subject_key_identifier: subject_key_identifier(&parsed)?,
            computed_identifier: sha1(&parsed.public_key().subject_public_key.data)?,
            self_issued: parsed.issuer().as_raw() == parsed.subject().as_raw(),
            may_issue: may_issue(&parsed)?,
            may_sign: key_usage.is_none_or(|usage| permits_signing(usage.value)),
            explicit_curve: has_explicit_curve(parsed.public_key()),
            not_before: parsed.validity().not_before.to_datetime(),
            not_after: parsed.validity().not_after.to_datetime(),
        })))
    }

    /// DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// SHA-256 of the DER in lower-case hex: how operators name a key.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.0.fingerprint
    }

    /// SHA-1 of the DER: `ThumbprintSHA1` (WSS 1.1.1, section 7.3).
    #[must_use]
    pub fn thumbprint(&self) -> [u8; 20] {
        self.0.thumbprint
    }

    /// Issuer as RFC 4514 text by the DName rules of XML Signature 1.1, section 4.5.4.1.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The same as receivers look it up by: what they do not read as characters is the hex of its DER.
    #[must_use]
    pub fn issuer_in_messages(&self) -> &str {
        &self.0.issuer_in_messages
    }

    /// Subject, likewise.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Serial number in decimal, any length.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.0.serial
    }

    /// Value of the SKI extension, if there is one.
    #[must_use]
    pub fn subject_key_identifier(&self) -> Option<&[u8]> {
        self.0.subject_key_identifier.as_deref()
    }

    /// The identifier of its key: the SKI extension, or what others make up where there is none, SHA-1 of the bits of
    /// the public key (RFC 5280, section 4.2.1.2, method 1).
    #[must_use]
    pub fn key_identifier(&self) -> &[u8] {
        self.subject_key_identifier()
            .unwrap_or(&self.0.computed_identifier)
    }

    /// Issued by itself: a root has no place in a PKIPath.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.0.self_issued
    }

    /// Names and signature say so. Several authorities can have one name.
    pub(crate) fn is_issued_by(&self, issuer: &Self) -> bool {
        let (x509, key) = (&self.0.x509, issuer.public_key());
        let names = x509.issuer_name().try_cmp(issuer.0.x509.subject_name());
        self != issuer && matches!(names, Ok(Ordering::Equal)) && x509.verify(key).unwrap_or(false)
    }

    /// First instant of validity.
    #[must_use]
    pub fn not_before(&self) -> OffsetDateTime {
        self.0.not_before
    }

    /// Last instant of validity.
    #[must_use]
    pub fn not_after(&self) -> OffsetDateTime {
        self.0.not_after
    }

    /// # Errors
    /// When `now` is outside its validity.
    pub fn check_validity(&self, now: OffsetDateTime) -> Result<(), NotValid> {
        if now < self.not_before() {
            return Err(NotValid::Early(self.not_before()));
        }
        if now > self.not_after() {
            return Err(NotValid::Expired(self.not_after()));
        }
        Ok(())
    }

    /// It is an authority's, as far as it says: one of version 3 says so in basicConstraints (RFC 5280, section 4.2.1.9),
    /// an older one cannot.
    pub(crate) fn may_issue(&self) -> bool {
        self.0.may_issue
    }

    /// Its key usage, if there is one, permits digital signatures (RFC 5280, section 4.2.1.3).
    #[must_use]
    pub fn may_sign(&self) -> bool {
        self.0.may_sign
    }

    /// Its key is of an elliptic curve whose parameters are written out (RFC 5480, section 2.1.1: MUST NOT).
    pub(crate) fn has_explicit_curve(&self) -> bool {
        self.0.explicit_curve
    }

    /// For OpenSSL to verify with. Reading it once matters: OpenSSL 3 takes long to decode a key.
    pub(crate) fn public_key(&self) -> &PKey<Public> {
        &self.0.public_key
    }

    /// Both are of one key pair.
    pub(super) fn has_key_of(&self, other: &Self) -> bool {
        self.public_key().public_eq(other.public_key())
    }

    /// SHA-256 of its SubjectPublicKeyInfo: by this a request knows its certificate.
    pub(super) fn public_key_fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.0.public_key.public_key_to_der().unwrap_or_default())
    }

    /// Its public key, in numbers.
    #[must_use]
    pub fn public_numbers(&self) -> Option<PublicNumbers> {
        PublicNumbers::of(self.public_key())
    }

    /// For OpenSSL to find a path with.
    pub(crate) fn x509(&self) -> &X509 {
        &self.0.x509
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der() == other.der()
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({} sha256:{})", self.subject(), self.fingerprint())
    }
}

fn malformed(error: impl fmt::Display) -> CertificateError {
    CertificateError(error.to_string())
}

fn sha1(octets: &[u8]) -> Result<[u8; 20], CertificateError> {
    let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, octets);
    sha1.as_ref().try_into().map_err(malformed)
}

fn may_issue(parsed: &X509Certificate<'_>) -> Result<bool, CertificateError> {
    Ok(match parsed.basic_constraints().map_err(malformed)? {
        Some(constraints) => constraints.value.ca,
        None => parsed.version() != X509Version::V3,
    })
}

/// The content octets of an INTEGER; some authorities issue negative serials.
fn decimal(integer: &[u8]) -> Result<String, ErrorStack> {
    let mut number = BigNum::from_slice(integer)?;
    if integer.first().is_some_and(|first| first & 0x80 != 0) {
        let modulus = [&[1], vec![0; integer.len()].as_slice()].concat();
        number = &number - &BigNum::from_slice(&modulus)?;
    }
    Ok(number.to_dec_str()?.to_string())
}

fn subject_key_identifier(parsed: &X509Certificate<'_>) -> Result<Option<Vec<u8>>, CertificateError> {
    let oid = x509_parser::oid_registry::OID_X509_EXT_SUBJECT_KEY_IDENTIFIER;
    let extension = parsed.get_extension_unique(&oid).map_err(malformed)?;
    Ok(extension.and_then(|extension| {
        let ParsedExtension::SubjectKeyIdentifier(identifier) = extension.parsed_extension() else {
            return None;
        };
        Some(identifier.0.to_vec())
    }))
}

fn permits_signing(usage: &KeyUsage) -> bool {
    usage.digital_signature() || usage.non_repudiation()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_of_any_length_is_decimal() {
        for (integer, expected) in [
            (&[0x00][..], "0"),
            (&[0x7f], "127"),
            (&[0x00, 0x80], "128"),
            (&[0xff], "-1"),
            (&[0x80, 0x00], "-32768"),
            (&[0x7f; 20], "727885129180488904360266563744972327436484050815"),
        ] {
            assert_eq!(decimal(integer).unwrap(), expected);
        }
    }

    #[test]
    fn bytes_that_are_no_certificate_are_refused() {
        for bytes in [&b""[..], b"\x30\x00", b"-----BEGIN CERTIFICATE-----"] {
            assert!(Certificate::from_der(bytes).is_err());
        }
    }
}
