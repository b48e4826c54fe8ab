//! Who may sign, who may verify, who may decrypt: an immutable [`KeyRing`] behind one atomic pointer, and
//! the one writer that exchanges it.
//!
//! [`source`] brings keys in, [`lifecycle`] decides what may happen to them, [`store`] makes it durable,
//! [`Signer`] is what `wss` signs with. Knows neither XML nor HTTP. What changes keys waits for the
//! disk: never call it on threads that move bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use time::OffsetDateTime;
use tokio::time::Instant;

pub mod answer;
pub mod audit;
mod decided;
mod decryption_key;
mod distinguished_name;
mod events;
mod fingerprint;
pub mod generate;
mod identity;
pub mod lifecycle;
pub mod material;
#[cfg(test)]
mod model;
mod name;
pub mod occurrence;
mod operator;
pub mod pkcs11;
mod private_key;
mod public_numbers;
mod reason;
mod reference;
mod renewals;
mod ring;

pub mod signer;
pub mod source;
pub mod store;
mod suitability;
pub mod upkeep;
mod uses;
mod waiting;

pub use decryption_key::DecryptionKey;
pub use distinguished_name::DistinguishedName;
pub use fingerprint::{Fingerprint, NotAFingerprint};
pub use identity::Identity;
pub use lifecycle::{AfterImport, LinkToken, Refusal, Renewal, RenewalId, Strategy};
pub use material::{Certificate, KeyMaterial};
pub use operator::{GenerationError, Imported, Operator};
pub use private_key::{PrivateKey, UnsupportedKey};
pub use public_numbers::PublicNumbers;
pub use reason::{NotAReason, Reason};
pub use reference::{Found, Purpose, Reference};
pub use renewals::{FoundLink, StillRenewing};
pub use ring::{KeyRing, NoUsableKey};
pub use signer::{KeyType, SignatureAlgorithm, Signer, SignerError};
pub use suitability::KeyRefused;
pub use uses::{Count, UseCounts, Uses};
pub use waiting::{NotCertified, Waiting};

use answer::Remembered;
use audit::Author;
use decided::Decided;
use lifecycle::{Command, Event, Key, Lifecycle, Policy};
use occurrence::{Occurrence, Subscriber};
use store::{AuditTrail, Store, StoreError, StoreStatus};

/// The keys of a running proxy. Cheap to clone; all clones are the same keys.
#[derive(Clone)]
pub struct Keys(Arc<Shared>);

struct Shared {
    ring: ArcSwap<KeyRing>,
    /// Written under the lock of the store.
    waiting: ArcSwap<Vec<(String, Arc<Waiting>)>>,
    policies: ArcSwap<BTreeMap<String, Policy>>,
    /// Aliases whose active key is new: until then no receiver's answer leads to another one.
    settling: ArcSwap<BTreeMap<String, Instant>>,
    /// Held from reading the ring to replacing it, so that no command is lost.
    store: Mutex<Store>,
    status: Arc<StoreStatus>,
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
    /// It could not be made durable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No key of this name waits for its certificate.
    #[error(
        "no key of {alias} that waits for its certificate has the public key {public_key}; see `countersign keys list`"
    )]
    NotWaiting {
        /// Whose keys were looked at.
        alias: String,
        /// Asked for.
        public_key: Fingerprint,
    },
    /// An authority's answer is for no key that waits.
    #[error(transparent)]
    NotCertified(#[from] NotCertified),
    /// The alias's source brings no key that may sign.
    #[error("the source of {alias} brings no key that may sign: {problem}")]
    NothingBrought {
        /// The alias.
        alias: String,
        /// Why not.
        problem: String,
    },
    /// It was revoked or purged before a backup was restored that does not know it.
    #[error(
        "key {fingerprint} is not taken in: when a backup without it was restored, it was known that it is to sign no more \
         ({reason}); use another key"
    )]
    Barred {
        /// The key.
        fingerprint: Fingerprint,
        /// Why it was withdrawn.
        reason: String,
    },
    /// The event that asks for it was answered before.
    #[error("this event was answered before: {}", .0.answer.reason)]
    Repeated(Remembered),
}

