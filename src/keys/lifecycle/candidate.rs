//! The key that a message is signed with again where the receiver refuses the active one.

use time::OffsetDateTime;

use super::renewal::Step;
use super::{Key, Lifecycle, Refusal, Strategy};
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
            None => self.next_key().or_else(|| self.way_back()),
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

    /// Of a renewal that goes on and has not reached its aim.
    pub(in crate::keys) fn renewed_key(&self) -> Option<&Key> {
        let open = self.open_renewal();
        let open = open.filter(|open| !open.has_taken(Step::Activated))?;
        self.pending_key(open.key()).ok().map(|pending| &pending.key)
    }

    fn next_key(&self) -> Option<&Key> {
        let key = self.only_pending_key().ok()?;
        let given_up = |renewal: &super::Renewal| renewal.key() == key.fingerprint();
        let given_up = self.renewals.iter().any(|renewal| given_up(renewal));
        (!given_up && self.check_order(key).is_ok()).then_some(key)
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
