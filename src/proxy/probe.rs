//! The probe: how does a receiver refuse? A harmless sample of an operator's goes the way of its route, signed so that it
//! has to be refused, and what the receiver says is what `key_refused` should name.
//!
//! Nothing is sent unless somebody asked for it, and the audit knows of it first. Each attempt is sent once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, request};
use time::OffsetDateTime;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::Proxy;
use super::forward::ForwardError;
use super::load::Exhausted;
use super::read::{Outlay, ReadError, Reading, Reservation};
use super::reply::UnverifiedResponse;
use super::route::Route;
use crate::keys::audit::Author;
use crate::keys::generate::SelfSigned;
use crate::keys::{CommandError, NoUsableKey, Signer};
use crate::spelling::vocabulary;
use crate::wss::{PlainMessage, Protection, SignedMessage};
use crate::xml::Limits;

mod report;

pub use report::{Answer, Answered, Report};

vocabulary! {
    /// A reason that a receiver has to refuse a message for.
    pub enum Attempt {
        /// Signed by a key that nobody trusts, made for it.
        UnknownKey = "unknown-key",
        /// Signed by the active key, with one digest that is wrong.
        Altered = "altered",
        /// Signed by the active key, with yesterday's Timestamp.
        Expired = "expired",
    }
}

/// A harmless message.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its Content-Type, and the other fields that the receiver is to get.
    pub headers: HeaderMap,
    /// The message, not signed.
    pub message: Bytes,
}

