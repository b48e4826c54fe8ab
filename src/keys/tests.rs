//! Keys as a whole: what signs, rivals, and what subscribers hear.

use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::generate::{KeyAlgorithm, SelfSigned};
use super::*;
use crate::keys::lifecycle::Trigger;

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// In a state directory that goes with the test.
struct Bench {
    keys: Keys,
    _directory: TempDir,
}

impl std::ops::Deref for Bench {
    type Target = Keys;

    fn deref(&self) -> &Keys {
        &self.keys
    }
}

fn keys(subscribers: Vec<Subscriber>) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let policies = BTreeMap::from([("orders".to_owned(), Policy::default())]);
    let keys = Keys::open(store::tests::open(directory.path()), &policies, subscribers, NOW).unwrap();
    Bench {
        keys,
        _directory: directory,
    }
}

fn import(keys: &Keys, then: AfterImport) -> Fingerprint {
    let material = SelfSigned::generate(KeyAlgorithm::P256, "Test", NOW, DAY)
        .and_then(SelfSigned::into_material)
        .unwrap();
    keys.by(Author::cli())
        .import("orders", material, then, NOW)
        .unwrap()
        .fingerprint
}

fn signs(keys: &Keys, now: OffsetDateTime) -> Result<Fingerprint, NoUsableKey> {
    keys.ring()
        .signer("orders", now)
        .map(|signer| signer.certificate().fingerprint().clone())
}

#[test]
fn an_alias_signs_with_its_active_key_and_says_why_it_does_not() {
    let keys = keys(Vec::new());
    assert_eq!(
        signs(&keys, NOW),
        Err(NoUsableKey::NoActiveKey("orders".to_owned()))
    );
    let first = import(&keys, AfterImport::ActivateIfNone);
    let second = import(&keys, AfterImport::StayPending);
    assert_eq!(signs(&keys, NOW), Ok(first.clone()));
    keys.by(Author::cli())
        .activate("orders", second.clone(), Some(first.clone()), NOW)
        .unwrap();
    assert_eq!(signs(&keys, NOW), Ok(second));
    keys.by(Author::cli()).rollback("orders", NOW).unwrap();
    assert_eq!(signs(&keys, NOW), Ok(first));
    let expired = signs(&keys, NOW + 2 * DAY).unwrap_err().to_string();
    assert!(expired.contains("expired on 1970-01-02T00:00:00Z"), "{expired}");
    assert!(keys.ring().signer("invoices", NOW).is_err());
    let unknown = keys.by(Author::cli()).rollback("invoices", NOW);
    assert_eq!(unknown, Err(CommandError::UnknownAlias("invoices".to_owned())));
}

#[test]
fn of_many_who_replace_the_same_key_at_once_one_does() {
    let keys = keys(Vec::new());
    let first = import(&keys, AfterImport::ActivateIfNone);
    let rivals: Vec<_> = (0..8).map(|_| import(&keys, AfterImport::StayPending)).collect();
    let won = thread::scope(|scope| {
        let rivals: Vec<_> = rivals
            .iter()
            .map(|rival| {
                scope.spawn(|| {
                    keys.by(Author::cli())
                        .activate("orders", rival.clone(), Some(first.clone()), NOW)
                        .is_ok()
                })
            })
            .collect();
        rivals
            .into_iter()
            .filter_map(|rival| rival.join().ok())
            .filter(|won| *won)
            .count()
    });
    assert_eq!(won, 1);
}

#[test]
fn subscribers_hear_of_a_switch_when_it_is_visible() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (tell, told) = (heard.clone(), Arc::new(Mutex::new(None::<Keys>)));
    let ring = told.clone();
    let keys = keys(vec![Box::new(move |occurrence| {
        let active = ring
            .lock()
            .unwrap()
            .as_ref()
            .and_then(|keys| signs(keys, NOW).ok());
        tell.lock()
            .unwrap()
            .push((occurrence.alias.clone(), occurrence.event.clone(), active));
    })]);
    *told.lock().unwrap() = Some(keys.keys.clone());

    let fingerprint = import(&keys, AfterImport::Activate);

    let certificate = keys.ring().signer("orders", NOW).unwrap().certificate().clone();
    let (alias, active) = ("orders".to_owned(), Some(fingerprint));
    let imported = Event::KeyImported {
        certificate: certificate.clone(),
    };
    let activated = Event::KeyActivated {
        certificate,
        trigger: Trigger::Import,
    };
    let expected = [
        (alias.clone(), imported, active.clone()),
        (alias, activated, active),
    ];
    assert_eq!(*heard.lock().unwrap(), expected);
}
