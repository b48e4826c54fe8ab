//! The way back of a renewal, and the second try: who signs when one is given up, and that a key which was rolled back can be
//! the next one's again. It stays retired until then, with the date until which it is kept.

use super::command::Circumstances;
use super::renewal::{Renewal, Step};
use super::{Event, Gate, Key, Lifecycle, Moment, Policy, Refusal, Strategy, Trigger};
use crate::keys::Fingerprint;

impl Lifecycle {
    /// One that may begin to sign: pending, or rolled back and the aim of the renewal that goes on.
    pub(super) fn next_key(&self, fingerprint: &Fingerprint) -> Result<&Key, Refusal> {
        match self.pending_key(fingerprint) {
            Ok(pending) => Ok(&pending.key),
            Err(refusal) => {
                let aim = self
                    .open_renewal()
                    .is_some_and(|open| open.key() == fingerprint && !open.has_taken(Step::Activated));
                let rolled_back = self.rolled_back_key(fingerprint).filter(|_| aim);
                rolled_back.ok_or(refusal)
            }
        }
    }

    /// One that a renewal may lead to.
    pub(super) fn renewable_key(&self, fingerprint: &Fingerprint) -> Result<&Key, Refusal> {
        match self.pending_key(fingerprint) {
            Ok(pending) => Ok(&pending.key),
            Err(refusal) => self.rolled_back_key(fingerprint).ok_or(refusal),
        }
    }

    /// Where none is named: the only pending one; where none is pending, the one that was left by the last step back.
    pub(super) fn only_renewable_key(&self) -> Result<&Key, Refusal> {
        match self.only_pending_key() {
            Err(Refusal::NothingPending) => {
                let last = self.retired.last().filter(|last| last.rolled_back);
                last.map(|last| &last.key).ok_or(Refusal::NothingPending)
            }
            only => only,
        }
    }

    fn rolled_back_key(&self, fingerprint: &Fingerprint) -> Option<&Key> {
        let mut rolled_back = self.retired.iter().filter(|retired| retired.rolled_back);
        let key = rolled_back.find(|retired| retired.key.fingerprint() == fingerprint);
        key.map(|retired| &retired.key)
    }

    /// Whether the key that is displaced so was left for the one before it.
    pub(super) fn is_way_back(&self, trigger: Trigger, displaced: &Fingerprint) -> bool {
        match trigger {
            Trigger::Rollback | Trigger::Back => true,
            Trigger::Receiver => self.open_renewal().is_some_and(|open| open.key() == displaced),
            Trigger::Import
            | Trigger::Activate
            | Trigger::Revoke
            | Trigger::Event
            | Trigger::Schedule
            | Trigger::Expiry
            | Trigger::Hold => false,
        }
    }

    /// Receivers that trust one key refuse every message of another one. What is wrong with the key besides, its activation
    /// says.
    pub(super) fn check_confirmed(
        &self,
        key: &Fingerprint,
        unconfirmed: bool,
        policy: &Policy,
    ) -> Result<(), Refusal> {
        let displaces = self.active().is_some_and(|active| active.fingerprint() != key);
        let waits = displaces && self.drain().is_none() && self.next_key(key).is_ok();
        if unconfirmed || !waits || policy.strategy == Strategy::PrePublish {
            return Ok(());
        }
        let renewal = self.open_renewal().filter(|open| open.key() == key);
        if renewal.is_some_and(|renewal| renewal.unconfirmed().is_empty()) {
            return Ok(());
        }
        Err(Refusal::Unconfirmed {
            key: key.clone(),
            strategy: policy.strategy,
            renewal: renewal.map(|renewal| renewal.id.clone()),
        })
    }

    /// The renewal that goes on has reached its aim, and nothing has changed since.
    pub(super) fn renewed_key_signs(&self) -> bool {
        let open = self.open_renewal().filter(|open| open.has_taken(Step::Activated));
        open.is_some_and(|open| self.active().map(Key::fingerprint) == Some(open.key()))
    }

    /// Messages are held for a key that no receiver is known to trust.
    pub(super) fn waits_unconfirmed(&self) -> bool {
        let held = |open: &Renewal| matches!(open.gate, Gate::Holding { .. }) && !open.is_confirmed();
        self.open_renewal().is_some_and(|open| held(open))
    }

    /// Whether the key that signs now is the one that the receivers expect once the renewal is given up. Where that cannot be
    /// known, whoever gives it up says which.
    pub(super) fn check_abortable(&self, now: Circumstances<'_>) -> Result<(), Refusal> {
        let Some(open) = self.open_renewal() else {
            return Ok(());
        };
        if self.renewed_key_signs() {
            return Err(Refusal::AbortsEitherWay {
                renewal: open.id.clone(),
                key: open.key().clone(),
                before: open.displaced.clone(),
            });
        }
        let confirmed = open.receivers.iter().filter(|one| one.confirmed.is_some());
        let confirmed: Vec<_> = confirmed.map(|one| one.receiver.clone()).collect();
        let trusts_one = now.policy.strategy != Strategy::PrePublish;
        if trusts_one && !confirmed.is_empty() && !open.has_taken(Step::Activated) {
            return Err(Refusal::AbortsConfirmed {
                renewal: open.id.clone(),
                key: open.key().clone(),
                confirmed,
            });
        }
        Ok(())
    }

    /// The key that the new one displaced signs again, messages that wait go on their way with it, and the renewal is over: all
    /// at once.
    pub(super) fn go_back(&mut self, reason: &str, now: Circumstances<'_>) -> Result<Vec<Event>, Refusal> {
        let Some(open) = self.open_renewal() else {
            return Ok(Vec::new());
        };
        let old = self.key_before(open, now.moment)?.clone();
        let switched = self.put_forward(&old, Trigger::Back, now.policy, now.moment);
        let ended = self.abort_open(reason, now);
        Ok([switched, ended].concat())
    }

    /// It must be one that may sign now.
    fn key_before<'a>(&self, renewal: &'a Renewal, moment: Moment) -> Result<&'a Fingerprint, Refusal> {
        let none = |before| Refusal::NoWayBack {
            renewal: renewal.id.clone(),
            before,
        };
        let old = renewal.displaced.as_ref().ok_or_else(|| none(None))?;
        let retired = self
            .retired
            .iter()
            .find(|retired| retired.key.fingerprint() == old);
        let Some(retired) = retired else {
            let state = self.key(old).map_or("not there", |entry| entry.state.name());
            return Err(none(Some((old.clone(), state))));
        };
        retired.key.check_validity(moment)?;
        Ok(old)
    }
}

impl Renewal {
    /// Every receiver is known to have the new certificate, and there is one.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        !self.receivers.is_empty() && self.unconfirmed().is_empty()
    }
}
