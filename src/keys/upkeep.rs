//! What keys need while nobody asks for anything: activation when its time has come, and the writing of
//! use counts.

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::audit::Author;
use super::lifecycle::{Command, Moment};
use super::{CommandError, Fingerprint, Keys, UseCounts};
use crate::clock::Clock;

/// How late an activation may be.
const TICK: Duration = Duration::from_secs(1);
/// A crash loses the counts of this time at most.
const FLUSH: Duration = Duration::from_secs(10);
/// After an activation has failed.
const RETRY: Duration = Duration::from_secs(60);
/// Clocks are corrected by as much every day.
const TOLERANCE: Duration = Duration::from_secs(60);

/// Keeps keys; holds what is to be known from one look to the next.
pub struct Upkeep {
    keys: Keys,
    clock: Clock,
    /// Failed activations, and when to try again.
    postponed: BTreeMap<String, Instant>,
    written: BTreeMap<(String, Fingerprint), UseCounts>,
    clock_was_behind: bool,
}

impl Upkeep {
    /// Of these keys.
    #[must_use]
    pub fn new(keys: Keys, clock: Clock) -> Self {
        Self {
            keys,
            clock,
            postponed: BTreeMap::new(),
            written: BTreeMap::new(),
            clock_was_behind: false,
        }
    }

    /// Until it is dropped.
    pub async fn run(mut self) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut flushed = Instant::now();
        loop {
            tick.tick().await;
            let flush = flushed.elapsed() >= FLUSH;
            let work = spawn_blocking(move || {
                self.activate_what_is_due();
                if flush {
                    self.write_uses();
                }
                self
            });
            let Ok(kept) = work.await else { return };
            self = kept;
            if flush {
                flushed = Instant::now();
            }
        }
    }

    /// Everything whose time has come, on every alias.
    pub fn activate_what_is_due(&mut self) {
        let now = self.clock.now();
        let moment = self.keys.store_status().moment(now);
        self.watch_clock(moment);
        let (ring, tick) = (self.keys.ring(), Instant::now());
        self.postponed.retain(|_, until| *until > tick);
        let due = ring
            .aliases()
            .filter(|(alias, keys)| keys.is_due(&self.keys.policy(alias), moment))
            .map(|(alias, _)| alias.to_owned());
        for alias in due.collect::<Vec<_>>() {
            if self.postponed.contains_key(&alias) {
                continue;
            }
            if let Err(problem) = self.activate(&alias, now) {
                tracing::error!(%alias, %problem, "a key that is due was not activated; trying again in a minute");
                self.postponed.insert(alias, tick + RETRY);
            }
        }
    }

    fn activate(&self, alias: &str, now: OffsetDateTime) -> Result<(), CommandError> {
        self.keys.by(Author::timer()).run(alias, Command::Timer, now)
    }

    /// Says once that the clock is behind, and once that it has caught up.
    fn watch_clock(&mut self, moment: Moment) {
        let behind = moment.now + TOLERANCE < moment.latest;
        if behind && !self.clock_was_behind {
            tracing::warn!(
                now = %moment.now, recorded = %moment.latest,
                "the clock is behind the last record of the audit; until it has caught up, retention and expiry of keys \
                 go by that record"
            );
        }
        if !behind && self.clock_was_behind {
            tracing::info!(now = %moment.now, "the clock has caught up with the audit");
        }
        self.clock_was_behind = behind;
    }

    /// The counts that have changed since they were written.
    pub fn write_uses(&mut self) {
        let ring = self.keys.ring();
        let mut changed = BTreeMap::new();
        for (alias, keys) in ring.aliases() {
            for entry in keys.keys() {
                let (key, counts) = (
                    (alias.to_owned(), entry.fingerprint().clone()),
                    entry.identity.uses().counts(),
                );
                if self.written.get(&key).copied().unwrap_or_default() != counts {
                    changed.insert(key, counts);
                }
            }
        }
        if changed.is_empty() && self.keys.store_status().is_writable() {
            return;
        }
        let rows = changed
            .iter()
            .map(|((alias, key), counts)| (alias.as_str(), key, *counts));
        match self.keys.writer().save_uses(rows) {
            Ok(()) => self.written.append(&mut changed),
            Err(problem) => tracing::warn!(%problem, "use counts were not stored; trying again"),
        }
    }
}
