//! Certificates and private keys as they are read from sources: the facts that others ask for.

use time::OffsetDateTime;

/// One X.509 certificate and the facts WS-Security needs of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {}

impl Certificate {
    /// DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        todo!()
    }

    /// SHA-256 of the DER in lower-case hex: how operators name a key.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        todo!()
    }

    /// SHA-1 of the DER: `ThumbprintSHA1` (WSS 1.1.1, section 7.3).
    #[must_use]
    pub fn thumbprint(&self) -> [u8; 20] {
        todo!()
    }

    /// Issuer as RFC 4514 text by the DName rules of XML Signature 1.1, section 4.5.4.1.
    #[must_use]
    pub fn issuer(&self) -> &str {
        todo!()
    }

    /// Subject, likewise.
    #[must_use]
    pub fn subject(&self) -> &str {
        todo!()
    }

    /// Serial number in decimal, any length.
    #[must_use]
    pub fn serial(&self) -> &str {
        todo!()
    }

    /// Value of the SKI extension, if there is one.
    #[must_use]
    pub fn subject_key_identifier(&self) -> Option<&[u8]> {
        todo!()
    }

    /// Issued by itself: a root has no place in a PKIPath.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        todo!()
    }

    /// First instant of validity.
    #[must_use]
    pub fn not_before(&self) -> OffsetDateTime {
        todo!()
    }

    /// Last instant of validity.
    #[must_use]
    pub fn not_after(&self) -> OffsetDateTime {
        todo!()
    }
}
