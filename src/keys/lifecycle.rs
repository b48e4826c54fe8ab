//! A key's life: pending → active → retired → purged, back by rollback, aside by revocation. The
//! pure core: a state and a command give the next state and what happened; no clock, no files, no
//! signatures.
//!
//! A key is in exactly one state, and each state owns what it needs and nothing else: a revoked key
//! cannot be had for signing, a purged one has no private half. That there is at most one active key
//! is the shape of the type. No transition forgets a key.

mod activation;
mod again;
mod announced;
mod candidate;
mod command;
mod confirming;
mod consequence;
mod event;
mod gate;
mod hold_over;
mod holding;
mod link;
mod notice;
mod refusal;
mod renewal;
mod renewal_news;
mod renewing;
mod restore;
mod retention;
mod state;
#[cfg(test)]
mod tests;
mod timer;
mod withdrawal;

use std::sync::Arc;

use command::Circumstances;
use notice::Notices;
use state::{Active, Discarded, Pending, Purged, Retired, Revoked};

pub use super::reason::{NotAReason, Reason};
pub use command::{
    AfterHold, AfterImport, Command, HoldLimit, LEAST_RETENTION, MOST_HELD, Moment, Origin, Policy,
    RenewalCommand, Replacement, SETTLE, Strategy,
};
pub use event::{Event, Trigger};
pub use gate::{Drain, Gate, Hold};
pub(super) use link::Link;
pub use link::{LinkHash, LinkToken};
pub use notice::Notice;
pub use refusal::Refusal;
pub use renewal::{Confirmation, Confirmed, NotARenewal, Renewal, RenewalId, Step, Taken, WaitsFor};
pub use renewal_news::RenewalNews;
pub(super) use restore::{Half, Inconsistent, StoredRenewal};
pub use state::{Arrival, Entry, Key, KeyState, Schedule};

use super::{Certificate, Fingerprint, Identity, Signer};

/// The keys of one alias.
#[derive(Clone, Default)]
pub struct Lifecycle {
    /// In order of import.
    pending: Vec<Pending>,
    active: Option<Active>,
    /// In order of displacement, the latest last.
    retired: Vec<Retired>,
    /// In order of import.
    revoked: Vec<Revoked>,
    /// In order of import.
    purged: Vec<Purged>,
    /// Remembered, so that a source does not bring them back.
    discarded: Vec<Discarded>,
    /// In order of their start; only the last one may be open.
    renewals: Vec<Arc<Renewal>>,
    /// Those that were given.
    notices: Arc<Notices>,
}

impl Lifecycle {
    /// The state after the command of somebody, and what happened on the way (nothing: it was so already).
    ///
    /// # Errors
    /// When the state does not allow the command.
    pub fn apply(
        &self,
        command: Command,
        policy: &Policy,
        moment: Moment,
        by: &str,
    ) -> Result<(Self, Vec<Event>), Refusal> {
        let circumstances = Circumstances { policy, moment, by };
        let mut next = self.clone();
        let mut events = match command {
            Command::Import { signer, origin, then } => {
                next.check_key_pair(&signer)?;
                next.import(signer, origin, then, policy, moment)
            }
            Command::Announced {
                signer,
                then,
                renewal,
                receivers,
            } => {
                next.check_key_pair(&signer)?;
                next.import_announced(signer, then, &renewal, receivers, circumstances)?
            }
            Command::Activate {
                fingerprint,
                replaces,
                trigger,
                unconfirmed,
            } => {
                next.check_confirmed(&fingerprint, unconfirmed, policy)?;
                next.activate(&fingerprint, replaces.as_ref(), trigger, policy, moment)?
            }
            Command::Schedule {
                fingerprint,
                schedule,
                unconfirmed,
            } => {
                next.check_confirmed(&fingerprint, unconfirmed, policy)?;
                next.schedule(&fingerprint, schedule, moment)?
            }
            Command::Unschedule { fingerprint } => next.unschedule(&fingerprint)?,
            Command::Rollback { replaces } => next.roll_back(replaces.as_ref(), policy, moment)?,
            Command::Revoke {
                fingerprint,
                reason,
                replacement,
            } => next.revoke(&fingerprint, &reason, replacement, policy, moment)?,
            Command::Discard { fingerprint } => next.discard(&fingerprint, moment)?,
            Command::Purge {
                fingerprint,
                compromised,
            } => next.purge(&fingerprint, compromised, moment)?,
            Command::Configure => [next.keep_longer(policy), next.keep_strategy(policy)].concat(),
            Command::Timer => next.timer(policy, moment),
            Command::GiveNotice => next.give_notice(policy, moment),
            Command::Renewal(command) => next.renew(command, circumstances)?,
        };
        let consequences = next.take_consequences(self, &events, circumstances);
        events.extend(consequences);
        Ok((next, events))
    }

