//! A backup in the place of the database. What came after it is lost, so nobody gets one who does not know: it is held against
//! everything that tells what the running proxy did last. What is known to be revoked stays so, and an alias that may be older
//! than what it signed with is stopped until an operator has looked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use time::OffsetDateTime;

use super::backup::{check_opens, make_new, unusable, verified};
use super::known::{Known, Loss, Withdrawn};
use super::{DATABASE, MasterKeyFile, StateDirectory, Store, StoreError, schema};
use crate::clock::rfc3339;
use crate::durable::{beside, sync_directory_of};
use crate::keys::audit::{Author, Head, KeptHead, Record};
use crate::keys::lifecycle::{KeyState, Replacement};
use crate::keys::{CommandError, Keys, Reason};

/// What is to be restored, and what is known of the time after it.
pub struct Restoring<'a> {
    /// The backup.
    pub from: &'a Path,
    /// The end of the audit of the running proxy, as somebody kept it.
    pub head: Option<KeptHead>,
    /// The audit of the running proxy, as `countersign audit show --json` printed it.
    pub audit: Option<&'a Path>,
    /// It may lack what came after it.
    pub accept_older: bool,
    /// By the wall clock.
    pub now: OffsetDateTime,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The end of its audit now.
    pub head: Head,
    /// Aliases that do not sign until an operator has looked.
    pub stopped: Vec<String>,
    /// What was withdrawn again, a sentence each.
    pub withdrawn: Vec<String>,
    /// Where the database lies now that was there.
    pub replaced: Option<PathBuf>,
}

/// Puts a backup into the state directory; a database that is there is kept beside.
///
/// # Errors
/// When it is no whole backup, the master key does not open it, or it lacks, or may lack, what came after it and nobody has
/// accepted that. Then nothing was changed.
pub fn restore(
    directory: StateDirectory,
    master_key: &MasterKeyFile,
    restoring: &Restoring<'_>,
) -> Result<Restored, StoreError> {
    let (from, directory) = (restoring.from, Arc::new(directory));
    let to = directory.path().join(DATABASE);
    if !schema::exists(from)? {
        return Err(unusable(from, "there is no such backup"));
    }
    verified(from)?;
    check_opens(from, master_key)?;
    let known = Known::gather(directory.path(), &to, restoring)?;
    let loss = known.loss(from)?;
    if let Some(sentence) = loss.sentence().filter(|_| !restoring.accept_older) {
        return Err(unusable(from, &sentence));
    }
    let unfinished = to.with_extension("unfinished");
    let failed = |error: io::Error| unusable(&to, &format!("the backup cannot be put there: {error}"));
    copy(from, &unfinished).map_err(failed)?;
    let (stopped, withdrawn) = {
        let mut store = Store::of(Arc::clone(&directory), &unfinished, master_key)?;
        let stopped = loss.stopped(store.aliases()?);
        store.restored(&loss, &stopped, restoring.now)?;
        let keys = Keys::open(store, &BTreeMap::new(), Vec::new(), restoring.now)?;
        (stopped, withdraw_again(&keys, known.withdrawn(), restoring.now)?)
    };
    let head = verified(&unfinished)?;
    let replaced = set_aside(&to, restoring.now).map_err(failed)?;
    fs::rename(&unfinished, &to)
        .and_then(|()| sync_directory_of(&to))
        .map_err(failed)?;
    clear(&unfinished);
    super::kept_head::write(directory.path(), &head);
    Ok(Restored {
        head,
        stopped: stopped.into_iter().collect(),
        withdrawn,
        replaced,
    })
}

fn copy(from: &Path, unfinished: &Path) -> io::Result<()> {
    clear(unfinished); // of an attempt that was cut off
    let mut copy = make_new(unfinished)?;
    io::copy(&mut File::open(from)?, &mut copy)?;
    copy.sync_all()
}

