//! What a gate does by itself where the store fails, something stops midway, or an answer comes too late.

use std::collections::HashMap;
use std::time::Duration;

use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::task::JoinSet;
use tokio::time::{advance, sleep};

use super::*;
use crate::config::HoldBounds;
use crate::keys::audit::Author;
use crate::keys::generate::{KeyAlgorithm, SelfSigned};
use crate::keys::lifecycle::Policy;
use crate::keys::store::{MasterKeyFile, StateDirectory, Store};
use crate::keys::{AfterImport, Strategy};

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const ALIAS: &str = "orders";
const ERP: &str = "https://erp.example.com:443";
const FAULT: &str = "CREATE TEMP TRIGGER fault AFTER UPDATE ON key BEGIN SELECT RAISE(ABORT, 'fault'); END";
const NO_FAULT: &str = "DROP TRIGGER fault";

/// An alias with an active key and a pending one.
struct Bench {
    keys: Keys,
    gates: Arc<Gates>,
    old: Fingerprint,
    new: Fingerprint,
    _directory: TempDir,
}

impl Bench {
    fn of(strategy: Strategy) -> Self {
        Self::with(strategy, || NOW)
    }

    fn with(strategy: Strategy, clock: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let master_key = MasterKeyFile::locate(None, None, directory.path());
        let store = Store::open(StateDirectory::lock(directory.path()).unwrap(), &master_key).unwrap();
        let policy = Policy {
            strategy,
            ..Policy::default()
        };
        let policies = BTreeMap::from([(ALIAS.to_owned(), policy)]);
        let (tell, changes) = watch::channel(());
        let told = Box::new(move |_: &crate::keys::occurrence::Occurrence| tell.send_replace(()));
        let keys = Keys::open(store, &policies, vec![told], NOW).unwrap();
        let [old, new] = [AfterImport::Activate, AfterImport::StayPending].map(|then| import(&keys, then));
        Self {
            gates: Gates::new(keys.clone(), Clock::from_fn(clock), changes),
            keys,
            old,
            new,
            _directory: directory,
        }
    }

    fn alias<T>(&self, look: impl FnOnce(&Lifecycle) -> T) -> T {
        look(self.keys.ring().alias(ALIAS).unwrap())
    }

    fn signs(&self) -> Fingerprint {
        self.alias(|keys| keys.active().unwrap().fingerprint().clone())
    }

    /// What a message that comes now is tried with.
    async fn choice(&self) -> Choice {
        let gate = self.gates.of(ALIAS);
        let terms = Terms {
            bytes: 1,
            tells: true,
            bounds: HoldBounds::default(),
            until: Instant::now() + DAY,
        };
        let pass = gate.pass(&terms).await.unwrap();
        gate.choice(&pass).unwrap().unwrap()
    }

    async fn tried(&self) -> Vec<Fingerprint> {
        let keys = self.choice().await.keys;
        let fingerprint = |key: &Arc<Signer>| key.certificate().fingerprint().clone();
        keys.iter().map(fingerprint).collect()
    }

    /// The receiver accepts a message that comes now, signed with the new key.
    async fn accepts_new(&self) {
        let choice = self.choice().await;
        let key = self.alias(|keys| keys.on_trial(&self.new).unwrap().clone());
        self.gates.of(ALIAS).accepted(&key, &choice, ERP.to_owned()).await;
    }

    /// Messages are held, and nothing is under way.
    fn hold(&self) {
        let operator = self.keys.by(Author::cli());
        operator.hold(ALIAS, vec![ERP.to_owned()], NOW).unwrap();
    }

    fn end_drain(&self) {
        let drain = self.alias(|keys| keys.drain().unwrap());
        self.keys.by(Author::drain()).drained(ALIAS, drain, NOW).unwrap();
    }
}

fn import(keys: &Keys, then: AfterImport) -> Fingerprint {
    let material = SelfSigned::generate(KeyAlgorithm::P256, "Test", NOW, DAY)
        .and_then(SelfSigned::into_material)
        .unwrap();
    let imported = keys.by(Author::cli()).import(ALIAS, material, then, NOW);
    imported.unwrap().fingerprint
}