impl Keys {
    /// The keys that the store remembers, and the aliases that the configuration has.
    ///
    /// # Errors
    /// When the store holds what we did not put there.
    pub fn open(
        store: Store,
        policies: &BTreeMap<String, Policy>,
        subscribers: Vec<Subscriber>,
        now: OffsetDateTime,
    ) -> Result<Self, StoreError> {
        let unreviewed = store.load_unreviewed()?;
        for alias in unreviewed.keys() {
            tracing::warn!(%alias, "its messages are refused: its keys came from an older backup, and wait to be looked at with `countersign keys reviewed`");
        }
        let keys = Self(Arc::new(Shared {
            ring: ArcSwap::from_pointee(KeyRing::of(store.load()?).with_unreviewed(unreviewed)),
            waiting: ArcSwap::from_pointee(store.load_waiting()?.into_iter().map(shared).collect()),
            policies: ArcSwap::default(),
            settling: ArcSwap::default(),
            status: store.status(),
            store: Mutex::new(store),
            subscribers,
        }));
        keys.tell_held();
        // Nothing was configured before, so no renewal stands against it.
        let _ = keys.configure(policies, now);
        Ok(keys)
    }

    /// What was held as the process ended is held on.
    fn tell_held(&self) {
        for (alias, keys) in self.ring().aliases() {
            let Some(hold) = keys.current_hold() else { continue };
            let (renewal, gate) = (&hold.renewal, hold.gate.name());
            tracing::warn!(%alias, %renewal, %gate, "its messages do not go on their way, as before the restart; see `countersign renewal show`");
        }
    }

    /// The configuration has these aliases now. Others keep their keys, to verify and decrypt with.
    ///
    /// What its settings change about keys and cannot be stored now, that is logged, and what was stored before goes on to
    /// hold.
    ///
    /// # Errors
    /// When an alias would go whose renewal goes on; then nothing was changed.
    pub fn configure(
        &self,
        policies: &BTreeMap<String, Policy>,
        now: OffsetDateTime,
    ) -> Result<(), StillRenewing> {
        {
            let _writer = self.writer();
            self.check_renewals(policies)?;
            self.0
                .ring
                .store(Arc::new(self.ring().with_aliases(policies.keys())));
            self.0.policies.store(Arc::new(policies.clone()));
        }
        for alias in policies.keys() {
            let configured = self.execute(alias, Command::Configure, &Author::configuration(), now);
            if let Err(problem) = configured {
                tracing::warn!(%alias, %problem, "what the settings change about the keys is not stored");
            }
        }
        Ok(())
    }

    /// The keys of this moment.
    #[must_use]
    pub fn ring(&self) -> Arc<KeyRing> {
        self.0.ring.load_full()
    }

    /// The keys of an alias that wait for their certificate, in the order in which they were generated.
    #[must_use]
    pub fn waiting(&self, alias: &str) -> Vec<Arc<Waiting>> {
        let waiting = self.0.waiting.load();
        let own = waiting.iter().filter(|(owner, _)| owner == alias);
        own.map(|(_, waiting)| Arc::clone(waiting)).collect()
    }

    /// Exchanges those that wait; under the lock of the store.
    fn set_waiting(&self, change: impl FnOnce(&mut Vec<(String, Arc<Waiting>)>)) {
        let mut waiting = self.0.waiting.load_full().as_ref().clone();
        change(&mut waiting);
        self.0.waiting.store(Arc::new(waiting));
    }

    /// Those whose certificate has come wait no more.
    fn certified(&self, alias: &str, events: &[Event]) {
        for event in events {
            if let Event::KeyImported { certificate } = event {
                let public_key = certificate.public_key_fingerprint();
                self.set_waiting(|waiting| {
                    waiting.retain(|(owner, key)| owner != alias || *key.public_key() != public_key);
                });
            }
        }
    }

    /// Every key that answers to the reference, whatever its state. A message that refers to a key is counted as a use
    /// of it: as long as there are such messages, it is still needed.
    #[must_use]
    pub fn look_up(&self, reference: &Reference, purpose: Purpose, now: OffsetDateTime) -> Vec<Found> {
        let found = self.ring().find(reference);
        if matches!(purpose, Purpose::Verify | Purpose::Decrypt) {
            found.iter().for_each(|key| key.identity.uses().looked_up(now));
        }
        found
    }

