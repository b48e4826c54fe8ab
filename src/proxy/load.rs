//! What all messages together may take: requests, bytes, signatures; and what those may who ask the admin listener. A flood
//! is refused, not swallowed.
//!
//! The bound belongs to a configuration, the count to the process: after a reload, what older requests hold still counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Something of which there is only so much; by default nothing.
#[derive(Clone, Default)]
pub(crate) struct Limit {
    most: usize,
    taken: Arc<AtomicUsize>,
}

/// More than there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no more of it now")]
pub(crate) struct Exhausted;

impl Limit {
    /// Of which nothing has been taken yet.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            taken: Arc::default(),
        }
    }

    /// Another bound on what is taken of this one.
    pub(crate) fn with_most(&self, most: usize) -> Self {
        Self {
            most,
            taken: self.taken.clone(),
        }
    }

    /// Takes as much, at once or not at all.
    pub(crate) fn take(&self, amount: usize) -> Result<Share, Exhausted> {
        let more = |taken: usize| taken.checked_add(amount).filter(|taken| *taken <= self.most);
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .map_err(|_| Exhausted)?;
        Ok(Share {
            of: self.taken.clone(),
            amount,
        })
    }

    /// Whether as much could be taken now.
    pub(crate) fn has(&self, amount: usize) -> bool {
        amount <= self.left()
    }

    /// How much could be taken now.
    fn left(&self) -> usize {
        self.most.saturating_sub(self.taken())
    }

    /// How much there is.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// How much is taken now.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// A part of what there is; given back when dropped.
pub(crate) struct Share {
    of: Arc<AtomicUsize>,
    amount: usize,
}

impl Share {
    /// How much it is.
    pub(crate) fn amount(&self) -> usize {
        self.amount
    }

    /// Takes in another part of the same.
    pub(crate) fn merge(&mut self, mut other: Self) {
        debug_assert!(Arc::ptr_eq(&self.of, &other.of), "parts of the same");
        self.amount += std::mem::take(&mut other.amount);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.fetch_sub(self.amount, Ordering::Relaxed);
    }
}

/// What one of many may take of what there is for all, so that nobody takes so much that the others get nothing.
#[derive(Clone, Default)]
pub(crate) struct Portion {
    own: Limit,
    all: Limit,
    /// It is bounded by what the others leave, too, but never to less than this.
    least: Option<usize>,
}

impl Portion {
    /// Of which nothing has been taken yet.
    pub(crate) fn new(most: usize, all: &Limit) -> Self {
        Self {
            own: Limit::new(most),
            all: all.clone(),
            least: None,
        }
    }

    /// Three quarters of what the others leave, and so much in any case that there is.
    pub(crate) fn beside_others(least: usize, all: &Limit) -> Self {
        Self {
            least: Some(least),
            ..Self::new(all.most(), all)
        }
    }

    /// The bounds of another one on what is taken of this one.
    pub(crate) fn within(&self, bounds: &Self) -> Self {
        Self {
            own: self.own.with_most(bounds.own.most),
            ..bounds.clone()
        }
    }

    /// Takes as much, at once or not at all.
    pub(crate) fn take(&self, amount: usize) -> Result<Part, Exhausted> {
        let (own, all) = (self.own.take(amount)?, self.all.take(amount)?);
        let leaves_enough = self.leaves_enough(self.own.taken(), self.all.left());
        leaves_enough.then_some(Part { own, all }).ok_or(Exhausted)
    }

    /// Where it has taken so much of its own, and so much is left.
    fn leaves_enough(&self, own: usize, left: usize) -> bool {
        let bound = |least: usize| least.max(left.saturating_mul(3));
        self.least.is_none_or(|least| own <= bound(least))
    }

    /// Takes as much more for a part of this portion.
    pub(crate) fn more(&self, part: &mut Part, amount: usize) -> Result<(), Exhausted> {
        let Part { own, all } = self.take(amount)?;
        part.own.merge(own);
        part.all.merge(all);
        Ok(())
    }

    /// Whether as much could be taken now.
    pub(crate) fn has(&self, amount: usize) -> bool {
        let (own, left) = (self.own.taken(), self.all.left());
        let leaves_enough = || self.leaves_enough(own.saturating_add(amount), left.saturating_sub(amount));
        self.own.has(amount) && self.all.has(amount) && leaves_enough()
    }
}

/// Some of a portion; given back when dropped.
pub(crate) struct Part {
    own: Share,
    all: Share,
}

impl Part {
    /// How much it is.
    pub(crate) fn amount(&self) -> usize {
        self.own.amount()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_given_back_once() {
        let bytes = Limit::new(10);
        let mut share = bytes.take(4).unwrap();
        share.merge(bytes.take(6).unwrap());
        assert_eq!((bytes.taken(), bytes.take(1).err()), (10, Some(Exhausted)));
        drop(share);
        assert_eq!(bytes.taken(), 0);
        assert!(bytes.take(usize::MAX).is_err() && bytes.has(10) && !bytes.has(11));
    }

    #[test]
    fn who_has_taken_his_portion_leaves_the_rest_to_others() {
        let all = Limit::new(10);
        let (one, other) = (Portion::new(7, &all), Portion::new(7, &all));
        let mut part = one.take(4).unwrap();
        one.more(&mut part, 3).unwrap();
        assert!(one.take(1).is_err() && !one.has(1), "its own bound");
        assert_eq!((part.amount(), all.taken()), (7, 7), "what failed takes nothing");
        let rest = other.take(3).unwrap();
        assert!(other.take(1).is_err(), "the bound of all");
        drop(part);
        assert_eq!(all.taken(), 3);
        drop(other.take(4).unwrap());
        assert_eq!((rest.amount(), all.taken()), (3, 3));
    }

    #[test]
    fn who_takes_all_that_he_can_leaves_something_to_the_next() {
        let all = Limit::new(1024);
        let many: Vec<_> = (0..8).map(|_| Portion::beside_others(1, &all)).collect();
        let all_they_can =
            |portion: &Portion| std::iter::from_fn(|| portion.take(1).ok()).collect::<Vec<_>>();
        let taken: Vec<_> = many.iter().map(all_they_can).collect();
        let amounts: Vec<_> = taken.iter().map(Vec::len).collect();
        assert_eq!(
            amounts,
            [768, 192, 48, 12, 3, 1, 0, 0],
            "and then there is nothing"
        );
        drop(taken);
        let both = [&many[0], &many[1]];
        let by_turns: Vec<_> = (0..1024).filter_map(|turn| both[turn % 2].take(1).ok()).collect();
        assert_eq!(
            by_turns.len(),
            2 * 1024 * 3 / 7,
            "an equal part for each and one for a third"
        );
        let other = &many[2];
        assert!(other.has(48) && !other.has(148), "three quarters of the rest");
        assert!(other.take(100).is_ok());
    }

    #[test]
    fn what_one_may_always_take_is_not_bounded_by_the_others() {
        let all = Limit::new(100);
        let (greedy, modest) = (Portion::beside_others(40, &all), Portion::beside_others(40, &all));
        let _most = greedy.take(60).unwrap();
        assert!(modest.has(40) && !modest.has(41));
        assert!(modest.take(40).is_ok());
    }

    #[test]
    fn a_new_bound_counts_what_was_taken_under_the_old_one() {
        let old = Limit::new(10);
        let share = old.take(8).unwrap();
        let smaller = old.with_most(5);
        assert!(smaller.take(1).is_err() && !smaller.has(1));
        assert!(old.take(2).is_ok(), "older requests keep their bound");
        drop(share);
        assert!(smaller.take(5).is_ok());
    }
}
