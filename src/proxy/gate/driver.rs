//! What a closed gate does by itself: ends a drain, and sends a message ahead, once a second, to find out whether the receiver
//! accepts a key now; the oldest one in a hold, one after the other where both keys are refused. One task for each gate that
//! needs it; one that ends midway is started again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::{Id, JoinError, JoinSet, spawn_blocking};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep};

use super::{Call, Gate, Gates, State};
use crate::keys::audit::Author;
use crate::keys::lifecycle::{Drain, Lifecycle};
use crate::keys::{CommandError, Strategy};

/// How often a message is sent ahead.
const PROBE: Duration = Duration::from_secs(1);

impl Gates {
    /// Drives those gates that need it, until it is dropped.
    pub async fn drive(self: Arc<Self>) {
        let mut changes = self.changes.clone();
        let (mut drivers, mut driven) = (JoinSet::new(), HashMap::new());
        loop {
            self.start(&mut drivers, &mut driven);
            tokio::select! {
                Some(ended) = drivers.join_next_with_id() => ended_driver(ended, &mut driven).await,
                () = self.wanted.notified() => {}
                Ok(()) = changes.changed() => {}
            }
        }
    }

    fn start(&self, drivers: &mut JoinSet<()>, driven: &mut HashMap<Id, Arc<Gate>>) {
        self.add_held();
        for gate in self.gates().values() {
            gate.tell_ambiguity();
            if !gate.driven.load(Ordering::Relaxed) && gate.needs_driver() {
                gate.driven.store(true, Ordering::Relaxed);
                let task = drivers.spawn(gate.clone().drive_until_open(self.changes.clone()));
                driven.insert(task.id(), gate.clone());
            }
        }
    }

    /// A hold comes to its end though no route leads to its alias.
    fn add_held(&self) {
        for (alias, keys) in self.keys.ring().aliases() {
            if keys.gate().is_shut() && self.keys.strategy(alias) == Strategy::Hold {
                self.of(alias);
            }
        }
    }
}

/// Afterwards all gates are looked at: whoever has come to this one meanwhile is seen.
pub(super) async fn ended_driver(ended: Result<(Id, ()), JoinError>, driven: &mut HashMap<Id, Arc<Gate>>) {
    let id = ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
    let Some(gate) = driven.remove(&id) else { return };
    if let Err(error) = ended {
        let alias = &gate.alias;
        tracing::error!(%alias, %error, "what drives the alias's gate stopped midway; starting it again");
        sleep(PROBE).await;
    }
    gate.driven.store(false, Ordering::Relaxed);
}

impl Gate {
    /// Says once that the receiver would be asked for nothing but the active key.
    fn tell_ambiguity(&self) {
        let ring = self.keys.ring();
        let keys = ring
            .alias(&self.alias)
            .filter(|_| self.keys.strategy(&self.alias) == Strategy::ReceiverLed);
        let pending = keys.map_or(0, |keys| keys.ambiguous_candidates().len());
        if self.ambiguous.swap(pending > 0, Ordering::Relaxed) || pending == 0 {
            return;
        }
        tracing::warn!(
            alias = self.alias,
            pending,
            "none of several pending keys is tried where the receiver refuses the active one: discard all but one, or start \
             a renewal that names one"
        );
    }

    fn needs_driver(&self) -> bool {
        let mut line = self.line();
        self.state(&mut line) != State::Open || line.messages() > 0
    }

    async fn drive_until_open(self: Arc<Self>, mut changes: watch::Receiver<()>) {
        let mut probes = interval_at(Instant::now() + PROBE, PROBE);
        probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            match self.next_deed() {
                Deed::Nothing => return,
                Deed::Wait => self.change(&mut changes).await,
                Deed::EndDrain(drain) => self.end_drain(drain).await,
                Deed::Probe => self.probe_in_time(&mut probes, &mut changes).await,
            }
        }
    }

    fn next_deed(&self) -> Deed {
        let mut line = self.line();
        match self.state(&mut line) {
            // Read under the lock that nobody passes without: all that this drain waits for is over.
            State::Draining => match self.drain().filter(|_| line.is_drained()) {
                Some(drain) => Deed::EndDrain(drain),
                None => Deed::Wait,
            },
            State::Holding | State::Refused => Deed::Probe,
            State::Refusing => {
                for one in line.dismiss() {
                    // Who has just given up goes away in any case.
                    let _ = one.send(Call::GoAway);
                }
                Deed::Wait
            }
            State::Open => {
                self.advance(&mut line);
                // The rest is called by those that go before, or stands aside.
                if line.messages() == 0 {
                    Deed::Nothing
                } else {
                    Deed::Probe
                }
            }
        }
    }

    async fn probe_in_time(&self, probes: &mut Interval, changes: &mut watch::Receiver<()>) {
        tokio::select! {
            _ = probes.tick() => self.probe(),
            () = self.change(changes) => {}
        }
    }

    fn probe(&self) {
        let mut line = self.line();
        line.recall();
        match self.state(&mut line) {
            State::Draining | State::Refusing => {}
            State::Open => self.advance(&mut line),
            State::Holding => Self::send_ahead(line.probe()),
            State::Refused => Self::send_ahead(line.probe_in_turn()),
        }
    }

    fn send_ahead(one: Option<oneshot::Sender<Call>>) {
        if let Some(one) = one {
            // Should he have given up just now, another one goes in a second.
            let _ = one.send(Call::GoAhead);
        }
    }

    fn drain(&self) -> Option<Drain> {
        self.keys.ring().alias(&self.alias).and_then(Lifecycle::drain)
    }

    /// The switch: nothing is under way any more. A key that may not sign ends the hold; what cannot be stored is tried again.
    async fn end_drain(self: &Arc<Self>, drain: Drain) {
        let drained = self.command(|gate| {
            let operator = gate.keys.by(Author::drain());
            operator.drained(&gate.alias, drain, gate.clock.now())
        });
        if let Err(problem) = drained.await {
            tracing::error!(alias = self.alias, %problem, "nothing is under way, and the new key cannot be activated");
        }
        if matches!(self.next_deed(), Deed::EndDrain(_)) {
            sleep(PROBE).await;
        }
    }

    /// Commands wait for the disk.
    pub(super) async fn command<T: Send + 'static>(
        self: &Arc<Self>,
        command: impl FnOnce(&Self) -> Result<T, CommandError> + Send + 'static,
    ) -> Result<T, Failed> {
        let gate = self.clone();
        Ok(spawn_blocking(move || command(&gate)).await??)
    }

    /// Of the line, or of keys.
    async fn change(&self, changes: &mut watch::Receiver<()>) {
        tokio::select! {
            () = self.moved.notified() => {}
            Ok(()) = changes.changed() => {}
        }
    }
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error("it stopped midway: {0}")]
    Stopped(#[from] JoinError),
}

/// What a driver does next.
enum Deed {
    /// It is not needed any more.
    Nothing,
    /// It waits for a change.
    Wait,
    EndDrain(Drain),
    /// It sends a message ahead when it is time, or recalls those that stand aside.
    Probe,
}
