//! What keys do by themselves: at the time that was set for one, and a day before the active one expires. While messages
//! are held, no key is activated by itself: they wait for the one that the hold is for.

use std::time::Duration;

use time::OffsetDateTime;

use super::{Event, Key, Lifecycle, Moment, Policy, Refusal, Schedule, Strategy, Trigger};
use crate::keys::Fingerprint;

/// SAP's daily job activates a pending key when the active one would expire within 24 hours.
const NOTICE: Duration = Duration::from_secs(24 * 60 * 60);

impl Lifecycle {
    /// Whether the timer would change anything now; asked often.
    #[must_use]
    pub fn is_due(&self, policy: &Policy, moment: Moment) -> bool {
        self.next_scheduled(moment).is_some() || self.expiry_successor(policy, moment).is_some()
    }

    /// When a key is activated next by itself.
    #[must_use]
    pub fn next_activation(&self) -> Option<OffsetDateTime> {
        let times = self
            .pending
            .iter()
            .filter_map(|pending| pending.schedule.as_ref());
        times.map(|schedule| schedule.at).min()
    }

    pub(super) fn schedule(
        &mut self,
        fingerprint: &Fingerprint,
        schedule: Schedule,
        moment: Moment,
    ) -> Result<Vec<Event>, Refusal> {
        if schedule.at < moment.now {
            return Err(Refusal::TimePassed {
                at: schedule.at,
                now: moment.now,
            });
        }
        let pending = self.pending_key(fingerprint)?;
        let key = &pending.key;
        if pending.schedule.as_ref() == Some(&schedule) {
            return Ok(Vec::new());
        }
        let certificate = key.signer.certificate().clone();
        self.check_replaced(schedule.replaces.as_ref())?;
        self.check_order(key)?;
        certificate
            .check_validity(schedule.at)
            .map_err(|reason| Refusal::NotValidThen {
                fingerprint: fingerprint.clone(),
                at: schedule.at,
                reason,
            })?;
        let scheduled = Event::ActivationScheduled {
            certificate,
            at: schedule.at,
            replaces: schedule.replaces.clone(),
        };
        self.set_schedule(fingerprint, Some(schedule));
        Ok(vec![scheduled])
    }

    pub(super) fn unschedule(&mut self, fingerprint: &Fingerprint) -> Result<Vec<Event>, Refusal> {
        let pending = self.pending_key(fingerprint)?;
        if pending.schedule.is_none() {
            return Err(Refusal::NotScheduled(fingerprint.clone()));
        }
        let certificate = pending.key.signer.certificate().clone();
        self.set_schedule(fingerprint, None);
        Ok(vec![Event::ActivationCancelled {
            certificate,
            reason: "it was cancelled".to_owned(),
        }])
    }

    /// Everything that is due, the earliest first, as if it had been done in time.
    pub(super) fn timer(&mut self, policy: &Policy, moment: Moment) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some((key, schedule)) = self.next_scheduled(moment) {
            let (key, schedule) = (key.clone(), schedule.clone());
            events.extend(self.keep_to_schedule(&key, &schedule, policy, moment));
        }
        if let Some(key) = self.expiry_successor(policy, moment) {
            let fingerprint = key.fingerprint().clone();
            let activated = self.activate(&fingerprint, None, Trigger::Expiry, policy, moment);
            events.extend(activated.into_iter().flatten());
        }
        events
    }

    /// A time that has come for a key that may not sign any more passes, and somebody is told.
    fn keep_to_schedule(
        &mut self,
        key: &Key,
        schedule: &Schedule,
        policy: &Policy,
        moment: Moment,
    ) -> Vec<Event> {
        let (fingerprint, replaces) = (key.fingerprint(), schedule.replaces.as_ref());
        let activated = match self.active() {
            Some(active) if schedule.first => Err(Refusal::NotFirst(active.fingerprint().clone())),
            _ => self.activate(fingerprint, replaces, Trigger::Schedule, policy, moment),
        };
        match activated {
            Ok(events) => events,
            Err(refusal) => {
                self.set_schedule(fingerprint, None);
                vec![Event::ActivationCancelled {
                    certificate: key.signer.certificate().clone(),
                    reason: refusal.to_string(),
                }]
            }
        }
    }

    fn next_scheduled(&self, moment: Moment) -> Option<(&Key, &Schedule)> {
        if self.gate().is_shut() {
            return None;
        }
        let scheduled = self
            .pending
            .iter()
            .filter_map(|pending| Some((&pending.key, pending.schedule.as_ref()?)));
        // One that was to be the first waits no longer once another one is.
        let in_vain = |schedule: &Schedule| schedule.first && self.active.is_some();
        scheduled
            .filter(|(_, schedule)| schedule.at <= moment.now || in_vain(schedule))
            .min_by_key(|(_, schedule)| schedule.at)
    }

    /// The key of the renewal that goes on, or else the one imported last; it must be one that may sign, outlives the
    /// active one, and came after it. Only where the receivers trust both: another would only be switched to too early.
    fn expiry_successor(&self, policy: &Policy, moment: Moment) -> Option<&Key> {
        let by_itself = policy.before_expiry && policy.strategy == Strategy::PrePublish;
        let active = self.active().filter(|_| by_itself && !self.gate().is_shut())?;
        if moment.latest < notice(active) {
            return None;
        }
        let pending = self.pending.iter().rev().map(|pending| &pending.key);
        self.renewed_key()
            .into_iter()
            .chain(pending)
            .filter(|key| self.check_order(key).is_ok() && key.check_validity(moment).is_ok())
            .find(|key| not_after(key) > not_after(active))
    }

    fn set_schedule(&mut self, fingerprint: &Fingerprint, schedule: Option<Schedule>) {
        let pending = self
            .pending
            .iter_mut()
            .find(|pending| pending.key.fingerprint() == fingerprint);
        if let Some(pending) = pending {
            pending.schedule = schedule;
        }
    }
}

fn notice(active: &Key) -> OffsetDateTime {
    not_after(active) - NOTICE
}

fn not_after(key: &Key) -> OffsetDateTime {
    key.signer.certificate().not_after()
}