/// Why nothing was sent, or no more.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No such route.
    #[error("there is no route {0:?}; see [[route]] of the configuration in force")]
    UnknownRoute(String),
    /// Not a message.
    #[error("the sample cannot be sent: {0}")]
    Sample(String),
    /// By its type not a message of SOAP.
    #[error("the sample cannot be sent: {0}")]
    MediaType(String),
    /// `expired` without anything of ours that could expire.
    #[error("the attempt expired needs a Timestamp of ours, and {0}; leave the attempt out")]
    NoTimestamp(&'static str),
    /// The key that the throwaway one is to be like.
    #[error(transparent)]
    NoKey(#[from] NoUsableKey),
    /// The key did not sign, or none was made.
    #[error("the sample was not signed: {0}")]
    NotSigned(String),
    /// Too much to do.
    #[error("too many messages are under way; probe again later")]
    Overloaded,
    /// Without the audit nothing is sent.
    #[error(transparent)]
    Audit(#[from] CommandError),
}

/// Of the certificate that nobody has reason to trust.
const THROWAWAY_NAME: &str = "countersign probe";
/// A clock that differs from ours must not be what it is refused for.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Proxy {
    /// Sends the sample by the route of this name, once for each attempt, and tells what the receiver said.
    ///
    /// # Errors
    /// When nothing can be sent. A receiver that does not answer is part of the report.
    pub async fn probe(
        &self,
        route: &str,
        sample: Sample,
        attempts: &[Attempt],
        author: Author,
    ) -> Result<Report, ProbeError> {
        let unknown = || ProbeError::UnknownRoute(route.to_owned());
        let route = self.routes.named(route).ok_or_else(unknown)?;
        let probe = Arc::new(Probe::prepare(route.clone(), sample, attempts)?);
        self.active_key(route)?;
        self.note(route, attempts, author).await?;
        let mut answered = Vec::new();
        for attempt in attempts {
            answered.push(self.attempt(&probe, *attempt).await?);
        }
        Ok(Report::of(answered, route.faults_with_200))
    }

    async fn attempt(&self, probe: &Arc<Probe>, attempt: Attempt) -> Result<Answered, ProbeError> {
        let (route, deadline) = (&probe.route, Instant::now() + probe.route.total);
        let answer = match self.ask(probe, attempt, deadline).await? {
            Ok(response) => {
                self.clocks
                    .observe(route.receiver.address(), response.headers(), self.clock.now());
                Answer::of(self.judging.examine(route, response, deadline).await)
            }
            Err(error) => Answer::None(error.to_string()),
        };
        Ok(Answered { attempt, answer })
    }

    /// Sends the sample, and after it where the receiver leads it, as the route's messages are.
    async fn ask(
        &self,
        probe: &Arc<Probe>,
        attempt: Attempt,
        deadline: Instant,
    ) -> Result<Result<UnverifiedResponse, ForwardError>, ProbeError> {
        let receiver = &probe.route.receiver;
        let mut place = match receiver.place(&probe.head) {
            Ok(place) => place,
            Err(problem) => return Ok(Err(problem)),
        };
        loop {
            let signed = self.signed(probe, attempt, deadline).await?;
            let room = &probe.route.room.bytes;
            let memory = Outlay::of(room, &signed, Arc::new(Reservation::of(room, 0)?))?;
            match receiver.send(&probe.head, &place, signed, memory, deadline).await {
                Err(ForwardError::Redirected(redirect)) => match place.of_message(&redirect) {
                    Some(next) => place = next,
                    None => return Ok(Err(ForwardError::Redirected(redirect))),
                },
                answered => return Ok(answered),
            }
        }
    }

    async fn signed(
        &self,
        probe: &Arc<Probe>,
        attempt: Attempt,
        deadline: Instant,
    ) -> Result<SignedMessage, ProbeError> {
        let (active, signing, now) = (self.active_key(&probe.route)?, probe.clone(), self.clock.now());
        let work = spawn_blocking(move || signing.sign(attempt, &active, now));
        match timeout_at(deadline, work).await {
            Ok(Ok(signed)) => signed,
            Ok(Err(_)) => Err(ProbeError::NotSigned("signing stopped".to_owned())),
            Err(_) => Err(ProbeError::NotSigned("the key did not sign in time".to_owned())),
        }
    }

    fn active_key(&self, route: &Route) -> Result<Arc<Signer>, NoUsableKey> {
        let ring = self.signing.keys().ring();
        ring.signer(&route.alias, self.clock.now())
    }

    /// In the audit, before anything is sent.
    async fn note(&self, route: &Route, attempts: &[Attempt], author: Author) -> Result<(), ProbeError> {
        let names: Vec<_> = attempts.iter().map(|attempt| attempt.name()).collect();
        let detail = BTreeMap::from([
            ("route".to_owned(), route.name.clone()),
            ("attempts".to_owned(), names.join(",")),
        ]);
        let (keys, alias, now) = (self.signing.keys().clone(), route.alias.clone(), self.clock.now());
        tracing::info!(
            route = route.name,
            alias,
            attempts = names.join(","),
            "the receiver is probed"
        );
        let noted =
            spawn_blocking(move || keys.by(author).note("receiver-probed", Some(&alias), detail, now));
        let stopped = |_| ProbeError::NotSigned("the audit was not written".to_owned());
        Ok(noted.await.map_err(stopped)??)
    }
}

/// A sample that has been read, and the route that it is sent by.
struct Probe {
    route: Arc<Route>,
    /// The route's profile; its own, so that the route's keeps what it has prepared.
    protection: Arc<Protection>,
    head: request::Parts,
    message: PlainMessage,
}

impl Probe {
    fn prepare(route: Arc<Route>, sample: Sample, attempts: &[Attempt]) -> Result<Self, ProbeError> {
        let profile = route.protection.profile().clone();
        let has_timestamp = profile.timestamp.is_some();
        let protection = Protection::new(profile, Limits::default());
        let mut headers = sample.headers;
        let message = Reading::sample(&mut headers, sample.message, &protection)?;
        if attempts.contains(&Attempt::Expired) {
            if !has_timestamp {
                return Err(ProbeError::NoTimestamp("the route's profile has none"));
            }
            if message.has_timestamp() {
                return Err(ProbeError::NoTimestamp("the sample has one of its own"));
            }
        }
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.headers_mut() = headers;
        Ok(Self {
            route,
            protection,
            head: request.into_parts().0,
            message,
        })
    }

    fn sign(
        &self,
        attempt: Attempt,
        active: &Arc<Signer>,
        now: OffsetDateTime,
    ) -> Result<SignedMessage, ProbeError> {
        let (message, protection) = (&self.message, &self.protection);
        let signed = match attempt {
            Attempt::UnknownKey => protection.sign(message, &throwaway(active, now)?, now),
            Attempt::Altered => protection.sign_as_if_altered(message, active, now),
            Attempt::Expired => protection.sign(message, active, now - DAY),
        };
        if attempt != Attempt::UnknownKey {
            active.record_use(now);
        }
        signed.map_err(|error| ProbeError::NotSigned(error.to_string()))
    }
}

/// A key like this one: of the same type and size, with a certificate that has what each way of naming it needs.
fn throwaway(like: &Signer, now: OffsetDateTime) -> Result<Arc<Signer>, ProbeError> {
    let not_made = |error: &dyn std::fmt::Display| ProbeError::NotSigned(error.to_string());
    let material = SelfSigned::of_type(like.key_type(), THROWAWAY_NAME, now - DAY, 2 * DAY)
        .and_then(SelfSigned::into_material)
        .map_err(|error| not_made(&error))?;
    let signer = Signer::new(material, now).map_err(|error| not_made(&error))?;
    Ok(Arc::new(signer))
}

impl From<ReadError> for ProbeError {
    fn from(error: ReadError) -> Self {
        let by_its_type = matches!(error, ReadError::MediaType(_) | ReadError::Multipart);
        let reason = error.to_string();
        if by_its_type {
            Self::MediaType(reason)
        } else {
            Self::Sample(reason)
        }
    }
}

impl From<Exhausted> for ProbeError {
    fn from(_: Exhausted) -> Self {
        Self::Overloaded
    }
}
