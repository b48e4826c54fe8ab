//! How keys come and begin to sign: import, activation, one step back.

use std::sync::Arc;

use time::OffsetDateTime;

use super::state::{Active, Pending, Retired};
use super::{AfterImport, Event, KeyState, Lifecycle, Moment, Origin, Policy, Refusal, Schedule, Trigger};
use crate::keys::lifecycle::Key;
use crate::keys::material::NotValid;
use crate::keys::{Fingerprint, Signer};

impl Lifecycle {
    pub(super) fn import(
        &mut self,
        signer: Arc<Signer>,
        origin: Origin,
        then: AfterImport,
        policy: &Policy,
        moment: Moment,
    ) -> Vec<Event> {
        let certificate = signer.certificate().clone();
        let known = match origin {
            Origin::Source => self.remembers(certificate.fingerprint()),
            Origin::Command => self.key(certificate.fingerprint()).is_some(),
        };
        if known {
            return Vec::new();
        }
        let arrival = self.next_arrival(moment);
        let key = Key { signer, arrival };
        self.discarded
            .retain(|discarded| discarded.identity.fingerprint() != certificate.fingerprint());
        let imported = Event::KeyImported { certificate };
        let (wanted, first) = match then {
            AfterImport::StayPending => (false, false),
            AfterImport::ActivateIfNone => (self.active.is_none(), true),
            AfterImport::Activate => (true, false),
        };
        let validity = key.certificate().check_validity(moment.now);
        match validity {
            _ if !wanted => {}
            Ok(()) if !self.gate().is_shut() => {
                let switched = self.switch_to(key, None, Trigger::Import, policy, moment);
                return [vec![imported], switched].concat();
            }
            // As soon as nobody waits for another key any more.
            Ok(()) => return vec![imported, self.activate_later(key, moment.now, first)],
            Err(NotValid::Early(begin)) => return vec![imported, self.activate_later(key, begin, first)],
            Err(NotValid::Expired(_)) => {}
        }
        self.pending.push(Pending { key, schedule: None });
        vec![imported]
    }

    /// Of a key that cannot sign yet, and is to do so when it can.
    fn activate_later(&mut self, key: Key, at: OffsetDateTime, first: bool) -> Event {
        let scheduled = Event::ActivationScheduled {
            certificate: key.certificate().clone(),
            at,
            replaces: None,
        };
        let schedule = Some(Schedule {
            at,
            replaces: None,
            first,
        });
        self.pending.push(Pending { key, schedule });
        scheduled
    }

    pub(super) fn activate(
        &mut self,
        fingerprint: &Fingerprint,
        replaces: Option<&Fingerprint>,
        trigger: Trigger,
        policy: &Policy,
        moment: Moment,
    ) -> Result<Vec<Event>, Refusal> {
        if self.active().map(Key::fingerprint) == Some(fingerprint) {
            return Ok(Vec::new());
        }
        self.check_not_draining()?;
        self.check_replaced(replaces)?;
        let key = self.next_key(fingerprint)?;
        if trigger.is_automatic() {
            self.check_order(key)?;
        }
        key.check_validity(moment)?;
        Ok(self.put_forward(fingerprint, trigger, policy, moment))
    }

    /// Directly after another step back it would undo that one: then whoever asks for it says which key it leaves.
    pub(super) fn roll_back(
        &mut self,
        replaces: Option<&Fingerprint>,
        policy: &Policy,
        moment: Moment,
    ) -> Result<Vec<Event>, Refusal> {
        self.check_not_draining()?;
        self.check_replaced(replaces)?;
        let last = self.retired.last().ok_or(Refusal::NothingRetired)?;
        let fingerprint = last.key.fingerprint().clone();
        if let (true, None, Some(active)) = (last.rolled_back, replaces, self.active()) {
            return Err(Refusal::RolledBackAlready {
                active: active.fingerprint().clone(),
                forward: fingerprint,
            });
        }
        last.key.check_validity(moment)?;
        Ok(self.put_forward(&fingerprint, Trigger::Rollback, policy, moment))
    }

