//! Events from outside as causes of what happens to keys, and what they were answered.
//!
//! Caller, source and id name an event: nobody uses up the ids of somebody else.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::spelling::vocabulary;

/// The event that asked for something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Who sent it.
    pub source: String,
    /// Its name there.
    pub id: String,
    /// Of what type it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// By which entry of the configuration its sender was let in, whatever token that has; the audit has it as the author.
    #[serde(skip)]
    pub caller: String,
    /// SHA-256 of what it asks for.
    #[serde(skip)]
    pub digest: [u8; 32],
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.id, self.source)
    }
}

vocabulary! {
    /// What became of an event.
    pub enum Verdict {
        /// It was done.
        Applied = "applied",
        /// There was nothing to do.
        Ignored = "ignored",
        /// It was not done.
        Refused = "refused",
    }
}

/// What an event was answered, and is answered whenever it comes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What became of it.
    pub verdict: Verdict,
    /// Why, or what was done, in a sentence.
    pub reason: String,
}

/// An answer that is remembered, and which event it was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The answer.
    pub answer: Answer,
    /// Of the event.
    pub kind: String,
    /// Its subject.
    pub alias: String,
    /// SHA-256 of what it asked for; not known of events that an earlier version answered.
    pub digest: Option<[u8; 32]>,
}

impl Remembered {
    /// Whether this event is the one that was answered, and not another one with its id.
    #[must_use]
    pub fn is_of(&self, cause: &Cause, alias: &str) -> bool {
        self.kind == cause.kind
            && self.alias == alias
            && self.digest.is_none_or(|digest| digest == cause.digest)
    }
}
