//! What earlier versions of the schema wrote is read, and brought up to this one.

use std::fs;

use super::*;
use crate::keys::answer::Cause;
use crate::keys::generate::Wanted;

const MASTER_KEY: &str = "the master key of the fixture, 32 bytes\n";

/// As the first version wrote it.
fn version_1() -> TempDir {
    let directory = directory();
    let connection = Connection::open(database(directory.path())).unwrap();
    connection.execute_batch(include_str!("version_1.sql")).unwrap();
    fs::write(directory.path().join("master-key"), MASTER_KEY).unwrap();
    directory
}

/// As the second one did, with a key that waits for its certificate.
fn version_2() -> TempDir {
    let directory = version_1();
    let file = database(directory.path());
    let mut connection = Connection::open(&file).unwrap();
    connection.execute_batch(include_str!("../schema_2.sql")).unwrap();
    connection.pragma_update(None, "user_version", 2).unwrap();
    let id = schema::meta(&connection, "id", &file).unwrap();
    let key = MasterKeyFile::locate(None, None, directory.path());
    let sealer = Sealer::new(&key.present().unwrap(), &id).unwrap();
    let wanted = Wanted {
        algorithm: KeyAlgorithm::P256,
        subject: "CN=Next".parse().unwrap(),
        alternative_names: Vec::new(),
    };
    let waiting = Waiting::new(wanted.generate().unwrap(), NOW).unwrap();
    let transaction = connection.transaction().unwrap();
    waiting_table::insert(&transaction, &sealer, ALIAS, &waiting).unwrap();
    transaction.commit().unwrap();
    directory
}

fn bring_to(directory: &Path, version: i32, statements: &str) {
    let connection = Connection::open(database(directory)).unwrap();
    connection.execute_batch(statements).unwrap();
    connection.pragma_update(None, "user_version", version).unwrap();
}

fn assert_is_read(keys: &Keys) {
    let ring = keys.ring();
    let states = ring.alias(ALIAS).unwrap().remembered();
    let states: Vec<_> = states.map(|entry| entry.state.name()).collect();
    let expected = ["active", "pending", "retired", "revoked", "purged", "discarded"];
    assert_eq!(states, expected);
    let active = ring.alias(ALIAS).unwrap().active().unwrap();
    assert!(active.signer().check(NOW).is_ok());
    assert!(ring.alias(ALIAS).unwrap().renewals().is_empty());
    assert_eq!(
        keys.audit_trail().verify(None).unwrap().records,
        16,
        "and one that seals the alias as it was found"
    );
    let version: i32 = keys
        .writer()
        .connection()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 7);
}

#[test]
fn what_the_first_version_wrote_is_read() {
    let directory = version_1();
    let keys = keys(directory.path());
    assert_is_read(&keys);
    assert!(keys.waiting(ALIAS).is_empty());
}

#[test]
fn what_the_second_version_wrote_is_read() {
    let directory = version_2();
    let keys = keys(directory.path());
    assert_is_read(&keys);
    let waiting = keys.waiting(ALIAS);
    assert_eq!((waiting.len(), waiting[0].subject()), (1, "CN=Next"));
}

#[test]
fn keys_of_an_earlier_version_are_renewed_and_that_is_read_again() {
    let directory = version_2();
    let id = {
        let keys = keys(directory.path());
        let pending = keys.ring();
        let pending = pending.alias(ALIAS).unwrap().keys();
        let pending = pending.filter(|entry| entry.state.name() == "pending");
        let key = pending.map(|entry| entry.fingerprint().clone()).next();
        let started = keys.by(Author::cli()).start_renewal(ALIAS, key, Vec::new(), NOW);
        started.unwrap().id.clone()
    };
    assert!(keys(directory.path()).renewal(&id).is_some());
}

#[test]
fn what_the_third_version_wrote_is_read() {
    let directory = version_2();
    bring_to(directory.path(), 3, include_str!("../schema_3.sql"));
    let keys = keys(directory.path());
    assert_is_read(&keys);
    assert_eq!(keys.outbox().depth("ops"), (0, None));
}

#[test]
fn an_event_that_the_fourth_version_answered_is_told_from_others_with_its_id_and_belongs_to_no_caller() {
    let directory = version_2();
    bring_to(directory.path(), 3, include_str!("../schema_3.sql"));
    bring_to(directory.path(), 4, include_str!("../schema_4.sql"));
    let connection = Connection::open(database(directory.path())).unwrap();
    let answered = "INSERT INTO answer VALUES ('/hr', '1', 'io.countersign.key.rollback', 'orders', 0, 'applied', 'done')";
    connection.execute_batch(answered).unwrap();
    drop(connection);
    let keys = keys(directory.path());
    assert_is_read(&keys);
    let cause = |kind: &str| Cause {
        source: "/hr".to_owned(),
        id: "1".to_owned(),
        kind: kind.to_owned(),
        caller: "hr".to_owned(),
        digest: [7; 32],
    };
    let same = cause("io.countersign.key.rollback");
    let remembered = keys.answer(&same, ALIAS).unwrap().unwrap();
    assert_eq!(
        (remembered.answer.reason.as_str(), remembered.is_of(&same, ALIAS)),
        ("done", true)
    );
    assert_eq!(keys.answer(&same, "invoices"), Ok(None));
    assert_eq!(keys.answer(&cause("io.countersign.key.revoke"), ALIAS), Ok(None));
}