#[tokio::test(start_paused = true)]
async fn an_accepted_key_that_cannot_be_activated_is_tried_first_until_it_can_be() {
    let bench = Bench::of(Strategy::ReceiverLed);
    let (old, new) = (bench.old.clone(), bench.new.clone());
    assert_eq!(bench.tried().await, [old.clone(), new.clone()]);
    let choice = bench.choice().await;
    assert!(!choice.keys.iter().any(|key| choice.leads_to_active(key)));
    bench.keys.have_store_do(FAULT);
    bench.accepts_new().await;
    assert_eq!((bench.signs(), bench.keys.settling(ALIAS)), (old.clone(), false));
    assert!(
        bench.alias(|keys| keys.renewals().is_empty()),
        "nothing of it is kept"
    );
    assert_eq!(bench.tried().await, [new.clone(), old.clone()]);
    let choice = bench.choice().await;
    let leads = |key: &Arc<Signer>| choice.leads_to_active(key);
    assert_eq!(choice.keys.iter().map(leads).collect::<Vec<_>>(), [true, false]);

    bench.keys.have_store_do(NO_FAULT);
    bench.accepts_new().await;
    assert_eq!(bench.signs(), old, "not at every message");
    advance(Duration::from_secs(6)).await;
    bench.accepts_new().await;
    assert_eq!(bench.signs(), new);
    assert_eq!(bench.tried().await, [new, old], "the way back");
}

#[tokio::test(start_paused = true)]
async fn a_drain_whose_end_cannot_be_stored_goes_on_until_it_can_be_though_no_route_leads_there() {
    let bench = Bench::of(Strategy::Hold);
    bench.hold();
    bench.keys.have_store_do(FAULT);
    let driver = tokio::spawn(bench.gates.clone().drive());
    sleep(Duration::from_secs(5)).await;
    assert!(bench.keys.store_status().failures() > 1, "it was tried");
    assert!(matches!(
        bench.alias(Lifecycle::gate),
        lifecycle::Gate::Draining { .. }
    ));
    assert_eq!(bench.signs(), bench.old);

    bench.keys.have_store_do(NO_FAULT);
    sleep(Duration::from_secs(5)).await;
    assert!(matches!(
        bench.alias(Lifecycle::gate),
        lifecycle::Gate::Holding { .. }
    ));
    assert_eq!(bench.signs(), bench.new);
    driver.abort();
}

#[tokio::test(start_paused = true)]
async fn a_drain_whose_end_stops_midway_comes_to_it_the_next_time() {
    let fails = Arc::new(AtomicBool::new(true));
    let failing = fails.clone();
    let bench = Bench::with(Strategy::Hold, move || {
        assert!(!failing.swap(false, Ordering::Relaxed), "as told by the test");
        NOW
    });
    bench.hold();
    let driver = tokio::spawn(bench.gates.clone().drive());
    sleep(Duration::from_secs(5)).await;
    assert!(!fails.load(Ordering::Relaxed), "it has stopped");
    assert!(matches!(
        bench.alias(Lifecycle::gate),
        lifecycle::Gate::Holding { .. }
    ));
    driver.abort();
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_stops_midway_makes_room_for_the_next_one() {
    let (mut drivers, mut driven) = (JoinSet::new(), HashMap::new());
    let task = drivers.spawn(async { panic!("as told by the test") });
    let gate = Bench::of(Strategy::Hold).gates.of(ALIAS);
    gate.driven.store(true, Ordering::Relaxed);
    driven.insert(task.id(), gate.clone());
    driver::ended_driver(drivers.join_next_with_id().await.unwrap(), &mut driven).await;
    assert!(driven.is_empty());
    assert!(!gate.driven.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_late_answer_to_who_was_sent_ahead_ends_no_later_hold() {
    let bench = Bench::of(Strategy::Hold);
    bench.hold();
    bench.end_drain();
    let choice = Choice {
        keys: Vec::new(),
        active: Some(bench.new.clone()),
    };
    let key = bench.alias(|keys| keys.on_trial(&bench.new).unwrap().clone());
    let renewal = bench.alias(|keys| keys.open_renewal().unwrap().id.clone());
    bench.keys.by(Author::cli()).abort(ALIAS, &renewal, NOW).unwrap();
    import(&bench.keys, AfterImport::StayPending);
    bench.hold();
    bench.end_drain();

    bench
        .gates
        .of(ALIAS)
        .accepted(&key, &choice, ERP.to_owned())
        .await;
    assert!(matches!(
        bench.alias(Lifecycle::gate),
        lifecycle::Gate::Holding { .. }
    ));
}
