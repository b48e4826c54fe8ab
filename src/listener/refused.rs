//! Requests of a listener that were refused because nobody here knows who sent them, or what they ask for. Whoever reaches the
//! port can send them without end; from a number on they are answered late, so that they take no cores from messages.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

const MINUTE: Duration = Duration::from_secs(60);
/// Requests of a minute that are refused at once: more than people and their tools get wrong.
const AT_ONCE: u32 = 300;
/// What further ones wait for their answer. Each keeps its connection meanwhile, and connections are bounded.
const WAIT: Duration = Duration::from_millis(500);

/// How many there were lately.
#[derive(Default)]
pub(crate) struct Refused(Mutex<Minute>);

#[derive(Default)]
struct Minute {
    begun: Option<Instant>,
    times: u32,
}

impl Refused {
    /// Counts a request, and returns when it may be answered.
    pub(crate) async fn one_more(&self) {
        if self.is_flood(Instant::now()) {
            sleep(WAIT).await;
        }
    }

    fn is_flood(&self, now: Instant) -> bool {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |begun: Instant| now.saturating_duration_since(begun) >= MINUTE;
        if minute.begun.is_none_or(over) {
            *minute = Minute {
                begun: Some(now),
                times: 0,
            };
        }
        minute.times = minute.times.saturating_add(1);
        minute.times > AT_ONCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_requests_wait_until_the_minute_is_over() {
        let (refused, begun) = (Refused::default(), Instant::now());
        assert!((0..AT_ONCE).all(|_| !refused.is_flood(begun)));
        assert!(refused.is_flood(begun + MINUTE / 2));
        assert!(!refused.is_flood(begun + MINUTE));
    }
}
