//! What a probe found out: what the receiver said of each attempt, what to write into `key_refused`, and what speaks
//! against it.

use http::StatusCode;

use super::Attempt;
use crate::proxy::answer::{Finding, Judged};
use crate::wss::fault::Fault;
use crate::wss::key_refused::{Refusals, excluded, suggest};

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// In the order in which they were sent.
    pub answered: Vec<Answered>,
    /// What the route's `key_refused` should name; `None`: nothing is safe, and the warnings say why.
    pub key_refused: Option<Refusals>,
    /// What an operator has to know, in sentences.
    pub warnings: Vec<String>,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Why it was to be refused.
    pub attempt: Attempt,
    /// What the receiver made of it.
    pub answer: Answer,
}

/// What a receiver made of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It took it.
    Accepted(StatusCode),
    /// It refused it with a fault.
    Fault(StatusCode, Fault),
    /// Something else came, in which there is no fault to be read.
    Other(StatusCode),
    /// Nothing came; why.
    None(String),
}

impl Answer {
    pub(super) fn of(judged: Judged) -> Self {
        let status = judged.response.status();
        match (judged.fault, judged.finding) {
            (Some(fault), _) => Self::Fault(status, fault),
            (None, Finding::Accepted) => Self::Accepted(status),
            (None, Finding::KeyRefused | Finding::Other) => Self::Other(status),
        }
    }

    /// If one came.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Accepted(status) | Self::Fault(status, _) | Self::Other(status) => Some(*status),
            Self::None(_) => None,
        }
    }

    /// If it was one.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(_, fault) => Some(fault),
            Self::Accepted(_) | Self::Other(_) | Self::None(_) => None,
        }
    }
}

const NOT_ASKED: &str = "only the attempt unknown-key shows what to write into key_refused";
const NOT_VERIFIED: &str =
    "this receiver does not verify signatures: it accepted a message signed by a key that nobody trusts";
const ALTERED_ACCEPTED: &str = "this receiver does not verify signatures: it accepted an altered message";
const EXPIRED_ACCEPTED: &str =
    "this receiver does not check Timestamps: it accepted a message that expired yesterday";
const OWN_WORD: &str = "this entry is no known one: ask whoever runs the receiver whether it says this only before it \
    processes a message, or messages may be processed twice";
const FAULTS_WITH_200: &str = "this receiver sends faults with status 200; write faults_with_200 = true into the route, or none is noticed";

impl Report {
    pub(super) fn of(answered: Vec<Answered>, faults_with_200: bool) -> Self {
        let mut warnings = Vec::new();
        let of = |attempt| answered.iter().find(|answered| answered.attempt == attempt);
        let mut suggested = match of(Attempt::UnknownKey) {
            Some(answered) => suggestion(&answered.answer)
                .map_err(|sentence| warnings.push(sentence))
                .ok(),
            None => {
                warnings.push(NOT_ASKED.to_owned());
                None
            }
        };
        if let Some(Refusals::Own(_)) = suggested {
            warnings.push(OWN_WORD.to_owned());
        }
        for (attempt, accepted) in [
            (Attempt::Altered, ALTERED_ACCEPTED),
            (Attempt::Expired, EXPIRED_ACCEPTED),
        ] {
            let Some(answered) = of(attempt) else { continue };
            warnings.extend(remark(answered, accepted, suggested.as_ref()));
            if attempt == Attempt::Altered && matches!(answered.answer, Answer::Accepted(_)) {
                suggested = None;
            }
        }
        let with_200 = |answered: &Answered| matches!(answered.answer, Answer::Fault(StatusCode::OK, _));
        if !faults_with_200 && answered.iter().any(with_200) {
            warnings.push(FAULTS_WITH_200.to_owned());
        }
        Self {
            answered,
            key_refused: suggested,
            warnings,
        }
    }
}

/// By what the receiver said of an unknown key.
fn suggestion(answer: &Answer) -> Result<Refusals, String> {
    match answer {
        Answer::Fault(_, fault) => suggest(fault).map_err(|reason| format!("no entry is safe: {reason}")),
        Answer::Accepted(_) => Err(NOT_VERIFIED.to_owned()),
        Answer::Other(status) => Err(format!(
            "the receiver answered {status} without a SOAP fault that can be read: nothing says that the key is the reason"
        )),
        Answer::None(reason) => Err(format!("there was no answer: {reason}")),
    }
}

/// What its answer to another attempt says about the entry.
fn remark(answered: &Answered, accepted: &str, entry: Option<&Refusals>) -> Option<String> {
    let attempt = answered.attempt;
    match &answered.answer {
        Answer::Accepted(_) => Some(accepted.to_owned()),
        Answer::Fault(_, fault) => entry
            .filter(|entry| excluded(fault).is_none() && entry.names(fault))
            .map(|_| {
                format!(
                    "the receiver says the same of a message that is {attempt}: such a one is sent a second time, with the \
                     other key"
                )
            }),
        Answer::Other(status) => Some(format!("{attempt}: the receiver answered {status} without a SOAP fault")),
        Answer::None(reason) => Some(format!("{attempt}: there was no answer: {reason}")),
    }
}
