//! The keys under test beside the model; what is done to one is done to the other.

mod perform;

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openssl::pkey::PKey;
use tempfile::TempDir;
use time::OffsetDateTime;

use super::Random;
use super::expected::{Expected, Gate, Key, Led, Now, Renewing, STRATEGIES, State, Step};
use super::witness::Witness;
use crate::keys::generate::{KeyAlgorithm, SelfSigned};
use crate::keys::lifecycle::{AfterHold, HoldLimit, LinkToken, Policy, Strategy};
use crate::keys::occurrence::Subscriber;
use crate::keys::store::tests::open;
use crate::keys::{Certificate, CommandError, Fingerprint, KeyMaterial, Keys, PrivateKey};

pub(super) const ALIASES: [&str; 2] = ["orders", "invoices"];

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What befalls the store while a command is carried out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    ReadOnly,
    DiskFull,
    KeysBroken,
    AuditBroken,
}

impl Fault {
    pub(super) fn any(random: &mut Random) -> Self {
        [
            Self::ReadOnly,
            Self::DiskFull,
            Self::KeysBroken,
            Self::AuditBroken,
        ][random.below(4)]
    }

    /// Statements that bring it about, and that end it.
    fn statements(self) -> [&'static str; 2] {
        match self {
            Self::ReadOnly => ["PRAGMA query_only = on", "PRAGMA query_only = off"],
            Self::DiskFull => [
                "PRAGMA max_page_count = 1; CREATE TEMP TRIGGER fault BEFORE INSERT ON audit \
                 BEGIN INSERT INTO meta VALUES ('filler', zeroblob(1000000)); END",
                "PRAGMA max_page_count = 1000000; DROP TRIGGER fault",
            ],
            Self::KeysBroken => [
                "CREATE TEMP TRIGGER fault AFTER UPDATE ON key BEGIN SELECT RAISE(ABORT, 'fault'); END",
                "DROP TRIGGER fault",
            ],
            Self::AuditBroken => [
                "CREATE TEMP TRIGGER fault AFTER INSERT ON audit BEGIN SELECT RAISE(ABORT, 'fault'); END",
                "DROP TRIGGER fault",
            ],
        }
    }
}

struct Pair {
    private_half: Vec<u8>,
    certificate: Certificate,
}

pub(super) struct Bench {
    directory: TempDir,
    keys: Option<Keys>,
    pairs: Vec<Pair>,
    expected: [Expected; 2],
    /// The latest of each alias, renewal and receiver.
    links: BTreeMap<(usize, usize, usize), LinkToken>,
    pub(super) now: OffsetDateTime,
    latest: OffsetDateTime,
    witness: Arc<Mutex<Witness>>,
}

impl Bench {
    pub(super) fn new(random: &mut Random) -> Self {
        let mut bench = Self {
            directory: memory_directory(),
            keys: None,
            pairs: Vec::new(),
            expected: Default::default(),
            links: BTreeMap::new(),
            now: OffsetDateTime::UNIX_EPOCH + DAY * 10_000,
            latest: OffsetDateTime::UNIX_EPOCH,
            witness: Arc::default(),
        };
        for expected in &mut bench.expected {
            expected.retention = DAY * 90;
            expected.led = STRATEGIES[random.below(3)];
        }
        bench.open();
        bench
    }

    fn open(&mut self) {
        let heard = self.witness.clone();
        let subscriber: Subscriber = Box::new(move |occurrence| heard.lock().unwrap().hear(occurrence));
        let store = open(self.directory.path());
        self.keys = Some(Keys::open(store, &self.policies(), vec![subscriber], self.now).unwrap());
    }

    fn keys(&self) -> &Keys {
        self.keys.as_ref().unwrap()
    }

