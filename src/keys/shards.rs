//! A map of which a copy with one entry changed is cheap: it consists of parts, and the copy shares all but
//! one of them. The maps of this kind that others wrote are under a copyleft licence.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

/// With 10,000 entries a change copies 256 pointers and 40 entries.
const SHARDS: u64 = 256;

/// Cheap to clone.
pub(super) struct Shards<K, V> {
    hasher: RandomState,
    shards: Arc<[Arc<HashMap<K, V>>]>,
}

impl<K: Hash + Eq + Clone, V: Clone> Shards<K, V> {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Arc::default()).collect(),
        }
    }

    pub(super) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let shard = self.shards.get(self.shard(key))?;
        shard.get(key)
    }

    /// Puts what `change` makes of the entry, or of none; `None`: takes it out. Costs little more while no other map shares
    /// the part.
    pub(super) fn set(&mut self, key: K, change: impl FnOnce(Option<V>) -> Option<V>) {
        let index = self.shard(&key);
        if let Some(shard) = Arc::make_mut(&mut self.shards).get_mut(index) {
            let shard = Arc::make_mut(shard);
            let value = shard.remove(&key);
            if let Some(value) = change(value) {
                shard.insert(key, value);
            }
        }
    }

    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        usize::try_from(self.hasher.hash_one(key) % SHARDS).unwrap_or(0)
    }
}

impl<K, V> Clone for Shards<K, V> {
    fn clone(&self) -> Self {
        Self {
            hasher: self.hasher.clone(),
            shards: Arc::clone(&self.shards),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_copy_differs_in_one_entry_and_the_original_in_none() {
        let mut map = Shards::new();
        for number in 0..1_000_u32 {
            map.set(number, |_| Some(number));
        }
        let mut next = map.clone();
        next.set(7, |was| was.map(|was| was + 1));
        next.set(8, |_| None);
        assert_eq!((map.get(&7), map.get(&8)), (Some(&7), Some(&8)));
        assert_eq!((next.get(&7), next.get(&8)), (Some(&8), None));
        for number in 9..1_000 {
            assert_eq!(next.get(&number), Some(&number));
        }
        let shared = map.shards.iter().zip(next.shards.iter());
        assert!(shared.filter(|(one, other)| !Arc::ptr_eq(one, other)).count() <= 2);
    }
}
