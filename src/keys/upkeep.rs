//! What keys need while nobody asks for anything: activation when its time has come, the end of what lasts for too long,
//! notice of what is coming, and the writing of use counts.

mod holds;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::audit::Author;
use super::lifecycle::{Command, Lifecycle, Moment, Policy};
use super::{CommandError, Fingerprint, Keys, UseCounts};
use crate::clock::Clock;
use holds::Holds;

/// How late an activation may be.
const TICK: Duration = Duration::from_secs(1);
/// A crash loses the counts of this time at most.
const FLUSH: Duration = Duration::from_secs(10);
/// After an activation, or a notice, has failed.
const RETRY: Duration = Duration::from_secs(60);
/// A key on a token that hangs is waited for beside the others.
const PATIENCE: Duration = Duration::from_secs(1);
/// Clocks are corrected by as much every day.
const TOLERANCE: Duration = Duration::from_secs(60);

/// Keeps keys; holds what is to be known from one look to the next.
pub struct Upkeep {
    keys: Keys,
    clock: Clock,
    /// Apart, so that neither is in the other's way.
    activations: Errand,
    notices: Errand,
    holds: Holds,
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
            activations: Errand {
                is_due: Lifecycle::is_due,
                command: || Command::Timer,
                failed: "a key that is due was not activated; trying again in a minute",
                postponed: BTreeMap::new(),
                under_way: BTreeMap::new(),
            },
            notices: Errand {
                is_due: Lifecycle::is_notice_due,
                command: || Command::GiveNotice,
                failed: "a notice was not given; trying again in a minute",
                postponed: BTreeMap::new(),
                under_way: BTreeMap::new(),
            },
            holds: Holds::default(),
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
                self.end_holds();
                self.give_notice();
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
        let moment = self.keys.store_status().moment(self.clock.now());
        self.watch_clock(moment);
        self.activations.run(&self.keys, moment);
    }

    /// Those that have lasted for too long.
    pub fn end_holds(&mut self) {
        let moment = self.keys.store_status().moment(self.clock.now());
        self.holds.look(&self.keys, moment, Instant::now());
    }

    /// Everything that an operator has to know in time, on every alias.
    pub fn give_notice(&mut self) {
        let moment = self.keys.store_status().moment(self.clock.now());
        self.notices.run(&self.keys, moment);
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

/// What is done on every alias where it is due.
struct Errand {
    is_due: fn(&Lifecycle, &Policy, Moment) -> bool,
    command: fn() -> Command,
    /// What is said when it could not be done.
    failed: &'static str,
    /// Where it could not, and when to try again.
    postponed: BTreeMap<String, Instant>,
    /// Where it takes longer than the others can wait.
    under_way: BTreeMap<String, Told>,
}

/// How it went.
type Told = Receiver<Result<(), CommandError>>;

impl Errand {
    fn run(&mut self, keys: &Keys, moment: Moment) {
        let (ring, tick) = (keys.ring(), Instant::now());
        self.look_at_what_is_under_way();
        self.postponed.retain(|_, until| *until > tick);
        let due = ring
            .aliases()
            .filter(|(alias, own)| (self.is_due)(own, &keys.policy(alias), moment))
            .filter(|(alias, _)| !self.postponed.contains_key(*alias) && !self.under_way.contains_key(*alias))
            .map(|(alias, _)| alias.to_owned());
        for alias in due.collect::<Vec<_>>() {
            let (tell, told) = sync_channel(1);
            let (keys, own, command) = (keys.clone(), alias.clone(), (self.command)());
            let work = move || tell.send(keys.by(Author::timer()).run(&own, command, moment.now));
            if let Err(error) = thread::Builder::new().spawn(work) {
                tracing::error!(%alias, %error, "{}", self.failed);
                self.postponed.insert(alias, tick + RETRY);
            } else if let Some(told) = self.await_end(&alias, told, PATIENCE) {
                self.under_way.insert(alias, told);
            }
        }
    }

    /// What a token kept from its end before, if it has come to that.
    fn look_at_what_is_under_way(&mut self) {
        for (alias, told) in std::mem::take(&mut self.under_way) {
            if let Some(told) = self.await_end(&alias, told, Duration::ZERO) {
                self.under_way.insert(alias, told);
            }
        }
    }

    /// Something is left when it goes on.
    fn await_end(&mut self, alias: &str, told: Told, patience: Duration) -> Option<Told> {
        let problem = match told.recv_timeout(patience) {
            Ok(Ok(())) => return None,
            Ok(Err(problem)) => problem.to_string(),
            Err(RecvTimeoutError::Timeout) => return Some(told),
            Err(RecvTimeoutError::Disconnected) => "it stopped midway".to_owned(),
        };
        tracing::error!(%alias, %problem, "{}", self.failed);
        self.postponed.insert(alias.to_owned(), Instant::now() + RETRY);
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use tempfile::TempDir;
    use time::OffsetDateTime;

    use super::*;
    use crate::keys::generate::{KeyAlgorithm, SelfSigned};
    use crate::keys::lifecycle::Schedule;
    use crate::keys::{AfterImport, Refusal, store};

    const BEGIN: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    struct Bench {
        upkeep: Upkeep,
        /// Hours.
        now: Arc<AtomicI64>,
        _directory: TempDir,
    }

    impl Bench {
        /// The alias `orders`, with a key that expires after ten days, and one that expires later.
        fn new() -> (Self, [Fingerprint; 2]) {
            let directory = tempfile::tempdir().unwrap();
            let policy = Policy {
                before_expiry: true,
                ..Policy::default()
            };
            let policies = BTreeMap::from([("orders".to_owned(), policy)]);
            let store = store::tests::open(directory.path());
            let keys = Keys::open(store, &policies, Vec::new(), BEGIN).unwrap();
            let now = Arc::new(AtomicI64::new(0));
            let shown = now.clone();
            let clock = Clock::from_fn(move || BEGIN + time::Duration::hours(shown.load(Ordering::Relaxed)));
            let bench = Self {
                upkeep: Upkeep::new(keys, clock),
                now,
                _directory: directory,
            };
            let names = [10, 400].map(|days| bench.import(days));
            (bench, names)
        }

        fn import(&self, days: u32) -> Fingerprint {
            let material = SelfSigned::generate(KeyAlgorithm::P256, "Test", BEGIN, DAY * days)
                .and_then(SelfSigned::into_material)
                .unwrap();
            let operator = self.upkeep.keys.by(Author::cli());
            let imported = operator.import("orders", material, AfterImport::ActivateIfNone, BEGIN);
            imported.unwrap().fingerprint
        }

        fn at(&mut self, day: i64) -> Fingerprint {
            self.now.store(day * 24, Ordering::Relaxed);
            self.upkeep.activate_what_is_due();
            let ring = self.upkeep.keys.ring();
            let active = ring.alias("orders").unwrap().active().unwrap();
            active.fingerprint().clone()
        }
    }

    #[test]
    fn a_clock_that_jumps_by_a_day_either_way_undoes_nothing_and_shortens_nothing() {
        let (mut bench, [first, second]) = Bench::new();
        assert_eq!(bench.at(8), first);
        assert_eq!(bench.at(9), second, "a day before the first one expires");
        assert_eq!(bench.at(8), second);
        assert!(bench.upkeep.clock_was_behind, "and somebody is told");
        let keys = bench.upkeep.keys.clone();
        let purge = |day: u32| {
            let operator = keys.by(Author::cli());
            operator.purge("orders", first.clone(), false, BEGIN + DAY * day)
        };
        let early = purge(98);
        assert!(
            matches!(early, Err(CommandError::Refused(Refusal::Kept { until, .. })) if until == BEGIN + DAY * 99)
        );
        purge(99).unwrap();
        assert_eq!(bench.at(100), second);
        assert!(!bench.upkeep.clock_was_behind, "it has caught up");
    }

    #[test]
    fn a_key_is_activated_by_the_timer_when_its_time_has_come_and_the_audit_says_so() {
        let (mut bench, [first, second]) = Bench::new();
        let schedule = Schedule {
            at: BEGIN + DAY * 2,
            replaces: Some(first.clone()),
            first: false,
        };
        let operator = bench.upkeep.keys.by(Author::cli());
        operator
            .activate_at("orders", second.clone(), schedule, false, BEGIN)
            .unwrap();
        assert_eq!(bench.at(1), first);
        assert_eq!(bench.at(2), second);
        let records = bench.upkeep.keys.audit_trail().read(0, 100).unwrap();
        let by_timer = records.iter().filter(|record| record.author == Author::timer());
        assert_eq!(by_timer.count(), 2, "activated and retired");
    }

    #[test]
    fn a_notice_is_given_though_an_activation_fails_and_once() {
        let (mut bench, [first, _]) = Bench::new();
        let fault = "CREATE TEMP TRIGGER fault AFTER UPDATE ON key BEGIN SELECT RAISE(ABORT, 'fault'); END";
        bench.upkeep.keys.have_store_do(fault);
        assert_eq!(bench.at(9), first);
        let told = |bench: &mut Bench| {
            bench.upkeep.give_notice();
            let records = bench.upkeep.keys.audit_trail().read(0, 100).unwrap();
            let expiring = records.iter().filter(|record| record.what == "key-expiring");
            expiring
                .map(|record| record.detail["within"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&mut bench), ["1d"]);
        assert_eq!(told(&mut bench), ["1d"]);
    }

    #[test]
    fn an_activation_that_fails_is_tried_again_later_and_not_at_every_look() {
        let (mut bench, [first, second]) = Bench::new();
        let fault =
            "CREATE TEMP TRIGGER fault BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'fault'); END";
        bench.upkeep.keys.have_store_do(fault);
        assert_eq!(bench.at(9), first);
        assert_eq!(bench.at(9), first);
        assert_eq!(bench.upkeep.keys.store_status().failures(), 1);
        bench.upkeep.keys.have_store_do("DROP TRIGGER fault");
        bench.upkeep.activations.postponed.clear();
        assert_eq!(bench.at(9), second);
    }
}
