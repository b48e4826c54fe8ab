//! Which of a route's signed messages the second engine looks at: every one until the key at work has once been
//! found to sign well on this route, then a share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

use crate::config::SelfCheck;
use crate::keys::Signer;

/// The choice for one route; it begins anew with each configuration.
pub(in crate::proxy) struct Sampling {
    settings: SelfCheck,
    /// The key whose message passed last.
    proven: ArcSwapOption<Signer>,
    /// Messages of which the share is taken.
    count: AtomicU64,
}

impl Sampling {
    /// By the route's settings.
    pub(in crate::proxy) fn new(settings: SelfCheck) -> Self {
        Self {
            settings,
            proven: ArcSwapOption::empty(),
            count: AtomicU64::new(0),
        }
    }

    /// Is the next message of this key due?
    pub(super) fn is_due(&self, signer: &Arc<Signer>) -> bool {
        let is_proven = self
            .proven
            .load()
            .as_ref()
            .is_some_and(|proven| Arc::ptr_eq(proven, signer));
        !is_proven || self.is_of_the_share()
    }

    /// Too large to be looked at: the tree would take many times its size.
    pub(super) fn is_too_large(&self, bytes: usize) -> bool {
        bytes > self.settings.max
    }

    /// A message of this key was found to be right.
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
            let sampling = Sampling::new(SelfCheck { share, max: 1 });
            let due = (0..1000).filter(|_| sampling.is_of_the_share()).count();
            assert_eq!(due, expected, "{share}");
        }
    }
}
