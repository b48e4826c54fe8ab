//! What a probe found out.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::proxy::probe::{Answer, Answered, Report};
use crate::wss::key_refused::{Entry, Refusals};

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProbeView {
    /// In the order in which they were sent.
    pub attempts: Vec<AttemptView>,
    /// What to write into the route; null: nothing is safe, and the warnings say why.
    pub key_refused: Option<Vec<KeyRefusedView>>,
    /// What an operator has to know.
    pub warnings: Vec<String>,
}

/// One attempt and what the receiver made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttemptView {
    /// unknown-key, altered or expired.
    pub attempt: String,
    /// Of the answer.
    pub status: Option<u16>,
    /// Of a fault, as `key_refused` spells it.
    pub code: Option<String>,
    /// Of a fault, white space folded.
    pub text: Option<String>,
    /// It was not refused.
    pub accepted: bool,
    /// Why no answer came.
    pub error: Option<String>,
}

/// One element of a route's `key_refused`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum KeyRefusedView {
    /// A named set.
    Set(String),
    /// An entry of the route's own.
    Own {
        /// `{namespace}Local`, or the name alone of a code of SOAP's.
        code: String,
        /// Part of the fault's text.
        text: Option<String>,
    },
}

impl ProbeView {
    pub(in crate::admin) fn of(report: &Report) -> Self {
        Self {
            attempts: report.answered.iter().map(AttemptView::of).collect(),
            key_refused: report
                .key_refused
                .as_ref()
                .map(|refusals| vec![KeyRefusedView::of(refusals)]),
            warnings: report.warnings.clone(),
        }
    }
}

impl AttemptView {
    fn of(Answered { attempt, answer }: &Answered) -> Self {
        let fault = answer.fault();
        Self {
            attempt: attempt.to_string(),
            status: answer.status().map(|status| status.as_u16()),
            code: fault.and_then(|fault| fault.code().map(ToString::to_string)),
            text: fault.map(|fault| fault.text()),
            accepted: matches!(answer, Answer::Accepted(_)),
            error: match answer {
                Answer::None(reason) => Some(reason.clone()),
                Answer::Accepted(_) | Answer::Fault(..) | Answer::Other(_) => None,
            },
        }
    }
}

impl KeyRefusedView {
    fn of(refusals: &Refusals) -> Self {
        match refusals {
            Refusals::Set(set) => Self::Set(set.to_string()),
            Refusals::Own(Entry { code, text }) => Self::Own {
                code: code.to_string(),
                text: text.clone(),
            },
        }
    }
}
