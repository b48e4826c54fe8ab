//! What somebody may do to keys. Each call returns when it is done and durable, or says why not.

mod renewal;

use std::collections::BTreeMap;
use std::sync::Arc;

use time::OffsetDateTime;

use super::audit::Author;
use super::generate::{GenerateError, KeyPair};
use super::lifecycle::{
    AfterImport, Command, KeyState, Lifecycle, Origin, RenewalId, Replacement, Schedule, Trigger,
};
use super::store::StoreError;
use super::waiting::{Waiting, certify, reissued};
use super::{Certificate, CommandError, Fingerprint, KeyMaterial, Keys, Reason, Signer};

/// Somebody who operates the keys.
pub struct Operator<'a> {
    keys: &'a Keys,
    author: Author,
}

/// A key that was imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Its name.
    pub fingerprint: Fingerprint,
    /// Not known before.
    pub new: bool,
}

/// Why no key was generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerationError {
    /// OpenSSL refused.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// It was not kept.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl<'a> Operator<'a> {
    pub(super) fn new(keys: &'a Keys, author: Author) -> Self {
        Self { keys, author }
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
        let origin = Origin::Command;
        let import = |signer| Command::Import { signer, origin, then };
        self.take_in(alias, material, now, import)
    }

    /// Keeps a key that was generated here until its certificate comes.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn await_certificate(
        &self,
        alias: &str,
        pair: KeyPair,
        now: OffsetDateTime,
    ) -> Result<Arc<Waiting>, GenerationError> {
        let now = now.truncate_to_millisecond();
        let waiting = Arc::new(Waiting::new(pair, now)?);
        let mut store = self.keys.writer();
        if self.keys.ring().alias(alias).is_none() {
            return Err(CommandError::UnknownAlias(alias.to_owned()).into());
        }
        let written = store.add_waiting(alias, &waiting, &self.author, now);
        let kept = (alias.to_owned(), Arc::clone(&waiting));
        self.keys
            .once_stored(&mut store, written, |keys| {
                keys.set_waiting(|all| all.push(kept));
            })
            .map_err(CommandError::from)?;
        tracing::info!(%alias, public_key = %waiting.public_key(), subject = waiting.subject(), "key generated; it waits for its certificate");
        Ok(waiting)
    }

    /// Takes in an authority's answer: the certificate of a key that waits, or another one of a key that is pending or signs, and
    /// what leads from there to a root, in any order. One that was taken in before changes nothing.
    ///
    /// # Errors
    /// When it is for no such key, or may not sign.
    pub fn certify(
        &self,
        alias: &str,
        certificates: Vec<Certificate>,
        then: AfterImport,
        now: OffsetDateTime,
    ) -> Result<Imported, CommandError> {
        let ring = self.keys.ring();
        let keys = ring
            .alias(alias)
            .ok_or_else(|| CommandError::UnknownAlias(alias.to_owned()))?;
        let known = |certificate: &&Certificate| {
            let key = keys.key(certificate.fingerprint());
            key.is_some_and(|entry| entry.identity.certificate() == *certificate)
        };
        let known = certificates
            .iter()
            .find(known)
            .map(Certificate::fingerprint)
            .cloned();
        let waiting = self.keys.waiting(alias);
        let waits = waiting.iter().map(AsRef::as_ref);
        let certified = certify(alias, waits, certificates.clone(), now);
        match (certified, keys.reissued(&certificates), known) {
            (Ok(material), _, _) => self.import(alias, material, then, now),
            (Err(_), Some(signer), _) => self.import(alias, reissued(signer, certificates, now)?, then, now),
            (Err(_), None, Some(fingerprint)) => Ok(Imported {
                fingerprint,
                new: false,
            }),
            (Err(problem), None, None) => Err(problem.into()),
        }
    }

    /// Notes in the audit what was done with an alias, in the past tense, and to none of its keys.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn note(
        &self,
        what: &str,
        alias: Option<&str>,
        detail: BTreeMap<String, String>,
        now: OffsetDateTime,
    ) -> Result<(), CommandError> {
        let now = now.truncate_to_millisecond();
        Ok(self.keys.writer().note(what, alias, detail, &self.author, now)?)
    }

    /// An operator has looked at what a restored backup brought: the alias signs again.
    ///
    /// # Errors
    /// When there is no such alias, or it cannot be stored.
    pub fn reviewed(&self, alias: &str, now: OffsetDateTime) -> Result<(), CommandError> {
        let now = now.truncate_to_millisecond();
        let mut store = self.keys.writer();
        let ring = self.keys.ring();
        if ring.alias(alias).is_none() {
            return Err(CommandError::UnknownAlias(alias.to_owned()));
        }
        if ring.unreviewed_since(alias).is_none() {
            return Ok(());
        }
        let written = store.reviewed(alias, &self.author, now);
        let owned = alias.to_owned();
        self.keys.once_stored(&mut store, written, move |keys| {
            keys.0.ring.store(Arc::new(keys.ring().with_reviewed(&owned)));
            tracing::info!(alias = %owned, "an operator has looked at what the backup brought; it signs again");
        })?;
        Ok(())
    }

    /// Forgets a key that waits for its certificate.
    ///
    /// # Errors
    /// When there is none of this public key.
    pub fn discard_waiting(
        &self,
        alias: &str,
        public_key: &Fingerprint,
        now: OffsetDateTime,
    ) -> Result<(), CommandError> {
        let now = now.truncate_to_millisecond();
        let mut store = self.keys.writer();
        let waiting = self.keys.waiting(alias);
        let waiting = waiting.iter().find(|waiting| waiting.public_key() == public_key);
        let waiting = waiting.ok_or_else(|| CommandError::NotWaiting {
            alias: alias.to_owned(),
            public_key: public_key.clone(),
        })?;
        let written = store.discard_waiting(alias, waiting, &self.author, now);
        let discarded = (alias.to_owned(), public_key.clone());
        self.keys.once_stored(&mut store, written, move |keys| {
            keys.set_waiting(|all| {
                all.retain(|(owner, key)| *owner != discarded.0 || *key.public_key() != discarded.1);
            });
        })?;
        tracing::info!(%alias, %public_key, "a key that waited for its certificate was discarded");
        Ok(())
    }

    /// Takes in what the alias's source has now, which it may have had for long: what was discarded stays away.
    ///
    /// # Errors
    /// When the key may not sign.
    pub fn bring(
        &self,
        alias: &str,
        material: KeyMaterial,
        then: AfterImport,
        now: OffsetDateTime,
    ) -> Result<Imported, CommandError> {
        let origin = Origin::Source;
        let import = |signer| Command::Import { signer, origin, then };
        self.take_in(alias, material, now, import)
    }

    /// As [`Self::bring`], because an event announced it: where the key waits for its turn, its renewal begins.
    ///
    /// # Errors
    /// When the key may not sign.
    pub fn bring_announced(
        &self,
        alias: &str,
        material: KeyMaterial,
        then: AfterImport,
        receivers: Vec<String>,
        now: OffsetDateTime,
    ) -> Result<Imported, CommandError> {
        let renewal = RenewalId::random().map_err(|_| StoreError::NoRandomness)?;
        let announced = |signer| Command::Announced {
            signer,
            then,
            renewal,
            receivers,
        };
        let fingerprint = material.certificate.fingerprint().clone();
        let state = |keys: &Lifecycle| keys.key(&fingerprint).map(|entry| entry.state);
        let state = self.keys.ring().alias(alias).and_then(state);
        if !matches!(state, Some(KeyState::Pending { .. })) {
            return self.take_in(alias, material, now, announced);
        }
        // The look at the source was there before the event.
        let signer = Arc::new(Signer::new(material, now)?);
        self.run(alias, announced(signer), now)?;
        let new = false;
        Ok(Imported { fingerprint, new })
    }

    fn take_in(
        &self,
        alias: &str,
        material: KeyMaterial,
        now: OffsetDateTime,
        import: impl FnOnce(Arc<Signer>) -> Command,
    ) -> Result<Imported, CommandError> {
        let fingerprint = material.certificate.fingerprint().clone();
        let known = |keys: &Lifecycle| keys.key(&fingerprint).is_some();
        if self.keys.ring().alias(alias).is_some_and(known) {
            // It may have expired meanwhile, which is no reason to complain at every start.
            return Ok(Imported {
                fingerprint,
                new: false,
            });
        }
        let barred = self.keys.writer().barred(alias, &material.certificate)?;
        if let Some(reason) = barred {
            return Err(CommandError::Barred { fingerprint, reason });
        }
        let signer = Arc::new(Signer::new(material, now)?);
        let events = self.keys.execute(alias, import(signer), &self.author, now)?;
        Ok(Imported {
            fingerprint,
            new: !events.is_empty(),
        })
    }

    /// The switch. When it returns, every new message is signed with this key.
    ///
    /// # Errors
    /// When it is not pending or active, when `replaces` is not the active key, when it may not
    /// sign now, or when the receivers would refuse what it signs.
    pub fn activate(
        &self,
        alias: &str,
        fingerprint: Fingerprint,
        replaces: Option<Fingerprint>,
        now: OffsetDateTime,
    ) -> Result<(), CommandError> {
        self.run(alias, self.activation(fingerprint, replaces, false), now)
    }

    /// The same where the receivers trust one key, and are not known to have this one's certificate: until they have, they
    /// refuse what is signed with it.
    ///
    /// # Errors
    /// As [`Self::activate`].
    pub fn activate_unconfirmed(
        &self,
        alias: &str,
        fingerprint: Fingerprint,
        replaces: Option<Fingerprint>,
        now: OffsetDateTime,
    ) -> Result<(), CommandError> {
        self.run(alias, self.activation(fingerprint, replaces, true), now)
    }

    fn activation(
        &self,
        fingerprint: Fingerprint,
        replaces: Option<Fingerprint>,
        unconfirmed: bool,
    ) -> Command {
        let trigger = match self.author.event {
            Some(_) => Trigger::Event,
            None => Trigger::Activate,
        };
        Command::Activate {
            fingerprint,
            replaces,
            trigger,
            unconfirmed,
        }
    }

    /// The switch at a set time, which is to come; `unconfirmed` as of [`Self::activate_unconfirmed`].
    ///
    /// # Errors
    /// As [`Self::activate`], for that time; when it has passed; and for a key that was imported before the active one.
    pub fn activate_at(
        &self,
        alias: &str,
        fingerprint: Fingerprint,
        schedule: Schedule,
        unconfirmed: bool,
        now: OffsetDateTime,
    ) -> Result<(), CommandError> {
        let at = schedule.at.truncate_to_millisecond();
        let schedule = Command::Schedule {
            fingerprint,
            schedule: Schedule { at, ..schedule },
            unconfirmed,
        };
        self.run(alias, schedule, now)
    }

    /// No switch at a set time.
    ///
    /// # Errors
    /// When no time is set for this key.
    pub fn cancel(
        &self,
        alias: &str,
        fingerprint: Fingerprint,
        now: OffsetDateTime,
    ) -> Result<(), CommandError> {
        self.run(alias, Command::Unschedule { fingerprint }, now)
    }

    /// One step back. When it returns, every new message is signed with the key displaced last.
    ///
    /// # Errors
    /// When there is none, it may not sign now, or that would go forward again to what was left by the last step back.
    pub fn rollback(&self, alias: &str, now: OffsetDateTime) -> Result<(), CommandError> {
        self.run(alias, Command::Rollback { replaces: None }, now)
    }

    /// The same, away from this key and no other one; also directly after another step back, which it undoes.
    ///
    /// # Errors
    /// When this key is not the active one; when there is none to go to, or that one may not sign now.
    pub fn rollback_from(
        &self,
        alias: &str,
        replaces: Fingerprint,
        now: OffsetDateTime,
    ) -> Result<(), CommandError> {
        let replaces = Some(replaces);
        self.run(alias, Command::Rollback { replaces }, now)
    }

    /// Trusts a key no more. When it returns, no new message is signed with it.
    ///
    /// # Errors
    /// When it is the active one and neither a successor that may sign nor a stop is given.
    pub fn revoke(
        &self,
        alias: &str,
        fingerprint: Fingerprint,
        reason: Reason,
        replacement: Option<Replacement>,
        now: OffsetDateTime,
    ) -> Result<(), CommandError> {
        let revoke = Command::Revoke {
            fingerprint,
            reason,
            replacement,
        };
        self.run(alias, revoke, now)
    }

    /// Drops a pending key.
    ///
    /// # Errors
    /// When it is not pending.
    pub fn discard(
        &self,
        alias: &str,
        fingerprint: Fingerprint,
        now: OffsetDateTime,
    ) -> Result<(), CommandError> {
        self.run(alias, Command::Discard { fingerprint }, now)
    }

    /// Destroys the private half of a retired or revoked key. Early only of a revoked one that is `compromised`.
    ///
    /// # Errors
    /// When its retention is not over; names the date.
    pub fn purge(
        &self,
        alias: &str,
        fingerprint: Fingerprint,
        compromised: bool,
        now: OffsetDateTime,
    ) -> Result<(), CommandError> {
        let purge = Command::Purge {
            fingerprint,
            compromised,
        };
        self.run(alias, purge, now)
    }

    pub(super) fn run(&self, alias: &str, command: Command, now: OffsetDateTime) -> Result<(), CommandError> {
        self.keys.execute(alias, command, &self.author, now).map(drop)
    }
}
