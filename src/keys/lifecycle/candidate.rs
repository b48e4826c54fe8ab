//! The key that a message is signed with again where the receiver refuses the active one, and what comes of its
//! acceptance.

use time::OffsetDateTime;

use super::command::Circumstances;
use super::renewal::{RenewalId, Step};
use super::{Event, Key, Lifecycle, Refusal, Strategy, Trigger};
use crate::keys::Fingerprint;

impl Lifecycle {
    /// The key of the renewal that goes on; without one, the only pending key, if it came after the active one and was
    /// not given up; after a switch, until the renewal is completed, the key that was displaced, for the way back. Only
    /// one that may sign now.
    #[must_use]
    pub fn candidate(&self, strategy: Strategy, now: OffsetDateTime) -> Option<&Key> {
        if strategy != Strategy::ReceiverLed {
            return None;
        }
        let candidate = match self.renewed_key() {
            Some(key) => Some(key),
            None => self.only_next_key().or_else(|| self.way_back()),
        };
        candidate.filter(|key| key.certificate().check_validity(now).is_ok())
    }

    /// Pending keys none of which is a candidate, because there are several and no renewal names one.
    #[must_use]
    pub fn ambiguous_candidates(&self) -> Vec<&Fingerprint> {
        if self.renewed_key().is_some() || self.pending.len() < 2 {
            return Vec::new();
        }
        let pending = self.pending.iter();
        pending.map(|pending| pending.key.fingerprint()).collect()
    }

    /// Pending keys whose renewal was aborted: only another renewal makes a candidate of one.
    #[must_use]
    pub fn given_up_candidates(&self) -> Vec<&Fingerprint> {
        let renewed = self.renewed_key().map(Key::fingerprint);
        let pending = self.pending.iter().map(|pending| &pending.key);
        pending
            .filter(|key| self.was_renewed(key) && renewed != Some(key.fingerprint()))
            .map(Key::fingerprint)
            .collect()
    }

    /// Of a renewal that goes on and has not reached its aim.
    pub(in crate::keys) fn renewed_key(&self) -> Option<&Key> {
        let open = self.open_renewal();
        let open = open.filter(|open| !open.has_taken(Step::Activated))?;
        self.next_key(open.key()).ok()
    }

    /// Compare-and-swap: of many requests that meet the same refusal at once, one switches. What has changed since their
    /// messages were signed makes all of them too late, and nothing happens.
    pub(super) fn accepted(
        &mut self,
        id: RenewalId,
        key: &Fingerprint,
        replaces: &Fingerprint,
        receiver: String,
        now: Circumstances<'_>,
    ) -> Vec<Event> {
        if self.active().map(Key::fingerprint) != Some(replaces) {
            return Vec::new();
        }
        let candidate = self.candidate(now.policy.strategy, now.moment.now);
        let candidate = candidate.filter(|candidate| candidate.fingerprint() == key);
        let Some(certificate) = candidate.map(|candidate| candidate.certificate().clone()) else {
            return Vec::new();
        };
        let mut events = Vec::new();
        if self.is_way_on(key) {
            events.extend(self.begin(id, certificate, vec![receiver.clone()], now));
        }
        // One that goes on knows its receivers by a configuration of before.
        if let Some(renewal) = self.open_mut().filter(|renewal| renewal.key() == key) {
            renewal.concern(receiver.clone());
            events.extend(renewal.confirmed_by(receiver, now).ok().flatten());
        }
        events.extend(self.put_forward(key, Trigger::Receiver, now.policy, now.moment));
        events
    }

    /// A pending key for which no renewal goes on.
    fn is_way_on(&self, key: &Fingerprint) -> bool {
        let pending = self.pending_key(key).is_ok();
        pending && self.open_renewal().is_none_or(|open| open.key() != key)
    }

    fn only_next_key(&self) -> Option<&Key> {
        let key = self.only_pending_key().ok()?;
        (!self.was_renewed(key) && self.check_order(key).is_ok()).then_some(key)
    }

    fn was_renewed(&self, key: &Key) -> bool {
        self.renewals
            .iter()
            .any(|renewal| renewal.key() == key.fingerprint())
    }

    fn way_back(&self) -> Option<&Key> {
        self.open_renewal()?;
        self.retired.last().map(|retired| &retired.key)
    }

    pub(super) fn only_pending_key(&self) -> Result<&Key, Refusal> {
        match self.pending.as_slice() {
            [] => Err(Refusal::NothingPending),
            [only] => Ok(&only.key),
            several => Err(Refusal::SeveralPending(
                several
                    .iter()
                    .map(|pending| pending.key.fingerprint().clone())
                    .collect(),
            )),
        }
    }
}
