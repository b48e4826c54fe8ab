//! How many different names a document has: of elements, attributes and targets as they are written, and namespace names.
//! Parsers keep each in a table for as long as they read. That of libxml2 2.9 (dict.c) has 16,380 places and no more, so that
//! with more names each look-up takes longer, and a message of nothing but new names takes a time that grows with its square.

use std::collections::HashSet;
use std::hash::BuildHasher;

use crate::xml::word::{WIDTH, Word};

const SLOT_BITS: u32 = 7;
const SLOTS: usize = 1 << SLOT_BITS;

/// The names met so far. Takes no memory before the first one.
#[derive(Default)]
pub(super) struct Different {
    /// Those of one word that were met lately, by a hash: documents repeat few names often.
    short: Vec<Word>,
    /// The same of two words, with their lengths.
    long: Vec<(usize, Word, Word)>,
    /// All, by a hash that nobody outside can choose names for; the names themselves would be several times the message.
    all: HashSet<u64>,
}

impl Different {
    /// Of the names met so far, how many are different.
    #[inline]
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// Meets the name of `length` bytes at the start of `bytes`.
    #[inline(always)]
    pub(super) fn meet(&mut self, bytes: &[u8], length: usize) {
        if length > WIDTH {
            return self.meet_long(bytes, length);
        }
        let word = Word::of(bytes, length);
        let slot = word.hash(SLOT_BITS);
        if self.short.get(slot) != Some(&word) {
            self.enter(bytes, length);
            self.short.resize(SLOTS, Word::of_short(b""));
            if let Some(place) = self.short.get_mut(slot) {
                *place = word;
            }
        }
    }

    #[inline(never)]
    fn meet_long(&mut self, bytes: &[u8], length: usize) {
        if length > 2 * WIDTH {
            return self.enter(bytes, length);
        }
        let first = Word::of(bytes, WIDTH);
        let last = Word::of(bytes.get(length - WIDTH..).unwrap_or(&[]), WIDTH);
        let (name, slot) = ((length, first, last), first.hash_with(last, SLOT_BITS));
        if self.long.get(slot) != Some(&name) {
            self.enter(bytes, length);
            self.long
                .resize(SLOTS, (0, Word::of_short(b""), Word::of_short(b"")));
            if let Some(place) = self.long.get_mut(slot) {
                *place = name;
            }
        }
    }

    #[inline(never)]
    fn enter(&mut self, bytes: &[u8], length: usize) {
        let name = bytes.get(..length).unwrap_or(&[]);
        self.all.insert(self.all.hasher().hash_one(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_counts_once_however_often_it_is_met_and_whatever_stands_behind_it() {
        let mut different = Different::default();
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
