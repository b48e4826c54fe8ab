//! The limit of open files: raised as far as the system lets us, and what follows from it for connections.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are no connections of flows or to receivers: listeners, database, logs, those who use the admin listener.
const OTHERS: usize = 64;
/// More than one instance can serve; bounds memory where the limit of files does not.
const MOST_CONNECTIONS: usize = 16 * 1024;

/// Raises the soft limit to the hard one, as everybody does who does not use `select`.
///
/// # Errors
/// When the system refuses; then what it was remains.
pub fn raise() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    Ok(setrlimit(Resource::Nofile, raised)?)
}

/// How many connections of flows may be open, and how many requests under way, so that none fails for want of a file:
/// a third each for flows, for receivers, and for those to receivers that are idle.
#[must_use]
pub fn connections() -> usize {
    let files = getrlimit(Resource::Nofile).current;
    let files = files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    (files.saturating_sub(OTHERS) / 3).clamp(1, MOST_CONNECTIONS)
}