    fn policies(&self) -> BTreeMap<String, Policy> {
        let policy = |expected: &Expected| Policy {
            retention: expected.retention,
            before_expiry: expected.before_expiry,
            strategy: match expected.led {
                Led::PrePublish => Strategy::PrePublish,
                Led::Hold => Strategy::Hold,
                Led::ByReceiver => Strategy::ReceiverLed,
            },
            // By the monotonic clock, which a model does not have.
            settle: Duration::ZERO,
            hold: HoldLimit {
                then: match expected.refuses_in_the_end {
                    false => AfterHold::Back,
                    true => AfterHold::Refuse,
                },
                ..HoldLimit::default()
            },
        };
        let policies = ALIASES.iter().zip(&self.expected);
        policies
            .map(|(alias, expected)| ((*alias).to_owned(), policy(expected)))
            .collect()
    }

    /// Mostly forward, sometimes a day back.
    pub(super) fn let_time_pass(&mut self, random: &mut Random) {
        let minutes = i64::try_from(random.below(4 * 24 * 60)).unwrap();
        self.now += match random.below(24) {
            0 => time::Duration::days(-1),
            1 => time::Duration::minutes(minutes * 8),
            _ => time::Duration::minutes(minutes / 12),
        };
    }

    /// The process ends and starts again, maybe with other strategies.
    pub(super) fn restart(&mut self, random: &mut Random) {
        self.keys = None;
        if random.one_in(3) {
            for expected in &mut self.expected {
                expected.led = STRATEGIES[random.below(3)];
            }
            self.configured();
        }
        self.open();
    }

    /// The process ends without a word: what is in the files then is all there is.
    pub(super) fn crash(&mut self) {
        let after = memory_directory();
        for file in ["countersign.db", "countersign.db-wal", "master-key"] {
            fs::copy(self.directory.path().join(file), after.path().join(file)).unwrap();
        }
        self.keys = None;
        self.directory = after;
        self.open();
    }

    /// Refused where the messages of an alias are held by another strategy.
    pub(super) fn set_policy(&mut self, random: &mut Random) {
        let before = self.expected.clone();
        for expected in &mut self.expected {
            expected.retention = DAY * u32::try_from(90 + random.below(60)).unwrap();
            expected.before_expiry = random.one_in(2);
            expected.refuses_in_the_end = random.one_in(2);
            if random.one_in(3) {
                expected.led = STRATEGIES[random.below(3)];
            }
        }
        let held =
            |(before, after): (&Expected, &Expected)| before.gate() != Gate::Open && before.led != after.led;
        let refused = before.iter().zip(&self.expected).any(held);
        let result = self.keys().configure(&self.policies(), self.now);
        assert_eq!(result.is_err(), refused, "{result:?}");
        if refused {
            self.expected = before;
        } else {
            self.configured();
        }
    }

    fn configured(&mut self) {
        for expected in &mut self.expected {
            let before = expected.clone();
            expected.keep_longer();
            expected.keep_strategy();
            if before != *expected {
                self.latest = self.latest.max(self.now);
            }
        }
    }

    pub(super) fn renewals_of(&self, alias: usize) -> usize {
        self.expected[alias].renewals.len()
    }

    /// Whether its key was activated.
    pub(super) fn open_renewal_of(&self, alias: usize) -> Option<bool> {
        let open = self.expected[alias].open_renewal();
        open.map(|renewal| renewal.activated)
    }

    /// The candidate and the active key.
    pub(super) fn rivals_of(&self, alias: usize) -> Option<(usize, usize)> {
        let expected = &self.expected[alias];
        expected.candidate(self.now).zip(expected.active())
    }

    pub(super) fn keys_of(&self, alias: usize) -> Vec<usize> {
        self.expected[alias].keys.keys().copied().collect()
    }

    pub(super) fn active_key_of(&self, alias: usize) -> Option<usize> {
        self.expected[alias].active()
    }

    /// Those that can sign now, or go back to it.
    pub(super) fn usable_keys_of(&self, alias: usize) -> Vec<usize> {
        let usable = |key: &Key| {
            matches!(key.state, State::Pending | State::Active | State::Retired) && key.is_valid(self.now)
        };
        let keys = self.expected[alias].keys.iter();
        keys.filter(|(_, key)| usable(key))
            .map(|(number, _)| *number)
            .collect()
    }