    /// A pending or retired key, in the place of the active one.
    pub(super) fn put_forward(
        &mut self,
        fingerprint: &Fingerprint,
        trigger: Trigger,
        policy: &Policy,
        moment: Moment,
    ) -> Vec<Event> {
        let kept_until = self.key(fingerprint).and_then(|entry| entry.state.kept_until());
        let key = self.take_idle(fingerprint);
        let switched = key.map(|key| self.switch_to(key, kept_until, trigger, policy, moment));
        switched.unwrap_or_default()
    }

    /// Puts the key in the place of the active one, which is retired, if there is one.
    pub(super) fn switch_to(
        &mut self,
        key: Key,
        kept_until: Option<OffsetDateTime>,
        trigger: Trigger,
        policy: &Policy,
        moment: Moment,
    ) -> Vec<Event> {
        let certificate = key.signer.certificate().clone();
        let mut events = vec![Event::KeyActivated { certificate, trigger }];
        let active = Active {
            key,
            since: moment.now,
            kept_until,
        };
        if let Some(displaced) = self.active.replace(active) {
            let kept_until = policy.kept_until(displaced.kept_until, moment);
            let rolled_back = self.is_way_back(trigger, displaced.key.fingerprint());
            events.push(Event::KeyRetired {
                certificate: displaced.key.signer.certificate().clone(),
                kept_until,
                rolled_back,
            });
            let last = self.retired.last().map_or(0, |retired| retired.displacement);
            self.retired.push(Retired {
                key: displaced.key,
                since: moment.now,
                displacement: last + 1,
                kept_until,
                rolled_back,
            });
        }
        events
    }

    /// Compare-and-swap.
    pub(super) fn check_replaced(&self, expected: Option<&Fingerprint>) -> Result<(), Refusal> {
        let active = self.active().map(Key::fingerprint);
        match expected {
            Some(expected) if active != Some(expected) => Err(Refusal::NotActive {
                expected: expected.clone(),
                active: active.cloned(),
            }),
            _ => Ok(()),
        }
    }

    /// Automation only goes forward, in our own sequence of imports.
    pub(super) fn check_order(&self, key: &Key) -> Result<(), Refusal> {
        match self.active() {
            Some(active) if key.arrival.sequence < active.arrival.sequence => Err(Refusal::Older {
                fingerprint: key.fingerprint().clone(),
                active: active.fingerprint().clone(),
            }),
            _ => Ok(()),
        }
    }

    pub(super) fn pending_key(&self, fingerprint: &Fingerprint) -> Result<&Pending, Refusal> {
        let pending = self
            .pending
            .iter()
            .find(|pending| pending.key.fingerprint() == fingerprint);
        pending.ok_or_else(|| self.why_not_pending(fingerprint))
    }

    fn why_not_pending(&self, fingerprint: &Fingerprint) -> Refusal {
        let fingerprint = fingerprint.clone();
        match self.key(&fingerprint).map(|entry| entry.state) {
            None | Some(KeyState::Pending { .. } | KeyState::Discarded { .. }) => {
                Refusal::UnknownKey(fingerprint)
            }
            Some(KeyState::Active { .. }) => Refusal::ActiveAlready(fingerprint),
            Some(KeyState::Retired {
                rolled_back: true, ..
            }) => Refusal::RolledBack(fingerprint),
            Some(KeyState::Retired { .. }) => Refusal::Retired(fingerprint),
            Some(KeyState::Revoked { .. }) => Refusal::Revoked(fingerprint),
            Some(KeyState::Purged { .. }) => Refusal::Purged(fingerprint),
        }
    }

    fn remembers(&self, fingerprint: &Fingerprint) -> bool {
        self.remembered().any(|entry| entry.fingerprint() == fingerprint)
    }
}

impl Trigger {
    /// Nobody decided it at this moment.
    const fn is_automatic(self) -> bool {
        match self {
            Self::Event | Self::Schedule | Self::Expiry => true,
            // These decide by themselves whether one that came earlier will do.
            Self::Receiver | Self::Hold | Self::Back => false,
            Self::Import | Self::Activate | Self::Rollback | Self::Revoke => false,
        }
    }
}

impl Key {
    pub(super) fn check_validity(&self, moment: Moment) -> Result<(), Refusal> {
        let certificate = self.signer.certificate();
        certificate
            .check_validity(moment.now)
            .map_err(|reason| Refusal::NotValid {
                fingerprint: self.fingerprint().clone(),
                reason,
            })
    }
}