/// With what SQLite had beside it.
fn clear(unfinished: &Path) {
    for suffix in ["unfinished", "unfinished-wal", "unfinished-shm"] {
        let _ = fs::remove_file(unfinished.with_extension(suffix));
    }
}

/// With its log, without which it would be another one.
fn set_aside(to: &Path, now: OffsetDateTime) -> io::Result<Option<PathBuf>> {
    let time = rfc3339(now).replace([':', '.'], "-");
    let aside = beside(to, &format!(".replaced-{time}"));
    let _ = fs::remove_file(beside(to, "-shm")); // it is made anew from the log
    for suffix in ["-wal", ""] {
        match fs::rename(beside(to, suffix), beside(&aside, suffix)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed?,
        }
    }
    Ok(Some(aside).filter(|aside| aside.exists()))
}

/// What is known to be revoked or purged is so again; a key that the backup does not have is barred.
fn withdraw_again(
    keys: &Keys,
    withdrawn: Vec<Withdrawn>,
    now: OffsetDateTime,
) -> Result<Vec<String>, StoreError> {
    let mut sentences = Vec::new();
    for Withdrawn {
        alias,
        key,
        public_key,
        reason,
        purged,
    } in withdrawn
    {
        let ring = keys.ring();
        let state = ring
            .alias(&alias)
            .and_then(|own| own.key(&key))
            .map(|entry| entry.state);
        let again: Reason = format!("{reason} (known when a backup was restored)")
            .parse()
            .unwrap_or_else(|_| reason.clone());
        let operator = keys.by(Author::restore());
        let revoke = |replacement| operator.revoke(&alias, key.clone(), again.clone(), replacement, now);
        let done = match &state {
            None => keys
                .bar(&alias, &key, public_key.as_ref(), &again, now)
                .map_err(CommandError::from),
            Some(KeyState::Active { .. }) => revoke(Some(Replacement::Stop)),
            Some(KeyState::Pending { .. } | KeyState::Retired { .. }) => revoke(None),
            Some(KeyState::Revoked { .. }) if purged => Ok(()),
            Some(KeyState::Revoked { .. } | KeyState::Purged { .. } | KeyState::Discarded { .. }) => continue,
        };
        let done = done.and_then(|()| match state {
            Some(_) if purged => operator.purge(&alias, key.clone(), true, now),
            _ => Ok(()),
        });
        match done {
            Ok(()) => sentences.push(format!("{alias}: key {key} signs no more: {reason}")),
            Err(CommandError::Store(error)) => return Err(error),
            Err(refused) => sentences.push(format!(
                "{alias}: key {key} could not be revoked again: {refused}"
            )),
        }
    }
    Ok(sentences)
}

impl Store {
    /// Notes the restoration, stops aliases, and says from when on events are told from repetitions.
    fn restored(
        &mut self,
        loss: &Loss,
        stopped: &BTreeSet<String>,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let author = Author::restore();
        let mut record = Record::note("state-restored", &author, now);
        record.detail = BTreeMap::from([
            ("backup_head".to_owned(), self.chain.head().to_string()),
            ("lost".to_owned(), loss.name().to_owned()),
        ]);
        let milliseconds = super::key_table::milliseconds(now);
        self.record(
            None,
            [record],
            now,
            |transaction, _| match loss {
                Loss::Nothing => Ok(()),
                Loss::Records(_) | Loss::Older | Loss::NotKnown => {
                    schema::set_meta(transaction, super::EVENTS_AFTER, &milliseconds.to_be_bytes())
                }
            },
            super::nothing_to_tell,
        )?;
        for alias in stopped {
            let record = Record::told(
                "alias-stopped",
                Some(alias.as_str()),
                BTreeMap::new(),
                &author,
                now,
            );
            self.record(
                Some(alias),
                [record],
                now,
                |transaction, _| super::review_table::stop(transaction, alias, now),
                super::nothing_to_tell,
            )?;
        }
        Ok(())
    }
}
