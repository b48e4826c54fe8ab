//! How a message or an operator refers to a certificate, and what is found by it. Several keys can answer to
//! one reference: a key identifier or a name is no secret and no number of ours.

use std::sync::Arc;

use super::distinguished_name::DistinguishedName;
use super::lifecycle::{Arrival, Entry, KeyState};
use super::{Certificate, Fingerprint, Identity};
use crate::spelling::vocabulary;

/// What a certificate is known by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// SHA-1 of its DER (`ThumbprintSHA1`).
    Thumbprint([u8; 20]),
    /// SHA-256 of its DER; so is the certificate itself.
    Fingerprint(Fingerprint),
    /// Its SKI extension, or SHA-1 of the bits of its public key.
    SubjectKeyIdentifier(Vec<u8>),
    /// Issuer, in either order of its parts, and serial number in decimal.
    IssuerSerial(DistinguishedName, String),
}

vocabulary! {
    /// What a key is looked up for.
    pub enum Purpose {
        /// An operator asks which key that is.
        Find = "find",
        /// A message was signed with it.
        Verify = "verify",
        /// A message was encrypted to it.
        Decrypt = "decrypt",
    }
}

/// A key that was found.
#[derive(Clone)]
pub struct Found {
    /// Whose it is.
    pub alias: Arc<str>,
    /// What stays known of it.
    pub identity: Arc<Identity>,
    /// How it came.
    pub arrival: Arrival,
    /// Its state.
    pub state: KeyState,
}

impl Found {
    /// As others see it.
    #[must_use]
    pub fn entry(&self) -> Entry<'_> {
        Entry {
            identity: &self.identity,
            arrival: self.arrival,
            state: self.state.clone(),
        }
    }
}

impl Reference {
    /// The certificate itself.
    #[must_use]
    pub fn certificate(der: &[u8]) -> Self {
        Self::Fingerprint(Fingerprint::of(der))
    }

    /// Everything that a certificate answers to.
    pub(super) fn all(certificate: &Certificate) -> impl Iterator<Item = Self> {
        let identifier = certificate.key_identifier();
        let issuer = DistinguishedName::parse(certificate.issuer());
        [
            Some(Self::Thumbprint(certificate.thumbprint())),
            Some(Self::Fingerprint(certificate.fingerprint().clone())),
            Some(Self::SubjectKeyIdentifier(identifier.to_vec())),
            issuer.map(|issuer| Self::IssuerSerial(issuer, certificate.serial().to_owned())),
        ]
        .into_iter()
        .flatten()
    }

    /// The same in the other order of the issuer's parts, which some stacks write.
    pub(super) fn reversed(&self) -> Option<Self> {
        match self {
            Self::IssuerSerial(issuer, serial) => Some(Self::IssuerSerial(issuer.reversed(), serial.clone())),
            Self::Thumbprint(_) | Self::Fingerprint(_) | Self::SubjectKeyIdentifier(_) => None,
        }
    }
}
