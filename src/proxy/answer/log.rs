//! One line for each kind of fault that a receiver sends, so that an operator sees what to write into `key_refused`; a
//! flood of faults is no flood of lines. What a fault says is shown with nothing in it that could pass for our own
//! words, and its detail never.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;
use tracing::field;

use super::Finding;
use crate::wss::fault::Fault;
use crate::xml::text::Line;

/// A fault of the same code and text is not told again within this time.
const QUIET: Duration = Duration::from_secs(60);
/// Different ones that are told within it.
const MOST: usize = 20;
/// Characters shown of a code, and of a text.
const SHOWN: usize = 300;

/// The memory of one route.
pub(in crate::proxy) struct FaultLog {
    /// Whether the log says what faults say; their code it has in any case.
    text: bool,
    told: Mutex<Told>,
    /// So that no receiver can choose faults that are taken for one another.
    hasher: RandomState,
}

#[derive(Default)]
struct Told {
    /// When each was told last.
    faults: HashMap<u64, Instant>,
    /// Faults since the last line that were not told.
    omitted: u64,
}

impl FaultLog {
    pub(in crate::proxy) fn new(text: bool) -> Self {
        Self {
            text,
            told: Mutex::default(),
            hasher: RandomState::new(),
        }
    }

    /// A receiver answered with this.
    pub(super) fn tell(&self, route: &str, status: StatusCode, fault: &Fault, finding: Finding) {
        let (code, text) = (written(fault), fault.text());
        let Some(omitted) = self.due(&code, &text, Instant::now()) else {
            return;
        };
        tracing::info!(
            route,
            status = status.as_u16(),
            code = %Line(&code, SHOWN),
            text = self.text.then(|| field::display(Line(&text, SHOWN))),
            key_refused = finding == Finding::KeyRefused,
            omitted,
            "the receiver answered with a fault"
        );
    }

    /// How many were omitted before, if this one is to be told.
    fn due(&self, code: &str, text: &str, now: Instant) -> Option<u64> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.faults.retain(|_, at| now < *at + QUIET);
        let fault = self.hasher.hash_one((code, text));
        if told.faults.contains_key(&fault) || told.faults.len() >= MOST {
            told.omitted += 1;
            return None;
        }
        told.faults.insert(fault, now);
        Some(std::mem::take(&mut told.omitted))
    }
}

/// A fault's code as it is written into a configuration.
pub(super) fn written(fault: &Fault) -> String {
    fault
        .code()
        .map_or_else(|| "none".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_faults_is_no_flood_of_lines() {
        let (log, begun) = (FaultLog::new(true), Instant::now());
        let due = |text: &str, seconds| log.due("{urn:x}Code", text, begun + Duration::from_secs(seconds));
        assert_eq!(due("same", 0), Some(0));
        assert_eq!(due("same", 1), None);
        assert_eq!(due("other", 2), Some(1), "another one is told at once");
        assert_eq!(due("same", 59), None);
        assert_eq!(due("same", 60), Some(1));
        let lines = (0..1000).filter(|number| due(&number.to_string(), 61).is_some());
        assert_eq!(
            lines.count(),
            MOST - 2,
            "and texts that are never the same are bounded"
        );
        assert_eq!(due("later", 200), Some(1000 - 18));
    }
}
