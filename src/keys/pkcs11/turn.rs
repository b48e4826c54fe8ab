//! One at a time, with patience: who waits for his turn gives up in the end, whatever the one before him waits for.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Whether somebody has it.
#[derive(Default)]
pub(super) struct Turn {
    taken: Mutex<bool>,
    free: Condvar,
}

/// Given back when dropped.
pub(super) struct Taken<'a>(&'a Turn);

impl Turn {
    /// `None`: it did not come in time.
    pub(super) fn take(&self, patience: Duration) -> Option<Taken<'_>> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.free.wait_timeout_while(taken, patience, |taken| *taken);
        let (mut taken, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *taken {
            return None;
        }
        *taken = true;
        Some(Taken(self))
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.free.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_and_the_next_one_gets_it_or_gives_up() {
        let turn = Turn::default();
        let taken = turn.take(Duration::ZERO).unwrap();
        assert!(turn.take(Duration::from_millis(1)).is_none());
        std::thread::scope(|scope| {
            let next = scope.spawn(|| turn.take(Duration::from_secs(60)).is_some());
            drop(taken);
            assert!(next.join().unwrap());
        });
        assert!(turn.take(Duration::ZERO).is_some());
    }
}
