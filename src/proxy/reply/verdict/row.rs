//! The rows of the table, in words, and what each means. `OPERATING.md` shows it; a test holds the two together.

use http::StatusCode;

use super::{Rule, Verdict};
use crate::metrics::Outcome;
use crate::proxy::reply::fault::Blame;
use crate::spelling::vocabulary;

vocabulary! {
    /// Why a request is refused, as far as its answer tells.
    pub(super) enum Row {
        /// `RouteError::Host`.
        Host = "no `Host`, or several",
        /// Somebody else's address, or not somebody whom the route serves.
        Forbidden = "an absolute address that is no route's `url`; a sender that is not among the route's `clients`",
        /// `RouteError::Unknown`.
        NoRoute = "no such route",
        /// `RouteError::Method`, `RouteError::Tunnel`.
        Method = "another method than POST, or GET and HEAD for `?wsdl` and `?xsd`",
        /// `RouteError::Loop`.
        Loop = "it has passed through this proxy before",
        /// Nothing that we read.
        Type = "a type that is not SOAP, attachments, a content coding other than gzip and deflate",
        /// `ReadError::TransferCoding`.
        TransferCoding = "a transfer coding other than chunked",
        /// `ReadError::Expectation`.
        Expectation = "an `Expect` other than `100-continue`",
        /// `ReadError::TooSlow`.
        TooSlow = "it did not arrive in time",
        /// As HTTP says it, or as compressed data.
        Broken = "it broke off, its compression is broken, its query cannot be passed on",
        /// `ReadError::TooLarge`, `CodingError::Ratio`.
        TooLarge = "larger than `max_message`, or out of all proportion when inflated",
        /// `MessageErrorKind::Malformed`.
        Malformed = "not well-formed, not SOAP, beyond a limit, or against the route's profile",
        /// `MessageErrorKind::UnsupportedEncoding`.
        Encoding = "in a character encoding that is not served",
        /// `SigningError::NoKey`, `SigningError::Token`.
        NoKey = "the alias has no key that may sign now, or its token is away, too slow, or signs wrongly",
        /// `SigningError::Failed`, `SigningError::SelfCheck`.
        NotSigned = "the key did not sign, or the self-check found the result wrong",
        /// `ForwardError::Unreachable` and its like.
        Unreachable = "the receiver cannot be reached, breaks off, or its answer is none to a message",
        /// `ForwardError::Redirected`.
        Redirected = "the receiver leads elsewhere, and the message may not follow",
        /// `ForwardError::AnswerTooLarge`.
        AnswerTooLarge = "the receiver's answer is larger than `max_answer`",
        /// `ForwardError::TimedOut`, `ForwardError::ConnectTimedOut`.
        TimedOut = "the receiver does not answer in time",
        /// There is too much to do, or to wait for.
        Later = "too much to do, or held longer than the alias's `hold` allows",
    }
}

impl Row {
    /// What it means.
    pub(super) const fn verdict(self) -> Verdict {
        use StatusCode as S;
        match self {
            Self::Host => refused(S::BAD_REQUEST, Rule::Address),
            Self::Forbidden => refused(S::FORBIDDEN, Rule::Address),
            Self::NoRoute => refused(S::NOT_FOUND, Rule::Address),
            Self::Method => refused(S::METHOD_NOT_ALLOWED, Rule::Address),
            Self::Loop => refused(S::LOOP_DETECTED, Rule::Address),
            Self::Type => refused(S::UNSUPPORTED_MEDIA_TYPE, Rule::Http),
            Self::TransferCoding => refused(S::NOT_IMPLEMENTED, Rule::Http),
            Self::Expectation => refused(S::EXPECTATION_FAILED, Rule::Http),
            Self::TooSlow => refused(S::REQUEST_TIMEOUT, Rule::Http),
            Self::Broken => refused(S::BAD_REQUEST, Rule::Http),
            Self::TooLarge => refused(S::PAYLOAD_TOO_LARGE, Rule::Message),
            Self::Malformed => refused(S::BAD_REQUEST, Rule::Message),
            Self::Encoding => refused(S::UNSUPPORTED_MEDIA_TYPE, Rule::Message),
            Self::NoKey => failed(S::SERVICE_UNAVAILABLE, Outcome::NoKey, Rule::Message),
            Self::NotSigned => failed(S::INTERNAL_SERVER_ERROR, Outcome::NotSigned, Rule::Message),
            Self::Unreachable => failed(S::BAD_GATEWAY, Outcome::Unreachable, Rule::Message),
            Self::Redirected => failed(S::BAD_GATEWAY, Outcome::Redirected, Rule::Message),
            Self::AnswerTooLarge => failed(S::BAD_GATEWAY, Outcome::AnswerTooLarge, Rule::Message),
            Self::TimedOut => failed(S::GATEWAY_TIMEOUT, Outcome::TimedOut, Rule::Message),
            Self::Later => failed(S::SERVICE_UNAVAILABLE, Outcome::Overloaded, Rule::Later),
        }
    }
}

/// The sender must change it.
const fn refused(status: StatusCode, rule: Rule) -> Verdict {
    Verdict {
        status,
        blame: Blame::Sender,
        outcome: Outcome::Refused,
        rule,
    }
}

/// The same request may do later.
const fn failed(status: StatusCode, outcome: Outcome, rule: Rule) -> Verdict {
    Verdict {
        status,
        blame: Blame::Receiver,
        outcome,
        rule,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FaultStatus;
    use crate::wss::SoapVersion;

    const OPERATING: &str = include_str!("../../../../OPERATING.md");

    #[test]
    fn the_operators_read_the_table_that_is_served() {
        let table: String = Row::ALL.iter().copied().map(line).collect();
        assert!(
            OPERATING.contains(&table),
            "OPERATING.md has other rows than:\n{table}"
        );
    }

    fn line(row: Row) -> String {
        let verdict = row.verdict();
        let status = |by, version| verdict.answered(by, version).as_u16();
        let [soap11, soap12] =
            [SoapVersion::Soap11, SoapVersion::Soap12].map(|version| status(FaultStatus::Soap, version));
        let soap = if soap11 == soap12 {
            soap11.to_string()
        } else {
            format!("{soap11}; SOAP 1.2: {soap12}")
        };
        let [http, always] =
            [FaultStatus::Http, FaultStatus::Always500].map(|by| status(by, SoapVersion::Soap11));
        let code = match verdict.blame {
            Blame::Sender => "Client",
            Blame::Receiver => "Server",
        };
        let again = if verdict.asks_for_another_try() {
            "yes"
        } else {
            "–"
        };
        format!("| {row} | {code} | {soap} | {http} | {always} | {again} |\n")
    }
}
