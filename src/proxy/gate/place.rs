//! A message's place: before the gate with its own patience, or past it. Whoever gives up, for whatever reason, drops it,
//! and so leaves.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::line::{Arrival, Full, Waiting};
use super::{Call, Gate, State};
use crate::config::HoldBounds;
use crate::proxy::read::Received;
use crate::proxy::route::Route;

/// On which terms a message waits.
pub(in crate::proxy) struct Terms {
    /// What it takes.
    pub(super) bytes: usize,
    /// Its route knows what a refusal of the key looks like.
    pub(super) tells: bool,
    pub(super) bounds: HoldBounds,
    /// No longer than until then.
    pub(super) until: Instant,
}

/// Why a message did not pass: it was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::proxy) enum NotPassed {
    /// No room to wait.
    #[error(
        "messages wait while the receiver exchanges its certificate, and there are too many: {0}; send it again later"
    )]
    Full(#[from] Full),
    /// It has waited as long as it may.
    #[error(
        "the message waited while the receiver exchanges its certificate, which takes too long; send it again later"
    )]
    TooLong,
    /// The time for the exchange is over.
    #[error(
        "the receiver has not exchanged its certificate in time, and messages are refused until whoever runs the proxy acts; \
         send it again later"
    )]
    HoldOver,
    /// We stop.
    #[error(
        "the message waited while the receiver exchanges its certificate, and the proxy stops; send it again later"
    )]
    Stopped,
}

/// A message that has passed; it is under way until this is dropped. A flow that goes away takes its message along: what goes
/// to the receiver is cut, nobody will ever know how far it came there, and a drain does not wait for it.
pub(in crate::proxy) struct Pass {
    place: Place,
    /// None: it has not waited.
    call: Option<Call>,
}

/// Before the gate, or past it; left when dropped.
struct Place {
    gate: Arc<Gate>,
    arrival: Arrival,
}

impl Gate {
    /// Passes at once, or when called.
    pub(in crate::proxy) async fn pass(self: &Arc<Self>, terms: &Terms) -> Result<Pass, NotPassed> {
        if let Some(arrival) = self.pass_freely() {
            let place = Place::new(self, arrival);
            return Ok(Pass { place, call: None });
        }
        let (waiting, called) = terms.waiting();
        let place = {
            let mut line = self.line();
            if self.state(&mut line) == State::Refusing {
                return Err(NotPassed::HoldOver);
            }
            let place = Place::new(self, line.join(waiting, &terms.bounds)?);
            self.advance(&mut line);
            place
        };
        self.drive();
        place.called(called, terms.until).await
    }
}

impl Terms {
    /// Those of a message that has just been read.
    pub(in crate::proxy) fn new(route: &Route, received: &Received, deadline: Instant) -> Self {
        Self {
            bytes: received.memory.bytes(),
            tells: !route.key_refused.is_empty(),
            bounds: route.hold,
            until: deadline.min(Instant::now() + route.hold.time),
        }
    }

    fn waiting(&self) -> (Waiting<oneshot::Sender<Call>>, oneshot::Receiver<Call>) {
        let (call, called) = oneshot::channel();
        let waiting = Waiting {
            call,
            bytes: self.bytes,
            tells: self.tells,
        };
        (waiting, called)
    }
}

impl Pass {
    /// It had to.
    pub(in crate::proxy) fn has_waited(&self) -> bool {
        self.call.is_some()
    }

    /// It was sent ahead, to find out.
    pub(in crate::proxy) fn is_ahead(&self) -> bool {
        self.call == Some(Call::GoAhead)
    }

    /// Back to where it came from: the receiver refused every key that it was shown, or was not there.
    pub(in crate::proxy) async fn return_to_line(self, terms: &Terms) -> Result<Self, NotPassed> {
        let place = self.place;
        let gate = place.gate.clone();
        let (waiting, called) = terms.waiting();
        {
            let mut line = gate.line();
            let before = gate.state(&mut line);
            line.rejoin(place.arrival, waiting, &terms.bounds)?;
            if before == State::Open && gate.state(&mut line) == State::Refused {
                let alias = &gate.alias;
                tracing::warn!(%alias, "the receiver refuses every key that may sign; messages wait until it accepts one");
            }
            gate.advance(&mut line);
        }
        gate.drive();
        place.called(called, terms.until).await
    }
}

impl Place {
    fn new(gate: &Arc<Gate>, arrival: Arrival) -> Self {
        let gate = gate.clone();
        Self { gate, arrival }
    }

    async fn called(self, called: oneshot::Receiver<Call>, until: Instant) -> Result<Pass, NotPassed> {
        tokio::select! {
            biased;
            Ok(call) = called => match call {
                Call::GoAway => Err(NotPassed::HoldOver),
                Call::Go | Call::GoAhead => Ok(Pass { place: self, call: Some(call) }),
            },
            () = sleep_until(until) => Err(NotPassed::TooLong),
            () = self.gate.ended() => Err(NotPassed::Stopped),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut line = self.gate.line();
        line.leave(self.arrival);
        self.gate.advance(&mut line);
        drop(line);
        self.gate.moved.notify_one();
    }
}