    /// The key that signs.
    #[must_use]
    pub fn active(&self) -> Option<&Key> {
        self.active.as_ref().map(|active| &active.key)
    }

    /// All keys: the active one, the pending ones in order of import, the retired ones, displaced last first, then the
    /// revoked and the purged ones, imported last first. Those that were discarded are not there any more.
    pub fn keys(&self) -> impl Iterator<Item = Entry<'_>> {
        let active = self.active.iter().map(Active::entry);
        active
            .chain(self.pending.iter().map(Pending::entry))
            .chain(self.retired.iter().rev().map(Retired::entry))
            .chain(self.revoked.iter().rev().map(Revoked::entry))
            .chain(self.purged.iter().rev().map(Purged::entry))
    }

    /// The key of this fingerprint.
    #[must_use]
    pub fn key(&self, fingerprint: &Fingerprint) -> Option<Entry<'_>> {
        self.keys().find(|entry| entry.fingerprint() == fingerprint)
    }

    /// Every renewal, in order of their start; only the last one may be open.
    #[must_use]
    pub fn renewals(&self) -> &[Arc<Renewal>] {
        &self.renewals
    }

    /// The one that goes on.
    #[must_use]
    pub fn open_renewal(&self) -> Option<&Arc<Renewal>> {
        self.renewals.last().filter(|renewal| renewal.is_open())
    }

    /// Whether messages go on their way.
    #[must_use]
    pub fn gate(&self) -> Gate {
        self.open_renewal().map_or(Gate::Open, |renewal| renewal.gate)
    }

    /// What the store keeps: all keys and those that were discarded.
    pub(super) fn remembered(&self) -> impl Iterator<Item = Entry<'_>> {
        self.keys().chain(self.discarded.iter().map(Discarded::entry))
    }

    /// Certificates are issued again for their keys, and each is a key here. But a key pair that others may know, or that is
    /// gone, must not come back under another one.
    fn check_key_pair(&self, new: &Signer) -> Result<(), Refusal> {
        let certificate = new.certificate();
        if self.key(certificate.fingerprint()).is_some() {
            return Ok(());
        }
        let is_gone = |state: &KeyState| matches!(state, KeyState::Revoked { .. } | KeyState::Purged { .. });
        let mut gone = self.keys().filter(|entry| is_gone(&entry.state));
        match gone.find(|entry| entry.identity.certificate().has_key_of(certificate)) {
            Some(entry) => Err(Refusal::KeyPairIsGone(entry.fingerprint().clone())),
            None => Ok(()),
        }
    }

    /// The private half of the key of one of these certificates, pending or signing, which has another one so far.
    pub(super) fn reissued(&self, certificates: &[Certificate]) -> Option<&Arc<Signer>> {
        let pending = self.pending.iter().map(|pending| &pending.key);
        let mut living = pending.chain(self.active());
        let is_of = |key: &&Key| {
            certificates
                .iter()
                .any(|certificate| key.certificate().has_key_of(certificate))
        };
        living.find(is_of).map(|key| &key.signer)
    }

    /// For a key that arrives now.
    fn next_arrival(&self, moment: Moment) -> Arrival {
        let last = self.remembered().map(|entry| entry.arrival.sequence).max();
        Arrival {
            at: moment.now,
            sequence: last.unwrap_or(0) + 1,
        }
    }

    /// What signs with a key of this fingerprint, for signatures on trial, which nobody gets.
    #[must_use]
    pub fn on_trial(&self, fingerprint: &Fingerprint) -> Option<&Arc<Signer>> {
        self.private_half(fingerprint)
    }

    /// The private half of a key that has one, for the store to seal.
    pub(super) fn private_half(&self, fingerprint: &Fingerprint) -> Option<&Arc<Signer>> {
        let pending = self.pending.iter().map(|pending| &pending.key);
        let retired = self.retired.iter().map(|retired| &retired.key);
        pending
            .chain(self.active())
            .chain(retired)
            .find(|key| key.fingerprint() == fingerprint)
            .map(|key| &key.signer)
    }
}
