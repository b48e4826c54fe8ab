//! Step 4: a [`PlainMessage`](crate::wss::PlainMessage) is signed by the key that is active now.
//!
//! Signing is work for a core, RSA for milliseconds: it never runs on the threads that move bytes,
//! and never on more of them than there are cores.

use std::sync::Arc;
use std::thread::available_parallelism;

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
use crate::wss::{Protection, SignError, SignedMessage};

/// Why a message was not signed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SigningError {
    /// The alias has no key that may sign now.
    #[error(transparent)]
    NoKey(#[from] NoUsableKey),
    /// No core was free in time.
    #[error("too many messages wait to be signed; send it again later")]
    Overloaded,
    /// The key, or we, failed.
    #[error("the message could not be signed: {0}; the proxy's log says more")]
    Failed(#[from] SignError),
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

        let Received { message, memory } = received;
        let (protection, key, begun) = (route.protection.clone(), signer.clone(), Instant::now());
        let signed = spawn_blocking(move || {
            let signed = protection.sign(&message, &key, now);
            drop(core); // held to the end of the work, even if nobody waits for it any more
            signed
        });
        let signed = signed.await.map_err(|_| SignError::Stopped)??;

        self.record(&route.alias, &route.protection, &signer, now, begun);
        exchange.signed_with(signer.certificate().fingerprint());
        Ok((signed, memory))
    }

    fn record(
        &self,
        alias: &str,
        protection: &Protection,
        signer: &Signer,
        now: OffsetDateTime,
        begun: Instant,
    ) {
        signer.record_use(now);
        let algorithm = protection
            .profile()
            .signature_algorithm
            .unwrap_or_else(|| signer.key_type().auto());
        let fingerprint = signer.certificate().fingerprint();
        self.metrics
            .message_signed(alias, fingerprint, algorithm.name(), begun.elapsed());
    }
}
