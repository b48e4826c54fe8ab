//! Which keys a message is tried with, and what follows when its receiver accepts one: what was held goes on its way, or
//! everybody takes that key, by itself at most once in the time to settle.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::time::Instant;

use super::{Gate, Pass, State};
use crate::keys::audit::Author;
use crate::keys::{Fingerprint, NoUsableKey, Signer, Strategy};

/// An activation that failed is not tried again before; meanwhile its key is tried first.
const RETRY: Duration = Duration::from_secs(5);

/// Keys to show to the receiver, of one snapshot; if it refuses all of them, the message waits.
pub(in crate::proxy) struct Choice {
    /// In order.
    pub(in crate::proxy) keys: Vec<Arc<Signer>>,
    pub(in crate::proxy) active: Option<Fingerprint>,
}

impl Choice {
    /// The active key has its turn after this one: a key that does not sign is in nobody's way then.
    pub(in crate::proxy) fn leads_to_active(&self, key: &Signer) -> bool {
        let name = |key: &Signer| key.certificate().fingerprint().clone();
        let mut later = self.keys.iter().skip_while(|one| name(one) != name(key)).skip(1);
        later.any(|one| Some(name(one)) == self.active)
    }
}

/// The key that was accepted last, although another one is active: nodes behind a load balancer may be half switched.
#[derive(Default)]
pub(super) struct Preference(ArcSwapOption<Preferred>);

struct Preferred {
    key: Fingerprint,
    active: Option<Fingerprint>,
    /// Its activation failed then.
    failed: Option<Instant>,
}

impl Gate {
    /// What to try; `None` where there is nothing but the active key, and whatever is said to it is the answer.
    pub(in crate::proxy) fn choice(&self, pass: &Pass) -> Result<Option<Choice>, NoUsableKey> {
        let (ring, now) = (self.keys.ring(), self.clock.now());
        let signer = ring.signer(&self.alias, now);
        let active = self.active(&ring);
        let mut keys = match (self.keys.strategy(&self.alias), self.candidate(&ring)) {
            (Strategy::ReceiverLed, Some(candidate)) => signer.into_iter().chain([candidate]).collect(),
            (Strategy::Hold, _) if pass.is_ahead() => vec![signer?],
            _ => return Ok(None),
        };
        if let Some(preferred) = self.preferred(active.as_ref()) {
            // The others stay in their order.
            keys.sort_by_key(|key| *key.certificate().fingerprint() != preferred.key);
        }
        Ok(Some(Choice { keys, active }))
    }

    /// The key that signs now, whatever it may.
    pub(in crate::proxy) fn signing_key(&self) -> Option<Fingerprint> {
        self.active(&self.keys.ring())
    }

    /// The receiver accepted a message that this key signed. It is carried through even if nobody waits for it any more.
    pub(in crate::proxy) async fn accepted(
        self: &Arc<Self>,
        key: &Signer,
        choice: &Choice,
        receiver: String,
    ) {
        let key = key.certificate().fingerprint().clone();
        if self.is_usual(&key) {
            return;
        }
        let (gate, active) = (self.clone(), choice.active.clone());
        let taken_up = tokio::spawn(async move { gate.take_up(key, active, receiver).await });
        if let Err(error) = taken_up.await {
            tracing::error!(alias = self.alias, %error, "an accepted key was not taken up: that stopped midway");
        }
    }

    /// It is what everybody signs with, and nothing follows from it.
    fn is_usual(&self, key: &Fingerprint) -> bool {
        let mut line = self.line();
        let usual = self.state(&mut line) == State::Open
            && self.preference.0.load().is_none()
            && self.signing_key().as_ref() == Some(key);
        if usual {
            line.accept();
        }
        usual
    }

    /// Those that wait go on only after everybody takes the key.
    async fn take_up(self: &Arc<Self>, key: Fingerprint, active: Option<Fingerprint>, receiver: String) {
        let state = {
            let mut line = self.line();
            self.state(&mut line)
        };
        if matches!(state, State::Holding | State::Refusing) {
            self.resume(key, receiver).await;
        } else {
            let failed = match active.as_ref().filter(|active| self.may_switch(active)) {
                Some(active) if *active != key => self.switch(&key, active, receiver).await,
                _ => self.failed(active.as_ref()),
            };
            let is_active = self.signing_key().as_ref() == Some(&key);
            let preferred = (!is_active).then(|| Arc::new(Preferred { key, active, failed }));
            self.preference.0.store(preferred);
        }
        let mut line = self.line();
        if self.state(&mut line) == State::Refused {
            tracing::info!(
                alias = self.alias,
                "the receiver accepts a key again; messages go on their way"
            );
        }
        line.accept();
        self.advance(&mut line);
        drop(line);
        self.drive();
    }

    /// Unless messages are held for another key by now.
    async fn resume(self: &Arc<Self>, key: Fingerprint, receiver: String) {
        let resumed = self.command(move |gate| {
            let operator = gate.keys.by(Author::receiver(&receiver));
            operator.probe_accepted(&gate.alias, key, &receiver, gate.clock.now())
        });
        if let Err(problem) = resumed.await {
            tracing::error!(alias = self.alias, %problem, "the receiver accepts the new key, and the hold cannot be ended");
        }
    }

    /// One activation for everybody, however many ask for it. When it failed, if it did.
    async fn switch(
        self: &Arc<Self>,
        key: &Fingerprint,
        replaces: &Fingerprint,
        receiver: String,
    ) -> Option<Instant> {
        let (accepted, replaces) = (key.clone(), replaces.clone());
        let switched = self.command(move |gate| {
            let operator = gate.keys.by(Author::receiver(&receiver));
            operator.accepted(&gate.alias, accepted, replaces, &receiver, gate.clock.now())
        });
        let problem = switched.await.err()?;
        tracing::error!(alias = self.alias, %key, %problem, "the receiver accepts this key, and it cannot be activated");
        Some(Instant::now())
    }

    fn may_switch(&self, active: &Fingerprint) -> bool {
        let failed = self.failed(Some(active));
        !self.keys.settling(&self.alias) && failed.is_none_or(|failed| failed.elapsed() > RETRY)
    }

    /// When the exchange of this active key failed last.
    fn failed(&self, active: Option<&Fingerprint>) -> Option<Instant> {
        let preferred = self.preference.0.load();
        let of_now = preferred
            .as_ref()
            .filter(|preferred| preferred.active.as_ref() == active);
        of_now?.failed
    }

    fn preferred(&self, active: Option<&Fingerprint>) -> Option<Arc<Preferred>> {
        let preferred = self.preference.0.load_full()?;
        let of_now =
            preferred.active.as_ref() == active && !active.is_some_and(|active| self.may_switch(active));
        of_now.then_some(preferred)
    }
}
