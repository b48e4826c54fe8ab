//! The steps of a renewal that somebody takes: start, publish, confirm, complete, abort; and a receiver's own, when it
//! accepts the candidate.

use std::sync::Arc;

use super::command::Circumstances;
use super::link::Link;
use super::renewal::{Confirmation, Confirmed, Renewal, RenewalId, Step, Taken};
use super::{Gate, Key, Lifecycle, LinkHash, Refusal, RenewalCommand, Strategy};
use crate::event::{Event, RenewalNews, Trigger};
use crate::keys::{Certificate, Fingerprint};

impl Lifecycle {
    pub(super) fn renew(
        &mut self,
        command: RenewalCommand,
        now: Circumstances<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        match command {
            RenewalCommand::Start { id, key, receivers } => {
                self.start_renewal(id, key.as_ref(), receivers, now)
            }
            RenewalCommand::Publish { renewal } => self.publish(&renewal, now),
            RenewalCommand::Link {
                renewal,
                receiver,
                hash,
            } => self.make_link(&renewal, receiver, hash, now),
            RenewalCommand::Confirm {
                renewal,
                receiver,
                link,
            } => self.confirm(&renewal, receiver, link.as_ref(), now),
            RenewalCommand::Complete { renewal } => self.complete(&renewal, now),
            RenewalCommand::Abort { renewal } => self.abort(&renewal, now),
            RenewalCommand::Hold { id, receivers } => self.hold(id, receivers, now),
            RenewalCommand::Drained => self.drained(now),
            RenewalCommand::GiveUpHold { reason } => Ok(self.give_up_hold(&reason)),
            RenewalCommand::Resume => self.resume(),
            RenewalCommand::Accepted {
                id,
                key,
                replaces,
                receiver,
            } => Ok(self.accepted(id, &key, &replaces, receiver, now)),
        }
    }

    /// One that goes on ends by the start of the next, once its own key was activated; before that there is one already.
    pub(super) fn start_renewal(
        &mut self,
        id: RenewalId,
        key: Option<&Fingerprint>,
        receivers: Vec<String>,
        now: Circumstances<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        if let Some(open) = self.open_renewal() {
            let same = key.is_none_or(|key| key == open.key());
            match (open.has_taken(Step::Activated), open.gate) {
                (false, _) if same => return Ok(Vec::new()),
                (false, _) => {
                    return Err(Refusal::RenewalOpen {
                        renewal: open.id.clone(),
                        key: open.key().clone(),
                    });
                }
                (true, Gate::Holding { .. } | Gate::Draining { .. }) => return Err(Refusal::Holding),
                (true, Gate::Open) => {}
            }
        }
        let certificate = match key {
            Some(key) => self.pending_key(key)?.key.certificate().clone(),
            None => self.only_pending_key()?.certificate().clone(),
        };
        Ok(self.begin(id, certificate, receivers, now))
    }

    /// Ends the one before.
    fn begin(
        &mut self,
        id: RenewalId,
        certificate: Certificate,
        receivers: Vec<String>,
        now: Circumstances<'_>,
    ) -> Vec<Event> {
        let mut events = self.overtake(now);
        let mut renewal = Renewal {
            id,
            certificate,
            displaced: None,
            strategy: now.policy.strategy,
            gate: Gate::Open,
            steps: Vec::new(),
            receivers: Vec::new(),
        };
        renewal.take(Step::Created, now);
        for receiver in receivers {
            renewal.concern(receiver);
        }
        events.push(renewal.tell(RenewalNews::Started));
        self.renewals.push(Arc::new(renewal));
        events
    }

    /// What has reached its aim is completed by what comes next, what was taken back is not.
    fn overtake(&mut self, now: Circumstances<'_>) -> Vec<Event> {
        let signs = self
            .open_renewal()
            .is_some_and(|open| self.active().map(Key::fingerprint) == Some(open.key()));
        if signs {
            self.complete_open(now)
        } else {
            self.abort_open("the next one was started", now)
        }
    }

    fn publish(&mut self, id: &RenewalId, now: Circumstances<'_>) -> Result<Vec<Event>, Refusal> {
        let renewal = self.going_on(id)?;
        if renewal.step() >= Step::Published {
            return Ok(Vec::new());
        }
        renewal.take(Step::Published, now);
        Ok(vec![renewal.tell(RenewalNews::Published)])
    }

    fn make_link(
        &mut self,
        id: &RenewalId,
        receiver: String,
        hash: LinkHash,
        now: Circumstances<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        let renewal = self.going_on(id)?;
        let link = Link::new(hash, now.moment);
        let expires = link.expires;
        renewal.confirmation(&receiver)?.link = Some(link);
        Ok(vec![renewal.tell(RenewalNews::LinkMade { receiver, expires })])
    }

    /// While messages are held, the last confirmation lets them go on their way.
    fn confirm(
        &mut self,
        id: &RenewalId,
        receiver: String,
        link: Option<&LinkHash>,
        now: Circumstances<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        let renewal = self.going_on(id)?;
        renewal.check_confirmable(now)?;
        if let Some(hash) = link {
            let confirmation = renewal.confirmation(&receiver)?;
            let link = confirmation.link.as_mut().filter(|link| link.hash == *hash);
            link.ok_or(Refusal::LinkReplaced)?.spend(now.moment)?;
        }
        let mut events: Vec<_> = renewal.confirmed_by(receiver, now)?.into_iter().collect();
        if renewal.unconfirmed().is_empty() {
            events.extend(renewal.open_gate("the receiver has confirmed"));
        }
        Ok(events)
    }

