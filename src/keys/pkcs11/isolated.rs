//! A module in a process of its own, one for each token: what it does there, hang or crash, ends with that process.
//!
//! The process is this very program with a command of its own ([`super::helper`]). We speak with it by a socket pair on
//! its standard input; no argument and no variable has a PIN.

mod output;
mod process;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::request::{Answer, Problem, Request};
use super::way::{TO_START, Way};
use process::Process;

/// The way to a token by a process.
pub(super) struct Isolated {
    module: PathBuf,
    token: String,
    /// For one call.
    timeout: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    starts: u64,
    process: Option<Arc<Process>>,
}

impl Isolated {
    pub(super) fn new(module: PathBuf, token: String, timeout: Duration) -> Self {
        Self {
            module,
            token,
            timeout,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn process(&self) -> Option<Arc<Process>> {
        self.state().process.clone()
    }
}

impl Way for Isolated {
    fn start(&self) -> Result<u64, Problem> {
        if let Some(start) = self.running() {
            return Ok(start);
        }
        self.end();
        let process = Process::spawn(&self.module, &self.token)
            .map_err(|error| Problem::Module(format!("its process cannot be started: {error}")))?;
        let started = process.call(Request::Start, TO_START.max(self.timeout));
        if let Err(problem) = started {
            process.end();
            return Err(problem);
        }
        let mut state = self.state();
        state.starts += 1;
        state.process = Some(process);
        Ok(state.starts)
    }

    fn running(&self) -> Option<u64> {
        let state = self.state();
        let answers = state.process.as_ref().is_some_and(|process| process.answers());
        answers.then_some(state.starts)
    }

    fn call(&self, start: u64, request: Request) -> Result<Answer, Problem> {
        let process = {
            let state = self.state();
            state.process.clone().filter(|_| state.starts == start)
        };
        let process = process.ok_or_else(|| Problem::Lost("its process was ended".to_owned()))?;
        process.call(request, self.timeout)
    }

    fn end_hung(&self) {
        if let Some(process) = self.process()
            && process.is_unfit()
        {
            process.end();
        }
    }

    fn end(&self) {
        let process = self.state().process.take();
        if let Some(process) = process {
            process.end();
        }
    }
}

impl Drop for Isolated {
    fn drop(&mut self) {
        self.end();
    }
}
