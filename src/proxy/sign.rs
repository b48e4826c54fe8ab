//! Step 4: a [`PlainMessage`](crate::wss::PlainMessage) is signed by the key that is active now.
//!
//! Signing is work for a core, RSA for milliseconds: it never runs on the threads that move bytes,
//! and never on more of them than there are cores. Who needs a token waits for that one, at a place and on a thread of its
//! own: a slow token takes neither a core nor a thread from other keys. What was signed is looked at by the second engine where it is due (`judges`).

mod judges;
mod sampling;

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::exchange::Exchange;
use super::load::Exhausted;
use super::read::{Received, Reservation};
use super::room::AliasRoom;
use super::route::Route;
use crate::clock::Clock;
use crate::cores::cores;
use crate::keys::pkcs11::{NoPlace, Place, Places, TokenError};
use crate::keys::{Keys, NoUsableKey, Signer, SignerError};
use crate::metrics::Metrics;
use crate::wss::{MessageError, SelfCheckError, SignError, SignedMessage};

pub(super) use sampling::Sampling;

use judges::{Case, Judges};

/// Why a message was not signed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SigningError {
    /// The alias has no key that may sign now.
    #[error(transparent)]
    NoKey(#[from] NoUsableKey),
    /// The token that holds the key is away.
    #[error("the key of this alias is on a token that cannot sign now: {0}")]
    Token(TokenError),
    /// The token that holds the key is too slow.
    #[error("the token that holds the key of this alias did not sign in time; send the message again later")]
    TokenTooSlow,
    /// Too many wait for it.
    #[error("too many messages wait for the token that holds the key of this alias; send it again later")]
    TokenFull,
    /// No core was free in time, or too many wait for one.
    #[error("too many messages wait to be signed; send it again later")]
    Overloaded(#[from] Exhausted),
    /// What it says fits its time of signing no more; the sender's fault.
    #[error(transparent)]
    Message(MessageError),
    /// The key, the profile, or we, failed.
    #[error(
        "the message could not be signed: {0}; whoever runs the proxy looks at the alias's key and the route's profile"
    )]
    Failed(SignError),
    /// The self-check was given up.
    #[error(
        "the signed message could not be checked in time and was not sent, as this route demands; send it again later"
    )]
    SelfCheckLate,
    /// We failed, and saw it in time.
    #[error(
        "the signed message did not pass the self-check and was not sent: {0}; whoever runs the proxy reports this as an \
         error of countersign, with the message that brings it about"
    )]
    SelfCheck(#[from] SelfCheckError),
}

impl From<SignError> for SigningError {
    fn from(error: SignError) -> Self {
        match error {
            SignError::Message(error) => Self::Message(error),
            SignError::Signer(SignerError::Token(problem)) if problem.is_temporary() => Self::Token(problem),
            SignError::Profile(_)
            | SignError::Signer(_)
            | SignError::Stopped
            | SignError::NoRandomness(_) => Self::Failed(error),
        }
    }
}

/// With which key a message is signed.
pub(super) enum With {
    /// The one that is active when it is its turn.
    Active,
    /// This one, of the snapshot that the message has taken.
    This(Arc<Signer>),
}

/// What signs.
pub(super) struct Signing {
    keys: Keys,
    clock: Clock,
    cores: Arc<Semaphore>,
    judges: Judges,
    metrics: Arc<Metrics>,
}

impl Signing {
    /// With the keys there are.
    pub(super) fn new(keys: Keys, clock: Clock, metrics: Arc<Metrics>) -> Self {
        Self {
            keys,
            clock,
            cores: Arc::new(Semaphore::new(cores())),
            judges: Judges::new(metrics.clone()),
            metrics,
        }
    }

