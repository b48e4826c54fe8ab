//! The steps of a renewal that operators take: start, publish, complete, abort.

use std::sync::Arc;

use super::command::Circumstances;
use super::renewal::{Renewal, RenewalId, Step, Taken};
use super::{Event, Gate, Key, Lifecycle, Refusal, RenewalCommand, RenewalNews};
use crate::keys::{Certificate, Fingerprint};

/// By whoever may.
const GIVEN_UP: &str = "it was given up";

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
            RenewalCommand::Abort { renewal, back } => self.abort(&renewal, back, now),
            RenewalCommand::Hold { id, receivers } => self.hold(id, receivers, now),
            RenewalCommand::HoldFor { renewal } => self.hold_for(&renewal, now),
            RenewalCommand::ResumeFor { renewal } => {
                self.going_on(&renewal)?;
                self.resume()
            }
            RenewalCommand::Drained(drain) => self.drained(&drain, now),
            RenewalCommand::GiveUpHold { drain, reason } => Ok(self.give_up_hold(&drain, &reason)),
            RenewalCommand::HoldEnds { hold, at } => Ok(self.hold_ends(&hold, at, now)),
            RenewalCommand::HoldOver(hold) => self.hold_over(&hold, now),
            RenewalCommand::RefuseHeld { hold, reason } => Ok(self.refuse_held(&hold, &reason)),
            RenewalCommand::Resume => self.resume(),
            RenewalCommand::ProbeAccepted { key, receiver } => Ok(self.probe_accepted(&key, receiver, now)),
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
            Some(key) => self.renewable_key(key)?.certificate().clone(),
            None => self.unnamed_key()?.certificate().clone(),
        };
        Ok(self.begin(id, certificate, receivers, now))
    }

    /// Where there is none, and a renewal has not been completed, that one is probably meant.
    fn unnamed_key(&self) -> Result<&Key, Refusal> {
        match (self.only_renewable_key(), self.open_renewal()) {
            (Err(Refusal::NothingPending), Some(open)) => Err(Refusal::RenewalOpen {
                renewal: open.id.clone(),
                key: open.key().clone(),
            }),
            (key, _) => key,
        }
    }

    /// Ends the one before.
    pub(super) fn begin(
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

    pub(super) fn publish(&mut self, id: &RenewalId, now: Circumstances<'_>) -> Result<Vec<Event>, Refusal> {
        let renewal = self.going_on(id)?;
        if renewal.step() >= Step::Published {
            return Ok(Vec::new());
        }
        renewal.take(Step::Published, now);
        Ok(vec![renewal.tell(RenewalNews::Published)])
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

    fn abort(&mut self, id: &RenewalId, back: bool, now: Circumstances<'_>) -> Result<Vec<Event>, Refusal> {
        if self.has_ended_with(id, Step::Aborted) {
            return Ok(Vec::new());
        }
        self.going_on(id)?;
        if self.renewed_key_signs() && (back || self.waits_unconfirmed()) {
            return self.go_back(GIVEN_UP, now);
        }
        if !back {
            self.check_abortable(now)?;
        }
        Ok(self.abort_open(GIVEN_UP, now))
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
    pub(super) fn going_on(&mut self, id: &RenewalId) -> Result<&mut Renewal, Refusal> {
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
}
