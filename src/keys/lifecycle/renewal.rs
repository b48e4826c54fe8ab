//! A renewal: the exchange of one key, as the steps that people and receivers take. What it is and how far it has come;
//! the commands that bring it on are in `renewing`, `confirming` and `holding`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use time::OffsetDateTime;

use super::link::Link;
use super::{Event, Gate, RenewalNews, Strategy};
use crate::keys::fingerprint::hex;
use crate::keys::{Certificate, Fingerprint};
use crate::spelling::vocabulary;

/// A renewal's name: `r-` and 16 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RenewalId(Arc<str>);

/// Not the name of a renewal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no renewal: its name is `r-` and 16 hex digits, as `countersign renewal show` prints it")]
pub struct NotARenewal(String);

/// The exchange of one key for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// Its name.
    pub id: RenewalId,
    /// Of the new key.
    pub certificate: Certificate,
    /// The key that was active before the new one was.
    pub displaced: Option<Fingerprint>,
    /// By which procedure; settled when the key is activated.
    pub strategy: Strategy,
    /// Whether the alias's messages go on their way meanwhile.
    pub gate: Gate,
    /// In the order in which they were taken; each once.
    pub steps: Vec<Taken>,
    /// All whom the exchange concerns, by scheme, host and port.
    pub receivers: Vec<Confirmation>,
}

vocabulary! {
    /// The steps of a renewal. One that is left out is overtaken by a later one.
    pub enum Step {
        /// The new key is there.
        Created = "created",
        /// Its certificate was handed over.
        Published = "published",
        /// Every receiver has it.
        Confirmed = "confirmed",
        /// It signs.
        Activated = "activated",
        /// The receivers have removed the old certificate.
        Completed = "completed",
        /// Given up; the key that signed then goes on to sign.
        Aborted = "aborted",
    }
}

/// A step that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Which.
    pub step: Step,
    /// When.
    pub at: OffsetDateTime,
    /// By whom, as the audit has it.
    pub by: String,
}

/// What one receiver has to say about the new key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// Scheme, host and port.
    pub receiver: String,
    /// It has the new certificate: since when, and who said so.
    pub confirmed: Option<Confirmed>,
    /// By which its administrator can say so.
    pub(in crate::keys) link: Option<Link>,
}

/// That a receiver has the new certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    /// Since when.
    pub at: OffsetDateTime,
    /// Who said so, as the audit has it.
    pub by: String,
}

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitsFor {
    /// An operator's: to publish, hold, activate or complete.
    Operator,
    /// These receivers': to add, exchange or accept the certificate.
    Receivers(Vec<String>),
    /// Messages under way are to come to their end.
    Drain,
    /// It is over.
    Nobody,
}

impl Renewal {
    /// The new key's name.
    #[must_use]
    pub fn key(&self) -> &Fingerprint {
        self.certificate.fingerprint()
    }

    /// The furthest step.
    #[must_use]
    pub fn step(&self) -> Step {
        let furthest = self.steps.iter().map(|taken| taken.step).max();
        furthest.unwrap_or(Step::Created)
    }

    /// Whether this step was taken.
    #[must_use]
    pub fn has_taken(&self, step: Step) -> bool {
        self.steps.iter().any(|taken| taken.step == step)
    }

    /// Neither completed nor aborted.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.step() < Step::Completed
    }

    /// Those that have not confirmed yet.
    #[must_use]
    pub fn unconfirmed(&self) -> Vec<String> {
        let missing = self.receivers.iter().filter(|one| one.confirmed.is_none());
        missing.map(|one| one.receiver.clone()).collect()
    }

    /// Whose turn it is.
    #[must_use]
    pub fn waits_for(&self) -> WaitsFor {
        let unconfirmed = self.unconfirmed();
        match self.step() {
            Step::Completed | Step::Aborted => WaitsFor::Nobody,
            _ if matches!(self.gate, Gate::Draining { .. }) => WaitsFor::Drain,
            _ if self.is_up_to_receivers() && !unconfirmed.is_empty() => WaitsFor::Receivers(unconfirmed),
            Step::Created | Step::Published | Step::Confirmed | Step::Activated => WaitsFor::Operator,
        }
    }

    fn is_up_to_receivers(&self) -> bool {
        match self.strategy {
            Strategy::PrePublish => self.step() >= Step::Published,
            Strategy::Hold => self.step() >= Step::Activated,
            Strategy::ReceiverLed => true,
        }
    }

    /// Something that happened to it.
    pub(super) fn tell(&self, news: RenewalNews) -> Event {
        Event::Renewal {
            renewal: self.id.clone(),
            certificate: self.certificate.clone(),
            news,
        }
    }
}

impl Confirmation {
    /// Until when the link is good that was made last, unless it was used.
    #[must_use]
    pub fn link_expires(&self) -> Option<OffsetDateTime> {
        let link = self.link.as_ref().filter(|link| link.spent.is_none());
        link.map(|link| link.expires)
    }
}

impl RenewalId {
    /// A new one.
    pub(in crate::keys) fn random() -> Result<Self, Unspecified> {
        let mut random = [0; 8];
        rand::fill(&mut random)?;
        Ok(Self(format!("r-{}", hex(&random)).into()))
    }
}

impl std::ops::Deref for RenewalId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RenewalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RenewalId {
    type Err = NotARenewal;

    fn from_str(text: &str) -> Result<Self, NotARenewal> {
        let digits = text.strip_prefix("r-").unwrap_or_default();
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() == 16 && digits.bytes().all(is_digit) {
            Ok(Self(text.into()))
        } else {
            Err(NotARenewal(text.chars().take(80).collect()))
        }
    }
}
