//! What a restart, a backup, another master key and a later schema leave as it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::keys::generate::Wanted;

/// A key in every state.
fn every_state(keys: &Keys) {
    let operator = keys.by(Author::token("operator").at("127.0.0.1:4711"));
    import(keys, 0, AfterImport::Activate);
    import(keys, 1, AfterImport::Activate);
    import(keys, 2, AfterImport::StayPending);
    import(keys, 3, AfterImport::StayPending);
    import(keys, 4, AfterImport::StayPending);
    let reason = "lost".parse().unwrap();
    let stop = Some(Replacement::Successor(fingerprint(2)));
    operator.revoke(ALIAS, fingerprint(1), reason, stop, NOW).unwrap();
    operator.purge(ALIAS, fingerprint(1), true, NOW).unwrap();
    operator.discard(ALIAS, fingerprint(3), NOW).unwrap();
    let schedule = Schedule {
        at: NOW + DAY * 2,
        replaces: Some(fingerprint(2)),
        first: false,
    };
    operator
        .activate_at(ALIAS, fingerprint(4), schedule, false, NOW)
        .unwrap();
    import(keys, 5, AfterImport::StayPending);
    let reason = "superseded".parse().unwrap();
    operator.revoke(ALIAS, fingerprint(5), reason, None, NOW).unwrap();
    let ring = keys.ring();
    ring.alias(ALIAS)
        .unwrap()
        .active()
        .unwrap()
        .signer()
        .record_use(NOW + DAY);
    crate::keys::upkeep::Upkeep::new(keys.clone(), crate::clock::Clock::from_fn(|| NOW)).write_uses();
}

fn assert_every_state(keys: &Keys) {
    let states = seen(keys);
    let states: Vec<_> = states
        .iter()
        .map(|(number, state, _)| (*number, state.name()))
        .collect();
    let expected = [
        (2, "active"),
        (4, "pending"),
        (0, "retired"),
        (5, "revoked"),
        (1, "purged"),
        (3, "discarded"),
    ];
    assert_eq!(states, expected);
    let ring = keys.ring();
    let active = ring.alias(ALIAS).unwrap().active().unwrap();
    let uses = active.signer().identity().uses().counts();
    assert_eq!((uses.signed.times, uses.signed.last), (1, Some(NOW + DAY)));
    assert_eq!(active.signer().chain(), [PAIRS[5].1.clone()]);
    assert!(active.signer().check(NOW).is_ok(), "its private half is its own");
}

#[test]
fn a_restart_finds_every_key_in_its_state_with_all_that_belongs_to_it() {
    let directory = directory();
    let before = {
        let keys = keys(directory.path());
        every_state(&keys);
        seen(&keys)
    };
    let again = keys(directory.path());
    assert_eq!(seen(&again), before);
    assert_every_state(&again);
}

