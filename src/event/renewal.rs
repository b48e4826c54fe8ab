//! What happens to renewals and holds.

use time::OffsetDateTime;

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
    /// Given up; the key that signs goes on to sign.
    Aborted {
        /// Why.
        reason: String,
    },
    /// New messages wait, those under way come to their end.
    HoldStarted,
    /// Nothing is under way: the receiver may exchange its certificate.
    MaySwitch,
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
            Self::HoldEnded { reason } => format!("hold ended: {reason}"),
        }
    }
}