    /// Those that messages are signed with.
    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Signs the message with one key. The active one is taken as the last thing before: a message that waited for a core
    /// while keys were exchanged is signed with the new one.
    pub(super) async fn sign(
        &self,
        route: &Arc<Route>,
        received: Received,
        with: &With,
        exchange: &mut Exchange,
    ) -> Result<(SignedMessage, Arc<Reservation>), SigningError> {
        let (signer, place, now) = self.in_place(route, with, exchange.deadline()).await?;
        let on_token = matches!(place, Taken::BeforeToken(_));

        let (signing, key, plain) = (route.clone(), signer.clone(), received.clone());
        let work = move || {
            let begun = Instant::now();
            let signed = signing.protection.sign(&plain.message, &key, now)?;
            // Both held to the end of the work, even if nobody waits for it any more.
            drop((place, plain));
            Ok::<_, SigningError>((signed, begun.elapsed()))
        };
        let done = if on_token {
            let done = timeout_at(exchange.deadline(), on_own_thread(work)).await;
            done.map_err(|_| SigningError::TokenTooSlow)?.ok()
        } else {
            spawn_blocking(work).await.ok()
        };
        let (signed, took) = done.ok_or(SignError::Stopped)??;
        let case = Case {
            route,
            plain: &received,
            signed: &signed,
            signer: &signer,
            now,
        };
        self.judges.look(case, exchange.deadline()).await?;

        self.record(route, &signer, now, took);
        exchange.signed_with(signer.certificate().fingerprint());
        Ok((signed, received.memory))
    }

    fn signer(&self, alias: &str, with: &With, now: OffsetDateTime) -> Result<Arc<Signer>, NoUsableKey> {
        match with {
            With::Active => self.keys.ring().signer(alias, now),
            With::This(signer) => Ok(signer.clone()),
        }
    }

    /// The key of the moment at which there is a place where it signs.
    async fn in_place(
        &self,
        route: &Route,
        with: &With,
        deadline: Instant,
    ) -> Result<(Arc<Signer>, Taken, OffsetDateTime), SigningError> {
        let alias = &route.alias;
        let mut signer = self.signer(alias, with, self.clock.now())?;
        loop {
            let taken = self.place(signer.places(), &route.room, deadline).await?;
            let now = self.clock.now();
            let current = self.signer(alias, with, now)?;
            let same = match (signer.places(), current.places()) {
                (Some(waited), Some(needed)) => waited.are(needed),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            };
            if same {
                return Ok((current, taken, now));
            }
            // The key was exchanged for one that signs elsewhere.
            signer = current;
        }
    }

    /// A core, or a place before a token, once there is one.
    async fn place(
        &self,
        token: Option<&Places>,
        room: &AliasRoom,
        deadline: Instant,
    ) -> Result<Taken, SigningError> {
        if let Some(places) = token {
            return places
                .take(deadline)
                .await
                .map(Taken::BeforeToken)
                .map_err(|none| match none {
                    NoPlace::Full => SigningError::TokenFull,
                    NoPlace::TooLate => SigningError::TokenTooSlow,
                });
        }
        let waits = room.waiting.take(1)?;
        // No alias has more in the line for cores than there are of them: whoever comes then waits for a few messages of the
        // others, however many of theirs there are.
        let turn = async {
            let turn = room.turns.clone().acquire_owned().await.ok()?;
            let core = self.cores.clone().acquire_owned().await.ok()?;
            Some(Taken::Core { core, turn })
        };
        let taken = timeout_at(deadline, turn).await;
        drop(waits);
        Ok(taken.ok().flatten().ok_or(Exhausted)?)
    }

    fn record(&self, route: &Route, signer: &Signer, now: OffsetDateTime, took: Duration) {
        signer.record_use(now);
        let algorithm = route
            .protection
            .profile()
            .signature_algorithm
            .unwrap_or_else(|| signer.key_type().auto());
        self.metrics.message_signed(
            &route.alias,
            signer.certificate().fingerprint(),
            algorithm.name(),
            took,
        );
    }
}

/// Where a message is signed, for as long as it is.
enum Taken {
    Core {
        #[expect(dead_code, reason = "held")]
        core: OwnedSemaphorePermit,
        #[expect(dead_code, reason = "held")]
        turn: OwnedSemaphorePermit,
    },
    BeforeToken(#[expect(dead_code, reason = "held")] Place),
}

/// Not on one of the runtime's threads: hung tokens would take them from everything else.
fn on_own_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (tell, told) = oneshot::channel();
    let spawned = std::thread::Builder::new()
        .name("token".to_owned())
        .spawn(move || {
            // Nobody waits for one that comes too late.
            let _ = tell.send(work());
        });
    if let Err(error) = spawned {
        tracing::error!(%error, "there is no thread to ask a token");
    }
    told
}
