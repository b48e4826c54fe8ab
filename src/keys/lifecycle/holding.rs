//! Hold: new messages wait until those under way have come to their end; then the new key is activated, the receiver
//! exchanges its certificate, and the messages go on their way.

use super::command::Circumstances;
use super::renewal::{Renewal, RenewalId, Step};
use super::{Drain, Event, Gate, Lifecycle, Policy, Refusal, RenewalNews, Strategy, Trigger};
use crate::keys::Fingerprint;

impl Lifecycle {
    pub(super) fn hold(
        &mut self,
        id: RenewalId,
        receivers: Vec<String>,
        now: Circumstances<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        check_strategy(now)?;
        if self.gate().is_shut() {
            return Ok(Vec::new());
        }
        let mut events = self.start_renewal(id, None, receivers, now)?;
        events.extend(self.shut_gate(now)?);
        Ok(events)
    }

    /// Whoever means this renewal begins no other one, also if it has ended a moment ago.
    pub(super) fn hold_for(&mut self, id: &RenewalId, now: Circumstances<'_>) -> Result<Vec<Event>, Refusal> {
        self.going_on(id)?;
        check_strategy(now)?;
        if self.gate().is_shut() {
            return Ok(Vec::new());
        }
        self.shut_gate(now)
    }

    /// Nothing, where it is open, or nothing goes on.
    pub(super) fn open_gate(&mut self, reason: &str) -> Vec<Event> {
        let opened = self.open_mut().and_then(|renewal| renewal.open_gate(reason));
        opened.into_iter().collect()
    }

    fn shut_gate(&mut self, now: Circumstances<'_>) -> Result<Vec<Event>, Refusal> {
        self.check_renewed_key(now)?;
        let shut = self.open_mut().map(|renewal| renewal.shut_gate(now));
        Ok(shut.into_iter().collect())
    }

    /// The drain that goes on.
    #[must_use]
    pub fn drain(&self) -> Option<Drain> {
        let open = self.open_renewal()?;
        let Gate::Draining { since } = open.gate else {
            return None;
        };
        let renewal = open.id.clone();
        Some(Drain { renewal, since })
    }

    /// The switch of a hold; too late, where the drain has been ended meanwhile, be it that another one has begun.
    pub(super) fn drained(&mut self, drain: &Drain, now: Circumstances<'_>) -> Result<Vec<Event>, Refusal> {
        if self.drain().as_ref() != Some(drain) {
            return Ok(Vec::new());
        }
        self.check_renewed_key(now)?;
        let key = self.open_renewal().map(|open| open.key().clone());
        let switched = key.map(|key| self.put_forward(&key, Trigger::Hold, now.policy, now.moment));
        Ok(switched.unwrap_or_default())
    }

    pub(super) fn give_up_hold(&mut self, drain: &Drain, reason: &str) -> Vec<Event> {
        if self.drain().as_ref() != Some(drain) {
            return Vec::new();
        }
        self.open_gate(reason)
    }

    pub(super) fn resume(&mut self) -> Result<Vec<Event>, Refusal> {
        self.check_not_draining()?;
        Ok(self.open_gate("it was resumed"))
    }

    /// Only `hold` holds: what was held by a configuration of before goes on its way.
    pub(super) fn keep_strategy(&mut self, policy: &Policy) -> Vec<Event> {
        if policy.strategy == Strategy::Hold {
            return Vec::new();
        }
        self.open_gate("the alias's strategy is another one now")
    }

    /// Who signs is not changed while messages under way count on it.
    pub(super) fn check_not_draining(&self) -> Result<(), Refusal> {
        self.drain().map_or(Ok(()), |_| Err(Refusal::Draining))
    }

    fn check_renewed_key(&self, now: Circumstances<'_>) -> Result<(), Refusal> {
        let Some(open) = self.open_renewal() else {
            return Ok(());
        };
        self.next_key(open.key())?.check_validity(now.moment)
    }
}

fn check_strategy(now: Circumstances<'_>) -> Result<(), Refusal> {
    match now.policy.strategy {
        Strategy::Hold => Ok(()),
        other @ (Strategy::PrePublish | Strategy::ReceiverLed) => Err(Refusal::NotHoldStrategy(other)),
    }
}

impl Renewal {
    fn shut_gate(&mut self, now: Circumstances<'_>) -> Event {
        self.strategy = now.policy.strategy;
        self.gate = Gate::Draining {
            since: now.moment.now,
        };
        self.tell(RenewalNews::HoldStarted)
    }

    /// Nothing, where it is open.
    pub(super) fn open_gate(&mut self, reason: &str) -> Option<Event> {
        let was_shut = self.gate.is_shut();
        self.gate = Gate::Open;
        was_shut.then(|| {
            self.tell(RenewalNews::HoldEnded {
                reason: reason.to_owned(),
            })
        })
    }

    /// The new key has begun to sign.
    pub(super) fn activated(
        &mut self,
        trigger: Trigger,
        displaced: Option<&Fingerprint>,
        now: Circumstances<'_>,
    ) -> Vec<Event> {
        if self.has_taken(Step::Activated) {
            return Vec::new();
        }
        self.take(Step::Activated, now);
        self.displaced = displaced.cloned();
        let mut events = vec![self.tell(RenewalNews::Activated)];
        if trigger == Trigger::Hold {
            self.gate = Gate::Holding {
                since: now.moment.now,
                refuses: false,
            };
            events.push(self.tell(RenewalNews::MaySwitch));
        }
        events
    }
}
