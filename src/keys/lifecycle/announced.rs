//! A key whose arrival somebody announced by an event: its exchange begins with it, so that whoever follows by events alone has
//! something to confirm.

use std::sync::Arc;

use super::command::Circumstances;
use super::renewal::RenewalId;
use super::{AfterImport, Event, Lifecycle, Origin, Refusal, Strategy};
use crate::keys::Signer;
use crate::keys::lifecycle::Step;

impl Lifecycle {
    /// Where the key signs at once, a renewal to another key goes on, or one to this key was given up, it is only taken in.
    pub(super) fn import_announced(
        &mut self,
        signer: Arc<Signer>,
        then: AfterImport,
        id: &RenewalId,
        receivers: Vec<String>,
        now: Circumstances<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        let key = signer.certificate().fingerprint().clone();
        let mut events = self.import(signer, Origin::Source, then, now.policy, now.moment);
        let waits = self.active.is_some() && self.pending_key(&key).is_ok();
        let had_one = self.renewals.iter().any(|renewal| *renewal.key() == key);
        if !waits || had_one || self.is_renewing() {
            return Ok(events);
        }
        events.extend(self.start_renewal(id.clone(), Some(&key), receivers, now)?);
        // The event that tells of the key brings its certificate.
        if now.policy.strategy == Strategy::PrePublish {
            events.extend(self.publish(id, now)?);
        }
        Ok(events)
    }

    /// One that has not reached its aim, or for which messages wait.
    fn is_renewing(&self) -> bool {
        let open = self.open_renewal();
        open.is_some_and(|open| !open.has_taken(Step::Activated) || open.gate.is_shut())
    }
}
