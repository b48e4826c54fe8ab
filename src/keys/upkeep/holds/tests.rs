//! With a clock on the wall and one that only goes forward, each put where a test wants it.

use std::collections::BTreeMap;

use tempfile::TempDir;

use super::*;
use crate::keys::generate::{KeyAlgorithm, SelfSigned};
use crate::keys::lifecycle::{AfterHold, Gate, Policy};
use crate::keys::{AfterImport, Fingerprint, Strategy, store};

const BEGIN: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An alias whose messages wait since `BEGIN` for the receiver to exchange its certificate.
struct Bench {
    keys: Keys,
    holds: Holds,
    start: Instant,
    old: Fingerprint,
    new: Fingerprint,
    policies: BTreeMap<String, Policy>,
    directory: TempDir,
}

impl Bench {
    fn holding(then: AfterHold) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let policy = Policy {
            strategy: Strategy::Hold,
            hold: HoldLimit {
                then,
                ..HoldLimit::default()
            },
            ..Policy::default()
        };
        let policies = BTreeMap::from([("orders".to_owned(), policy)]);
        let keys = Keys::open(store::tests::open(directory.path()), &policies, Vec::new(), BEGIN).unwrap();
        let operator = keys.by(Author::cli());
        let [old, new] = [1, 2].map(|_| {
            let material = SelfSigned::generate(KeyAlgorithm::P256, "Test", BEGIN, DAY)
                .and_then(SelfSigned::into_material)
                .unwrap();
            let imported = operator.import("orders", material, AfterImport::ActivateIfNone, BEGIN);
            imported.unwrap().fingerprint
        });
        operator
            .hold("orders", vec!["https://erp:443".to_owned()], BEGIN)
            .unwrap();
        let drain = keys.ring().alias("orders").unwrap().drain().unwrap();
        operator.drained("orders", drain, BEGIN).unwrap();
        Self {
            keys,
            holds: Holds::default(),
            start: Instant::now(),
            old,
            new,
            policies,
            directory,
        }
    }

    /// When the wall shows so many minutes, and so many have passed.
    fn look(&mut self, wall: u32, passed: u32) {
        let moment = self.keys.store_status().moment(BEGIN + MINUTE * wall);
        self.holds.look(&self.keys, moment, self.start + MINUTE * passed);
    }

    fn gate(&self) -> &'static str {
        self.keys.ring().alias("orders").unwrap().gate().name()
    }

    fn signs(&self) -> Fingerprint {
        let ring = self.keys.ring();
        ring.alias("orders")
            .unwrap()
            .active()
            .unwrap()
            .fingerprint()
            .clone()
    }

    fn told(&self) -> Vec<String> {
        let records = self.keys.audit_trail().read(0, 100).unwrap();
        let of_end = records
            .into_iter()
            .filter(|record| record.what.starts_with("hold-"));
        of_end.map(|record| record.what).skip(2).collect() // started, may switch
    }

    /// The process ends, and another one starts.
    fn restarted(self) -> Self {
        let Self {
            keys,
            start,
            old,
            new,
            policies,
            directory,
            ..
        } = self;
        drop(keys);
        Self {
            keys: Keys::open(store::tests::open(directory.path()), &policies, Vec::new(), BEGIN).unwrap(),
            holds: Holds::default(),
            start,
            old,
            new,
            policies,
            directory,
        }
    }
}

#[test]
fn it_is_told_five_minutes_before_the_end_once_and_then_the_old_key_signs() {
    let mut bench = Bench::holding(AfterHold::Back);
    for minute in 0..15 {
        bench.look(minute, minute);
        assert_eq!((bench.gate(), bench.signs()), ("holding", bench.new.clone()));
        let told = if minute < 10 { vec![] } else { vec!["hold-ends"] };
        assert_eq!(bench.told(), told);
    }
    bench.look(15, 15);
    assert_eq!((bench.gate(), bench.signs()), ("open", bench.old.clone()));
    assert_eq!(bench.told(), ["hold-ends", "hold-ended"]);
    bench.look(16, 16);
    assert_eq!(bench.told().len(), 2);
}

