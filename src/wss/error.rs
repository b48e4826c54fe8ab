//! Why a message is not signed, and whose fault that is.

use bytes::Bytes;

use super::reference::NoRandomness;
use crate::keys::SignerError;
use crate::xml::{self, Position};

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
    /// It is not as it should be, and its sender must change it.
    Malformed,
    /// An encoding or media type that is not served.
    UnsupportedEncoding,
}

impl MessageError {
    /// `document` is the text that has been read.
    pub(super) fn in_encoding<'a>(
        error: &xml::encoding::Error,
        document: impl IntoIterator<Item = &'a Bytes>,
    ) -> Self {
        let (kind, position) = match error {
            xml::encoding::Error::Unsupported(_) => (MessageErrorKind::UnsupportedEncoding, None),
            xml::encoding::Error::Malformed { before, .. } => {
                let read = document.into_iter().map(|segment| &**segment);
                let position = Position::of(read.chain([before.as_bytes()]), u64::MAX);
                (MessageErrorKind::Malformed, Some(position))
            }
        };
        Self {
            kind,
            position,
            sentence: position.map_or_else(|| error.to_string(), |position| format!("{position}: {error}")),
        }
    }
}

/// What is wrong with a message that can be read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Bytes of the document before it; `None` where no place can be told.
    pub(super) offset: Option<u64>,
    pub(super) reason: Reason,
}

/// What is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Reason {
    #[error("this is not XML that can be signed: {0}")]
    Xml(xml::scan::Problem),
    #[error("this is not a SOAP message: the root element is not an Envelope of SOAP 1.1 or 1.2")]
    NoEnvelope,
    #[error("the Envelope has no Body")]
    NoBody,
    #[error("an element before the Body that is not the Header; SOAP has none there (SOAP 1.1, section 4)")]
    BeforeBody,
    #[error("an element after the Body; no receiver takes one there (WS-I Basic Profile R1011)")]
    AfterBody,
    #[error("the Envelope has two Bodies; send one")]
    TwoBodies,
    #[error("the Envelope has two Headers; send one")]
    TwoHeaders,
    #[error("the Header stands after the Body; put it first")]
    HeaderAfterBody,
    #[error("two Security headers are for the same actor; WS-Security allows one (WSS 1.1.1, section 5)")]
    TwoSecurityHeaders,
    #[error("the message already has a Security header for this actor, and this route does not accept that")]
    SecurityHeader,
    #[error("two Timestamps in the Security header; WS-Security allows one (BSP R3227)")]
    TwoTimestamps,
    #[error("the message's own Timestamp expired at {0}; send it again with a new one, or without")]
    Expired(String),
    #[error(
        "the message's own Timestamp was created in the future, at {0}; set the clock, and send it again with a new one, or without"
    )]
    FromTheFuture(String),
    #[error("the message's own Timestamp {0}; no receiver takes it: send a right one, or none")]
    Timestamp(&'static str),
    #[error(
        "the wsu:Id {0:?} of a part that is signed cannot be referred to; make it a name, or leave it out"
    )]
    IdNotReferable(String),
    #[error("the id {0:?} of a part that is signed stands on another element too; ids must be unique")]
    IdNotUnique(String),
    #[error(
        "a processing instruction within the Envelope, which SOAP forbids and this route does not accept"
    )]
    ProcessingInstruction,
    #[error(
        "a ds:Signature in the Body uses inclusive canonicalisation, which signing would break; declare the wsu namespace on the Envelope before signing it"
    )]
    InnerSignature,
    #[error(
        "more than {0} parts to sign; receivers take no more in one signature: send fewer header blocks, or let the profile's `sign` name fewer"
    )]
    TooManyParts(usize),
    #[error(transparent)]
    NoRandomness(NoRandomness),
}

impl From<xml::scan::Error> for Refusal {
    fn from(error: xml::scan::Error) -> Self {
        Self {
            offset: Some(error.offset),
            reason: Reason::Xml(error.problem),
        }
    }
}

/// Without a place.
impl From<Refusal> for MessageError {
    fn from(refusal: Refusal) -> Self {
        Self {
            kind: MessageErrorKind::Malformed,
            position: None,
            sentence: refusal.reason.to_string(),
        }
    }
}

impl Refusal {
    /// With the place as people count it. `document` is what has been read, the refused bytes included.
    pub(super) fn at<'a>(self, document: impl IntoIterator<Item = &'a Bytes>) -> MessageError {
        let Some(offset) = self.offset else {
            return self.into();
        };
        let position = Position::of(document.into_iter().map(|segment| &**segment), offset);
        let sentence = format!("{position}: {}", self.reason);
        MessageError {
            kind: MessageErrorKind::Malformed,
            position: Some(position),
            sentence,
        }
    }
}

/// Why a message that was accepted is not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The sender's fault after all: seen only with the time of signing.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The key cannot serve the profile.
    #[error("{0}")]
    Profile(String),
    /// The key did not sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The work was given up before its end, as it is when the process stops.
    #[error("signing stopped")]
    Stopped,
    /// No ids can be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}
