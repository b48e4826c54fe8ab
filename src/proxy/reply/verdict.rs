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

/// What a refusal means.
pub(super) struct Verdict {
    /// By HTTP; the route's `fault_status` may make another of it.
    pub(super) status: StatusCode,
    pub(super) blame: Blame,
    pub(super) outcome: Outcome,
    rule: Rule,
}

/// Whether the route's `fault_status` has a say in the status.
enum Rule {
    /// HTTP was not used as it should be: its own statuses, whatever the SOAP binding says.
    Http,
    /// A message was not carried.
    Message,
    /// There is too much to do: 503 by either rule, so that load balancers see it.
    Overload,
}

impl Verdict {
    /// The table.
    pub(super) fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Route(error) => match error {
                RouteError::Tunnel | RouteError::Method(_) => Self::http(StatusCode::METHOD_NOT_ALLOWED),
                RouteError::Relay(_) | RouteError::Stranger(_) => Self::http(StatusCode::FORBIDDEN),
                RouteError::Host => Self::http(StatusCode::BAD_REQUEST),
                RouteError::Unknown(_) => Self::http(StatusCode::NOT_FOUND),
                RouteError::Loop => Self::http(StatusCode::LOOP_DETECTED),
            },
            Refusal::Load(_) | Refusal::Held(_) => Self::overload(),
            Refusal::Read(error) => match error {
                ReadError::MediaType(_)
                | ReadError::Multipart
                | ReadError::Coding(CodingError::Unsupported(_)) => {
                    Self::http(StatusCode::UNSUPPORTED_MEDIA_TYPE)
                }
                ReadError::Coding(CodingError::Ratio) => Self::sender(StatusCode::PAYLOAD_TOO_LARGE),
                ReadError::TransferCoding(_) => Self::http(StatusCode::NOT_IMPLEMENTED),
                ReadError::Expectation(_) => Self::http(StatusCode::EXPECTATION_FAILED),
                ReadError::TooSlow => Self::http(StatusCode::REQUEST_TIMEOUT),
                ReadError::BrokenOff(_) | ReadError::Coding(CodingError::Malformed(_)) => {
                    Self::http(StatusCode::BAD_REQUEST)
                }
                ReadError::TooLarge(_) => Self::sender(StatusCode::PAYLOAD_TOO_LARGE),
                ReadError::Message(error) => Self::message(error),
                ReadError::Overloaded(_) => Self::overload(),
            },
            Refusal::Sign(error) => match error {
                SigningError::NoKey(_) | SigningError::Token(_) | SigningError::TokenTooSlow => {
                    Self::receiver(StatusCode::SERVICE_UNAVAILABLE, Outcome::NoKey)
                }
                SigningError::Overloaded(_) => Self::overload(),
                SigningError::Message(error) => Self::message(error),
                SigningError::Failed(_) | SigningError::SelfCheck(_) => {
                    Self::receiver(StatusCode::INTERNAL_SERVER_ERROR, Outcome::NotSigned)
                }
            },
            Refusal::Forward(error) => match error {
                ForwardError::Address(_) => Self::http(StatusCode::BAD_REQUEST),
                ForwardError::ConnectTimedOut | ForwardError::TimedOut => {
                    Self::receiver(StatusCode::GATEWAY_TIMEOUT, Outcome::TimedOut)
                }
                ForwardError::Unreachable(_) | ForwardError::BrokenOff(_) | ForwardError::Unexpected(_) => {
                    Self::receiver(StatusCode::BAD_GATEWAY, Outcome::Unreachable)
                }
            },
        }
    }

    /// The status by the route's rule: the SOAP bindings know 500, and 400 for a SOAP 1.2 Sender.
    pub(super) fn answered(&self, fault_status: FaultStatus, version: SoapVersion) -> StatusCode {
        match (&self.rule, fault_status, version, &self.blame) {
            (Rule::Http | Rule::Overload, ..) | (Rule::Message, FaultStatus::Http, ..) => self.status,
            (Rule::Message, FaultStatus::Soap, SoapVersion::Soap12, Blame::Sender) => StatusCode::BAD_REQUEST,
            (Rule::Message, FaultStatus::Soap, ..) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    const fn http(status: StatusCode) -> Self {
        Self {
            status,
            blame: Blame::Sender,
            outcome: Outcome::Refused,
            rule: Rule::Http,
        }
    }

    const fn message(error: &MessageError) -> Self {
        Self::sender(match error.kind {
            MessageErrorKind::Malformed => StatusCode::BAD_REQUEST,
            MessageErrorKind::UnsupportedEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        })
    }

    const fn sender(status: StatusCode) -> Self {
        Self {
            status,
            blame: Blame::Sender,
            outcome: Outcome::Refused,
            rule: Rule::Message,
        }
    }

    const fn receiver(status: StatusCode, outcome: Outcome) -> Self {
        Self {
            status,
            blame: Blame::Receiver,
            outcome,
            rule: Rule::Message,
        }
    }

    const fn overload() -> Self {
        let (status, outcome) = (StatusCode::SERVICE_UNAVAILABLE, Outcome::Overloaded);
        Self {
            status,
            blame: Blame::Receiver,
            outcome,
            rule: Rule::Overload,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_says_by_which_rule_its_faults_are_answered() {
        let answered = |verdict: &Verdict| {
            [SoapVersion::Soap11, SoapVersion::Soap12].map(|version| {
                FaultStatus::ALL
                    .iter()
                    .map(|rule| verdict.answered(*rule, version).as_u16())
                    .collect::<Vec<_>>()
            })
        };
        // [SOAP 1.1, SOAP 1.2], each [soap, http]
        for (verdict, expected) in [
            (
                Verdict::sender(StatusCode::PAYLOAD_TOO_LARGE),
                [vec![500, 413], vec![400, 413]],
            ),
            (
                Verdict::receiver(StatusCode::BAD_GATEWAY, Outcome::Unreachable),
                [vec![500, 502], vec![500, 502]],
            ),
            (Verdict::overload(), [vec![503, 503], vec![503, 503]]),
            (
                Verdict::http(StatusCode::NOT_FOUND),
                [vec![404, 404], vec![404, 404]],
            ),
        ] {
            assert_eq!(answered(&verdict), expected);
        }
    }
}
