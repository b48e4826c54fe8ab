//! Renewals by way of the one writer: settling, rivals, trials, and what a configuration may not do.

use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::advance;

use super::*;
use crate::keys::audit::Author;
use crate::keys::generate::{KeyAlgorithm, SelfSigned};
use crate::keys::lifecycle::{AfterImport, Command, Drain, Gate, Origin};
use crate::keys::{CommandError, Fingerprint, KeyMaterial, KeyRefused, Refusal, Signer, store};

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const ERP: &str = "https://erp.example.com:443";

/// The alias `orders` with an active key and a pending one.
struct Bench {
    keys: Keys,
    active: Fingerprint,
    pending: Fingerprint,
    _directory: TempDir,
}

fn policies(policy: Policy) -> BTreeMap<String, Policy> {
    BTreeMap::from([("orders".to_owned(), policy)])
}

fn by(strategy: Strategy) -> Policy {
    Policy {
        strategy,
        ..Policy::default()
    }
}

fn bench(strategy: Strategy) -> Bench {
    bench_of(by(strategy))
}

fn bench_of(policy: Policy) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let store = store::tests::open(directory.path());
    let keys = Keys::open(store, &policies(policy), Vec::new(), NOW).unwrap();
    let import = |material, then| {
        keys.by(Author::cli())
            .import("orders", material, then, NOW)
            .unwrap()
    };
    Bench {
        active: import(material(365), AfterImport::Activate).fingerprint,
        pending: import(material(30), AfterImport::StayPending).fingerprint,
        keys,
        _directory: directory,
    }
}

fn material(days: u32) -> KeyMaterial {
    let pair = SelfSigned::generate(KeyAlgorithm::P256, "Test", NOW, DAY * days);
    pair.and_then(SelfSigned::into_material).unwrap()
}

impl Bench {
    fn accepted(&self, key: &Fingerprint, replaces: &Fingerprint) -> bool {
        let receiver = self.keys.by(Author::receiver(ERP));
        let accepted = receiver.accepted("orders", key.clone(), replaces.clone(), ERP, NOW);
        accepted.unwrap()
    }

    fn signs(&self) -> Fingerprint {
        let signer = self.keys.ring().signer("orders", NOW).unwrap();
        signer.certificate().fingerprint().clone()
    }

    fn gate(&self) -> Gate {
        self.keys.ring().alias("orders").unwrap().gate()
    }

    fn drain(&self) -> Drain {
        self.keys.ring().alias("orders").unwrap().drain().unwrap()
    }

    fn is_settled(&self) -> bool {
        !self.keys.settling("orders")
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_switches_at_most_once_while_the_alias_settles() {
    let bench = bench(Strategy::ReceiverLed);
    assert!(bench.is_settled(), "its first key displaced none");
    assert!(bench.accepted(&bench.pending, &bench.active));
    assert!(bench.keys.settling("orders") && !bench.keys.settling("invoices"));
    advance(Duration::from_secs(29)).await;
    assert!(
        !bench.accepted(&bench.active, &bench.pending),
        "half of its nodes went back"
    );
    advance(Duration::from_secs(1)).await;
    assert!(bench.accepted(&bench.active, &bench.pending));
    assert_eq!(bench.signs(), bench.active);
}

#[tokio::test(start_paused = true)]
async fn after_a_command_of_an_operator_no_receiver_switches_for_a_while() {
    let bench = bench(Strategy::ReceiverLed);
    bench.accepted(&bench.pending, &bench.active);
    advance(Duration::from_secs(30)).await;
    bench.keys.by(Author::cli()).rollback("orders", NOW).unwrap();
    assert!(!bench.accepted(&bench.pending, &bench.active));
    assert_eq!(bench.signs(), bench.active);
    advance(Duration::from_secs(30)).await;
    assert!(
        bench.accepted(&bench.pending, &bench.active),
        "the receiver insists"
    );
}

#[tokio::test(start_paused = true)]
async fn what_activates_nothing_does_not_make_an_alias_settle_and_what_displaces_does() {
    let bench = bench(Strategy::ReceiverLed);
    let operator = bench.keys.by(Author::cli());
    operator.start_renewal("orders", None, Vec::new(), NOW).unwrap();
    operator
        .activate("orders", bench.active.clone(), None, NOW)
        .unwrap();
    assert!(bench.is_settled());
    operator
        .import("orders", material(40), AfterImport::Activate, NOW)
        .unwrap();
    assert!(bench.keys.settling("orders"));
}

#[test]
fn of_many_messages_that_are_accepted_at_once_one_switches() {
    let bench = bench_of(Policy {
        settle: Duration::ZERO,
        strategy: Strategy::ReceiverLed,
        ..Policy::default()
    });
    let switched = thread::scope(|scope| {
        let messages: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| bench.accepted(&bench.pending, &bench.active)))
            .collect();
        let switched = messages.into_iter().map(|message| message.join().unwrap());
        switched.filter(|switched| *switched).count()
    });
    assert_eq!((switched, bench.signs()), (1, bench.pending.clone()));
    let ring = bench.keys.ring();
    assert_eq!(ring.alias("orders").unwrap().renewals().len(), 1);
}

