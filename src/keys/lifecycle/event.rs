//! What happened to keys, in the past tense. The log, the metrics, the audit and the CloudEvents that go out derive from
//! these facts and from nothing else, so they cannot disagree.

use time::OffsetDateTime;

use super::{Notice, Reason, RenewalId, RenewalNews};
use crate::clock::rfc3339;
use crate::keys::{Certificate, Fingerprint};
use crate::spelling::vocabulary;

/// Something that happened to a key, or to its renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It arrived and is pending.
    KeyImported {
        /// The key's.
        certificate: Certificate,
    },
    /// It is going to sign.
    ActivationScheduled {
        /// The key's.
        certificate: Certificate,
        /// From then on.
        at: OffsetDateTime,
        /// Only if this one is active then.
        replaces: Option<Fingerprint>,
    },
    /// It is not going to sign by itself any more.
    ActivationCancelled {
        /// The key's.
        certificate: Certificate,
        /// Why.
        reason: String,
    },
    /// It signs from now on.
    KeyActivated {
        /// The key's.
        certificate: Certificate,
        /// Why.
        trigger: Trigger,
    },
    /// It signs no more; it was displaced.
    KeyRetired {
        /// The key's.
        certificate: Certificate,
        /// It cannot be purged before.
        kept_until: OffsetDateTime,
        /// The key before it took its place again.
        rolled_back: bool,
    },
    /// It is kept for longer than was said when it was displaced.
    RetentionExtended {
        /// The key's.
        certificate: Certificate,
        /// It cannot be purged before.
        kept_until: OffsetDateTime,
    },
    /// It neither signs nor verifies any more, whatever it did before; it still decrypts.
    KeyRevoked {
        /// The key's.
        certificate: Certificate,
        /// In the words of whoever did it.
        reason: Reason,
        /// It was the active one and has no successor: messages of the alias are refused.
        stopped: bool,
        /// It cannot be purged before, unless others know its private key.
        kept_until: OffsetDateTime,
    },
    /// It never signed and is gone.
    KeyDiscarded {
        /// The key's.
        certificate: Certificate,
    },
    /// Its private key is gone.
    KeyPurged {
        /// The key's.
        certificate: Certificate,
        /// Before its retention was over: others know the private key.
        compromised: bool,
    },
    /// It signs because its predecessor was about to expire, though not every receiver is known to have its certificate.
    ActivatedUnconfirmed {
        /// The key's.
        certificate: Certificate,
        /// Those that have not confirmed; none: nobody was asked.
        receivers: Vec<String>,
    },
    /// It is active and will expire.
    KeyExpiring {
        /// The key's.
        certificate: Certificate,
        /// Within which time.
        notice: Notice,
    },
    /// Its retention is over.
    KeyPurgeable {
        /// The key's.
        certificate: Certificate,
    },
    /// The exchange that brings it has come on.
    Renewal {
        /// Which.
        renewal: RenewalId,
        /// The new key's.
        certificate: Certificate,
        /// What.
        news: RenewalNews,
    },
}

impl Event {
    /// Of the key that it happened to.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        match self {
            Self::KeyImported { certificate }
            | Self::ActivationScheduled { certificate, .. }
            | Self::ActivationCancelled { certificate, .. }
            | Self::KeyActivated { certificate, .. }
            | Self::KeyRetired { certificate, .. }
            | Self::RetentionExtended { certificate, .. }
            | Self::KeyRevoked { certificate, .. }
            | Self::KeyDiscarded { certificate }
            | Self::KeyPurged { certificate, .. }
            | Self::ActivatedUnconfirmed { certificate, .. }
            | Self::KeyExpiring { certificate, .. }
            | Self::KeyPurgeable { certificate }
            | Self::Renewal { certificate, .. } => certificate,
        }
    }

    /// The renewal that it happened to, if it is one's.
    #[must_use]
    pub const fn renewal(&self) -> Option<&RenewalId> {
        if let Self::Renewal { renewal, .. } = self {
            Some(renewal)
        } else {
            None
        }
    }

    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::KeyImported { .. } => "key imported".to_owned(),
            Self::ActivationScheduled { certificate, at, .. } => {
                let begins = *at == certificate.not_before();
                let why = if begins { ", when its certificate becomes valid" } else { "" };
                format!("key will be activated at {}{why}", rfc3339(*at))
            }
            Self::ActivationCancelled { reason, .. } => format!("key will not be activated by itself: {reason}"),
            Self::KeyActivated { trigger, .. } => format!("key activated by {trigger}"),
            Self::KeyRetired {
                kept_until,
                rolled_back,
                ..
            } => {
                let what = if *rolled_back { "rolled back and retired" } else { "retired" };
                format!("key {what}, kept until {}", rfc3339(*kept_until))
            }
            Self::RetentionExtended { kept_until, .. } => format!("key kept until {}", rfc3339(*kept_until)),
            Self::KeyRevoked { reason, stopped, .. } => {
                let consequence = if *stopped { "; its alias signs no more" } else { "" };
                format!("key revoked: {reason}{consequence}")
            }
            Self::KeyDiscarded { .. } => "key discarded".to_owned(),
            Self::KeyPurged {
                compromised: false, ..
            } => "key purged".to_owned(),
            Self::KeyPurged {
                compromised: true, ..
            } => "key purged before its time: it is compromised".to_owned(),
            Self::ActivatedUnconfirmed { receivers, .. } if receivers.is_empty() => {
                "key activated before its predecessor expires; no receiver has confirmed that it has the certificate"
                    .to_owned()
            }
            Self::ActivatedUnconfirmed { receivers, .. } => format!(
                "key activated before its predecessor expires, though not confirmed by {}",
                receivers.join(", ")
            ),
            Self::KeyExpiring { certificate, notice } => {
                let expiry = rfc3339(certificate.not_after());
                format!("the active key expires within {notice}, on {expiry}: renew it")
            }
            Self::KeyPurgeable { .. } => "key may be purged: its retention is over".to_owned(),
            Self::Renewal { news, .. } => news.words(),
        }
    }

    /// Somebody has to act, now or soon.
    #[must_use]
    pub const fn needs_attention(&self) -> bool {
        if let Self::Renewal { news, .. } = self {
            return news.needs_attention();
        }
        matches!(
            self,
            Self::KeyRevoked { .. }
                | Self::ActivationCancelled { .. }
                | Self::ActivatedUnconfirmed { .. }
                | Self::KeyExpiring { .. }
        )
    }
}

vocabulary! {
    /// What made a key the active one.
    pub enum Trigger {
        /// Its import: there was none before, or the alias activates what it imports.
        Import = "import",
        /// The command to activate it.
        Activate = "activate",
        /// The command to go back one step.
        Rollback = "rollback",
        /// The revocation of its predecessor.
        Revoke = "revoke",
        /// An event from outside.
        Event = "event",
        /// The time that was set for it.
        Schedule = "schedule",
        /// The expiry of its predecessor, a day before.
        Expiry = "expiry",
        /// A receiver that refused its predecessor has accepted it.
        Receiver = "receiver",
        /// The end of a drain: messages wait for it.
        Hold = "hold",
        /// The exchange for its successor was given up, by somebody or because a hold lasted for too long.
        Back = "back",
    }
}
