//! How keys cease to be of use: revoked, discarded, purged.

use std::sync::Arc;

use time::OffsetDateTime;

use super::state::{Active, Discarded, Purged, Revoked};
use super::{Event, Key, KeyState, Lifecycle, Moment, Policy, Reason, Refusal, Replacement, Trigger};
use crate::keys::{Certificate, DecryptionKey, Fingerprint};

impl Lifecycle {
    pub(super) fn revoke(
        &mut self,
        fingerprint: &Fingerprint,
        reason: &Reason,
        replacement: Option<Replacement>,
        policy: &Policy,
        moment: Moment,
    ) -> Result<Vec<Event>, Refusal> {
        let entry = self
            .key(fingerprint)
            .ok_or_else(|| Refusal::UnknownKey(fingerprint.clone()))?;
        match &entry.state {
            KeyState::Active { .. } | KeyState::Pending { .. } | KeyState::Retired { .. } => {}
            // Asked again; what has followed it since then is not this command's business.
            KeyState::Revoked { .. } => return Ok(Vec::new()),
            KeyState::Purged { .. } | KeyState::Discarded { .. } => {
                return Err(Refusal::Purged(fingerprint.clone()));
            }
        }
        // Others may know the key pair: it signs no more, whatever its certificate.
        let (state, pair) = (entry.state.name(), entry.identity.certificate().clone());
        let is_of_pair = |key: &Key| key.certificate().has_key_of(&pair);
        let signs = self.active().filter(|key| is_of_pair(key));
        let signs = signs.map(|key| key.fingerprint().clone());
        let mut events = match (signs, replacement) {
            (Some(active), None) if active == *fingerprint => return Err(Refusal::SuccessorNeeded(active)),
            (Some(active), None) => {
                let key = fingerprint.clone();
                return Err(Refusal::PairSigns { key, active });
            }
            (Some(_), Some(replacement)) => {
                self.revoke_active(reason, &replacement, &pair, policy, moment)?
            }
            (None, Some(_)) => {
                let fingerprint = fingerprint.clone();
                return Err(Refusal::SuccessorNotNeeded { fingerprint, state });
            }
            (None, None) => Vec::new(),
        };
        let idle: Vec<_> = self.idle().filter(|key| is_of_pair(key)).cloned().collect();
        let idle = idle.into_iter();
        events.extend(idle.map(|key| self.revoke_idle(key, reason, policy, moment)));
        Ok(events)
    }

    /// A pending key was never displaced; others may have its certificate all the same.
    fn revoke_idle(&mut self, key: Key, reason: &Reason, policy: &Policy, moment: Moment) -> Event {
        let state = self.key(key.fingerprint()).map(|entry| entry.state);
        let kept = state.and_then(|state| state.since().zip(state.kept_until()));
        let kept = kept.unwrap_or_else(|| (moment.now, policy.kept_until(None, moment)));
        self.take_idle(key.fingerprint());
        self.put_aside(key, reason, false, kept, moment)
    }

    fn revoke_active(
        &mut self,
        reason: &Reason,
        replacement: &Replacement,
        pair: &Certificate,
        policy: &Policy,
        moment: Moment,
    ) -> Result<Vec<Event>, Refusal> {
        let successor = match replacement {
            Replacement::Successor(successor) => Some(self.successor(successor, pair, moment)?),
            Replacement::Stop => None,
        };
        let stopped = successor.is_none();
        let Some(Active { key, kept_until, .. }) = self.active.take() else {
            return Ok(Vec::new());
        };
        let kept = (moment.now, policy.kept_until(kept_until, moment));
        let mut events = vec![self.put_aside(key, reason, stopped, kept, moment)];
        if let Some(successor) = successor {
            events.extend(self.put_forward(&successor, Trigger::Revoke, policy, moment));
        }
        Ok(events)
    }

    /// A pending or retired key of another pair that may sign now: in an emergency the last one may be all there is.
    fn successor(
        &self,
        fingerprint: &Fingerprint,
        pair: &Certificate,
        moment: Moment,
    ) -> Result<Fingerprint, Refusal> {
        let fingerprint = fingerprint.clone();
        match self.key(&fingerprint).map(|entry| entry.state) {
            None | Some(KeyState::Discarded { .. }) => Err(Refusal::UnknownKey(fingerprint)),
            Some(KeyState::Active { .. }) => Err(Refusal::OwnSuccessor(fingerprint)),
            Some(KeyState::Revoked { .. }) => Err(Refusal::Revoked(fingerprint)),
            Some(KeyState::Purged { .. }) => Err(Refusal::Purged(fingerprint)),
            Some(KeyState::Pending { .. } | KeyState::Retired { .. }) => {
                let Some(key) = self.idle().find(|key| *key.fingerprint() == fingerprint) else {
                    return Err(Refusal::UnknownKey(fingerprint));
                };
                if key.certificate().has_key_of(pair) {
                    return Err(Refusal::SamePair(fingerprint));
                }
                key.check_validity(moment)?;
                Ok(fingerprint)
            }
        }
    }

