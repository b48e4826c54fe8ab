//! How keys cease to be of use: revoked, discarded, purged.

use std::sync::Arc;

use time::OffsetDateTime;

use super::state::{Active, Discarded, Purged, Revoked};
use super::{Key, KeyState, Lifecycle, Moment, Policy, Reason, Refusal, Replacement};
use crate::event::{Event, Trigger};
use crate::keys::{DecryptionKey, Fingerprint};

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
        let state = entry.state;
        match (&state, replacement) {
            (KeyState::Active { .. }, None) => Err(Refusal::SuccessorNeeded(fingerprint.clone())),
            (KeyState::Active { .. }, Some(replacement)) => {
                self.revoke_active(reason, &replacement, policy, moment)
            }
            // Asked again; what has followed it since then is not this command's business.
            (KeyState::Revoked { .. }, _) => Ok(Vec::new()),
            (KeyState::Purged { .. } | KeyState::Discarded { .. }, _) => {
                Err(Refusal::Purged(fingerprint.clone()))
            }
            (KeyState::Pending { .. } | KeyState::Retired { .. }, Some(_)) => {
                Err(Refusal::SuccessorNotNeeded {
                    fingerprint: fingerprint.clone(),
                    state: state.name(),
                })
            }
            (KeyState::Pending { .. } | KeyState::Retired { .. }, None) => {
                // A pending key was never displaced; others may have its certificate all the same.
                let kept = state.since().zip(state.kept_until());
                let kept = kept.unwrap_or_else(|| (moment.now, policy.kept_until(None, moment)));
                let key = self.take_idle(fingerprint);
                Ok(key
                    .map(|key| self.put_aside(key, reason, false, kept, moment))
                    .into_iter()
                    .collect())
            }
        }
    }

    fn revoke_active(
        &mut self,
        reason: &Reason,
        replacement: &Replacement,
        policy: &Policy,
        moment: Moment,
    ) -> Result<Vec<Event>, Refusal> {
        let successor = match replacement {
            Replacement::Successor(successor) => Some(self.successor(successor, moment)?),
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

    /// A pending or retired key that may sign now: in an emergency the last one may be all there is.
    fn successor(&self, fingerprint: &Fingerprint, moment: Moment) -> Result<Fingerprint, Refusal> {
        let fingerprint = fingerprint.clone();
        match self.key(&fingerprint).map(|entry| entry.state) {
            None | Some(KeyState::Discarded { .. }) => Err(Refusal::UnknownKey(fingerprint)),
            Some(KeyState::Active { .. }) => Err(Refusal::OwnSuccessor(fingerprint)),
            Some(KeyState::Revoked { .. }) => Err(Refusal::Revoked(fingerprint)),
            Some(KeyState::Purged { .. }) => Err(Refusal::Purged(fingerprint)),
            Some(KeyState::Pending { .. } | KeyState::Retired { .. }) => {
                let idle = self.idle().find(|key| *key.fingerprint() == fingerprint);
                idle.map_or(Ok(()), |key| key.check_validity(moment))?;
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