    /// Whoever this is operates the keys, as far as the audit is concerned.
    #[must_use]
    pub fn by(&self, author: Author) -> Operator<'_> {
        Operator::new(self, author)
    }

    /// How the store is.
    #[must_use]
    pub fn store_status(&self) -> &StoreStatus {
        &self.0.status
    }

    /// The audit, for reading.
    #[must_use]
    pub fn audit_trail(&self) -> AuditTrail {
        self.writer().audit_trail()
    }

    /// The one that writes, after it has found out what it did not know.
    fn writer(&self) -> MutexGuard<'_, Store> {
        let mut store = self.0.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.settle();
        store
    }

    /// From now on a key is not taken in, by whatever certificate where its public key is known.
    fn bar(
        &self,
        alias: &str,
        key: &Fingerprint,
        public_key: Option<&Fingerprint>,
        reason: &Reason,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        self.writer().bar(alias, key, public_key, reason, now)
    }

    fn policy(&self, alias: &str) -> Policy {
        self.0.policies.load().get(alias).copied().unwrap_or_default()
    }

    /// Decides, tries, stores, publishes, tells: in this order, one command after the other.
    ///
    /// A key is tried without the writer's lock, since a token may take its time. What was decided before is decided
    /// again after that, on the state of then: if it asks for another key, that one is tried as well.
    #[expect(clippy::needless_pass_by_value, reason = "callers make it on the spot")]
    fn execute(
        &self,
        alias: &str,
        command: Command,
        author: &Author,
        now: OffsetDateTime,
    ) -> Result<Vec<Event>, CommandError> {
        let begun = Instant::now();
        // What is stored is read back as it was.
        let now = now.truncate_to_millisecond();
        let mut tried = BTreeSet::new();
        loop {
            match self.attempt(alias, &command, author, now, begun, &tried)? {
                Attempt::Done(events) => return Ok(events),
                Attempt::Untried(signer) => {
                    signer.check(now)?;
                    tried.insert(signer.certificate().fingerprint().clone());
                }
            }
        }
    }

    /// Under the writer's lock: carries the command out, unless it makes a key sign that was not tried.
    fn attempt(
        &self,
        alias: &str,
        command: &Command,
        author: &Author,
        now: OffsetDateTime,
        begun: Instant,
        tried: &BTreeSet<Fingerprint>,
    ) -> Result<Attempt, CommandError> {
        let mut store = self.writer();
        // Of repetitions that come at the same time one gets here first.
        if let Some(cause) = &author.event
            && let Some(remembered) = store.answer(cause, alias)?
        {
            return Err(CommandError::Repeated(remembered));
        }
        let ring = self.ring();
        let keys = ring
            .alias(alias)
            .ok_or_else(|| CommandError::UnknownAlias(alias.to_owned()))?;
        // What a backup brought is looked at by an operator before anything happens by itself.
        if matches!(command, Command::Timer) && ring.unreviewed_since(alias).is_some() {
            return Ok(Attempt::Done(Vec::new()));
        }
        if command.is_a_receivers() && self.settling(alias) {
            return Ok(Attempt::Done(Vec::new()));
        }
        let (policy, moment) = (self.policy(alias), self.0.status.moment(now));
        let (next, events) = keys.apply(command.clone(), &policy, moment, &author.to_string())?;
        if events.is_empty() {
            return Ok(Attempt::Done(events));
        }
        if let Some(signer) = new_key(keys, &next)
            && !tried.contains(signer.certificate().fingerprint())
        {
            return Ok(Attempt::Untried(Arc::clone(signer)));
        }
        let decided = Decided {
            alias: alias.to_owned(),
            next,
            events,
            policy,
            now,
            begun,
        };
        let events = self.carry_out(&mut store, keys, decided, author)?;
        Ok(Attempt::Done(events))
    }

    fn tell(&self, occurrence: &Occurrence) {
        let subscribers = self.0.subscribers.iter();
        subscribers.for_each(|subscriber| subscriber(occurrence));
    }
}

#[cfg(test)]
impl Keys {
    /// Has the database do this, for one, fail from now on.
    pub(crate) fn have_store_do(&self, statement: &str) {
        self.writer().connection().execute_batch(statement).unwrap();
    }
}

fn shared((alias, waiting): (String, Waiting)) -> (String, Arc<Waiting>) {
    (alias, Arc::new(waiting))
}

/// What became of a command.
enum Attempt {
    /// It is carried out.
    Done(Vec<Event>),
    /// It changed nothing yet: this key has to make a trial signature first.
    Untried(Arc<Signer>),
}

/// A key may have become unable to sign since it came (a token can be pulled). One that messages are going to wait for is
/// tried before they do.
fn new_key<'a>(before: &Lifecycle, after: &'a Lifecycle) -> Option<&'a Arc<Signer>> {
    let active = |keys: &Lifecycle| keys.active().map(|key| key.fingerprint().clone());
    let held = || {
        after
            .renewed_key()
            .filter(|_| !before.gate().is_shut() && after.gate().is_shut())
    };
    match after.active() {
        Some(key) if active(before) != active(after) => Some(key.signer()),
        _ => held().map(Key::signer),
    }
}

#[cfg(test)]
mod tests;