    fn put_aside(
        &mut self,
        key: Key,
        reason: &Reason,
        stopped: bool,
        (displaced, kept_until): (OffsetDateTime, OffsetDateTime),
        moment: Moment,
    ) -> Event {
        let Key { signer, arrival } = key;
        let certificate = signer.certificate().clone();
        self.revoked.push(Revoked {
            key: DecryptionKey::of(signer),
            arrival,
            since: moment.now,
            displaced,
            reason: reason.clone(),
            kept_until,
        });
        self.revoked.sort_by_key(|revoked| revoked.arrival.sequence);
        Event::KeyRevoked {
            certificate,
            reason: reason.clone(),
            stopped,
            kept_until,
        }
    }

    pub(super) fn discard(
        &mut self,
        fingerprint: &Fingerprint,
        moment: Moment,
    ) -> Result<Vec<Event>, Refusal> {
        let known = self
            .remembered()
            .find(|entry| entry.fingerprint() == fingerprint)
            .map(|entry| entry.state);
        match known {
            None => Err(Refusal::UnknownKey(fingerprint.clone())),
            Some(KeyState::Discarded { .. }) => Ok(Vec::new()),
            Some(KeyState::Pending { .. }) => {
                let key = self.take_idle(fingerprint);
                Ok(key
                    .map(|key| self.drop_pending(&key, moment))
                    .into_iter()
                    .collect())
            }
            Some(
                state @ (KeyState::Active { .. }
                | KeyState::Retired { .. }
                | KeyState::Revoked { .. }
                | KeyState::Purged { .. }),
            ) => Err(Refusal::NotDiscardable {
                fingerprint: fingerprint.clone(),
                state: state.name(),
            }),
        }
    }

    fn drop_pending(&mut self, key: &Key, moment: Moment) -> Event {
        let identity = Arc::clone(key.signer.identity());
        let certificate = identity.certificate().clone();
        self.discarded.push(Discarded {
            identity,
            arrival: key.arrival,
            since: moment.now,
        });
        Event::KeyDiscarded { certificate }
    }

    pub(super) fn purge(
        &mut self,
        fingerprint: &Fingerprint,
        compromised: bool,
        moment: Moment,
    ) -> Result<Vec<Event>, Refusal> {
        let entry = self
            .key(fingerprint)
            .ok_or_else(|| Refusal::UnknownKey(fingerprint.clone()))?;
        let early = match &entry.state {
            KeyState::Purged { .. } => return Ok(Vec::new()),
            KeyState::Retired { kept_until, .. } => {
                check_kept(fingerprint, *kept_until, false, compromised, moment)?
            }
            KeyState::Revoked { kept_until, .. } => {
                check_kept(fingerprint, *kept_until, true, compromised, moment)?
            }
            state @ (KeyState::Pending { .. } | KeyState::Active { .. } | KeyState::Discarded { .. }) => {
                return Err(Refusal::NotPurgeable {
                    fingerprint: fingerprint.clone(),
                    state: state.name(),
                });
            }
        };
        let purged = Purged {
            identity: Arc::clone(entry.identity),
            arrival: entry.arrival,
            since: moment.now,
        };
        let certificate = purged.identity.certificate().clone();
        self.take_idle(fingerprint);
        self.revoked
            .retain(|revoked| revoked.key.identity().fingerprint() != fingerprint);
        self.purged.push(purged);
        self.purged.sort_by_key(|purged| purged.arrival.sequence);
        Ok(vec![Event::KeyPurged {
            certificate,
            compromised: early,
        }])
    }

    /// Pending and retired keys.
    fn idle(&self) -> impl Iterator<Item = &Key> {
        let pending = self.pending.iter().map(|pending| &pending.key);
        pending.chain(self.retired.iter().map(|retired| &retired.key))
    }

    /// Takes a pending or retired key out of its state.
    pub(super) fn take_idle(&mut self, fingerprint: &Fingerprint) -> Option<Key> {
        let key = self.idle().find(|key| key.fingerprint() == fingerprint).cloned();
        self.pending
            .retain(|pending| pending.key.fingerprint() != fingerprint);
        self.retired
            .retain(|retired| retired.key.fingerprint() != fingerprint);
        key
    }
}

/// Whether the purge is one before its time.
fn check_kept(
    fingerprint: &Fingerprint,
    until: OffsetDateTime,
    revoked: bool,
    compromised: bool,
    moment: Moment,
) -> Result<bool, Refusal> {
    let fingerprint = fingerprint.clone();
    match (moment.latest >= until, revoked, compromised) {
        (true, ..) => Ok(false),
        (false, true, true) => Ok(true),
        (false, false, true) => Err(Refusal::NotRevoked(fingerprint)),
        (false, _, false) => Err(Refusal::Kept {
            fingerprint,
            until,
            revoked,
        }),
    }
}
