//! The documents of the admin API, as the listener writes them and the command line reads them.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::clock::rfc3339;
use crate::keys::lifecycle::{Key, KeyState};

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

/// An alias, its keys and what uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AliasView {
    /// Its name.
    pub alias: String,
    /// How its keys are renewed.
    pub strategy: String,
    /// The active one, the pending ones in order of import, the retired ones, latest first.
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
    /// pending, active or retired.
    pub state: String,
    /// Since when it is active or retired.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(format = DateTime)]
    pub since: Option<String>,
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
    /// Since the proxy started.
    pub use_counts: UseCountsView,
    /// When it was last used; null: not since the proxy started.
    #[schema(format = DateTime)]
    pub last_use: Option<String>,
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
}

/// A route that signs with an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteView {
    /// Its name.
    pub name: String,
    /// Where it leads.
    pub receiver: String,
}

/// Body of `activate`; optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActivateRequest {
    /// Only if this key is active now.
    #[schema(pattern = "^[0-9A-Fa-f]{64}$")]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replaces: Option<String>,
}

/// RFC 9457; of type `about:blank`, so the title is the status's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemView {
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What is wrong and what to do.
    pub detail: String,
}

impl KeyView {
    pub(super) fn of(key: &Key, state: KeyState) -> Self {
        let (certificate, usage) = (key.signer.certificate(), key.signer.usage());
        let since = match state {
            KeyState::Pending => None,
            KeyState::Active { since } | KeyState::Retired { since } => Some(rfc3339(since)),
        };
        Self {
            fingerprint: certificate.fingerprint().to_string(),
            state: state.name().to_owned(),
            since,
            imported: rfc3339(key.imported),
            subject: certificate.subject().to_owned(),
            issuer: certificate.issuer().to_owned(),
            serial: certificate.serial().to_owned(),
            key_type: key.signer.key_type().to_string(),
            validity: ValidityView {
                not_before: rfc3339(certificate.not_before()),
                not_after: rfc3339(certificate.not_after()),
            },
            use_counts: UseCountsView { signed: usage.uses },
            last_use: usage.last_use.map(rfc3339),
        }
    }
}
