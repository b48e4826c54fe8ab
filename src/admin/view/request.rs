//! Bodies of commands, and what they mean.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use crate::keys::generate::InvalidName;
use crate::keys::lifecycle::{Replacement, Schedule};
use crate::keys::{Fingerprint, NotAFingerprint, NotAReason, Reason};
use crate::spelling::UnknownWord;

/// Body of `activate`; optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActivateRequest {
    /// Only if this key is active then.
    #[schema(pattern = "^[0-9A-Fa-f]{64}$")]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replaces: Option<String>,
    /// Not now, but at this time, which is to come.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(format = DateTime)]
    pub at: Option<String>,
    /// Also where the receivers trust one key (`hold`, `receiver-led`), and are not known to have the certificate of this one.
    #[serde(skip_serializing_if = "is_false", default)]
    pub unconfirmed: bool,
    /// Not at all: forget the time that was set.
    #[serde(skip_serializing_if = "is_false", default)]
    pub cancel: bool,
}

/// Body of `rollback`; optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackRequest {
    /// Only if this key is active then. Needed directly after another step back, which this one undoes.
    #[schema(pattern = "^[0-9A-Fa-f]{64}$")]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replaces: Option<String>,
}

/// Body of `revoke`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeRequest {
    /// Why, in a line; for log and audit.
    pub reason: String,
    /// Of the active key: this pending or retired key signs from now on.
    #[schema(pattern = "^[0-9A-Fa-f]{64}$")]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub successor: Option<String>,
    /// Of the active key: nothing signs from now on.
    #[serde(skip_serializing_if = "is_false", default)]
    pub stop: bool,
}

/// Body of `purge`; optional.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PurgeRequest {
    /// Others know the private key of this revoked key: do not wait for its retention.
    #[serde(skip_serializing_if = "is_false", default)]
    pub compromised: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// What `activate` is asked for.
pub(in crate::admin) enum Activation {
    Now(Option<Fingerprint>, bool),
    Then(Schedule, bool),
    Never,
}

/// A body that contradicts itself, or names what is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::admin) enum RequestError {
    #[error(transparent)]
    Fingerprint(#[from] NotAFingerprint),
    #[error(transparent)]
    Reason(#[from] NotAReason),
    #[error(transparent)]
    KeyAlgorithm(#[from] UnknownWord),
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error("self_signed: {0}")]
    Lifetime(String),
    #[error("{0:?} is not a time: write it by RFC 3339, as 2030-01-31T22:00:00Z")]
    Time(String),
    #[error("cancel goes alone: leave `replaces`, `at` and `unconfirmed` out")]
    CancelAndMore,
    #[error("name the `successor` that signs instead, or say `stop`; not both")]
    SuccessorAndStop,
}

impl ActivateRequest {
    pub(in crate::admin) fn parse(self) -> Result<Activation, RequestError> {
        let replaces = self.replaces.map(|replaces| replaces.parse()).transpose()?;
        let unconfirmed = self.unconfirmed;
        match (self.cancel, self.at) {
            (true, None) if replaces.is_none() && !unconfirmed => Ok(Activation::Never),
            (true, _) => Err(RequestError::CancelAndMore),
            (false, None) => Ok(Activation::Now(replaces, unconfirmed)),
            (false, Some(at)) => {
                let at = OffsetDateTime::parse(&at, &Rfc3339).map_err(|_| RequestError::Time(at))?;
                let first = false;
                Ok(Activation::Then(Schedule { at, replaces, first }, unconfirmed))
            }
        }
    }
}

impl RevokeRequest {
    pub(in crate::admin) fn parse(self) -> Result<(Reason, Option<Replacement>), RequestError> {
        let replacement = match (self.successor, self.stop) {
            (None, false) => None,
            (None, true) => Some(Replacement::Stop),
            (Some(successor), false) => Some(Replacement::Successor(successor.parse()?)),
            (Some(_), true) => return Err(RequestError::SuccessorAndStop),
        };
        Ok((self.reason.parse()?, replacement))
    }
}
