//! The table: what each refusal means to HTTP, to SOAP and to the metrics.

use http::StatusCode;

use super::Refusal;
use super::fault::Blame;
use crate::config::FaultStatus;
use crate::metrics::Outcome;
use crate::proxy::forward::ForwardError;
use crate::proxy::read::{CodingError, ReadError};
use crate::proxy::route::RouteError;
use crate::proxy::sign::SigningError;
use crate::wss::{MessageError, MessageErrorKind, SoapVersion};

mod row;

use row::Row;

/// What a refusal means.
pub(super) struct Verdict {
    /// By HTTP; the route's `fault_status` may make another of it.
    pub(super) status: StatusCode,
    pub(super) blame: Blame,
    pub(super) outcome: Outcome,
    rule: Rule,
}

/// Which say the route's `fault_status` has in the status.
enum Rule {
    /// None: it is no message of a route.
    Address,
    /// HTTP was not used as it should be: its own statuses by the SOAP bindings, too.
    Http,
    /// A message was not carried.
    Message,
    /// There is too much to do: 503 by the SOAP bindings, too, so that load balancers see it. Like every 503 of ours it
    /// says that no receiver has processed the message, since some clients send it again by themselves.
    Later,
}

impl Verdict {
    /// By the table.
    pub(super) fn of(refusal: &Refusal) -> Self {
        let row = match refusal {
            Refusal::Route(error) => of_route(error),
            Refusal::Load(_) | Refusal::Held(_) => Row::Later,
            Refusal::Read(error) => of_reading(error),
            Refusal::Sign(error) => of_signing(error),
            Refusal::Forward(error) => of_forwarding(error),
        };
        row.verdict()
    }

    /// The status by the route's rule: the SOAP bindings know 500, and 400 for a SOAP 1.2 Sender.
    pub(super) fn answered(&self, fault_status: FaultStatus, version: SoapVersion) -> StatusCode {
        match (&self.rule, fault_status, version, &self.blame) {
            (Rule::Address, ..) | (_, FaultStatus::Http, ..) => self.status,
            (_, FaultStatus::Always500, ..) => StatusCode::INTERNAL_SERVER_ERROR,
            (Rule::Http | Rule::Later, FaultStatus::Soap, ..) => self.status,
            (Rule::Message, FaultStatus::Soap, SoapVersion::Soap12, Blame::Sender) => StatusCode::BAD_REQUEST,
            (Rule::Message, FaultStatus::Soap, ..) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Of a message of which something was sent on, and that cannot go on now: 503 and `Retry-After` would have some clients
    /// send it again.
    pub(super) fn once_forwarded(self) -> Self {
        Self {
            status: StatusCode::BAD_GATEWAY,
            rule: Rule::Message,
            ..self
        }
    }

    /// Whether the answer has a `Retry-After`.
    pub(super) fn asks_for_another_try(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE
    }
}

const fn of_route(error: &RouteError) -> Row {
    match error {
        RouteError::Tunnel | RouteError::Method(_) => Row::Method,
        RouteError::Relay(_) | RouteError::Stranger(_) => Row::Forbidden,
        RouteError::Host => Row::Host,
        RouteError::Unknown(_) => Row::NoRoute,
        RouteError::Loop => Row::Loop,
    }
}

const fn of_reading(error: &ReadError) -> Row {
    match error {
        ReadError::MediaType(_) | ReadError::Multipart | ReadError::Coding(CodingError::Unsupported(_)) => {
            Row::Type
        }
        ReadError::TooLarge(_) | ReadError::Coding(CodingError::Ratio) => Row::TooLarge,
        ReadError::TransferCoding(_) => Row::TransferCoding,
        ReadError::Expectation(_) => Row::Expectation,
        ReadError::TooSlow => Row::TooSlow,
        ReadError::BrokenOff(_) | ReadError::Coding(CodingError::Malformed(_)) => Row::Broken,
        ReadError::Message(error) => of_message(error),
        ReadError::Overloaded(_) => Row::Later,
    }
}

const fn of_signing(error: &SigningError) -> Row {
    match error {
        SigningError::NoKey(_) | SigningError::Token(_) | SigningError::TokenTooSlow => Row::NoKey,
        SigningError::Overloaded(_) | SigningError::TokenFull | SigningError::SelfCheckLate => Row::Later,
        SigningError::Message(error) => of_message(error),
        SigningError::Failed(_) | SigningError::SelfCheck(_) => Row::NotSigned,
    }
}

const fn of_forwarding(error: &ForwardError) -> Row {
    match error {
        ForwardError::Address(_) => Row::Broken,
        ForwardError::ConnectTimedOut | ForwardError::TimedOut => Row::TimedOut,
        ForwardError::Unreachable(_)
        | ForwardError::BrokenOff(_)
        | ForwardError::Http1Required
        | ForwardError::Unexpected(_) => Row::Unreachable,
        ForwardError::Redirected(_) => Row::Redirected,
        ForwardError::AnswerTooLarge(_) => Row::AnswerTooLarge,
    }
}

const fn of_message(error: &MessageError) -> Row {
    match error.kind {
        MessageErrorKind::Malformed => Row::Malformed,
        MessageErrorKind::UnsupportedEncoding => Row::Encoding,
    }
}
