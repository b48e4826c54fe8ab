//! Renewals, holds, links and notices outlive the process.

use super::*;
use crate::keys::lifecycle::{Gate, Lifecycle, Step, Strategy};
use crate::keys::{CommandError, LinkToken, Refusal, RenewalId};

const ERP: &str = "https://erp.example.com:443";
const CRM: &str = "https://crm.example.com:443";

fn keys_by(directory: &Path, strategy: Strategy) -> Keys {
    let policy = Policy {
        strategy,
        ..Policy::default()
    };
    let policies = BTreeMap::from([(ALIAS.to_owned(), policy)]);
    Keys::open(open(directory), &policies, Vec::new(), NOW).unwrap()
}

fn renewed(keys: &Keys) -> Lifecycle {
    keys.ring().alias(ALIAS).unwrap().clone()
}

/// Key 1 is to follow key 0.
fn start(keys: &Keys) -> RenewalId {
    import(keys, 0, AfterImport::Activate);
    import(keys, 1, AfterImport::StayPending);
    let receivers = vec![ERP.to_owned(), CRM.to_owned()];
    let operator = keys.by(Author::token("operator"));
    let started = operator.start_renewal(ALIAS, None, receivers, NOW);
    started.unwrap().id.clone()
}

/// As it is before the restart, it is after it.
fn restarted(directory: &Path, keys: Keys, strategy: Strategy) -> Keys {
    let before = renewed(&keys).renewals().to_vec();
    drop(keys);
    let again = keys_by(directory, strategy);
    assert_eq!(renewed(&again).renewals(), before);
    again
}

#[test]
fn a_restart_finds_every_renewal_at_its_step() {
    let directory = directory();
    let mut keys = keys_by(directory.path(), Strategy::PrePublish);
    let id = start(&keys);
    let restart = |keys| restarted(directory.path(), keys, Strategy::PrePublish);
    keys = restart(keys);
    keys.by(Author::token("operator"))
        .publish(ALIAS, &id, NOW)
        .unwrap();
    keys = restart(keys);
    let operator = Author::token("operator").at("127.0.0.1:4711");
    keys.by(operator).confirm(ALIAS, &id, ERP, NOW + DAY).unwrap();
    keys = restart(keys);
    keys.by(Author::receiver(CRM))
        .confirm(ALIAS, &id, CRM, NOW + DAY)
        .unwrap();
    let operator = keys.by(Author::cli());
    operator.activate(ALIAS, fingerprint(1), None, NOW + DAY).unwrap();
    keys = restart(keys);
    keys.by(Author::cli()).complete(ALIAS, &id, NOW + DAY).unwrap();
    import(&keys, 2, AfterImport::StayPending);
    let next = keys
        .by(Author::cli())
        .start_renewal(ALIAS, None, Vec::new(), NOW + DAY);
    let next = next.unwrap().id.clone();
    keys = restart(keys);

    let (_, first) = keys.renewal(&id).unwrap();
    let story: Vec<_> = first
        .steps
        .iter()
        .map(|taken| (taken.step, taken.by.as_str()))
        .collect();
    let expected = [
        (Step::Created, "token operator"),
        (Step::Published, "token operator"),
        (Step::Confirmed, "receiver https://crm.example.com:443"),
        (Step::Activated, "cli"),
        (Step::Completed, "cli"),
    ];
    assert_eq!(story, expected);
    assert_eq!(first.displaced, Some(fingerprint(0)));
    assert_eq!(renewed(&keys).open_renewal().unwrap().id, next);
}

#[test]
fn a_restarted_proxy_is_still_holding_and_drains_on() {
    let directory = directory();
    let keys = keys_by(directory.path(), Strategy::Hold);
    start(&keys);
    keys.by(Author::cli()).hold(ALIAS, Vec::new(), NOW).unwrap();
    let keys = restarted(directory.path(), keys, Strategy::Hold);
    assert_eq!(renewed(&keys).gate(), Gate::Draining { since: NOW });
    let drain = renewed(&keys).drain().unwrap();
    keys.by(Author::timer()).drained(ALIAS, drain, NOW + DAY).unwrap();
    let keys = restarted(directory.path(), keys, Strategy::Hold);
    assert_eq!(
        renewed(&keys).gate(),
        Gate::Holding {
            since: NOW + DAY,
            refuses: false
        }
    );
    keys.by(Author::cli()).resume(ALIAS, NOW + DAY).unwrap();
    let keys = restarted(directory.path(), keys, Strategy::Hold);
    assert_eq!(renewed(&keys).gate(), Gate::Open);
}

