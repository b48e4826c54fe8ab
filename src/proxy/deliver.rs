//! Which attempts a message takes: past the gate of its alias, with the keys that its receiver is to be shown, and back before
//! the gate if the receiver refuses all of them.
//!
//! Each attempt is signed anew from the plain message. Only a fault that the route knows as a refusal of the key, which
//! says that nothing was processed, leads to another one; so does a receiver that could not be reached, where the message
//! was sent ahead to find out. Whatever else comes is the sender's.

use std::sync::Arc;

use http::request;

use super::Proxy;
use super::answer::{Finding, Judged};
use super::exchange::Exchange;
use super::gate::{Choice, Gate, NotPassed, Pass, Terms};
use super::load::Portion;
use super::read::{Received, Reservation};
use super::reply::{Refusal, UnverifiedResponse};
use super::route::Route;
use super::sign::{SigningError, With};
use crate::config::origin;
use crate::keys::Fingerprint;
use crate::keys::lifecycle::Strategy;
use crate::metrics::Phase;

/// A message between its gate and its receiver.
pub(super) struct Delivery<'a> {
    pub(super) proxy: &'a Proxy,
    pub(super) route: &'a Arc<Route>,
    pub(super) head: &'a request::Parts,
    pub(super) exchange: &'a mut Exchange,
}

/// What the receiver has refused of one message, where it leads.
#[derive(Default)]
struct Refused {
    /// Its own first fault.
    fault: Option<UnverifiedResponse>,
    /// That it takes while its message waits.
    memory: Option<Reservation>,
    /// The key that was active then.
    active: Option<Fingerprint>,
}

impl Delivery<'_> {
    /// Past the gate and to the receiver, with the active key; whatever that says is the answer, so nothing is kept.
    pub(super) async fn once(mut self, received: Received) -> Result<UnverifiedResponse, Refusal> {
        let terms = Terms::new(self.route, &received, self.exchange.deadline());
        let _pass = self.passed(self.route.gate.pass(&terms).await?);
        self.whatever_is_said(received).await
    }

    /// Past the gate and to the receiver, as often as that says that it does not accept the key, within the bounds of the gate.
    pub(super) async fn through(mut self, received: Received) -> Result<UnverifiedResponse, Refusal> {
        let gate = &self.route.gate;
        let terms = Terms::new(self.route, &received, self.exchange.deadline());
        let (mut refused, mut turned) = (Refused::default(), false);
        let mut pass = self.passed(gate.pass(&terms).await?);
        loop {
            let Some(mut choice) = gate.choice(&pass).map_err(SigningError::from)? else {
                if let Some(fault) = refused.fault_under(gate.signing_key().as_ref()) {
                    return Ok(fault);
                }
                if self.route.strategy != Strategy::ReceiverLed {
                    return self.whatever_is_said(received).await;
                }
                match self.alone(gate, &received, &mut refused).await? {
                    Some(response) => return Ok(response),
                    None => continue,
                }
            };
            if turned {
                choice.keys.reverse();
            }
            let round = self.round(gate, &choice, pass.is_ahead(), &received, &mut refused);
            if let Some(response) = round.await? {
                return Ok(response);
            }
            if let Some(fault) = refused.fault_without_room(&self.route.room.bytes) {
                return Ok(fault);
            }
            // Nodes that are asked in turn would go on to be asked for the wrong one.
            turned = !turned;
            pass = match pass.return_to_line(&terms).await {
                Ok(pass) => self.passed(pass),
                Err(not_passed) => return refused.answer(not_passed),
            };
        }
    }

    fn passed(&mut self, pass: Pass) -> Pass {
        if pass.has_waited() {
            self.exchange.passed(Phase::Held);
        }
        pass
    }

    async fn whatever_is_said(&mut self, received: Received) -> Result<UnverifiedResponse, Refusal> {
        Ok(self.attempt(received, &With::Active).await?.response)
    }

    /// With the active key, where there is no other one. `None`: it was refused, and by now there may be another one.
    async fn alone(
        &mut self,
        gate: &Gate,
        received: &Received,
        refused: &mut Refused,
    ) -> Result<Option<UnverifiedResponse>, Refusal> {
        let active = gate.signing_key();
        let judged = self.attempt(received.clone(), &With::Active).await?;
        if judged.finding == Finding::KeyRefused {
            refused.add(judged.response, active.as_ref());
            return Ok(None);
        }
        Ok(Some(judged.response))
    }

    /// With one key after the other, until one is not refused. `None`: all were, or nobody was there to ask.
    async fn round(
        &mut self,
        gate: &Arc<Gate>,
        choice: &Choice,
        is_ahead: bool,
        received: &Received,
        refused: &mut Refused,
    ) -> Result<Option<UnverifiedResponse>, Refusal> {
        for key in &choice.keys {
            let judged = match self.attempt(received.clone(), &With::This(key.clone())).await {
                Ok(judged) => judged,
                Err(Refusal::Forward(problem)) if is_ahead && problem.is_absence() => return Ok(None),
                Err(Refusal::Sign(problem)) if refused.fault.is_some() || choice.leads_to_active(key) => {
                    let (alias, key) = (&self.route.alias, key.certificate().fingerprint());
                    tracing::warn!(%alias, %key, %problem, "the key that the receiver may accept does not sign");
                    continue;
                }
                Err(problem) => return Err(problem),
            };
            match judged.finding {
                Finding::Accepted => {
                    let receiver = origin(self.route.receiver.address());
                    gate.accepted(key, choice, receiver).await;
                    return Ok(Some(judged.response));
                }
                Finding::Other => return Ok(Some(judged.response)),
                Finding::KeyRefused if self.route.strategy == Strategy::ReceiverLed => {
                    refused.add(judged.response, choice.active.as_ref());
                }
                Finding::KeyRefused => {}
            }
        }
        Ok(None)
    }

    async fn attempt(&mut self, received: Received, with: &With) -> Result<Judged, Refusal> {
        self.proxy
            .send_signed(self.route, self.head, received, with, self.exchange)
            .await
    }
}

impl Refused {
    fn add(&mut self, fault: UnverifiedResponse, active: Option<&Fingerprint>) {
        self.fault.get_or_insert(fault);
        self.active = active.cloned();
    }

    /// That is the answer, if nothing has changed but that there is no other key any more.
    fn fault_under(&mut self, active: Option<&Fingerprint>) -> Option<UnverifiedResponse> {
        self.fault.take_if(|_| self.active.as_ref() == active)
    }

    /// Its message waits and keeps it, if there is memory for that; if not, it is the answer.
    fn fault_without_room(&mut self, room: &Portion) -> Option<UnverifiedResponse> {
        if self.memory.is_none()
            && let Some(fault) = &self.fault
        {
            self.memory = Reservation::of(room, fault.body().bytes_ahead()).ok();
        }
        self.fault.take_if(|_| self.memory.is_none())
    }

    /// The receiver's own word goes before ours.
    fn answer(self, not_passed: NotPassed) -> Result<UnverifiedResponse, Refusal> {
        self.fault.ok_or(Refusal::Held(not_passed))
    }
}
