//! What has to hold of renewals, holds and notices after every step.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use super::super::expected::{Expected, Gate, Led, Renewal as ExpectedRenewal};
use super::Witness;
use crate::keys::lifecycle::{Renewal, RenewalNews, Step, Strategy};
use crate::keys::{Fingerprint, Keys};

impl Witness {
    /// A hold is started, may lead to the receiver's turn, and ends.
    pub(super) fn hear_of_renewal(&mut self, alias: &str, news: &RenewalNews) {
        let was = self.gates.get(alias).copied().unwrap_or("open");
        let is = match news {
            RenewalNews::HoldStarted => {
                assert_eq!(was, "open");
                "draining"
            }
            RenewalNews::MaySwitch => {
                assert_eq!(was, "draining");
                "holding"
            }
            RenewalNews::HoldEnds { .. } => {
                assert_eq!(was, "holding");
                was
            }
            RenewalNews::HoldRefuses { .. } => {
                assert_eq!(was, "holding");
                "refusing"
            }
            RenewalNews::HoldEnded { .. } => {
                assert_ne!(was, "open");
                "open"
            }
            RenewalNews::Completed | RenewalNews::Aborted { .. } => {
                assert_eq!(was, "open", "the end of a renewal is told after that of its hold");
                "open"
            }
            RenewalNews::Started
            | RenewalNews::Published
            | RenewalNews::LinkMade { .. }
            | RenewalNews::Confirmed { .. }
            | RenewalNews::Activated => was,
        };
        self.gates.insert(alias.to_owned(), is);
    }

    pub(in super::super) fn compare_renewals(
        &self,
        keys: &Keys,
        alias: &str,
        expected: &Expected,
        now: OffsetDateTime,
        fingerprint: &dyn Fn(usize) -> Fingerprint,
    ) {
        let ring = keys.ring();
        let found = ring.alias(alias).unwrap();
        assert_eq!(found.renewals().len(), expected.renewals.len());
        for (found, expected) in found.renewals().iter().zip(&expected.renewals) {
            compare_renewal(found, expected, fingerprint);
        }
        let told = self.gates.get(alias).copied().unwrap_or("open");
        assert_eq!(found.gate().name(), told, "the events tell another story");
        let strategy = match expected.led {
            Led::PrePublish => Strategy::PrePublish,
            Led::Hold => Strategy::Hold,
            Led::ByReceiver => Strategy::ReceiverLed,
        };
        let candidate = found
            .candidate(strategy, now)
            .map(|key| key.fingerprint().clone());
        assert_eq!(candidate, expected.candidate(now).map(fingerprint));
        let notices = expected
            .notices
            .iter()
            .map(|(key, told)| (fingerprint(*key), told.word()));
        let notices: BTreeSet<_> = notices.collect();
        let given = found
            .notices()
            .iter()
            .map(|(key, notice)| (key.clone(), notice.name()));
        assert_eq!(given.collect::<BTreeSet<_>>(), notices);
    }

    /// By SQL of its own.
    pub(super) fn compare_renewals_with_database(keys: &Keys) {
        let ring = keys.ring();
        let remembered = ring.aliases().flat_map(|(alias, keys)| {
            let renewals = keys.renewals().iter().enumerate();
            renewals.map(move |(position, renewal)| {
                let confirmed = renewal.receivers.iter().filter(|one| one.confirmed.is_some());
                (
                    (alias.to_owned(), position),
                    renewal.id.to_string(),
                    renewal.key().to_string(),
                    renewal.gate.name().to_owned(),
                    [renewal.steps.len(), renewal.receivers.len(), confirmed.count()],
                    renewal.is_open(),
                )
            })
        });
        let store = keys.writer();
        let mut statement = store
            .connection()
            .prepare(
                "SELECT alias, position, id, fingerprint, iif(refuses, 'refusing', gate), \
                 (SELECT count(*) FROM renewal_step WHERE renewal = id), \
                 (SELECT count(*) FROM renewal_receiver WHERE renewal = id), \
                 (SELECT count(confirmed) FROM renewal_receiver WHERE renewal = id), goes_on \
                 FROM renewal ORDER BY alias, position",
            )
            .unwrap();
        let stored = statement
            .query_map([], |row| {
                let place = (row.get(0)?, usize::try_from(row.get::<_, i64>(1)?).unwrap());
                let count = |column| {
                    row.get::<_, i64>(column)
                        .map(|count| usize::try_from(count).unwrap())
                };
                let counts = [count(5)?, count(6)?, count(7)?];
                Ok((place, row.get(2)?, row.get(3)?, row.get(4)?, counts, row.get(8)?))
            })
            .unwrap()
            .collect::<Result<Vec<_>, _>>()
            .unwrap();
        assert_eq!(stored, remembered.collect::<Vec<_>>());
        let given: usize = ring.aliases().map(|(_, keys)| keys.notices().len()).sum();
        let stored: i64 = store
            .connection()
            .query_row("SELECT count(*) FROM notice", [], |row| row.get(0))
            .unwrap();
        assert_eq!(usize::try_from(stored).unwrap(), given);
    }
}

fn compare_renewal(found: &Renewal, expected: &ExpectedRenewal, fingerprint: &dyn Fn(usize) -> Fingerprint) {
    assert_eq!(*found.key(), fingerprint(expected.key));
    assert_eq!(found.displaced, expected.displaced.map(fingerprint));
    for (step, taken) in [
        (Step::Published, expected.published),
        (Step::Confirmed, expected.all_confirmed),
        (Step::Activated, expected.activated),
        (Step::Completed, expected.completed),
        (Step::Aborted, expected.aborted),
    ] {
        assert_eq!(found.has_taken(step), taken, "{step}");
    }
    let gate = match expected.gate {
        Gate::Open => "open",
        Gate::Draining => "draining",
        Gate::Holding => "holding",
        Gate::Refusing => "refusing",
    };
    assert_eq!(found.gate.name(), gate);
    assert!(
        !found.gate.is_shut() || found.is_open(),
        "nothing is held for what is over"
    );
    let confirmed = |one: &crate::keys::lifecycle::Confirmation| one.confirmed.is_some();
    let found: Vec<_> = found.receivers.iter().map(confirmed).collect();
    let expected: Vec<_> = expected.receivers.iter().map(|one| one.confirmed).collect();
    assert_eq!(found, expected);
}
