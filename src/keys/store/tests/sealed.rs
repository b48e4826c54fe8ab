//! Rows that something else has changed do not fit the audit, and nobody starts on them.

use std::fs;

use super::*;
use crate::keys::generate::Wanted;

/// A revoked key, a retired one, an active one with a renewal to a pending one, and a key that waits.
fn with_keys() -> TempDir {
    let directory = directory();
    let keys = keys(directory.path());
    for number in 1..4 {
        import(&keys, number, AfterImport::Activate);
    }
    import(&keys, 4, AfterImport::StayPending);
    let (operator, reason) = (keys.by(Author::cli()), "stolen".parse().unwrap());
    operator.revoke(ALIAS, fingerprint(1), reason, None, NOW).unwrap();
    let erp = vec!["https://erp.example.com:443".to_owned()];
    operator.start_renewal(ALIAS, None, erp, NOW).unwrap();
    let wanted = Wanted {
        algorithm: KeyAlgorithm::P256,
        subject: "CN=Next".parse().unwrap(),
        alternative_names: Vec::new(),
    };
    let pair = wanted.generate().unwrap();
    operator.await_certificate(ALIAS, pair, NOW).unwrap();
    drop(keys);
    directory
}

const REVIVED: &str = "UPDATE key SET state = 'retired', displaced = NULL, reason = NULL, displacement = 9 \
                       WHERE state = 'revoked'";

fn change(directory: &Path, statements: &str) {
    let connection = Connection::open(database(directory)).unwrap();
    connection.execute_batch(statements).unwrap();
}

#[test]
fn a_revoked_key_that_was_made_another_one_is_found_by_the_start_and_by_the_audit() {
    let directory = with_keys();
    change(directory.path(), REVIVED);
    let refused = try_open(directory.path()).err().unwrap().to_string();
    assert!(refused.contains("the keys of orders in"), "{refused}");
    assert!(refused.contains("are not as record"), "{refused}");
    assert!(refused.contains("countersign state restore"), "{refused}");
    let audit = AuditTrail::of(directory.path()).verify(None);
    assert!(audit.unwrap_err().to_string().contains("the keys of orders in"));
}

#[test]
fn everything_that_is_stored_of_an_alias_is_bound() {
    for statement in [
        "UPDATE key SET kept_until = 0 WHERE state = 'retired'",
        "UPDATE key SET activate_at = 0 WHERE state = 'pending'",
        "UPDATE key SET certificate = zeroblob(9) WHERE state = 'retired'",
        "DELETE FROM chain",
        "DELETE FROM waiting",
        "UPDATE renewal SET strategy = 'hold'",
        "UPDATE renewal_step SET by = 'nobody'",
        "UPDATE renewal_receiver SET confirmed = 0, confirmed_by = 'nobody'",
        "INSERT INTO notice SELECT alias, fingerprint, '30d' FROM key LIMIT 1",
        "INSERT INTO barred SELECT alias, fingerprint, 'why not' FROM key LIMIT 1",
        "INSERT INTO unreviewed VALUES ('orders', 0)",
        "INSERT INTO unreviewed VALUES ('invoices', 0)",
        "PRAGMA foreign_keys = off; DELETE FROM key; DELETE FROM chain; DELETE FROM renewal; DELETE FROM waiting; DELETE FROM notice",
    ] {
        let directory = with_keys();
        change(directory.path(), statement);
        let refused = try_open(directory.path()).err().unwrap();
        assert!(
            matches!(refused, StoreError::Changed { .. }),
            "{statement}: {refused}"
        );
    }
}

#[test]
fn use_counts_answers_and_what_goes_out_are_not_bound() {
    let directory = with_keys();
    let counts = "INSERT OR REPLACE INTO uses SELECT id, 7, 0, 0, NULL FROM key; DELETE FROM answer; DELETE FROM outbox";
    change(directory.path(), counts);
    assert!(try_open(directory.path()).is_ok());
}

#[test]
fn an_audit_that_was_written_anew_to_fit_is_not_sealed() {
    let directory = with_keys();
    change(directory.path(), REVIVED);
    // Who has no master key can do all of this but the sealing.
    let connection = Connection::open(database(directory.path())).unwrap();
    let other = Sealer::new(&master_key::MasterKey::of(vec![7; 32]), b"another").unwrap();
    let (mut chain, at) = audit_table::end(&connection).unwrap();
    let links = seal::link_all(&connection, &other, &mut chain, &Author::cli(), at).unwrap();
    audit_table::append(&connection, &links, at).unwrap();
    drop(connection);
    assert!(
        AuditTrail::of(directory.path()).verify(None).is_ok(),
        "without the master key nothing shows"
    );
    let refused = try_open(directory.path()).err().unwrap();
    assert!(matches!(refused, StoreError::Changed { .. }), "{refused}");
}

#[test]
fn an_audit_that_is_broken_is_no_ground_to_start_on() {
    let directory = with_keys();
    change(
        directory.path(),
        "DROP TRIGGER audit_is_not_changed; UPDATE audit SET record = replace(record, 'stolen', 'lost')",
    );
    let refused = try_open(directory.path()).err().unwrap().to_string();
    assert!(refused.contains("its audit is broken: record"), "{refused}");
}

#[test]
fn a_version_that_was_put_back_to_have_changed_rows_sealed_as_they_are_is_refused() {
    let directory = with_keys();
    let back = format!(
        "{REVIVED}; DROP TABLE unreviewed; DROP TABLE barred; DROP TABLE answer; {}; PRAGMA user_version = 4",
        "CREATE TABLE answer (source TEXT, id TEXT, type TEXT, alias TEXT, at INTEGER, result TEXT, reason TEXT)"
    );
    change(directory.path(), &back);
    let refused = try_open(directory.path()).err().unwrap().to_string();
    assert!(refused.contains("is damaged"), "{refused}");
}

#[test]
fn another_master_key_seals_everything_anew() {
    let directory = with_keys();
    let key = MasterKeyFile::locate(None, None, directory.path());
    rekey(StateDirectory::lock(directory.path()).unwrap(), &key, None, NOW).unwrap();
    assert_eq!(seen(&keys(directory.path())).len(), 4);
    change(directory.path(), REVIVED);
    assert!(try_open(directory.path()).is_err());
    assert!(fs::metadata(database(directory.path())).is_ok());
}
