//! Which of a route's signed messages the second engine looks at: every one until the key at work has once been
//! found to sign well on this route, then a share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::Semaphore;

use crate::config::{LateSelfCheck, SelfCheck};
use crate::keys::Signer;

/// The choice for one route; it begins anew with each configuration.
pub(in crate::proxy) struct Sampling {
    settings: SelfCheck,
    /// The key whose message passed last.
    proven: ArcSwapOption<Signer>,
    /// Messages of which the share is taken.
    count: AtomicU64,
    place: Arc<Semaphore>,
}

/// Why a message is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// No message of its key has been found to be right.
    First,
    OfTheShare,
}

impl Sampling {
    /// By the route's settings.
    pub(in crate::proxy) fn new(settings: SelfCheck) -> Self {
        Self {
            settings,
            proven: ArcSwapOption::empty(),
            count: AtomicU64::new(0),
            place: Arc::new(Semaphore::new(1)),
        }
    }

    /// Is the next message of this key due, and why?
    pub(super) fn due(&self, signer: &Arc<Signer>) -> Option<Due> {
        match self.is_proven(signer) {
            true => self.is_of_the_share().then_some(Due::OfTheShare),
            false => Some(Due::First),
        }
    }

    /// Has a message of this key been found to be right?
    pub(super) fn is_proven(&self, signer: &Arc<Signer>) -> bool {
        let proven = self.proven.load();
        proven.as_ref().is_some_and(|proven| Arc::ptr_eq(proven, signer))
    }

    /// How long a look may take, its wait for a place included.
    pub(super) fn patience(&self) -> Duration {
        self.settings.timeout
    }

    /// What becomes of a message at which the look was given up.
    pub(super) fn late(&self) -> LateSelfCheck {
        self.settings.late
    }

    /// Where one message is looked at, and the others of the route wait.
    pub(super) fn place(&self) -> Arc<Semaphore> {
        self.place.clone()
    }

    /// Too large to be looked at: the tree would take many times its size.
    pub(super) fn is_too_large(&self, bytes: usize) -> bool {
        bytes > self.settings.max
    }

    /// A message of this key has been found to be right.
    pub(super) fn passed(&self, signer: &Arc<Signer>) {
        self.proven.store(Some(signer.clone()));
    }

    /// The share is spread evenly: a message is due whenever the count times the share reaches a whole number.
    fn is_of_the_share(&self) -> bool {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let due_of = |count: u64| (count as f64 * self.settings.share).floor();
        due_of(count + 1) > due_of(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_what_was_set() {
        for (share, expected) in [(0.0, 0), (0.01, 10), (0.25, 250), (1.0, 1000)] {
            let sampling = Sampling::new(SelfCheck {
                share,
                max: 1,
                timeout: Duration::ZERO,
                late: LateSelfCheck::Send,
            });
            let due = (0..1000).filter(|_| sampling.is_of_the_share()).count();
            assert_eq!(due, expected, "{share}");
        }
    }
}
