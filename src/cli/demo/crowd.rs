//! The aliases that nothing happens to: each has a key, as those of a large installation have.

use std::ops::Range;
use std::thread;

use time::OffsetDateTime;

use super::scene::{LIFETIME, alias};
use crate::cli::CliError;
use crate::cores::cores;
use crate::keys::audit::Author;
use crate::keys::generate::{KeyAlgorithm, SelfSigned};
use crate::keys::{AfterImport, Keys};

/// Gives each of these aliases a P-256 key, which takes least to make. On every core; waits for the disk.
pub(super) fn give_keys(keys: &Keys, aliases: Range<usize>, now: OffsetDateTime) -> Result<(), CliError> {
    let cores = cores();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|worker| {
                let mut own = aliases.clone().skip(worker).step_by(cores);
                scope.spawn(move || own.try_for_each(|number| give_key(keys, &alias(number), now)))
            })
            .collect();
        workers.into_iter().try_for_each(|worker| {
            let stopped = |_| Err(CliError::Failed("keys were not made".to_owned()));
            worker.join().unwrap_or_else(stopped)
        })
    })
}

fn give_key(keys: &Keys, alias: &str, now: OffsetDateTime) -> Result<(), CliError> {
    let material = SelfSigned::generate(KeyAlgorithm::P256, alias, now, LIFETIME)
        .and_then(SelfSigned::into_material)
        .map_err(CliError::failed)?;
    keys.by(Author::cli())
        .import(alias, material, AfterImport::ActivateIfNone, now)
        .map_err(CliError::failed)?;
    Ok(())
}
