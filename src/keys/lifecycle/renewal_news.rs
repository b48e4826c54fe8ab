//! What happens to renewals and holds.

use time::OffsetDateTime;

use super::AfterHold;
use crate::clock::rfc3339;

/// Something that happened to a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenewalNews {
    /// It began.
    Started,
    /// The new certificate was handed over: the receivers are to take it.
    Published,
    /// A link was made by which a receiver's administrator confirms.
    LinkMade {
        /// Scheme, host and port.
        receiver: String,
        /// It is good until then.
        expires: OffsetDateTime,
    },
    /// A receiver has the new certificate.
    Confirmed {
        /// Scheme, host and port.
        receiver: String,
        /// It was the last one.
        all: bool,
    },
    /// The new key signs.
    Activated,
    /// The receivers have removed the old certificate.
    Completed,
    /// Given up; where the new key signed, the one before it does again.
    Aborted {
        /// Why.
        reason: String,
    },
    /// New messages wait, those under way come to their end.
    HoldStarted,
    /// Nothing is under way: the receiver may exchange its certificate.
    MaySwitch,
    /// The hold has gone on for long.
    HoldEnds {
        /// When, if nobody acts before.
        at: OffsetDateTime,
        /// How.
        then: AfterHold,
    },
    /// The hold has lasted for too long: messages are refused until somebody acts.
    HoldRefuses {
        /// Why not otherwise.
        reason: String,
    },
    /// Messages go on their way.
    HoldEnded {
        /// Why.
        reason: String,
    },
}

impl RenewalNews {
    /// For the log.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Started => "renewal started".to_owned(),
            Self::Published => "renewal: certificate published; waiting for the receiver".to_owned(),
            Self::LinkMade { receiver, expires } => {
                format!(
                    "renewal: confirmation link made for {receiver}, good until {}",
                    rfc3339(*expires)
                )
            }
            Self::Confirmed { receiver, all: false } => format!("renewal: confirmed by {receiver}"),
            Self::Confirmed { receiver, all: true } => {
                format!("renewal: confirmed by {receiver}, and so by all")
            }
            Self::Activated => "renewal: the new key signs".to_owned(),
            Self::Completed => "renewal completed".to_owned(),
            Self::Aborted { reason } => format!("renewal aborted: {reason}"),
            Self::HoldStarted => "hold started: new messages wait, those under way drain".to_owned(),
            Self::MaySwitch => "hold: nothing is under way any more; the receiver may switch now".to_owned(),
            Self::HoldEnds { at, then } => {
                let then = match then {
                    AfterHold::Back => "the key before signs again",
                    AfterHold::Refuse => "messages are refused",
                };
                format!(
                    "hold: it ends at {} unless somebody acts; {then} then",
                    rfc3339(*at)
                )
            }
            Self::HoldRefuses { reason } => {
                format!("hold: messages are refused from now on until somebody acts: {reason}")
            }
            Self::HoldEnded { reason } => format!("hold ended: {reason}"),
        }
    }

    /// Messages fail, or soon will.
    pub(crate) const fn needs_attention(&self) -> bool {
        matches!(self, Self::HoldEnds { .. } | Self::HoldRefuses { .. })
    }
}
