//! The second engine looks at a signed message where it is due: what it finds wrong never leaves.
//!
//! It does so in places of its own, one message of a route at a time, so neither signing nor another route waits for it:
//! small messages have places enough, and only large ones, whose trees take much memory, wait for each other. It is given
//! its time, places included; what takes longer is given up, and the route's setting says what becomes of the message.

use std::sync::Arc;

use bytes::Bytes;
use time::OffsetDateTime;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::SigningError;
use super::sampling::Due;
use crate::config::LateSelfCheck;
use crate::cores::cores;
use crate::keys::Signer;
use crate::metrics::{Metrics, SelfCheckOutcome};
use crate::proxy::read::Received;
use crate::proxy::route::Route;
use crate::wss::{SelfCheckError, SignedMessage};

/// Bytes up to which a message is small: its trees take a few megabytes.
const SMALL: usize = 64 << 10;
/// Small messages that are looked at at a time; each takes a thread, of which the runtime has 512.
const SMALL_PLACES: usize = 64;

/// Where signed messages are looked at.
pub(super) struct Judges {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

/// A message that was just signed.
pub(super) struct Case<'a> {
    pub(super) route: &'a Arc<Route>,
    pub(super) plain: &'a Received,
    pub(super) signed: &'a SignedMessage,
    pub(super) signer: &'a Arc<Signer>,
    /// When it was signed.
    pub(super) now: OffsetDateTime,
}

impl Judges {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            small: Arc::new(Semaphore::new(SMALL_PLACES)),
            large: Arc::new(Semaphore::new(cores())),
            metrics,
        }
    }

    /// Looks at the message, if it is due.
    pub(super) async fn look(&self, case: Case<'_>, deadline: Instant) -> Result<(), SigningError> {
        let sampling = &case.route.sampling;
        let Some(due) = sampling.due(case.signer) else {
            return Ok(());
        };
        let bytes = case.signed.segments().iter().map(Bytes::len).sum();
        if sampling.is_too_large(bytes) {
            self.told(&case, SelfCheckOutcome::Skipped);
            return Ok(());
        }
        let until = deadline.min(Instant::now() + sampling.patience());
        let looked = timeout_at(until, self.look_at(&case, due, bytes, until)).await;
        match looked.unwrap_or(Err(SelfCheckError::GivenUp)) {
            Ok(Looked::Passed) => {
                sampling.passed(case.signer);
                self.told(&case, SelfCheckOutcome::Passed);
                Ok(())
            }
            Ok(Looked::NotNeeded) => Ok(()),
            Err(SelfCheckError::GivenUp) => self.given_up(&case),
            Err(reason) => {
                let key = case.signer.certificate().fingerprint();
                tracing::error!(route = case.route.name, %key, %reason, "a signed message did not pass the self-check");
                self.told(&case, SelfCheckOutcome::Failed);
                Err(reason.into())
            }
        }
    }

    async fn look_at(
        &self,
        case: &Case<'_>,
        due: Due,
        bytes: usize,
        until: Instant,
    ) -> Result<Looked, SelfCheckError> {
        let places = self.places(case.route, bytes).await;
        let places = places.map_err(|_closed| SelfCheckError::GivenUp)?;
        if due == Due::First && case.route.sampling.is_proven(case.signer) {
            return Ok(Looked::NotNeeded);
        }
        let (route, plain) = (case.route.clone(), case.plain.clone());
        let (signed, signer, now) = (case.signed.segments().to_vec(), case.signer.clone(), case.now);
        let work = spawn_blocking(move || {
            let goes_on = || Instant::now() < until;
            let protection = &route.protection;
            let checked = protection.self_check(&plain.message, &signed, &signer, now, &goes_on);
            // Both held to the end of the work, even if nobody waits for it any more.
            drop((places, plain));
            checked
        });
        let stopped = |_| SelfCheckError::GivenUp;
        work.await.map_err(stopped)?.map(|()| Looked::Passed)
    }

    /// First the route's own, so that one route takes no more than one of the others.
    async fn places(&self, route: &Route, bytes: usize) -> Result<[OwnedSemaphorePermit; 2], AcquireError> {
        let own = route.sampling.place().acquire_owned().await?;
        let shared = if bytes <= SMALL { &self.small } else { &self.large };
        Ok([own, shared.clone().acquire_owned().await?])
    }

    fn given_up(&self, case: &Case<'_>) -> Result<(), SigningError> {
        self.told(case, SelfCheckOutcome::GivenUp);
        let late = case.route.sampling.late();
        tracing::warn!(
            route = case.route.name,
            key = %case.signer.certificate().fingerprint(),
            self_check_late = late.name(),
            "the self-check of a signed message took longer than self_check_timeout and was given up"
        );
        match late {
            LateSelfCheck::Send => Ok(()),
            LateSelfCheck::Refuse => Err(SigningError::SelfCheckLate),
        }
    }

    fn told(&self, case: &Case<'_>, outcome: SelfCheckOutcome) {
        self.metrics.self_checked(&case.route.name, outcome);
    }
}

/// What came of a look that was not given up.
enum Looked {
    Passed,
    /// Another message has shown meanwhile that the key signs well.
    NotNeeded,
}
