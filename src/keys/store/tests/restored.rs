//! A backup in the place of a database that went on: nothing that was revoked comes back, and nobody is left in the dark.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::keys::audit::KeptHead;
use crate::keys::upkeep::Upkeep;
use crate::keys::{CommandError, NoUsableKey};

const LATER: OffsetDateTime = OffsetDateTime::UNIX_EPOCH.saturating_add(time::Duration::hours(5));

struct Bench {
    state: TempDir,
    elsewhere: TempDir,
    /// When the backup was made.
    head: String,
}

impl Bench {
    /// Key 1 is active in the backup; key 2 is pending, with a time. After it key 1 was revoked in favour of key 3, which
    /// the backup does not have, and key 4 was imported and revoked.
    fn new() -> Self {
        let (state, elsewhere) = (directory(), directory());
        let keys = keys(state.path());
        import(&keys, 1, AfterImport::Activate);
        import(&keys, 2, AfterImport::StayPending);
        let schedule = Schedule {
            at: NOW + Duration::from_secs(60),
            replaces: None,
            first: false,
        };
        let operator = keys.by(Author::cli());
        operator
            .activate_at(ALIAS, fingerprint(2), schedule, false, NOW)
            .unwrap();
        let head = back_up(state.path(), &elsewhere.path().join("backup.db")).unwrap();
        operator.cancel(ALIAS, fingerprint(2), NOW).unwrap();
        import(&keys, 3, AfterImport::StayPending);
        import(&keys, 4, AfterImport::StayPending);
        let successor = Some(Replacement::Successor(fingerprint(3)));
        operator
            .revoke(ALIAS, fingerprint(1), "stolen".parse().unwrap(), successor, NOW)
            .unwrap();
        operator
            .revoke(ALIAS, fingerprint(4), "stolen, too".parse().unwrap(), None, NOW)
            .unwrap();
        Self {
            state,
            elsewhere,
            head: head.to_string(),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.state.path().join(name)
    }

    fn lose_database(&self) {
        fs::remove_file(self.file("countersign.db")).unwrap();
        for left in ["countersign.db-wal", "countersign.db-shm"] {
            let _ = fs::remove_file(self.file(left));
        }
    }

    fn restore(&self, accept_older: bool) -> Result<Restored, StoreError> {
        self.restore_with(None, None, accept_older)
    }

    fn restore_with(
        &self,
        head: Option<&str>,
        audit: Option<&Path>,
        accept_older: bool,
    ) -> Result<Restored, StoreError> {
        let restoring = Restoring {
            from: &self.elsewhere.path().join("backup.db"),
            head: head.map(|head| head.parse::<KeptHead>().unwrap()),
            audit,
            accept_older,
            now: LATER,
        };
        let key = MasterKeyFile::locate(None, None, self.state.path());
        restore(StateDirectory::lock(self.state.path())?, &key, &restoring)
    }

    fn keys(&self) -> Keys {
        keys(self.state.path())
    }

    fn whats(&self) -> Vec<String> {
        let records = AuditTrail::of(self.state.path()).read(0, 100).unwrap();
        records.into_iter().map(|record| record.what).collect()
    }
}

fn states(keys: &Keys) -> Vec<(usize, &'static str)> {
    let states = seen(keys).into_iter();
    states.map(|(number, state, _)| (number, state.name())).collect()
}

#[test]
fn an_older_backup_is_refused_and_what_would_be_lost_is_named() {
    let bench = Bench::new();
    let refused = bench.restore(false).unwrap_err().to_string();
    assert!(
        refused.contains("older than the database that is there"),
        "{refused}"
    );
    assert!(
        refused.contains(&format!("key-revoked orders {}", fingerprint(1))),
        "{refused}"
    );
    assert!(
        refused.contains("--accept-older") && refused.contains("countersign keys reviewed"),
        "{refused}"
    );
    assert_eq!(states(&bench.keys())[0], (3, "active"), "nothing was changed");
}

#[test]
fn what_was_revoked_stays_so_and_the_alias_is_stopped_until_somebody_has_looked() {
    let bench = Bench::new();
    let restored = bench.restore(true).unwrap();
    assert_eq!(restored.stopped, [ALIAS]);
    assert_eq!(restored.withdrawn.len(), 2, "{restored:?}");
    assert!(
        restored
            .replaced
            .as_ref()
            .is_some_and(|replaced| replaced.exists()),
        "{restored:?}"
    );
    let keys = bench.keys();
    assert_eq!(keys.store_status().events_after(), Some(LATER));
    assert_eq!(states(&keys), [(2, "pending"), (1, "revoked")]);
    let again = keys
        .by(Author::source())
        .bring(ALIAS, material(4), AfterImport::Activate, LATER);
    let again = again.unwrap_err();
    assert!(matches!(again, CommandError::Barred { .. }), "{again:?}");
    assert!(again.to_string().contains("stolen, too"), "{again}");

    // Its time came long ago, and it was cancelled after the backup: nothing happens by itself.
    Upkeep::new(keys.clone(), crate::clock::Clock::from_fn(|| LATER)).activate_what_is_due();
    assert_eq!(states(&keys)[0], (2, "pending"));
    let operator = keys.by(Author::token("alice"));
    operator.activate(ALIAS, fingerprint(2), None, LATER).unwrap();
    let stopped = keys.ring().signer(ALIAS, LATER).err().unwrap();
    assert_eq!(stopped, NoUsableKey::Unreviewed(ALIAS.to_owned()));
    assert!(
        stopped
            .to_string()
            .contains("say `countersign keys reviewed orders`"),
        "{stopped}"
    );
    drop(keys);
    let keys = bench.keys();
    assert!(keys.ring().signer(ALIAS, LATER).is_err(), "a restart is no look");
    keys.by(Author::token("alice")).reviewed(ALIAS, LATER).unwrap();
    assert!(keys.ring().signer(ALIAS, LATER).is_ok());
    drop(keys);
    assert!(
        bench.keys().ring().signer(ALIAS, LATER).is_ok(),
        "and it stays looked at"
    );
    let whats = bench.whats();
    for what in [
        "state-restored",
        "alias-stopped",
        "key-barred",
        "key-revoked",
        "alias-reviewed",
    ] {
        assert!(whats.iter().any(|known| known == what), "{what}: {whats:?}");
    }
}

#[test]
fn a_revoked_key_that_the_backup_lacks_is_not_taken_in_under_another_certificate_and_no_file_is_left() {
    let bench = Bench::new();
    bench.restore(true).unwrap();
    let (keys, disguised) = (bench.keys(), certified_again(4));
    assert_ne!(*disguised.certificate.fingerprint(), fingerprint(4));
    let operator = keys.by(Author::cli());
    let refused = operator.import(ALIAS, disguised, AfterImport::Activate, LATER);
    let refused = refused.unwrap_err();
    assert!(matches!(refused, CommandError::Barred { .. }), "{refused:?}");
    for left in ["unfinished", "unfinished-wal", "unfinished-shm"] {
        assert!(!bench.file(&format!("countersign.{left}")).exists(), "{left}");
    }
}

#[test]
fn a_database_that_is_gone_is_known_by_the_end_of_its_audit_that_is_kept_beside() {
    let bench = Bench::new();
    bench.lose_database();
    let refused = bench.restore(false).unwrap_err().to_string();
    assert!(
        refused.contains("older than what the proxy did last"),
        "{refused}"
    );
    let restored = bench.restore(true).unwrap();
    assert_eq!(
        (restored.stopped.as_slice(), restored.replaced),
        ([ALIAS.to_owned()].as_slice(), None)
    );
    assert_eq!(
        states(&bench.keys()),
        [(1, "active"), (2, "pending")],
        "nobody knew of the revocation"
    );
    assert!(
        bench.keys().ring().signer(ALIAS, LATER).is_err(),
        "so it does not sign"
    );
}

#[test]
fn on_another_machine_somebody_has_to_say_what_he_knows() {
    let bench = Bench::new();
    bench.lose_database();
    fs::remove_file(bench.file("audit-head")).unwrap();
    let refused = bench.restore(false).unwrap_err().to_string();
    assert!(
        refused.contains("--head") && refused.contains("--accept-older"),
        "{refused}"
    );
    let later = bench
        .restore_with(Some(&"a".repeat(64)), None, false)
        .unwrap_err()
        .to_string();
    assert!(later.contains("older than what the proxy did last"), "{later}");
    let restored = bench.restore_with(Some(&bench.head), None, false).unwrap();
    assert_eq!((restored.stopped, restored.withdrawn), (Vec::new(), Vec::new()));
    let keys = bench.keys();
    assert!(
        keys.ring().signer(ALIAS, NOW).is_ok(),
        "nothing was lost, so it signs"
    );
    assert_eq!(keys.store_status().events_after(), None);
    drop(keys);
    assert!(bench.whats().iter().any(|what| what == "state-restored"));
}

#[test]
fn an_audit_that_somebody_kept_knows_what_was_revoked() {
    let bench = Bench::new();
    let records = AuditTrail::of(bench.state.path()).read(0, 100).unwrap();
    let lines = records
        .iter()
        .map(|record| serde_json::to_string(record).unwrap() + "\n");
    let kept = bench.elsewhere.path().join("audit.json");
    fs::write(&kept, lines.collect::<String>()).unwrap();
    bench.lose_database();
    fs::remove_file(bench.file("audit-head")).unwrap();
    let refused = bench
        .restore_with(None, Some(&kept), false)
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("older than what the proxy did last"),
        "{refused}"
    );
    bench.restore_with(None, Some(&kept), true).unwrap();
    assert_eq!(states(&bench.keys()), [(2, "pending"), (1, "revoked")]);
}

#[test]
fn revocations_are_known_of_a_database_whose_keys_somebody_has_changed() {
    let bench = Bench::new();
    let connection = Connection::open(database(bench.state.path())).unwrap();
    let revive = "UPDATE key SET state = 'retired', displaced = NULL, reason = NULL, displacement = 9 WHERE state = 'revoked'";
    connection.execute_batch(revive).unwrap();
    drop(connection);
    assert!(try_open(bench.state.path()).is_err());
    bench.restore(true).unwrap();
    assert_eq!(states(&bench.keys()), [(2, "pending"), (1, "revoked")]);
}

#[test]
fn a_restored_database_is_restored_once_more() {
    let bench = Bench::new();
    bench.restore(true).unwrap();
    let first = bench.keys().store_status().audit_head();
    let again = bench.restore(true).unwrap();
    assert_eq!(
        states(&bench.keys()),
        [(2, "pending"), (1, "revoked")],
        "{again:?}"
    );
    assert_ne!(bench.keys().store_status().audit_head(), first);
}