#[test]
fn a_key_that_cannot_sign_is_found_out_before_messages_wait_for_it() {
    let bench = bench(Strategy::Hold);
    let operator = bench.keys.by(Author::cli());
    operator.discard("orders", bench.pending.clone(), NOW).unwrap();
    let damaged = KeyMaterial {
        certificate: material(20).certificate,
        ..material(30)
    };
    let signer = Arc::new(Signer::restored(damaged, crate::keys::uses::Uses::default()));
    let import = Command::Import {
        signer,
        origin: Origin::Command,
        then: AfterImport::StayPending,
    };
    bench.keys.execute("orders", import, &Author::cli(), NOW).unwrap();
    let held = operator.hold("orders", Vec::new(), NOW);
    assert!(matches!(
        held,
        Err(CommandError::Unsuitable(KeyRefused::Mismatch { .. }))
    ));
    assert_eq!(bench.gate(), Gate::Open);
    assert!(
        bench
            .keys
            .ring()
            .alias("orders")
            .unwrap()
            .open_renewal()
            .is_none()
    );
}

#[test]
fn a_drain_whose_key_has_become_unable_to_sign_ends_with_the_old_one() {
    let bench = bench(Strategy::Hold);
    let operator = bench.keys.by(Author::cli());
    operator.hold("orders", vec![ERP.to_owned()], NOW).unwrap();
    let late = operator.drained("orders", bench.drain(), NOW + DAY * 31);
    assert!(matches!(
        late,
        Err(CommandError::Refused(Refusal::NotValid { .. }))
    ));
    assert_eq!((bench.gate(), bench.signs()), (Gate::Open, bench.active.clone()));
    let records = bench.keys.audit_trail().read(0, 100).unwrap();
    let last = records.last().unwrap();
    assert_eq!(last.what, "hold-ended");
    assert!(last.detail["reason"].contains("expired on"), "{last:?}");
}

#[test]
fn a_hold_goes_from_command_to_command_and_the_audit_tells_of_each() {
    let bench = bench(Strategy::Hold);
    let operator = bench.keys.by(Author::token("operator"));
    let renewal = operator.hold("orders", vec![ERP.to_owned()], NOW).unwrap();
    assert_eq!(bench.keys.renewal(&renewal.id).unwrap().0, "orders");
    operator.drained("orders", bench.drain(), NOW).unwrap();
    operator.confirm("orders", &renewal.id, ERP, NOW).unwrap();
    operator.complete("orders", &renewal.id, NOW).unwrap();
    let records = bench.keys.audit_trail().read(0, 100).unwrap();
    let of_renewal = records
        .iter()
        .filter(|record| record.detail.get("renewal") == Some(&renewal.id.to_string()));
    let told: Vec<_> = of_renewal.map(|record| record.what.as_str()).collect();
    let expected = [
        "renewal-started",
        "hold-started",
        "renewal-activated",
        "hold-may-switch",
        "renewal-confirmed",
        "hold-ended",
        "renewal-completed",
    ];
    assert_eq!(told, expected);
}

#[test]
fn whoever_means_a_renewal_that_is_over_holds_and_resumes_no_other_one() {
    let bench = bench(Strategy::Hold);
    let operator = bench.keys.by(Author::link(ERP));
    let renewal = operator
        .start_renewal("orders", None, vec![ERP.to_owned()], NOW)
        .unwrap();
    operator.abort("orders", &renewal.id, NOW).unwrap();
    let over = |done: Result<(), CommandError>| {
        matches!(done, Err(CommandError::Refused(Refusal::RenewalOver { .. })))
    };
    assert!(over(operator.hold_for("orders", &renewal.id, NOW)));
    let ring = bench.keys.ring();
    assert_eq!(
        ring.alias("orders").unwrap().renewals().len(),
        1,
        "none was begun"
    );

    let next = operator.hold("orders", vec![ERP.to_owned()], NOW).unwrap();
    operator.drained("orders", bench.drain(), NOW).unwrap();
    assert!(over(operator.hold_for("orders", &renewal.id, NOW)));
    assert!(over(operator.resume_for("orders", &renewal.id, NOW)));
    assert!(matches!(bench.gate(), Gate::Holding { .. }), "the next one's");
    operator.hold_for("orders", &next.id, NOW).unwrap();
    operator.resume_for("orders", &next.id, NOW).unwrap();
    assert_eq!(bench.gate(), Gate::Open);
    let again = operator.hold_for("orders", &next.id, NOW);
    assert!(again.is_err(), "its key signs already");
}

#[test]
fn an_alias_does_not_go_while_its_renewal_goes_on_nor_a_hold_with_its_strategy() {
    let bench = bench(Strategy::Hold);
    let operator = bench.keys.by(Author::cli());
    let none = BTreeMap::new();
    let renewal = operator.start_renewal("orders", None, Vec::new(), NOW).unwrap();
    let refused = bench.keys.configure(&none, NOW).unwrap_err().to_string();
    assert!(
        refused.contains("alias orders cannot go while its renewal r-"),
        "{refused}"
    );
    assert_eq!(
        bench.keys.strategy("orders"),
        Strategy::Hold,
        "nothing was changed"
    );
    bench
        .keys
        .configure(&policies(by(Strategy::PrePublish)), NOW)
        .unwrap();
    bench.keys.configure(&policies(by(Strategy::Hold)), NOW).unwrap();
    operator.hold("orders", Vec::new(), NOW).unwrap();
    let refused = bench.keys.configure(&policies(by(Strategy::PrePublish)), NOW);
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("cannot change while its messages are held"),
        "{refused}"
    );
    bench.keys.configure(&policies(by(Strategy::Hold)), NOW).unwrap();
    operator.abort("orders", &renewal.id, NOW).unwrap();
    bench.keys.configure(&none, NOW).unwrap();
}
