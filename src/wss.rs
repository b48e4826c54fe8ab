//! WS-Security without HTTP: bytes in, [`SignedMessage`] out.

use std::sync::Arc;

use bytes::Bytes;
use time::OffsetDateTime;

pub mod names;
pub mod profile;

pub use profile::Profile;

use crate::keys::Signer;
use crate::xml::{Limits, Position};

/// The two SOAP versions, told by the Envelope's namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SoapVersion {
    /// SOAP 1.1, `http://schemas.xmlsoap.org/soap/envelope/`.
    Soap11,
    /// SOAP 1.2, `http://www.w3.org/2003/05/soap-envelope`.
    Soap12,
}

/// Why a message is refused; the sender's fault, in a sentence for the sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct MessageError {
    /// What kind of refusal; decides the status.
    pub kind: MessageErrorKind,
    /// Where, when it can be told.
    pub position: Option<Position>,
    /// What is wrong and what to do, position included.
    pub sentence: String,
}

/// What the caller does about a [`MessageError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageErrorKind {
    /// 400.
    Malformed,
    /// 415: an encoding or media type that is not served.
    UnsupportedEncoding,
}

/// Signing failed for a reason that is ours.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SignError(pub String);

/// How one route's messages are protected: a profile, and what is prepared once for each key.
pub struct Protection {
    profile: Profile,
}

impl Protection {
    /// For the profile.
    #[must_use]
    pub fn new(profile: Profile, limits: Limits) -> Arc<Self> {
        let _ = limits;
        Arc::new(Self { profile })
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Begins to read one message. `charset` is the Content-Type's parameter, if it has one.
    #[must_use]
    pub fn read(self: &Arc<Self>, charset: Option<&str>) -> MessageReader {
        let _ = charset;
        todo!()
    }

    /// Signs with exactly this key. Synchronous and, for RSA, milliseconds long: call it off the
    /// threads that move bytes.
    ///
    /// # Errors
    /// When the key cannot serve the profile (no such algorithm, no SKI, …) or refuses to sign.
    pub fn sign(
        &self,
        message: &PlainMessage,
        signer: &Arc<Signer>,
        now: OffsetDateTime,
    ) -> Result<SignedMessage, SignError> {
        let _ = (message, signer, now);
        todo!()
    }
}

/// Reads one plain message as its bytes arrive.
pub struct MessageReader {}

impl MessageReader {
    /// Takes the next bytes of the message; keeps them without copying.
    ///
    /// # Errors
    /// As soon as the message can no longer be a SOAP message that we sign.
    pub fn feed(&mut self, chunk: Bytes) -> Result<(), MessageError> {
        let _ = chunk;
        todo!()
    }

    /// The SOAP version, once the Envelope's start tag has been read.
    #[must_use]
    pub fn soap_version(&self) -> Option<SoapVersion> {
        todo!()
    }

    /// The message is complete.
    ///
    /// # Errors
    /// When something is missing.
    pub fn finish(self) -> Result<PlainMessage, MessageError> {
        todo!()
    }
}

/// A whole, well-formed SOAP message, not signed yet. It cannot be forwarded.
pub struct PlainMessage {}

impl PlainMessage {
    /// It arrived in another encoding and is in UTF-8 now.
    #[must_use]
    pub fn transcoded(&self) -> bool {
        todo!()
    }

    /// Its SOAP version.
    #[must_use]
    pub fn soap_version(&self) -> SoapVersion {
        todo!()
    }
}

/// A message signed by exactly one key. Only [`Protection::sign`] makes one.
pub struct SignedMessage {
    segments: Vec<Bytes>,
}

impl SignedMessage {
    /// The bytes to send, in order; the sender's own bytes are shared, not copied.
    #[must_use]
    pub fn segments(&self) -> &[Bytes] {
        &self.segments
    }

    /// The same, for the one time that it is sent.
    #[must_use]
    pub fn into_segments(self) -> Vec<Bytes> {
        self.segments
    }
}
