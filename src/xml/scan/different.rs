//! How many different names a document has: of elements, attributes and targets as they are written, and namespace names.
//! Parsers keep each in a table for as long as they read. That of libxml2 2.9 (dict.c) has 16,380 places and no more, so that
//! with more names each look-up takes longer, and a message of nothing but new names takes a time that grows with its square.

use std::collections::HashSet;
use std::hash::BuildHasher;

use crate::xml::word::{WIDTH, Word};

const SLOT_BITS: u32 = 7;

/// The names met so far.
pub(super) struct Different {
    /// Those met lately, by a hash: documents repeat few names often.
    lately: Vec<Short>,
    /// By a hash that nobody outside can choose names for; the names themselves would be several times the message.
    all: HashSet<u64>,
}

/// A name of at most two words.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Short {
    length: usize,
    first: Word,
    /// Of a name that is longer than one.
    last: Word,
}

impl Short {
    const EMPTY: Self = Self {
        length: 0,
        first: Word::of_short(b""),
        last: Word::of_short(b""),
    };

    /// Of the name of `length` bytes at the start of `bytes`.
    #[inline(always)]
    fn of(bytes: &[u8], length: usize) -> Self {
        let last = match length.checked_sub(WIDTH) {
            None | Some(0) => Word::of_short(b""),
            Some(at) => Word::of(bytes.get(at..).unwrap_or(&[]), WIDTH),
        };
        Self {
            length,
            first: Word::of(bytes, length),
            last,
        }
    }
}

impl Different {
    pub(super) fn new() -> Self {
        Self {
            lately: vec![Short::EMPTY; 1 << SLOT_BITS],
            all: HashSet::new(),
        }
    }

    /// Of the names met so far, how many are different.
    #[inline]
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// Meets the name of `length` bytes at the start of `bytes`.
    #[inline(always)]
    pub(super) fn meet(&mut self, bytes: &[u8], length: usize) {
        let name = Short::of(bytes, length);
        let slot = name.first.hash_with(name.last, SLOT_BITS);
        if length > 2 * WIDTH || self.lately.get(slot) != Some(&name) {
            self.enter(bytes.get(..length).unwrap_or(&[]), slot, name);
        }
    }

    #[inline(never)]
    fn enter(&mut self, written: &[u8], slot: usize, name: Short) {
        self.all.insert(self.all.hasher().hash_one(written));
        if let Some(place) = self.lately.get_mut(slot) {
            *place = name;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_counts_once_however_often_it_is_met_and_whatever_stands_behind_it() {
        let mut different = Different::new();
        let mut met = HashSet::new();
        for length in 1..70 {
            for first in b'a'..=b'e' {
                for last in b'a'..=b'e' {
                    let mut name = vec![b'x'; length];
                    name[length - 1] = last;
                    name[0] = first;
                    let behind = [name.as_slice(), b" and more of it"].concat();
                    different.meet(&name, length);
                    different.meet(&behind, length);
                    met.insert(name);
                    assert_eq!(different.count(), met.len(), "{length}");
                }
            }
        }
    }
}
