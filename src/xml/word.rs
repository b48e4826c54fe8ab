//! Short names as one machine word: found, compared and split without a branch for each byte. Names in
//! documents are short, and loops over them end where no processor can predict it.

use std::cmp::Ordering;

/// The first 16 bytes of a name, the first one lowest; noughts behind its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word(u128);

/// Bytes in a word.
pub(super) const WIDTH: usize = 16;

impl Word {
    /// Of the name of `length` bytes at the start of `bytes`, which may go on behind it.
    #[inline]
    pub(super) fn of(bytes: &[u8], length: usize) -> Self {
        let word = match bytes.first_chunk::<WIDTH>() {
            Some(chunk) => u128::from_le_bytes(*chunk),
            None => bytes
                .iter()
                .rev()
                .fold(0, |word, byte| word << 8 | u128::from(*byte)),
        };
        Self(word).first(length)
    }

    /// The word of the first so many of its bytes.
    #[inline]
    pub(super) fn first(self, length: usize) -> Self {
        if length >= WIDTH {
            self
        } else {
            Self(self.0 & !(u128::MAX << (8 * length)))
        }
    }

    /// Where the first byte of this value is.
    #[inline]
    pub(super) fn position(self, byte: u8) -> Option<usize> {
        const ONES: u128 = u128::MAX / 0xFF;
        // Mycroft's test for a zero byte: exact up to the first one.
        let difference = self.0 ^ (ONES * u128::from(byte));
        let zeros = difference.wrapping_sub(ONES) & !difference & (ONES << 7);
        (zeros != 0).then(|| zeros.trailing_zeros() as usize / 8)
    }

    /// A small number that depends on all bytes, below `1 << bits`.
    #[inline]
    pub(super) fn hash(self, bits: u32) -> usize {
        let half = |word: u128| u64::try_from(word & u128::from(u64::MAX)).unwrap_or(0);
        // Fibonacci hashing: the upper bits of a product with 2^64 over the golden ratio.
        let product = (half(self.0) ^ half(self.0 >> 64)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        usize::try_from(product >> (64 - bits)).unwrap_or(0)
    }
}

/// In the order of the bytes: noughts make a name come before those that it begins.
impl Ord for Word {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.swap_bytes().cmp(&other.0.swap_bytes())
    }
}

impl PartialOrd for Word {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_name_whatever_stands_behind_it() {
        assert_eq!(Word::of(b"soap:Body>and so on", 9), Word::of(b"soap:Body", 9));
        assert_eq!(Word::of(b"soap:Body", 9).first(4), Word::of(b"soap", 4));
        assert_ne!(Word::of(b"soap:Body", 9), Word::of(b"soap:Bod", 8));
        assert_eq!(Word::of(b"", 0), Word::of(b"anything at all, and long", 0));
    }

    #[test]
    fn the_first_such_byte_is_found() {
        assert_eq!(Word::of(b"a:b:c", 5).position(b':'), Some(1));
        assert_eq!(Word::of(b"abcdefghijklmno:", 16).position(b':'), Some(15));
        assert_eq!(Word::of(b"abc:", 3).position(b':'), None);
        assert_eq!(Word::of(b";:", 2).position(b':'), Some(1));
    }

    #[test]
    fn words_are_in_the_order_of_their_names() {
        let names = ["", "A", "Ab", "B", "a", "aa", "ab", "abcdefghijklmnop", "b", "é"];
        let words: Vec<Word> = names
            .iter()
            .map(|name| Word::of(name.as_bytes(), name.len()))
            .collect();
        assert!(words.is_sorted_by(|one, other| one < other));
    }
}
