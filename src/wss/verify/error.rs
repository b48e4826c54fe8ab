//! Why a message is not accepted.

use openssl::error::ErrorStack;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Place;
use crate::keys::Certificate;
use crate::wss::policy::PolicyError;
use crate::xml::libxml::{CanonicalError, ParseError};

/// Why a message is not accepted, in one sentence for those who sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Not a document that can be signed at all.
    #[error("{0}")]
    Document(#[from] ParseError),
    /// Not a SOAP message.
    #[error("this is not a SOAP message: {0}")]
    NotSoap(&'static str),
    /// Nothing in it is signed.
    #[error("the message is not signed: {0}")]
    Unsigned(&'static str),
    /// The Security header breaks a rule of the standards or one against signature wrapping.
    #[error("the Security header is not acceptable: {0}")]
    Header(String),
    /// Text where elements belong: some read it, others do not.
    #[error("there is text in {0} beside its elements")]
    StrayText(String),
    /// An algorithm or a key that is not accepted.
    #[error("{0}")]
    Policy(#[from] PolicyError),
    /// OpenSSL failed, which no message should bring about.
    #[error("the cryptographic library failed: {0}")]
    Library(String),
    /// What was signed has no canonical form.
    #[error("{0}")]
    Canonical(#[from] CanonicalError),
    /// A token in the message is not a certificate.
    #[error("a token of the message cannot be used: {0}")]
    Token(String),
    /// The certificate that made the signature is neither in the message nor among the trusted.
    #[error("the certificate that signed is not at hand: {0}")]
    UnknownKey(String),
    /// The signature was made with another key, or over another SignedInfo.
    #[error("the signature value does not verify with the key of {subject}")]
    Signature {
        /// Of the certificate tried.
        subject: String,
    },
    /// The part was changed after it was signed.
    #[error("{place} was changed after it was signed: the digest of #{id} differs")]
    Digest {
        /// Where it stands.
        place: Place,
        /// How the reference names it.
        id: String,
    },
    /// All signatures are valid, but none that is trusted covers this part.
    #[error("{0} is not covered by a signature")]
    NotCovered(Place),
    /// The Timestamp is not fresh.
    #[error("{0}")]
    Expired(Stale),
    /// Somebody signed who is not trusted. Only where nobody is trusted were the parts digested: those
    /// of a stranger are not worth the time (W3C XML Signature Best Practices, section 2.1.1).
    #[error("{}signed by {} sha256:{}; not trusted: {reason}", reason.verdict(), certificate.subject(), certificate.fingerprint())]
    NotTrusted {
        /// Who signed.
        certificate: Certificate,
        /// Why that is not enough.
        reason: Untrusted,
    },
}

/// Why a Timestamp is not fresh.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// `Expires`, or the freshness of `Created`, is over.
    #[error("the Timestamp expired at {}", written(.0))]
    Expired(OffsetDateTime),
    /// `Created` lies ahead.
    #[error("the Timestamp was created in the future, at {}", written(.0))]
    FromTheFuture(OffsetDateTime),
}

/// As a Timestamp has it.
fn written(at: &OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}

/// Why a certificate is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// Nobody is trusted.
    #[error("no certificate is trusted")]
    NoTrust,
    /// No path leads to a trusted certificate, or not at this time, as OpenSSL words it.
    #[error("{0}")]
    NoPath(String),
    /// Its key usage leaves signatures out (RFC 5280, section 4.2.1.3).
    #[error("its key usage does not permit digital signatures")]
    KeyUsage,
}

impl Untrusted {
    /// What is known of the signature all the same.
    const fn verdict(&self) -> &'static str {
        match self {
            Self::NoTrust => "the signature is valid, ",
            Self::NoPath(_) | Self::KeyUsage => "",
        }
    }
}

impl From<ErrorStack> for Untrusted {
    fn from(error: ErrorStack) -> Self {
        Self::NoPath(error.to_string())
    }
}

impl From<ErrorStack> for VerifyError {
    fn from(error: ErrorStack) -> Self {
        Self::Library(error.to_string())
    }
}

impl VerifyError {
    pub(super) fn header(reason: impl Into<String>) -> Self {
        Self::Header(reason.into())
    }

    /// Whether another key might have done.
    #[must_use]
    pub const fn blames_key(&self) -> bool {
        matches!(self, Self::UnknownKey(_) | Self::NotTrusted { .. })
    }

    /// The local name of the fault code that says it (WSS 1.1.1, section 12). An unknown key is a
    /// failed check like a wrong one: that it could not be found is no business of the peer's.
    #[must_use]
    pub const fn fault_code(&self) -> &'static str {
        match self {
            Self::Document(_)
            | Self::NotSoap(_)
            | Self::Unsigned(_)
            | Self::Header(_)
            | Self::StrayText(_)
            | Self::Canonical(_) => "InvalidSecurity",
            Self::Policy(_) => "UnsupportedAlgorithm",
            Self::Token(_) => "InvalidSecurityToken",
            Self::Expired(_) => "MessageExpired",
            Self::UnknownKey(_)
            | Self::Signature { .. }
            | Self::Digest { .. }
            | Self::NotCovered(_)
            | Self::NotTrusted { .. }
            | Self::Library(_) => "FailedCheck",
        }
    }
}
