//! What the receiver counts, and the memory by which it notices that a message came twice.

use std::collections::{BTreeMap, HashSet, VecDeque};

use openssl::sha::sha256;
use serde::{Deserialize, Serialize};

/// Counts since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Messages accepted, duplicates among them.
    pub accepted: u64,
    /// Accepted messages that had been accepted before.
    pub duplicates: u64,
    /// Messages without a signature for this receiver.
    pub unsigned: u64,
    /// All other messages refused.
    pub refused: u64,
    /// Accepted messages by the fingerprint of the key that signed the Body.
    pub keys: BTreeMap<String, u64>,
    /// Why the last message was refused.
    pub last_refusal: Option<String>,
}

/// The messages that came last.
#[derive(Debug, Default)]
pub(super) struct Recent {
    known: HashSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl Recent {
    /// How many are remembered, at some hundred bytes each.
    const CAPACITY: usize = 1 << 18;

    /// Notes a message; whether it was here before.
    pub(super) fn note(&mut self, identity: &[u8]) -> bool {
        let digest = sha256(identity);
        if !self.known.insert(digest) {
            return true;
        }
        self.order.push_back(digest);
        if self.order.len() > Self::CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut recent = Recent::default();
        assert!(!recent.note(b"first"));
        assert!(recent.note(b"first"));
        for number in 0..Recent::CAPACITY {
            assert!(!recent.note(&number.to_be_bytes()));
        }
        assert!(!recent.note(b"first"), "forgotten");
        assert_eq!(recent.known.len(), Recent::CAPACITY);
    }
}
