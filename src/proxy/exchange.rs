//! The record of one request, from its head to the last byte of its answer: told to log and
//! metrics once, when it is dropped, so that no request goes uncounted.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode, request};
use tokio::time::Instant;

use super::forward::ForwardError;
use super::load::Part;
use super::read;
use super::route::Route;
use crate::keys::Fingerprint;
use crate::logging::Seldom;
use crate::metrics::{Metrics, Outcome, Phase};
use crate::wss::SoapVersion;

/// The record of one request.
pub(super) struct Exchange {
    metrics: Arc<Metrics>,
    begun: Instant,
    /// When the last phase ended.
    mark: Instant,
    method: Method,
    route: Option<Arc<Route>>,
    /// Of the requests that may be under way.
    place: Option<Part>,
    soap_version: SoapVersion,
    key: Option<Fingerprint>,
    was_forwarded: bool,
    status: Option<StatusCode>,
    outcome: Outcome,
    reason: Option<String>,
}

impl Exchange {
    /// A request's head has been read.
    pub(super) fn begun(head: &request::Parts, metrics: Arc<Metrics>) -> Self {
        let now = Instant::now();
        Self {
            metrics,
            begun: now,
            mark: now,
            method: head.method.clone(),
            route: None,
            place: None,
            soap_version: read::soap_version(&head.headers),
            key: None,
            was_forwarded: false,
            status: None,
            outcome: Outcome::Abandoned,
            reason: None,
        }
    }

    /// Its route was found.
    pub(super) fn routed(&mut self, route: &Arc<Route>) {
        self.route = Some(route.clone());
    }

    /// There is room for it, until it ends.
    pub(super) fn admitted(&mut self, place: Part) {
        self.place = Some(place);
    }

    /// It takes no room any more, but waits for its answer.
    pub(super) fn give_way(&mut self) {
        self.place = None;
    }

    /// Whether the answer ends with its head.
    pub(super) fn asks_for_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// Its route.
    pub(super) fn route(&self) -> Option<&Route> {
        self.route.as_deref()
    }

    /// When the exchange as a whole must be over.
    pub(super) fn deadline(&self) -> Instant {
        self.begun + self.route().map_or(Duration::ZERO, |route| route.total)
    }

    /// The message said which SOAP version it is.
    pub(super) fn soap_version_read(&mut self, version: Option<SoapVersion>) {
        self.soap_version = version.unwrap_or(self.soap_version);
    }

    /// The SOAP version to answer in.
    pub(super) fn soap_version(&self) -> SoapVersion {
        self.soap_version
    }

    /// The message was signed with this key.
    pub(super) fn signed_with(&mut self, key: &Fingerprint) {
        self.key = Some(key.clone());
    }

    /// The message was sent to its receiver, which ended so.
    pub(super) fn forwarded(&mut self, problem: Option<&ForwardError>) {
        self.was_forwarded |= problem.is_none_or(|problem| !problem.is_unsent());
    }

    /// The receiver may have got something of the message.
    pub(super) fn was_forwarded(&self) -> bool {
        self.was_forwarded
    }

    /// A phase is over.
    pub(super) fn passed(&mut self, phase: Phase) {
        let now = Instant::now();
        self.metrics
            .phase_passed(self.route_name(), phase, now - self.mark);
        self.mark = now;
    }

    /// The receiver's answer has begun; until it is over the sender may go away.
    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// The receiver's answer ended midway, for this reason.
    pub(super) fn broke_off(&mut self, outcome: Outcome, reason: String) {
        (self.outcome, self.reason) = (outcome, Some(reason));
    }

    /// The receiver's answer was passed on to its end.
    pub(super) fn completed(&mut self) {
        self.outcome = Outcome::Answered;
    }

    /// We refused, with this status and for this reason.
    pub(super) fn refused(&mut self, status: StatusCode, outcome: Outcome, reason: String) {
        (self.status, self.outcome, self.reason) = (Some(status), outcome, Some(reason));
    }

    fn route_name(&self) -> Option<&str> {
        self.route().map(|route| route.name.as_str())
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.metrics
            .phase_passed(self.route_name(), Phase::Total, self.begun.elapsed());
        self.metrics.request_ended(self.route_name(), self.outcome);
        self.log();
    }
}

/// Lines a minute, of a route or of requests without one, that are more than for debugging.
pub(super) const LINES: u32 = 60;

/// Writes the request's line at the level given.
macro_rules! line {
    ($level:ident, $exchange:expr, $omitted:expr) => {
        tracing::$level!(
            route = $exchange.route_name(),
            method = %$exchange.method,
            outcome = $exchange.outcome.name(),
            status = $exchange.status.map(|status| status.as_u16()),
            key = $exchange.key.as_deref(),
            seconds = $exchange.begun.elapsed().as_secs_f64(),
            reason = $exchange.reason,
            omitted = Some($omitted).filter(|omitted| *omitted > 0),
            "request"
        )
    };
}

impl Exchange {
    /// One line a request: what needs somebody on our side or the receiver's warns, what the sender must
    /// change informs, the rest is for debugging, and so is what goes beyond a bound. `reason` is our own sentence, which may
    /// quote a head, and never a message's content.
    fn log(&self) {
        /// Of requests that are for no route: whoever reaches the port can have them told.
        static STRANGERS: Seldom = Seldom::new(LINES);
        if matches!(self.outcome, Outcome::Answered) {
            return line!(debug, self, 0u64);
        }
        let lines = self.route().map_or(&STRANGERS, |route| &route.lines);
        let Some(omitted) = lines.due() else {
            return line!(debug, self, 0u64);
        };
        match self.outcome {
            Outcome::Answered | Outcome::Refused | Outcome::Abandoned => line!(info, self, omitted),
            Outcome::NoKey
            | Outcome::NotSigned
            | Outcome::Overloaded
            | Outcome::Unreachable
            | Outcome::TimedOut
            | Outcome::Redirected
            | Outcome::AnswerTooLarge
            | Outcome::BrokenOff => line!(warn, self, omitted),
        }
    }
}
