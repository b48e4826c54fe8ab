//! The cores of this machine, as far as we may use them.

use std::thread::available_parallelism;

/// How many there are.
pub(crate) fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}
