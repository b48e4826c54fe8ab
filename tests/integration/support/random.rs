//! Random numbers that a seed repeats.

/// SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    /// By the seed in the environment, if there is one; prints the one it takes, for the output of a test that fails.
    pub(crate) fn seeded() -> Self {
        let fresh = || std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), "seed");
        let seed = number("COUNTERSIGN_SEED").unwrap_or_else(fresh);
        println!("COUNTERSIGN_SEED={seed}");
        Self(seed)
    }

    /// Another one, that takes its seed from this one.
    pub(crate) fn seeded_by(other: &mut Self) -> Self {
        Self(u64::try_from(other.below(usize::MAX)).expect("a number"))
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound).expect("a small number");
        usize::try_from((mixed ^ (mixed >> 31)) % bound).expect("a small number")
    }
}

/// A number in the environment.
pub(crate) fn number(variable: &str) -> Option<u64> {
    std::env::var(variable)
        .ok()
        .map(|number| number.parse().expect("a number"))
}
