//! What happened to keys, in the past tense. Logs, metrics and the audit derive from these and from
//! nothing else, so they cannot disagree. Told after the fact: by then every new message sees it.

use std::time::Duration;

use time::OffsetDateTime;

use crate::clock::rfc3339;
use crate::keys::lifecycle::Reason;
use crate::keys::{Certificate, Fingerprint};
use crate::spelling::vocabulary;

/// Something that happened to a key.
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
            | Self::KeyPurged { certificate, .. } => certificate,
        }
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
    }
}

/// An event and its circumstances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// Whose key it is.
    pub alias: String,
    /// When.
    pub at: OffsetDateTime,
    /// From the command to the instant at which every new message was subject to it.
    pub took: Duration,
    /// Of that, the exchange of the keys in memory.
    pub publishing: Duration,
    /// What.
    pub event: Event,
}

/// Is told of everything that happens, in order; must be quick, since the next command waits.
pub type Subscriber = Box<dyn Fn(&Occurrence) + Send + Sync>;

/// The log's subscriber.
pub fn log(occurrence: &Occurrence) {
    let (alias, event) = (&occurrence.alias, &occurrence.event);
    let certificate = event.certificate();
    let (key, subject) = (certificate.fingerprint(), certificate.subject());
    let what = words(event);
    if needs_attention(event) {
        tracing::warn!(%alias, %key, %subject, "{what}");
    } else {
        tracing::info!(%alias, %key, %subject, "{what}");
    }
}

fn words(event: &Event) -> String {
    match event {
        Event::KeyImported { .. } => "key imported".to_owned(),
        Event::ActivationScheduled { at, .. } => format!("key will be activated at {}", rfc3339(*at)),
        Event::ActivationCancelled { reason, .. } => format!("key will not be activated by itself: {reason}"),
        Event::KeyActivated { trigger, .. } => format!("key activated by {trigger}"),
        Event::KeyRetired { kept_until, .. } => format!("key retired, kept until {}", rfc3339(*kept_until)),
        Event::RetentionExtended { kept_until, .. } => format!("key kept until {}", rfc3339(*kept_until)),
        Event::KeyRevoked { reason, stopped, .. } => {
            let consequence = if *stopped { "; its alias signs no more" } else { "" };
            format!("key revoked: {reason}{consequence}")
        }
        Event::KeyDiscarded { .. } => "key discarded".to_owned(),
        Event::KeyPurged {
            compromised: false, ..
        } => "key purged".to_owned(),
        Event::KeyPurged {
            compromised: true, ..
        } => "key purged before its time: it is compromised".to_owned(),
    }
}

fn needs_attention(event: &Event) -> bool {
    matches!(
        event,
        Event::KeyRevoked { .. } | Event::ActivationCancelled { .. }
    )
}
