//! The way to a module: [in a process of its own](super::isolated), which can be ended whatever it does, or
//! [in ours](super::in_process).

use std::time::Duration;

use super::request::{Answer, Problem, Request};

/// How long a module may take to start: those of some network HSMs look for each of their machines in turn.
pub(super) const TO_START: Duration = Duration::from_secs(30);

/// Calls end within a time that was set; no lock is held while one goes on.
pub(super) trait Way: Send + Sync {
    /// The number of the start that runs. Where none does, starts it: one caller of a token at a time.
    fn start(&self) -> Result<u64, Problem>;

    /// The number of the start that runs, and answers: sessions of others are gone.
    fn running(&self) -> Option<u64>;

    fn call(&self, start: u64, request: Request) -> Result<Answer, Problem>;

    /// Ends one in which a call got no answer, where that can be done.
    fn end_hung(&self);

    /// Ends it, so that the next start is a new one, unless others are at work in it.
    fn end(&self);
}
