//! Events from outside as causes of what happens to keys, and what they were answered.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::spelling::vocabulary;

/// The event that asked for something. Source and id name it and no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Who sent it.
    pub source: String,
    /// Its name there.
    pub id: String,
    /// Of what type it is.
    #[serde(rename = "type")]
    pub kind: String,
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
}
