//! Tests that can go on for as long as one likes: briefly in `make test`, at length in `make soak`.

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};

/// The first, or the second in `make soak`.
pub(crate) fn soak<T>(briefly: T, at_length: T) -> T {
    match std::env::var_os("COUNTERSIGN_SOAK") {
        Some(_) => at_length,
        None => briefly,
    }
}

/// Numbers that look random and are the same for the same seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seed(u64);

impl Seed {
    /// `COUNTERSIGN_SEED`, or another one each time; printed, so that a failure can be had again.
    pub(crate) fn new() -> Self {
        let given = std::env::var("COUNTERSIGN_SEED").ok();
        let seed = given.map_or_else(
            || RandomState::new().hash_one(()),
            |seed| seed.parse().expect("a number"),
        );
        println!("COUNTERSIGN_SEED={seed}");
        Self(seed)
    }

    /// One of them, for this purpose.
    pub(crate) fn pick<'a, T>(&self, from: &'a [T], purpose: impl Hash) -> &'a T {
        let mut hasher = DefaultHasher::new();
        (self.0, purpose).hash(&mut hasher);
        &from[usize::try_from(hasher.finish() % from.len() as u64).expect("below the length")]
    }
}
