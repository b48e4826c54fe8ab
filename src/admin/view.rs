//! The documents of the admin API, as the listener writes them and the command line reads them.

mod audit;
mod event;
mod old_key;
mod preflight;
mod probe;
mod renewal;
mod request;
mod signs;
mod waiting;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub use audit::{AuditView, VerificationView};
pub use event::{EventAnswer, EventAnswers, EventRequest};
pub use old_key::OldKeyView;
pub use preflight::{Check, ConcernedRouteView, FindingView, PreflightView, Severity};
pub use probe::{AttemptView, KeyRefusedView, ProbeView};
pub use renewal::{
    AbortRequest, ConfirmRequest, ConfirmationView, Duty, GateView, LinkView, PublishRequest, PublishedView,
    RenewalView, StartRequest, StepView, WaitingForView,
};
pub use request::{ActivateRequest, PurgeRequest, RevokeRequest, RollbackRequest};
pub(super) use request::{Activation, RequestError};
pub use signs::SigningKeyView;
pub use waiting::{GenerateRequest, GeneratedView, WaitingView};

use crate::clock::rfc3339;
use crate::keys::lifecycle::Entry;

/// A key to import, in PKCS#12.
pub const PKCS12: &str = "application/x-pkcs12";
/// A key to import, in PEM, with its certificate and chain.
pub const PEM: &str = "application/x-pem-file";
/// Opens the key that is imported, in either form.
pub const PASSWORD_HEADER: &str = "pkcs12-password";

/// Names an alias.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct AliasPath {
    /// The signing identity.
    pub(super) alias: String,
}

/// Names a key.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct KeyPath {
    /// The signing identity.
    pub(super) alias: String,
    /// SHA-256 of the certificate in hex.
    #[param(pattern = "^[0-9A-Fa-f]{64}$")]
    pub(super) fingerprint: String,
}

/// Names a renewal.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct RenewalPath {
    /// As it was started, `r-` and 16 hex digits.
    #[param(pattern = "^r-[0-9a-f]{16}$")]
    pub(super) renewal: String,
}

/// Names a key that waits for its certificate.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct RequestPath {
    /// The signing identity.
    pub(super) alias: String,
    /// SHA-256 of the SubjectPublicKeyInfo in hex.
    #[param(pattern = "^[0-9A-Fa-f]{64}$")]
    pub(super) public_key: String,
}

/// An alias, its keys and what uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AliasView {
    /// Its name.
    pub alias: String,
    /// How its keys are renewed.
    pub strategy: String,
    /// Since when its routes answer 503 because its keys came from a backup that may be older than what it signed with; null:
    /// they do not.
    #[serde(default)]
    pub unreviewed_since: Option<String>,
    /// The key that signs; null: none does, and its routes refuse messages.
    pub signs: Option<SigningKeyView>,
    /// Whether its messages go on their way.
    pub gate: GateView,
    /// The exchange of its key that goes on.
    pub renewal: Option<RenewalView>,
    /// Pending keys between which nobody has decided: none of them is tried where a receiver refuses the active one.
    pub ambiguous_candidates: Vec<String>,
    /// Pending keys whose renewal was aborted: none of them is tried there, until its renewal begins again.
    #[serde(default)]
    pub given_up_candidates: Vec<String>,
    /// Why its source brings no key that may sign; null: it does, or there is none.
    pub source_problem: Option<String>,
    /// Keys that were generated here and have no certificate yet, in the order in which they were generated.
    pub waiting: Vec<WaitingView>,
    /// The active one, the pending ones in order of import, the retired ones, displaced last first, the revoked and the
    /// purged ones.
    pub keys: Vec<KeyView>,
    /// What is signed with it.
    pub routes: Vec<RouteView>,
}

/// A key. Times are RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyView {
    /// SHA-256 of the certificate in lower-case hex.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub fingerprint: String,
    /// pending, active, retired, revoked or purged.
    pub state: String,
    /// Since when it is; pending keys are since their import.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(format = DateTime)]
    pub since: Option<String>,
    /// Of a retired or revoked key: it cannot be purged before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(format = DateTime)]
    pub kept_until: Option<String>,
    /// Of a retired key: the one before it took its place again, so a renewal may lead to it once more.
    #[serde(default)]
    pub rolled_back: bool,
    /// Of a revoked key: why it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Of a pending key: it will be activated then.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(format = DateTime)]
    pub activate_at: Option<String>,
    /// And only if this key is active then.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub activate_replaces: Option<String>,
    /// When it was imported.
    #[schema(format = DateTime)]
    pub imported: String,
    /// Of the certificate, RFC 4514.
    pub subject: String,
    /// Likewise.
    pub issuer: String,
    /// In decimal.
    pub serial: String,
    /// RSA with its bits, or the curve.
    pub key_type: String,
    /// Of the certificate.
    pub validity: ValidityView,
    /// Since it was imported, whatever restarts there were.
    pub use_counts: UseCountsView,
    /// When a message was last signed with it; null: never.
    #[schema(format = DateTime)]
    pub last_use: Option<String>,
    /// When a message last referred to it, to be verified or decrypted; null: never.
    #[schema(format = DateTime)]
    pub last_lookup: Option<String>,
}

/// A certificate that was found, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateView {
    /// The signing identity.
    pub alias: String,
    /// The key.
    pub key: KeyView,
    /// In PEM.
    pub certificate: String,
    /// Further certificates of the path in PEM, signer's issuer first.
    pub chain: Vec<String>,
}

/// First and last instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ValidityView {
    /// First.
    #[schema(format = DateTime)]
    pub not_before: String,
    /// Last.
    #[schema(format = DateTime)]
    pub not_after: String,
}

/// What a key was used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UseCountsView {
    /// Messages signed.
    pub signed: u64,
    /// Messages that referred to it, to be verified or decrypted.
    pub looked_up: u64,
}

/// A route that signs with an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteView {
    /// Its name.
    pub name: String,
    /// Where it leads.
    pub receiver: String,
}

/// RFC 9457; without a type it is `about:blank`, so the title is the status's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemView {
    /// `urn:countersign:problem:outcome-unknown`, with status 500: whether the change was made is not known.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none", default)]
    pub kind: Option<String>,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What is wrong and what to do.
    pub detail: String,
}

impl KeyView {
    pub(super) fn of(entry: &Entry<'_>) -> Self {
        let (certificate, uses) = (entry.identity.certificate(), entry.identity.uses().counts());
        let schedule = entry.state.schedule();
        Self {
            fingerprint: certificate.fingerprint().to_string(),
            state: entry.state.name().to_owned(),
            since: entry.state.since().map(rfc3339),
            kept_until: entry.state.kept_until().map(rfc3339),
            rolled_back: entry.state.is_rolled_back(),
            reason: entry.state.reason().map(ToString::to_string),
            activate_at: schedule.map(|schedule| rfc3339(schedule.at)),
            activate_replaces: schedule
                .and_then(|schedule| schedule.replaces.as_ref())
                .map(ToString::to_string),
            imported: rfc3339(entry.arrival.at),
            subject: certificate.subject().to_owned(),
            issuer: certificate.issuer().to_owned(),
            serial: certificate.serial().to_owned(),
            key_type: entry.identity.key_type().to_string(),
            validity: ValidityView {
                not_before: rfc3339(certificate.not_before()),
                not_after: rfc3339(certificate.not_after()),
            },
            use_counts: UseCountsView {
                signed: uses.signed.times,
                looked_up: uses.looked_up.times,
            },
            last_use: uses.signed.last.map(rfc3339),
            last_lookup: uses.looked_up.last.map(rfc3339),
        }
    }
}
