//! Who may sign, and soon who may verify and decrypt: an immutable [`KeyRing`] behind one atomic
//! pointer, and the one writer that exchanges it.
//!
//! [`source`] brings keys in, [`lifecycle`] decides what may happen to them, [`Signer`] is what
//! `wss` signs with. Knows neither XML nor HTTP; everything is in memory.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use time::OffsetDateTime;
use tokio::time::Instant;

mod distinguished_name;
mod fingerprint;
pub mod generate;
pub mod lifecycle;
pub mod material;
mod name;
mod private_key;
mod ring;
pub mod signer;
pub mod source;
mod suitability;

pub use distinguished_name::DistinguishedName;
pub use fingerprint::{Fingerprint, NotAFingerprint};
pub use lifecycle::{AfterImport, Refusal};
pub use material::{Certificate, KeyMaterial};
pub use private_key::{PrivateKey, UnsupportedKey};
pub use ring::{KeyRing, NoUsableKey};
pub use signer::{KeyType, SignatureAlgorithm, Signer, SignerError, Usage};
pub use suitability::KeyRefused;

use crate::event::{Event, Occurrence, Subscriber};
use lifecycle::{Command, Lifecycle};

/// The keys of a running proxy. Cheap to clone; all clones are the same keys.
#[derive(Clone)]
pub struct Keys(Arc<Shared>);

struct Shared {
    ring: ArcSwap<KeyRing>,
    /// Held from reading the ring to replacing it, so that no command is lost.
    writer: Mutex<()>,
    subscribers: Vec<Subscriber>,
}

/// Why a command changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No such alias.
    #[error("there is no alias {0:?}; aliases are made in the configuration")]
    UnknownAlias(String),
    /// The keys' states do not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The key may not sign.
    #[error(transparent)]
    Unsuitable(#[from] KeyRefused),
}

impl Keys {
    /// Of aliases that have no keys yet.
    #[must_use]
    pub fn new(aliases: impl IntoIterator<Item = String>, subscribers: Vec<Subscriber>) -> Self {
        Self(Arc::new(Shared {
            ring: ArcSwap::from_pointee(KeyRing::of(aliases)),
            writer: Mutex::new(()),
            subscribers,
        }))
    }

    /// The keys of this moment.
    #[must_use]
    pub fn ring(&self) -> Arc<KeyRing> {
        self.0.ring.load_full()
    }

    /// Makes room for aliases; those that are there keep their keys.
    pub fn add_aliases(&self, aliases: impl IntoIterator<Item = String>) {
        let _writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let ring = self.ring().with_aliases(aliases);
        self.0.ring.store(Arc::new(ring));
    }

    /// Takes a key in. One that is known, in any state, changes nothing.
    ///
    /// # Errors
    /// When the key may not sign.
    pub fn import(
        &self,
        alias: &str,
        material: KeyMaterial,
        then: AfterImport,
        now: OffsetDateTime,
    ) -> Result<Imported, CommandError> {
        let signer = Arc::new(Signer::new(material, now)?);
        let fingerprint = signer.certificate().fingerprint().clone();
        let events = self.execute(alias, Command::Import { signer, then }, now)?;
        Ok(Imported {
            fingerprint,
            new: !events.is_empty(),
        })
    }

    /// The switch. When it returns, every new message is signed with this key.
    ///
    /// # Errors
    /// When it is not pending or active, when `replaces` is not the active key, or when it may not
    /// sign now.
    pub fn activate(
        &self,
        alias: &str,
        fingerprint: Fingerprint,
        replaces: Option<Fingerprint>,
        now: OffsetDateTime,
    ) -> Result<(), CommandError> {
        self.execute(
            alias,
            Command::Activate {
                fingerprint,
                replaces,
            },
            now,
        )
        .map(drop)
    }

    /// One step back. When it returns, every new message is signed with the key displaced last.
    ///
    /// # Errors
    /// When there is none, or it may not sign now.
    pub fn rollback(&self, alias: &str, now: OffsetDateTime) -> Result<(), CommandError> {
        self.execute(alias, Command::Rollback, now).map(drop)
    }

    fn execute(
        &self,
        alias: &str,
        command: Command,
        now: OffsetDateTime,
    ) -> Result<Vec<Event>, CommandError> {
        let begun = Instant::now();
        let _writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let ring = self.ring();
        let keys = ring
            .alias(alias)
            .ok_or_else(|| CommandError::UnknownAlias(alias.to_owned()))?;
        let (next, events) = keys.apply(command, now)?;
        if events.is_empty() {
            return Ok(events);
        }
        try_new_active_key(keys, &next, now)?;
        self.0.ring.store(Arc::new(ring.with(alias, next)));
        let took = begun.elapsed();
        for event in &events {
            let occurrence = Occurrence {
                alias: alias.to_owned(),
                at: now,
                took,
                event: event.clone(),
            };
            self.0
                .subscribers
                .iter()
                .for_each(|subscriber| subscriber(&occurrence));
        }
        Ok(events)
    }
}

/// A key that was imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Its name.
    pub fingerprint: Fingerprint,
    /// Not known before.
    pub new: bool,
}

/// A key may have become unable to sign since it came (a token can be pulled).
fn try_new_active_key(before: &Lifecycle, after: &Lifecycle, now: OffsetDateTime) -> Result<(), KeyRefused> {
    let active = |keys: &Lifecycle| keys.active().map(|key| key.fingerprint().clone());
    match after.active() {
        Some(key) if active(before) != active(after) => key.signer.check(now),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::generate::{KeyAlgorithm, SelfSigned};
    use super::*;
    use crate::event::Trigger;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn keys(subscribers: Vec<Subscriber>) -> Keys {
        Keys::new(["orders".to_owned()], subscribers)
    }

    fn import(keys: &Keys, then: AfterImport) -> Fingerprint {
        let material = SelfSigned::generate(KeyAlgorithm::P256, "Test", NOW, DAY)
            .and_then(SelfSigned::into_material)
            .unwrap();
        keys.import("orders", material, then, NOW).unwrap().fingerprint
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
        keys.activate("orders", second.clone(), Some(first.clone()), NOW)
            .unwrap();
        assert_eq!(signs(&keys, NOW), Ok(second));
        keys.rollback("orders", NOW).unwrap();
        assert_eq!(signs(&keys, NOW), Ok(first));
        let expired = signs(&keys, NOW + 2 * DAY).unwrap_err().to_string();
        assert!(expired.contains("expired on 1970-01-02T00:00:00Z"), "{expired}");
        assert!(keys.ring().signer("invoices", NOW).is_err());
        let unknown = keys.rollback("invoices", NOW);
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
                        keys.activate("orders", rival.clone(), Some(first.clone()), NOW)
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
        *told.lock().unwrap() = Some(keys.clone());

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
}
