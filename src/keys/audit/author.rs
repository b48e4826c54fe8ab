//! Who acts, as the audit names them: an operator, a receiver, an event, or the proxy by itself.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::keys::answer::Cause;

/// Who did something, and how it came here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// token, certificate, source, timer, cli, configuration, upgrade, restore, receiver, drain, link or stranger.
    pub who: String,
    /// Of the token or the certificate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// The peer's address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<String>,
    /// The event that asked for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub event: Option<Cause>,
}

impl Author {
    fn kind(who: &str) -> Self {
        Self {
            who: who.to_owned(),
            name: None,
            from: None,
            event: None,
        }
    }

    /// Whoever has the token of this name.
    #[must_use]
    pub fn token(name: &str) -> Self {
        Self {
            name: Some(name.to_owned()),
            ..Self::kind("token")
        }
    }

    /// Whoever has the client certificate of this subject.
    #[must_use]
    pub fn certificate(subject: &str) -> Self {
        Self {
            name: Some(subject.to_owned()),
            ..Self::kind("certificate")
        }
    }

    /// The alias's source brought it.
    #[must_use]
    pub fn source() -> Self {
        Self::kind("source")
    }

    /// Its time had come.
    #[must_use]
    pub fn timer() -> Self {
        Self::kind("timer")
    }

    /// A command on the machine itself.
    #[must_use]
    pub fn cli() -> Self {
        Self::kind("cli")
    }

    /// A setting changed.
    #[must_use]
    pub fn configuration() -> Self {
        Self::kind("configuration")
    }

    /// Whoever showed what nobody here knows.
    #[must_use]
    pub fn stranger() -> Self {
        Self::kind("stranger")
    }

    /// A backup was put in the place of the database.
    #[must_use]
    pub fn restore() -> Self {
        Self::kind("restore")
    }

    /// A new version of the proxy found a database of an earlier one.
    #[must_use]
    pub fn upgrade() -> Self {
        Self::kind("upgrade")
    }

    /// The answer of a receiver, by scheme, host and port.
    #[must_use]
    pub fn receiver(origin: &str) -> Self {
        Self {
            name: Some(origin.to_owned()),
            ..Self::kind("receiver")
        }
    }

    /// The last message that was under way when a hold began is over.
    #[must_use]
    pub fn drain() -> Self {
        Self::kind("drain")
    }

    /// Whoever has the confirmation link of this receiver.
    #[must_use]
    pub fn link(receiver: &str) -> Self {
        Self {
            name: Some(receiver.to_owned()),
            ..Self::kind("link")
        }
    }

    /// Because of this event.
    #[must_use]
    pub fn because_of(mut self, event: Cause) -> Self {
        self.event = Some(event);
        self
    }

    /// From this address.
    #[must_use]
    pub fn at(mut self, peer: impl fmt::Display) -> Self {
        self.from = Some(peer.to_string());
        self
    }
}

impl fmt::Display for Author {
    /// In few words: who, and by which event.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.who)?;
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        if let Some(event) = &self.event {
            write!(f, ", event {event}")?;
        }
        Ok(())
    }
}
