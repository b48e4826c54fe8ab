//! Keys that were generated here and have no certificate yet: their request is with an authority, whose answer finds
//! them by their public key.

use openssl::x509::X509Req;
use time::OffsetDateTime;

use super::generate::{GenerateError, KeyPair};
use super::private_key::NotStored;
use super::source::{SourceError, assemble};
use super::{Certificate, Fingerprint, KeyMaterial, KeyType, PrivateKey, Signer};

/// A key that waits for its certificate.
pub struct Waiting {
    private_key: PrivateKey,
    /// What is the same in key, request and certificate.
    public_key: Fingerprint,
    subject: String,
    request: X509Req,
    made: OffsetDateTime,
}

/// Why an authority's answer gave no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCertified {
    /// It is for another key.
    #[error(
        "no certificate in it ({}) belongs to a key of {alias} that waits for one, is pending or signs; {}", .subjects.join("; "), waiting(.there)
    )]
    NoKey {
        /// Whose keys were looked at.
        alias: String,
        /// Of the certificates.
        subjects: Vec<String>,
        /// Subjects of those that wait.
        there: Vec<String>,
    },
    /// The key cannot be used.
    #[error("the key that waits cannot be used: {0}")]
    Key(String),
    /// The certificates cannot.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl Waiting {
    pub(super) fn new(pair: KeyPair, now: OffsetDateTime) -> Result<Self, GenerateError> {
        let request = X509Req::from_der(&pair.request()?)?;
        Ok(Self {
            public_key: Fingerprint::of(&request.public_key()?.public_key_to_der()?),
            subject: pair.subject(),
            private_key: pair.into_private_key()?,
            request,
            made: now,
        })
    }

    /// As the store remembers it.
    pub(super) fn restored(
        private_half: &[u8],
        subject: String,
        request: &[u8],
        made: OffsetDateTime,
    ) -> Result<Self, NotStored> {
        let request = X509Req::from_der(request)?;
        let public_key = request.public_key()?;
        Ok(Self {
            private_key: PrivateKey::from_pkcs8(private_half)?,
            public_key: Fingerprint::of(&public_key.public_key_to_der()?),
            subject,
            request,
            made,
        })
    }

    /// SHA-256 of its SubjectPublicKeyInfo: its name, until there is a certificate.
    #[must_use]
    pub fn public_key(&self) -> &Fingerprint {
        &self.public_key
    }

    /// Whose it shall be.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Its type.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        self.private_key.key_type()
    }

    /// When it was generated.
    #[must_use]
    pub fn made(&self) -> OffsetDateTime {
        self.made
    }

    /// The request in DER.
    pub(super) fn request_der(&self) -> Result<Vec<u8>, NotStored> {
        Ok(self.request.to_der()?)
    }

    /// The request for the authority, in PEM.
    #[must_use]
    pub fn request(&self) -> String {
        let pem = self.request.to_pem().unwrap_or_default(); // only ever fails for want of memory
        String::from_utf8_lossy(&pem).into_owned()
    }

    /// The private half, for the store.
    pub(super) fn private_key(&self) -> &PrivateKey {
        &self.private_key
    }

    fn certified(
        &self,
        certificates: Vec<Certificate>,
        now: OffsetDateTime,
    ) -> Result<KeyMaterial, NotCertified> {
        let unusable = |error: NotStored| NotCertified::Key(error.to_string());
        let private_half = self.private_key.to_stored().map_err(unusable)?;
        let private_key = PrivateKey::from_pkcs8(&private_half).map_err(unusable)?;
        Ok(assemble(private_key, certificates, &[], now)?)
    }
}

/// A key that has a certificate, with another one that was issued for it.
pub(super) fn reissued(
    signer: &Signer,
    certificates: Vec<Certificate>,
    now: OffsetDateTime,
) -> Result<KeyMaterial, NotCertified> {
    let unusable = |error: NotStored| NotCertified::Key(error.to_string());
    let private_half = signer.private_key().to_stored().map_err(unusable)?;
    let private_key = PrivateKey::from_stored(&private_half, signer.certificate()).map_err(unusable)?;
    Ok(assemble(private_key, certificates, &[], now)?)
}

/// The key that one of the certificates is for, with them in order.
pub(super) fn certify<'a>(
    alias: &str,
    waiting: impl Iterator<Item = &'a Waiting> + Clone,
    certificates: Vec<Certificate>,
    now: OffsetDateTime,
) -> Result<KeyMaterial, NotCertified> {
    let certified = |waiting: &&Waiting| {
        let own = |certificate: &Certificate| certificate.public_key_fingerprint() == waiting.public_key;
        certificates.iter().any(own)
    };
    match waiting.clone().find(certified) {
        Some(waiting) => waiting.certified(certificates, now),
        None => Err(NotCertified::NoKey {
            alias: alias.to_owned(),
            subjects: certificates
                .iter()
                .map(|certificate| certificate.subject().to_owned())
                .collect(),
            there: waiting.map(|waiting| waiting.subject.clone()).collect(),
        }),
    }
}

fn waiting(there: &[String]) -> String {
    if there.is_empty() {
        "none waits: generate one first, or it was certified or discarded already".to_owned()
    } else {
        format!("there wait: {}", there.join("; "))
    }
}