#[test]
fn a_first_start_makes_files_that_only_their_owner_reads() {
    let directory = directory();
    let state = directory.path().join("deep/state");
    let _keys = keys(&state);
    let mode = |name: &str| fs::metadata(state.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    for name in ["countersign.db", "countersign.db-wal", "master-key", "lock"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
}

#[test]
fn an_open_directory_is_closed_to_others() {
    let directory = directory();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let _keys = keys(directory.path());
    let mode = fs::metadata(directory.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_backup_made_while_the_process_runs_restores_everything_but_the_master_key() {
    let (directory, elsewhere) = (directory(), directory());
    let backup = elsewhere.path().join("backup.db");
    let keys_before = keys(directory.path());
    every_state(&keys_before);
    let head = back_up(directory.path(), &backup).unwrap();
    assert_eq!(head, keys_before.store_status().audit_head());
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
    let again = back_up(directory.path(), &backup).unwrap_err().to_string();
    assert!(again.contains("name a new file"), "{again}");

    let restored = elsewhere.path().join("state");
    let restoring = Restoring {
        from: &backup,
        head: Some(head.to_string().parse().unwrap()),
        audit: None,
        accept_older: false,
        now: NOW,
    };
    let restore = || {
        let key = MasterKeyFile::locate(None, None, &restored);
        restore(StateDirectory::lock(&restored).unwrap(), &key, &restoring)
    };
    let no_key = restore().unwrap_err().to_string();
    assert!(no_key.contains("master-key cannot be read"), "{no_key}");
    fs::copy(directory.path().join("master-key"), restored.join("master-key")).unwrap();
    assert_eq!(
        restore().unwrap().head.records,
        head.records + 1,
        "and the restoration"
    );
    let keys_after = keys(&restored);
    assert_every_state(&keys_after);
    assert_eq!(seen(&keys_after), seen(&keys_before));
}

#[test]
fn a_damaged_backup_is_not_restored() {
    let (directory, elsewhere) = (directory(), directory());
    let backup = elsewhere.path().join("backup.db");
    every_state(&keys(directory.path()));
    back_up(directory.path(), &backup).unwrap();
    let connection = Connection::open(&backup).unwrap();
    connection
        .execute_batch("DROP TRIGGER audit_is_not_changed; UPDATE audit SET record = replace(record, 'operator', 'somebody');")
        .unwrap();
    drop(connection);
    let place = elsewhere.path().join("state");
    let state = StateDirectory::lock(&place).unwrap();
    let key = MasterKeyFile::locate(Some(&directory.path().join("master-key")), None, &place);
    let restoring = Restoring {
        from: &backup,
        head: None,
        audit: None,
        accept_older: true,
        now: NOW,
    };
    let refused = restore(state, &key, &restoring).unwrap_err().to_string();
    assert!(refused.contains("the audit of"), "{refused}");
    assert!(!database(&place).exists());
}

#[test]
fn another_master_key_opens_what_the_old_one_opened_and_the_old_one_opens_nothing() {
    let directory = directory();
    let old = directory.path().join("kept");
    every_state(&keys(directory.path()));
    fs::copy(directory.path().join("master-key"), &old).unwrap();
    let key = MasterKeyFile::locate(None, None, directory.path());
    rekey(StateDirectory::lock(directory.path()).unwrap(), &key, None, NOW).unwrap();
    assert_every_state(&keys(directory.path()));
    assert!(!directory.path().join("master-key.next").exists());
    let with_old = MasterKeyFile::locate(Some(&old), None, directory.path());
    let refused = Store::open(StateDirectory::lock(directory.path()).unwrap(), &with_old);
    assert!(matches!(refused, Err(StoreError::WrongMasterKey { .. })));
}

#[test]
fn a_master_key_that_others_keep_is_replaced_by_the_one_they_name() {
    let directory = directory();
    every_state(&keys(directory.path()));
    let given = directory.path().join("given");
    fs::write(&given, "a master key from somewhere else, long enough\n").unwrap();
    let own = MasterKeyFile::locate(None, None, directory.path());
    rekey(
        StateDirectory::lock(directory.path()).unwrap(),
        &own,
        Some(&given),
        NOW,
    )
    .unwrap();
    let others = directory.path().join("given.next");
    fs::write(&others, "somebody else's").unwrap();
    let given = MasterKeyFile::locate(Some(&given), None, directory.path());
    let store = Store::open(StateDirectory::lock(directory.path()).unwrap(), &given).unwrap();
    assert_eq!(store.load().unwrap().len(), 1);
    drop(store);
    assert!(others.exists(), "beside a key that others keep nothing is ours");
    let unnamed = rekey(StateDirectory::lock(directory.path()).unwrap(), &given, None, NOW);
    let unnamed = unnamed.unwrap_err().to_string();
    assert!(
        unnamed.contains("name the file of the new one with --to"),
        "{unnamed}"
    );
}

#[test]
fn a_change_of_the_master_key_that_was_cut_off_is_finished_or_forgotten() {
    let directory = directory();
    every_state(&keys(directory.path()));
    let (current, next) = (
        directory.path().join("master-key"),
        directory.path().join("master-key.next"),
    );
    // Before the transaction: there is a new key, and the database is still sealed under the old one.
    fs::write(&next, "a key that was made and never used, never mind\n").unwrap();
    assert_every_state(&keys(directory.path()));
    assert!(!next.exists());
    // After the transaction, before the file was renamed.
    let old = fs::read(&current).unwrap();
    let key = MasterKeyFile::locate(None, None, directory.path());
    rekey(StateDirectory::lock(directory.path()).unwrap(), &key, None, NOW).unwrap();
    fs::rename(&current, &next).unwrap();
    fs::write(&current, old).unwrap();
    assert_every_state(&keys(directory.path()));
    assert!(!next.exists());
    assert_every_state(&keys(directory.path()));
}

#[test]
fn systemd_hands_the_master_key_over_as_a_credential() {
    let directory = directory();
    let credentials = directory.path().join("credentials");
    let locate =
        |configured| MasterKeyFile::locate(configured, Some(credentials.as_os_str()), directory.path());
    assert!(locate(None).is_beside_the_database(), "there is none in it");
    fs::create_dir(&credentials).unwrap();
    fs::write(credentials.join("master-key"), "x".repeat(32)).unwrap();
    assert_eq!(locate(None).path(), credentials.join("master-key"));
    assert!(!locate(None).is_beside_the_database());
    assert_eq!(locate(Some(Path::new("/etc/key"))).path(), Path::new("/etc/key"));
}

#[test]
fn a_key_that_waits_for_its_certificate_outlives_restarts_and_another_master_key() {
    let directory = directory();
    let before = keys(directory.path());
    let wanted = |name: &str| Wanted {
        algorithm: KeyAlgorithm::P256,
        subject: name.parse().unwrap(),
        alternative_names: Vec::new(),
    };
    let operator = before.by(Author::cli());
    let generate = |name| {
        let pair = wanted(name).generate().unwrap();
        operator.await_certificate(ALIAS, pair, NOW).unwrap()
    };
    let (kept, dropped) = (generate("CN=Kept"), generate("CN=Dropped"));
    operator
        .discard_waiting(ALIAS, dropped.public_key(), NOW)
        .unwrap();
    drop(before);

    let master_key = MasterKeyFile::locate(None, None, directory.path());
    rekey(
        StateDirectory::lock(directory.path()).unwrap(),
        &master_key,
        None,
        NOW,
    )
    .unwrap();
    let after = keys(directory.path());
    let waiting = after.waiting(ALIAS);
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].public_key(), kept.public_key());
    assert_eq!(
        (waiting[0].subject(), waiting[0].request()),
        ("CN=Kept", kept.request())
    );
    assert_eq!(waiting[0].made(), NOW);
    assert!(!waiting[0].private_key().to_stored().unwrap().is_empty());
}