#[test]
fn or_messages_are_refused_until_somebody_acts() {
    let mut bench = Bench::holding(AfterHold::Refuse);
    bench.look(0, 0);
    bench.look(15, 15);
    assert_eq!((bench.gate(), bench.signs()), ("refusing", bench.new.clone()));
    let mut bench = bench.restarted();
    bench.look(40, 40);
    assert_eq!(bench.gate(), "refusing");
    assert_eq!(bench.told(), ["hold-refuses"]);
    bench.keys.by(Author::cli()).resume("orders", BEGIN).unwrap();
    assert_eq!(bench.gate(), "open");
}

#[test]
fn a_jump_of_the_wall_clock_neither_ends_it_nor_puts_its_end_off() {
    let mut bench = Bench::holding(AfterHold::Back);
    bench.look(0, 0);
    bench.look(600, 1);
    assert_eq!(
        bench.gate(),
        "holding",
        "ten hours on the wall, one minute in truth"
    );
    bench.look(2, 14);
    assert_eq!(bench.gate(), "holding");
    bench.look(2, 15);
    assert_eq!(bench.gate(), "open");
}

#[test]
fn what_it_lasted_before_a_restart_counts() {
    let mut bench = Bench::holding(AfterHold::Back);
    bench.look(0, 0);
    let mut bench = bench.restarted();
    bench.look(12, 0);
    bench.look(14, 2);
    assert_eq!(bench.gate(), "holding");
    bench.look(15, 3);
    assert_eq!(bench.gate(), "open");

    let mut bench = Bench::holding(AfterHold::Back).restarted();
    bench.look(60, 0);
    assert_eq!(bench.gate(), "open", "its end passed while nobody looked");
}

#[test]
fn a_clock_that_was_put_back_over_a_restart_makes_it_last_no_longer_than_once_more() {
    let mut bench = Bench::holding(AfterHold::Back).restarted();
    let moment = bench.keys.store_status().moment(BEGIN - DAY);
    bench.holds.look(&bench.keys, moment, bench.start);
    bench.holds.look(&bench.keys, moment, bench.start + MINUTE * 14);
    assert_eq!(bench.gate(), "holding");
    // The old key is not valid yet by this clock, so it cannot sign either.
    bench.holds.look(&bench.keys, moment, bench.start + MINUTE * 15);
    assert_eq!(bench.gate(), "refusing");
    assert!(matches!(
        bench.keys.ring().alias("orders").unwrap().gate(),
        Gate::Holding { refuses: true, .. }
    ));
}

#[test]
fn a_setting_that_changes_meanwhile_counts_from_then_on() {
    let mut bench = Bench::holding(AfterHold::Back);
    bench.look(0, 0);
    let mut shorter = bench.policies.clone();
    shorter.get_mut("orders").unwrap().hold.most = MINUTE * 3;
    bench.keys.configure(&shorter, BEGIN).unwrap();
    bench.look(1, 1);
    assert_eq!(bench.told(), [""; 0]);
    bench.look(2, 2);
    assert_eq!(bench.told(), ["hold-ends"]);
    bench.look(3, 3);
    assert_eq!(bench.gate(), "open");
}

#[test]
fn what_cannot_be_stored_is_tried_again() {
    let mut bench = Bench::holding(AfterHold::Back);
    bench.look(0, 0);
    let fault = "CREATE TEMP TRIGGER fault BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'fault'); END";
    bench.keys.have_store_do(fault);
    bench.look(15, 15);
    assert_eq!(bench.gate(), "holding");
    bench.keys.have_store_do("DROP TRIGGER fault");
    bench.look(16, 16);
    assert_eq!((bench.gate(), bench.signs()), ("open", bench.old.clone()));
}
