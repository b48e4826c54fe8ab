//! What stays known of a key for ever, its private half aside: certificates, type, and what it was
//! used for. All states share it; a purged key has nothing else.

use std::sync::Arc;

use super::uses::Uses;
use super::{Certificate, Fingerprint, KeyType};

/// A key without its private half.
pub struct Identity {
    certificate: Certificate,
    chain: Vec<Certificate>,
    key_type: KeyType,
    uses: Uses,
}

impl Identity {
    /// Of a key that was used so far as `uses` says.
    pub(super) fn new(
        certificate: Certificate,
        chain: Vec<Certificate>,
        key_type: KeyType,
        uses: Uses,
    ) -> Arc<Self> {
        Arc::new(Self {
            certificate,
            chain,
            key_type,
            uses,
        })
    }

    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// How operators name the key.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        self.certificate.fingerprint()
    }

    /// Further certificates of the path, signer's issuer first, as the source gave them.
    #[must_use]
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The type of the key.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// What the key was used for.
    #[must_use]
    pub fn uses(&self) -> &Uses {
        &self.uses
    }
}
