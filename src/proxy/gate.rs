//! The gate of one alias, between reading a message and signing it: closed while the alias is held, or while its receiver
//! refuses every key there is. Who comes then waits in the order of arrival, within bounds.
//!
//! It holds no message: who waits waits on his own, with his own patience, and is called by the driver or by who went
//! before him. Whether the alias is held is said by the keys' snapshot, which is read under the lock of the line: no
//! message slips past a hold that is in force.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use crate::clock::Clock;
use crate::keys::lifecycle::{self, Lifecycle};
use crate::keys::{Fingerprint, KeyRing, Keys, Signer};
use crate::metrics::HeldFact;

mod driver;
mod line;
mod place;
mod switch;
#[cfg(test)]
mod tests;

pub(super) use place::{NotPassed, Pass, Terms};
pub(super) use switch::Choice;

use line::{Arrival, Line};
use switch::Preference;

/// All gates; they outlive configurations.
pub struct Gates {
    by_alias: Mutex<BTreeMap<String, Arc<Gate>>>,
    keys: Keys,
    clock: Clock,
    /// Something has happened to keys.
    changes: watch::Receiver<()>,
    /// A gate needs somebody to drive it.
    wanted: Arc<Notify>,
    /// Nobody waits for longer.
    end: watch::Sender<Option<Instant>>,
}

/// The gate of one alias.
pub(super) struct Gate {
    alias: String,
    keys: Keys,
    clock: Clock,
    line: Mutex<Line<oneshot::Sender<Call>>>,
    preference: Preference,
    /// Several keys are pending, none of which is the next one; that was told.
    ambiguous: AtomicBool,
    /// Somebody has come or gone: heard by the driver.
    moved: Notify,
    /// It has a driver, which hears.
    driven: AtomicBool,
    wanted: Arc<Notify>,
    end: watch::Receiver<Option<Instant>>,
}

/// What somebody who waits is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    /// The gate is open.
    Go,
    /// The gate is closed: go ahead and find out.
    GoAhead,
    /// The gate stays closed, and nobody waits any more.
    GoAway,
}

/// What keeps messages from going on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// A hold has begun, and older messages are under way.
    Draining,
    /// The receiver exchanges its certificate.
    Holding,
    /// It has not within the time for that, and messages are refused until somebody acts.
    Refusing,
    /// The receiver refuses every key there is.
    Refused,
}

impl Gates {
    /// None yet. `changes` tells that something has happened to keys.
    #[must_use]
    pub fn new(keys: Keys, clock: Clock, changes: watch::Receiver<()>) -> Arc<Self> {
        Arc::new(Self {
            by_alias: Mutex::default(),
            keys,
            clock,
            changes,
            wanted: Arc::default(),
            end: watch::Sender::default(),
        })
    }

    /// An alias's; the same one for ever.
    pub(super) fn of(&self, alias: &str) -> Arc<Gate> {
        let mut gates = self.gates();
        if let Some(gate) = gates.get(alias) {
            return gate.clone();
        }
        let gate = Arc::new(Gate {
            alias: alias.to_owned(),
            keys: self.keys.clone(),
            clock: self.clock.clone(),
            line: Mutex::new(Line::new()),
            preference: Preference::default(),
            ambiguous: AtomicBool::new(false),
            moved: Notify::new(),
            driven: AtomicBool::new(false),
            wanted: self.wanted.clone(),
            end: self.end.subscribe(),
        });
        gates.insert(alias.to_owned(), gate.clone());
        self.wanted.notify_one(); // the alias may have been held as the process ended
        gate
    }

    /// Who waits does so until then at the longest: the process stops.
    pub(super) fn end_at(&self, end: Instant) {
        self.end.send_replace(Some(end));
    }

    /// Who waits, by alias.
    #[must_use]
    pub fn held(&self) -> Vec<HeldFact> {
        let ring = self.keys.ring();
        let held = |gate: &Arc<Gate>| {
            let shut = ring.alias(&gate.alias).map(Lifecycle::gate).unwrap_or_default();
            let most = self.keys.hold_limit(&gate.alias).most;
            let line = gate.line();
            HeldFact {
                alias: gate.alias.clone(),
                messages: line.messages(),
                bytes: line.bytes(),
                ends: shut.since().filter(|_| !shut.refuses()).map(|since| since + most),
                refuses: shut.refuses(),
            }
        };
        self.gates().values().map(held).collect()
    }

    fn gates(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Gate>>> {
        self.by_alias.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate {
    /// Past it at once, if it is open and nobody waits.
    fn pass_freely(&self) -> Option<Arrival> {
        let mut line = self.line();
        let open = self.state(&mut line) == State::Open;
        open.then(|| line.pass()).flatten()
    }

    /// Calls those that may go.
    fn advance(&self, line: &mut Line<oneshot::Sender<Call>>) {
        while line.is_waited_in() && self.state(line) == State::Open {
            let Some(next) = line.release() else { return };
            // Who has just given up leaves the place to the next one as he goes.
            let _ = next.send(Call::Go);
        }
    }

    fn state(&self, line: &mut Line<oneshot::Sender<Call>>) -> State {
        let ring = self.keys.ring();
        let keys = ring.alias(&self.alias);
        match keys.map(Lifecycle::gate).unwrap_or_default() {
            lifecycle::Gate::Draining { .. } => return State::Draining,
            lifecycle::Gate::Holding { refuses: false, .. } => return State::Holding,
            lifecycle::Gate::Holding { refuses: true, .. } => return State::Refusing,
            lifecycle::Gate::Open => {}
        }
        if line.is_refused() && self.candidate(&ring).is_none() {
            line.give_up();
        }
        if line.is_refused() {
            State::Refused
        } else {
            State::Open
        }
    }

    /// The key that signs, whether it may now or not.
    fn active(&self, ring: &KeyRing) -> Option<Fingerprint> {
        let active = ring.alias(&self.alias)?.active()?;
        Some(active.fingerprint().clone())
    }

    /// The key that may be next, where the receiver leads. An alias that was stopped has none.
    fn candidate(&self, ring: &KeyRing) -> Option<Arc<Signer>> {
        let (strategy, now) = (self.keys.strategy(&self.alias), self.clock.now());
        let keys = ring.alias(&self.alias).filter(|keys| keys.active().is_some())?;
        Some(keys.candidate(strategy, now)?.signer().clone())
    }

    /// There is something to do, or soon will be.
    fn drive(&self) {
        self.moved.notify_one();
        // To find a gate that has no driver, all are looked at.
        if !self.driven.load(Ordering::Relaxed) {
            self.wanted.notify_one();
        }
    }

    fn line(&self) -> MutexGuard<'_, Line<oneshot::Sender<Call>>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody waits for longer, for the process stops.
    async fn ended(&self) {
        let mut end = self.end.clone();
        let end = end.wait_for(Option::is_some).await.map(|end| *end);
        match end {
            Ok(Some(end)) => sleep_until(end).await,
            Ok(None) | Err(_) => pending().await,
        }
    }
}