#[test]
fn a_hold_of_an_alias_that_does_not_hold_any_more_ends_with_the_restart() {
    let directory = directory();
    let keys = keys_by(directory.path(), Strategy::Hold);
    start(&keys);
    keys.by(Author::cli()).hold(ALIAS, Vec::new(), NOW).unwrap();
    drop(keys);
    let keys = keys_by(directory.path(), Strategy::ReceiverLed);
    assert_eq!(renewed(&keys).gate(), Gate::Open);
}

#[test]
fn a_link_confirms_after_a_restart_and_no_more_after_the_next() {
    let directory = directory();
    let keys = keys_by(directory.path(), Strategy::PrePublish);
    let id = start(&keys);
    let operator = keys.by(Author::cli());
    let replaced = operator.link(ALIAS, &id, ERP, NOW).unwrap();
    let token = operator.link(ALIAS, &id, ERP, NOW).unwrap();
    let keys = restarted(directory.path(), keys, Strategy::PrePublish);
    let found = |keys: &Keys, token: &LinkToken| keys.find_link(token.secret(), NOW);
    assert_eq!(found(&keys, &replaced), None);
    assert_eq!(keys.find_link("", NOW), None);
    let link = found(&keys, &token).unwrap();
    assert_eq!(
        (link.alias.as_str(), &link.renewal.id, link.receiver.as_str()),
        (ALIAS, &id, ERP)
    );
    assert!(!link.spent && !link.expired);
    assert!(keys.find_link(token.secret(), NOW + DAY * 14).unwrap().expired);
    let confirm = |keys: &Keys| keys.by(Author::link(ERP)).confirm_by_link(token.secret(), NOW);
    confirm(&keys).unwrap();
    let keys = restarted(directory.path(), keys, Strategy::PrePublish);
    assert!(found(&keys, &token).unwrap().spent);
    assert_eq!(confirm(&keys), Err(CommandError::Refused(Refusal::LinkSpent)));
    let stored = std::fs::read(database(directory.path())).unwrap();
    assert_eq!(memchr::memmem::find(&stored, token.secret().as_bytes()), None);
}

#[test]
fn what_was_told_is_not_told_again_after_a_restart() {
    let directory = directory();
    let now = NOW + DAY * 340;
    let told = |keys: &Keys| {
        let records = || keys.audit_trail().verify(None).unwrap().records;
        let before = records();
        let clock = crate::clock::Clock::from_fn(move || now);
        crate::keys::upkeep::Upkeep::new(keys.clone(), clock).give_notice();
        records() - before
    };
    let first = keys(directory.path());
    import(&first, 0, AfterImport::Activate);
    assert_eq!(told(&first), 1);
    drop(first);
    assert_eq!(told(&keys(directory.path())), 0);
}

#[test]
fn a_renewal_that_none_leads_to_is_damage() {
    for (statement, problem) in [
        (
            "UPDATE renewal SET fingerprint = lower(hex(zeroblob(32)))",
            "exchanges a key that is not there",
        ),
        (
            "UPDATE renewal SET gate = 'holding', gate_since = 0",
            "holds messages before or after its time",
        ),
        ("UPDATE renewal SET strategy = 'hope'", "cannot be read"),
        ("UPDATE renewal_step SET step = 'hoped'", "cannot be read"),
        (
            "UPDATE renewal_receiver SET link = zeroblob(32)",
            "cannot be read",
        ),
        (
            "INSERT INTO notice SELECT alias, fingerprint, 'hope' FROM renewal",
            "cannot be read",
        ),
    ] {
        let directory = directory();
        start(&keys(directory.path()));
        let connection = Connection::open(database(directory.path())).unwrap();
        let unchecked = "PRAGMA ignore_check_constraints = on; PRAGMA foreign_keys = off;";
        connection
            .execute_batch(&format!("{unchecked} {statement}"))
            .unwrap();
        drop(connection);
        seal_again(directory.path());
        let refused = open(directory.path()).load().err().unwrap().to_string();
        assert!(refused.contains(problem), "{statement}: {refused}");
    }
}

#[test]
fn what_cannot_be_stored_has_not_happened() {
    let directory = directory();
    let keys = keys_by(directory.path(), Strategy::Hold);
    let id = start(&keys);
    let fault = "CREATE TEMP TRIGGER fault BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'fault'); END";
    keys.writer().connection().execute_batch(fault).unwrap();
    let held = keys.by(Author::cli()).hold(ALIAS, Vec::new(), NOW);
    assert!(matches!(held, Err(CommandError::Store(_))));
    assert_eq!(renewed(&keys).gate(), Gate::Open);
    let link = keys.by(Author::cli()).link(ALIAS, &id, ERP, NOW);
    assert!(matches!(link, Err(CommandError::Store(_))));
    drop(keys);
    let keys = keys_by(directory.path(), Strategy::Hold);
    assert_eq!(renewed(&keys).gate(), Gate::Open);
    assert_eq!(renewed(&keys).open_renewal().unwrap().step(), Step::Created);
}
