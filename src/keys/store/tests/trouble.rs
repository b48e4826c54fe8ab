//! A disk that takes nothing: the command is refused, nothing changes, signing goes on.

use super::*;
use crate::keys::CommandError;

fn refused(keys: &Keys) -> String {
    let before = (seen(keys), keys.store_status().audit_head());
    let operator = keys.by(Author::cli());
    let refused = operator.import(ALIAS, material(0), AfterImport::Activate, NOW);
    let Err(CommandError::Store(error)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((seen(keys), keys.store_status().audit_head()), before);
    assert!(!keys.store_status().is_writable());
    assert!(keys.ring().signer(ALIAS, NOW).is_ok(), "it signs on");
    error.to_string()
}

fn recovers(keys: &Keys, directory: &Path) {
    crate::keys::upkeep::Upkeep::new(keys.clone(), crate::clock::Clock::from_fn(|| NOW)).write_uses();
    assert!(
        keys.store_status().is_writable(),
        "without anybody asking for anything"
    );
    import(keys, 0, AfterImport::Activate);
    assert_eq!(keys.store_status().failures(), 1);
    assert!(AuditTrail::of(directory).verify(None).is_ok());
}

fn with_fault(fault: &str, repair: &str, sentence: &str) {
    let directory = directory();
    let keys = keys(directory.path());
    import(&keys, 1, AfterImport::Activate);
    keys.writer().connection().execute_batch(fault).unwrap();
    let refused = refused(&keys);
    assert!(refused.contains(sentence), "{refused}");
    assert!(refused.contains("Messages are signed as before"), "{refused}");
    keys.writer().connection().execute_batch(repair).unwrap();
    recovers(&keys, directory.path());
}

#[test]
fn a_full_disk_is_told_as_one() {
    // SQLite's own limit, in the midst of a transaction, gives its own error for a full disk.
    with_fault(
        "PRAGMA max_page_count = 1; CREATE TEMP TRIGGER fill BEFORE INSERT ON audit \
         BEGIN INSERT INTO meta VALUES ('filler', zeroblob(100000)); END",
        "PRAGMA max_page_count = 100000; DROP TRIGGER fill",
        "is full; free some space",
    );
}

#[test]
fn a_database_that_cannot_be_written_to_is_told_as_one() {
    with_fault(
        "PRAGMA query_only = on",
        "PRAGMA query_only = off",
        "cannot be written to",
    );
}

#[test]
fn a_transition_whose_audit_cannot_be_written_does_not_happen() {
    with_fault(
        "CREATE TEMP TRIGGER fault BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'fault'); END",
        "DROP TRIGGER fault",
        "fault",
    );
}

#[test]
fn the_audit_is_only_ever_added_to_and_an_edit_behind_its_back_is_found() {
    let directory = directory();
    let keys = keys(directory.path());
    (1..5).for_each(|number| import(&keys, number, AfterImport::Activate));
    let kept = keys.store_status().audit_head().to_string();
    let store = keys.writer();
    let connection = store.connection();
    for statement in ["DELETE FROM audit", "UPDATE audit SET at = 0"] {
        let refused = connection.execute(statement, []).unwrap_err().to_string();
        assert!(refused.contains("only ever added to"), "{refused}");
    }
    let trail = AuditTrail::of(directory.path());
    assert_eq!(
        trail.verify(Some(kept.parse().unwrap())).unwrap().to_string(),
        kept
    );
    connection
        .execute_batch("DROP TRIGGER audit_is_not_shortened; DELETE FROM audit WHERE sequence > 5")
        .unwrap();
    let broken = trail.verify(None).unwrap_err().to_string();
    assert!(
        broken.contains("the keys of orders in"),
        "they are of later records: {broken}"
    );
    let broken = trail.verify(Some(kept.parse().unwrap())).unwrap_err().to_string();
    assert!(broken.contains("records after record 5 were removed"), "{broken}");
    connection
        .execute("DELETE FROM audit WHERE sequence = 2", [])
        .unwrap();
    let broken = trail.verify(None).unwrap_err().to_string();
    assert!(broken.contains("record 2 is missing"), "{broken}");
}

#[test]
fn the_audit_tells_who_did_what_to_which_key_from_where() {
    let directory = directory();
    let keys = keys(directory.path());
    import(&keys, 1, AfterImport::Activate);
    let operator = keys.by(Author::token("alice").at("192.0.2.1:4711"));
    let reason = "laptop stolen".parse().unwrap();
    operator
        .revoke(ALIAS, fingerprint(1), reason, Some(Replacement::Stop), NOW)
        .unwrap();
    let records = AuditTrail::of(directory.path()).read(2, 10).unwrap();
    let [record] = records.as_slice() else {
        panic!("{records:?}")
    };
    assert_eq!((record.sequence, record.what.as_str()), (3, "key-revoked"));
    assert_eq!(record.key.as_deref(), Some(&*fingerprint(1)));
    assert_eq!(record.detail["reason"], "laptop stolen");
    assert_eq!(record.detail["stopped"], "true");
    assert_eq!(record.author, Author::token("alice").at("192.0.2.1:4711"));
}

#[test]
fn the_latest_time_in_the_audit_outlives_a_restart() {
    let directory = directory();
    {
        let keys = keys(directory.path());
        let operator = keys.by(Author::cli());
        let later = NOW + DAY * 300;
        operator
            .import(ALIAS, material(1), AfterImport::Activate, later)
            .unwrap();
    }
    let keys = keys(directory.path());
    assert_eq!(keys.store_status().moment(NOW).latest, NOW + DAY * 300);
    import(&keys, 2, AfterImport::Activate);
    assert_eq!(
        keys.store_status().moment(NOW).latest,
        NOW + DAY * 300,
        "a record of an earlier time changes nothing"
    );
}
