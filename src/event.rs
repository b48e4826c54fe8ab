//! What happened to keys, in the past tense. Logs and metrics derive from these and from nothing
//! else, so they cannot disagree. Told after the fact: by then every new message sees it.

use std::time::Duration;

use time::OffsetDateTime;

use crate::keys::Certificate;
use crate::spelling::vocabulary;

/// Something that happened to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It arrived and is pending.
    KeyImported {
        /// The key's.
        certificate: Certificate,
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
    },
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
    /// What.
    pub event: Event,
}

/// Is told of everything that happens, in order; must be quick, since the next command waits.
pub type Subscriber = Box<dyn Fn(&Occurrence) + Send + Sync>;

/// The log's subscriber.
pub fn log(occurrence: &Occurrence) {
    let alias = &occurrence.alias;
    let (certificate, what) = match &occurrence.event {
        Event::KeyImported { certificate } => (certificate, "key imported".to_owned()),
        Event::KeyActivated { certificate, trigger } => (certificate, format!("key activated by {trigger}")),
        Event::KeyRetired { certificate } => (certificate, "key retired".to_owned()),
    };
    let (key, subject) = (certificate.fingerprint(), certificate.subject());
    tracing::info!(%alias, %key, %subject, "{what}");
}
