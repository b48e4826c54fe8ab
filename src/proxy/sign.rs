//! Step 4: a [`PlainMessage`](crate::wss::PlainMessage) is signed by the key that is active now.
//!
//! Signing is work for a core, RSA for milliseconds: it never runs on the threads that move bytes,
//! and never on more of them than there are cores.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::exchange::Exchange;
use super::read::{Received, Reservation};
use super::route::Route;
use crate::clock::Clock;
use crate::keys::{Keys, NoUsableKey, Signer};
use crate::metrics::Metrics;
use crate::wss::{MessageError, SignError, SignedMessage};

/// Why a message was not signed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SigningError {
    /// The alias has no key that may sign now.
    #[error(transparent)]
    NoKey(#[from] NoUsableKey),
    /// No core was free in time.
    #[error("too many messages wait to be signed; send it again later")]
    Overloaded,
    /// What it says fits its time of signing no more; the sender's fault.
    #[error(transparent)]
    Message(MessageError),
    /// The key, the profile, or we, failed.
    #[error(
        "the message could not be signed: {0}; whoever runs the proxy looks at the alias's key and the route's profile"
    )]
    Failed(SignError),
}

impl From<SignError> for SigningError {
    fn from(error: SignError) -> Self {
        match error {
            SignError::Message(error) => Self::Message(error),
            SignError::Profile(_)
            | SignError::Signer(_)
            | SignError::Stopped
            | SignError::NoRandomness(_) => Self::Failed(error),
        }
    }
}

/// What signs.
pub(super) struct Signing {
    keys: Keys,
    clock: Clock,
    cores: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

impl Signing {
    /// With the keys there are.
    pub(super) fn new(keys: Keys, clock: Clock, metrics: Arc<Metrics>) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            keys,
            clock,
            cores: Arc::new(Semaphore::new(cores)),
            metrics,
        }
    }

    /// Signs the message with one key, taken as the last thing before: a message that waited for a core
    /// while keys were exchanged is signed with the new one.
    pub(super) async fn sign(
        &self,
        route: &Route,
        received: Received,
        exchange: &mut Exchange,
    ) -> Result<(SignedMessage, Reservation), SigningError> {
        let core = timeout_at(exchange.deadline(), self.cores.clone().acquire_owned()).await;
        let Ok(Ok(core)) = core else {
            return Err(SigningError::Overloaded);
        };
        let now = self.clock.now();
        let signer = self.keys.ring().signer(&route.alias, now)?.clone();

        let (protection, key) = (route.protection.clone(), signer.clone());
        let work = spawn_blocking(move || {
            let begun = Instant::now();
            let signed = protection.sign(&received.message, &key, now)?;
            // Held to the end of the work, even if nobody waits for it any more.
            drop(core);
            Ok::<_, SignError>((signed, received.memory, begun.elapsed()))
        });
        let (signed, memory, took) = work.await.map_err(|_| SignError::Stopped)??;

        self.record(route, &signer, now, took);
        exchange.signed_with(signer.certificate().fingerprint());
        Ok((signed, memory))
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