    pub(super) fn pending_keys_of(&self, alias: usize) -> Vec<usize> {
        self.expected[alias].pending()
    }

    pub(super) fn make_key(&mut self, random: &mut Random) -> usize {
        let begin = self.now + DAY * u32::try_from(random.below(8)).unwrap() - DAY * 5;
        let lifetime = DAY * u32::try_from(6 + random.below(200)).unwrap();
        let material = SelfSigned::generate(KeyAlgorithm::P256, "Test", begin, lifetime)
            .unwrap()
            .into_material()
            .unwrap();
        self.pairs.push(Pair {
            private_half: material.private_key.to_stored().unwrap().to_vec(),
            certificate: material.certificate,
        });
        self.pairs.len() - 1
    }

    /// Does it to both, and finds the same answer; with a fault, what would have been done is not.
    pub(super) fn take(&mut self, alias: usize, step: &Step, fault: Option<Fault>) {
        let valid = if let Step::Import { key, .. } = step {
            self.validity(*key)
        } else {
            (self.now, self.now)
        };
        let now = Now {
            wall: self.now,
            latest: self.latest.max(self.now),
        };
        let predicted = self.expected[alias].after(step, valid, now);
        let before = &self.expected[alias];
        let changes = predicted.as_ref().is_ok_and(|next| next != before);
        let keys_change = predicted.as_ref().is_ok_and(|next| next.keys != before.keys);
        // What touches no key does not notice that keys cannot be written.
        let hit = keys_change || (changes && !matches!(fault, Some(Fault::KeysBroken)));
        if let Some(fault) = fault {
            self.run(fault.statements()[0]);
        }
        let result = self.perform(alias, step);
        if let Some(fault) = fault {
            self.run(fault.statements()[1]);
        }
        match (predicted, fault) {
            (Ok(_), Some(_)) if hit => {
                let stored = matches!(result, Err(CommandError::Store(_)));
                assert!(stored, "{step:?} with {fault:?}: {result:?}");
            }
            (Ok(next), _) => {
                assert!(result.is_ok(), "{step:?}: {result:?}");
                self.expected[alias] = next;
                if changes {
                    self.latest = self.latest.max(self.now);
                }
            }
            (Err(_), _) => {
                let refused = matches!(
                    result,
                    Err(CommandError::Refused(_) | CommandError::Unsuitable(_))
                );
                assert!(refused, "{step:?}: {result:?}");
            }
        }
    }

    fn run(&self, statements: &str) {
        self.keys()
            .writer()
            .connection()
            .execute_batch(statements)
            .unwrap();
    }

    pub(super) fn check(&mut self) {
        let keys = self.keys();
        let mut witness = self.witness.lock().unwrap();
        for (alias, expected) in ALIASES.iter().zip(&self.expected) {
            witness.compare(keys, alias, expected, &|key| self.fingerprint(key));
            witness.compare_renewals(keys, alias, expected, self.now, &|key| self.fingerprint(key));
        }
        witness.compare_with_database(keys);
        witness.follow_audit(keys);
    }

    pub(super) fn heard(&self) -> BTreeMap<String, u32> {
        self.witness.lock().unwrap().heard.clone()
    }

    fn fingerprint(&self, key: usize) -> Fingerprint {
        self.pairs[key].certificate.fingerprint().clone()
    }

    fn validity(&self, key: usize) -> (OffsetDateTime, OffsetDateTime) {
        let certificate = &self.pairs[key].certificate;
        (certificate.not_before(), certificate.not_after())
    }

    fn material(&self, key: usize) -> KeyMaterial {
        let Pair {
            private_half,
            certificate,
        } = &self.pairs[key];
        let private_half = PKey::private_key_from_pkcs8(private_half).unwrap();
        KeyMaterial {
            private_key: PrivateKey::new(private_half).unwrap(),
            certificate: certificate.clone(),
            chain: Vec::new(),
        }
    }
}

/// In memory, where there is such a directory: a run writes thousands of transactions, and nobody pulls a plug.
fn memory_directory() -> TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let directory = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    directory.unwrap()
}
