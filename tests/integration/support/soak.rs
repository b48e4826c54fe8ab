//! Tests that can go on for as long as one likes: briefly in `make test`, at length in `make soak`.

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::time::Duration;

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

    /// So many, each printed as its turn comes: a test that fails has printed its seed last. Only the one of
    /// `COUNTERSIGN_SEED`, where that is set.
    pub(crate) fn several(count: usize) -> impl Iterator<Item = Self> {
        let given = std::env::var_os("COUNTERSIGN_SEED").is_some();
        (0..if given { 1 } else { count }).map(|_| Self::new())
    }

    /// A time below half a second, for this purpose.
    pub(crate) fn moment(&self, purpose: impl Hash) -> Duration {
        Duration::from_micros(self.number(purpose) % 500_000)
    }

    /// One of them, for this purpose.
    pub(crate) fn pick<'a, T>(&self, from: &'a [T], purpose: impl Hash) -> &'a T {
        &from[usize::try_from(self.number(purpose) % from.len() as u64).expect("below the length")]
    }

    fn number(&self, purpose: impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.0, purpose).hash(&mut hasher);
        hasher.finish()
    }
}
