//! What the fate of keys means for the renewal that goes on, whoever has decided it: its key is activated, or gone, or
//! not the one that signs any more.

use super::command::Circumstances;
use super::{Event, Gate, Key, Lifecycle, Trigger};
use crate::keys::{Certificate, Fingerprint};

impl Lifecycle {
    /// After a command that led from `before` to here.
    pub(super) fn take_consequences(
        &mut self,
        before: &Self,
        happened: &[Event],
        now: Circumstances<'_>,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let mut signed = before.active().map(Key::fingerprint);
        for event in happened {
            self.forget_notices(event);
            match event {
                Event::KeyActivated { certificate, trigger } => {
                    let displaced = signed.replace(certificate.fingerprint());
                    events.extend(self.activated(certificate, *trigger, displaced, now));
                }
                Event::KeyRevoked { certificate, .. } => {
                    events.extend(self.lost(certificate, "its key was revoked", now));
                }
                Event::KeyDiscarded { certificate } => {
                    events.extend(self.lost(certificate, "its key was discarded", now));
                }
                Event::KeyPurged { certificate, .. } => {
                    events.extend(self.lost(certificate, "its key was purged", now));
                }
                Event::KeyImported { .. }
                | Event::ActivationScheduled { .. }
                | Event::ActivationCancelled { .. }
                | Event::ActivatedUnconfirmed { .. }
                | Event::KeyRetired { .. }
                | Event::RetentionExtended { .. }
                | Event::KeyExpiring { .. }
                | Event::KeyPurgeable { .. }
                | Event::Renewal { .. } => {}
            }
        }
        events.extend(self.end_vain_hold(before));
        events
    }

    fn activated(
        &mut self,
        certificate: &Certificate,
        trigger: Trigger,
        displaced: Option<&Fingerprint>,
        now: Circumstances<'_>,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        if trigger == Trigger::Expiry {
            events.extend(self.tell_unconfirmed(certificate));
        }
        if let Some(renewal) = self.renewal_of(certificate.fingerprint()) {
            events.extend(renewal.activated(trigger, displaced, now));
        }
        events
    }

    /// Receivers that have not confirmed are going to refuse what it signs.
    fn tell_unconfirmed(&self, certificate: &Certificate) -> Option<Event> {
        let open = self
            .open_renewal()
            .filter(|open| open.key() == certificate.fingerprint());
        let receivers = open.map_or_else(Vec::new, |open| open.unconfirmed());
        let confirmed = open.is_some_and(|open| !open.receivers.is_empty() && receivers.is_empty());
        (!confirmed).then(|| Event::ActivatedUnconfirmed {
            certificate: certificate.clone(),
            receivers,
        })
    }

    fn lost(&mut self, certificate: &Certificate, reason: &str, now: Circumstances<'_>) -> Vec<Event> {
        if self.renewal_of(certificate.fingerprint()).is_none() {
            return Vec::new();
        }
        self.abort_open(reason, now)
    }

    /// The messages that wait go on their way when the key is revoked that those under way were signed with, and when it
    /// is not the new key any more that waits for the receiver.
    fn end_vain_hold(&mut self, before: &Self) -> Option<Event> {
        if !self.gate().is_shut() {
            return None;
        }
        let signed = before.active().map(Key::fingerprint);
        let signs = self.active().map(Key::fingerprint).cloned();
        let is_revoked = |key| {
            self.revoked
                .iter()
                .any(|one| one.key.identity().fingerprint() == key)
        };
        let revoked = signed.is_some_and(is_revoked);
        let renewal = self.open_mut()?;
        let in_vain = matches!(renewal.gate, Gate::Holding { .. }) && signs.as_ref() != Some(renewal.key());
        if revoked {
            renewal.open_gate("the active key was revoked")
        } else if in_vain {
            renewal.open_gate("another key was activated")
        } else {
            None
        }
    }

    fn renewal_of(&mut self, key: &Fingerprint) -> Option<&mut super::Renewal> {
        let concerned = self.open_renewal().is_some_and(|open| open.key() == key);
        self.open_mut().filter(|_| concerned)
    }
}