    fn complete(&mut self, id: &RenewalId, now: Circumstances<'_>) -> Result<Vec<Event>, Refusal> {
        if self.has_ended_with(id, Step::Completed) {
            return Ok(Vec::new());
        }
        let renewal = self.going_on(id)?;
        let (activated, key) = (renewal.has_taken(Step::Activated), renewal.key().clone());
        if !activated || self.active().map(Key::fingerprint) != Some(&key) {
            return Err(Refusal::NotReplacedYet {
                renewal: id.clone(),
                key,
            });
        }
        Ok(self.complete_open(now))
    }

    fn abort(&mut self, id: &RenewalId, now: Circumstances<'_>) -> Result<Vec<Event>, Refusal> {
        if self.has_ended_with(id, Step::Aborted) {
            return Ok(Vec::new());
        }
        self.going_on(id)?;
        Ok(self.abort_open("it was given up", now))
    }

    /// Compare-and-swap: of many requests that meet the same refusal at once, one switches. What has changed since their
    /// messages were signed makes all of them too late, and nothing happens.
    fn accepted(
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

    fn complete_open(&mut self, now: Circumstances<'_>) -> Vec<Event> {
        self.end(
            Step::Completed,
            RenewalNews::Completed,
            "the renewal is completed",
            now,
        )
    }

    pub(super) fn abort_open(&mut self, reason: &str, now: Circumstances<'_>) -> Vec<Event> {
        let news = RenewalNews::Aborted {
            reason: reason.to_owned(),
        };
        self.end(Step::Aborted, news, reason, now)
    }

    /// The one that goes on, if there is one; its messages go on their way first.
    fn end(&mut self, step: Step, news: RenewalNews, reason: &str, now: Circumstances<'_>) -> Vec<Event> {
        let Some(renewal) = self.open_mut() else {
            return Vec::new();
        };
        let opened = renewal.open_gate(reason);
        renewal.take(step, now);
        let ended = renewal.tell(news);
        opened.into_iter().chain([ended]).collect()
    }

    pub(super) fn open_mut(&mut self) -> Option<&mut Renewal> {
        let last = self.renewals.last_mut().filter(|renewal| renewal.is_open());
        last.map(Arc::make_mut)
    }

    /// The renewal of this name, which must be the one that goes on.
    fn going_on(&mut self, id: &RenewalId) -> Result<&mut Renewal, Refusal> {
        let known = self.renewals.iter().find(|renewal| renewal.id == *id);
        let step = known.ok_or_else(|| Refusal::UnknownRenewal(id.clone()))?.step();
        let open = self.open_mut().filter(|renewal| renewal.id == *id);
        open.ok_or_else(|| Refusal::RenewalOver {
            renewal: id.clone(),
            step,
        })
    }

    fn has_ended_with(&self, id: &RenewalId, step: Step) -> bool {
        let mut renewals = self.renewals.iter();
        renewals.any(|renewal| renewal.id == *id && renewal.step() == step)
    }
}

impl Renewal {
    /// Each step is taken once. Until the key is activated, the procedure is that of the configuration.
    pub(super) fn take(&mut self, step: Step, now: Circumstances<'_>) {
        if self.has_taken(step) {
            return;
        }
        if !self.has_taken(Step::Activated) {
            self.strategy = now.policy.strategy;
        }
        self.steps.push(Taken {
            step,
            at: now.moment.now,
            by: now.by.to_owned(),
        });
    }

    fn concern(&mut self, receiver: String) {
        if self.confirmation(&receiver).is_err() {
            self.receivers.push(Confirmation {
                receiver,
                confirmed: None,
                link: None,
            });
        }
    }

    fn confirmation(&mut self, receiver: &str) -> Result<&mut Confirmation, Refusal> {
        let (renewal, known) = (
            self.id.clone(),
            self.receivers.iter().map(|one| one.receiver.clone()).collect(),
        );
        let mut receivers = self.receivers.iter_mut();
        let found = receivers.find(|one| one.receiver == *receiver);
        found.ok_or_else(|| Refusal::UnknownReceiver {
            renewal,
            receiver: receiver.to_owned(),
            known,
        })
    }

    /// A receiver that trusts one key cannot have exchanged it before messages are held.
    fn check_confirmable(&self, now: Circumstances<'_>) -> Result<(), Refusal> {
        match (self.gate, now.policy.strategy, self.has_taken(Step::Activated)) {
            (Gate::Draining { .. }, ..) => Err(Refusal::Draining),
            (Gate::Open, Strategy::Hold, false) => Err(Refusal::NotHeld),
            _ => Ok(()),
        }
    }

    fn confirmed_by(&mut self, receiver: String, now: Circumstances<'_>) -> Result<Option<Event>, Refusal> {
        let confirmation = self.confirmation(&receiver)?;
        if confirmation.confirmed.is_some() {
            return Ok(None);
        }
        confirmation.confirmed = Some(Confirmed {
            at: now.moment.now,
            by: now.by.to_owned(),
        });
        let all = self.unconfirmed().is_empty();
        if all {
            self.take(Step::Confirmed, now);
        }
        Ok(Some(self.tell(RenewalNews::Confirmed { receiver, all })))
    }
}
