//! Places before a token: so many messages may be at it, so many more may wait. Each token has its own, so that none waits
//! for another one.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::token::MOST_SESSIONS;

/// Messages that may wait. More would only be late, and hold memory meanwhile.
const MOST_WAITING: usize = 256;

/// Those of one token.
#[derive(Clone)]
pub struct Places {
    at_work: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// One of them; given back when dropped.
pub struct Place(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit);

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// As many wait as may.
    Full,
    /// None became free in time.
    TooLate,
}

impl Places {
    pub(super) fn new() -> Self {
        Self {
            at_work: Arc::new(Semaphore::new(MOST_SESSIONS)),
            waiting: Arc::new(Semaphore::new(MOST_WAITING)),
        }
    }

    /// Whether they are those of the same token.
    #[must_use]
    pub fn are(&self, others: &Self) -> bool {
        Arc::ptr_eq(&self.at_work, &others.at_work)
    }

    /// Waits for one.
    ///
    /// # Errors
    /// At once, when too many wait already; at `deadline`, when none became free.
    pub async fn take(&self, deadline: Instant) -> Result<Place, NoPlace> {
        let waits = self.waiting.try_acquire().map_err(|_| NoPlace::Full)?;
        let place = timeout_at(deadline, self.at_work.clone().acquire_owned()).await;
        drop(waits);
        place.ok().and_then(Result::ok).map(Place).ok_or(NoPlace::TooLate)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_finds_as_many_waiting_as_may_is_told_at_once() {
        let places = Places::new();
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut held = Vec::new();
        for _ in 0..MOST_SESSIONS {
            held.push(places.take(deadline).await.unwrap_or_else(|_| panic!("a place")));
        }
        let waiting: Vec<_> = (0..MOST_WAITING)
            .map(|_| {
                let places = places.clone();
                tokio::spawn(async move { places.take(deadline).await.err() })
            })
            .collect();
        for _ in 0..MOST_WAITING {
            tokio::task::yield_now().await; // the runtime starts a part of them at a time
        }
        assert_eq!(places.take(deadline).await.err(), Some(NoPlace::Full));
        assert!(Instant::now() < deadline);
        drop(held.pop());
        let mut late = 0;
        for waits in waiting {
            late += usize::from(waits.await.unwrap() == Some(NoPlace::TooLate));
        }
        // One got the place, gave it to the next one, and so on; nobody is left out.
        assert_eq!(late, 0);
        assert!(places.take(deadline).await.is_ok(), "and it is free again");
        assert!(!places.are(&Places::new()) && places.are(&places.clone()));
    }
}
