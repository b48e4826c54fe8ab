//! Short names as one machine word: found, compared and split without a branch for each byte. Names in
//! documents are short, and loops over them end where no processor can predict it.

use std::cmp::Ordering;

/// The first 16 bytes of a name, the first one lowest; noughts behind its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word(u128);

/// Bytes in a word.
pub(super) const WIDTH: usize = 16;

impl Word {
    /// The bytes at the start of `bytes`, whatever they are.
    #[inline]
    pub(super) fn at(bytes: &[u8]) -> Self {
        Self(match bytes.first_chunk::<WIDTH>() {
            Some(chunk) => u128::from_le_bytes(*chunk),
            None => short(bytes),
        })
    }

    /// Of the name of `length` bytes at the start of `bytes`, which may go on behind it.
    #[inline]
    pub(super) fn of(bytes: &[u8], length: usize) -> Self {
        Self::at(bytes).first(length)
    }

    /// Of a name that is known when compiling.
    pub(super) const fn of_short(name: &[u8]) -> Self {
        let mut word = [0; WIDTH];
        let (beginning, _) = word.split_at_mut(name.len());
        beginning.copy_from_slice(name);
        Self(u128::from_le_bytes(word))
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

    /// How many bytes the two have in common before they differ.
    #[inline]
    pub(super) const fn shared(self, other: Self) -> usize {
        (self.0 ^ other.0).trailing_zeros() as usize / 8
    }

    /// All of it.
    pub(super) const fn bytes(self) -> [u8; WIDTH] {
        self.0.to_le_bytes()
    }

    /// The same of two.
    #[inline]
    pub(super) fn hash_with(self, other: Self, bits: u32) -> usize {
        Self(self.0 ^ other.0.rotate_left(7)).hash(bits)
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

/// Fewer bytes than a word has; noughts behind them.
#[cold]
fn short(bytes: &[u8]) -> u128 {
    let shift = |word, byte: &u8| word << 8 | u128::from(*byte);
    bytes.iter().rev().fold(0, shift)
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
    fn two_words_share_what_stands_before_their_first_difference() {
        let word = |name: &[u8]| Word::of(name, name.len());
        assert_eq!(word(b"soap:Body").shared(word(b"soap:Header")), 5);
        assert_eq!(word(b"a").shared(word(b"b")), 0);
        assert_eq!(word(b"0123456789abcde").shared(word(b"0123456789abcdef")), 15);
        assert_eq!(
            word(b"0123456789abcdef").shared(word(b"0123456789abcdefg")),
            WIDTH
        );
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
