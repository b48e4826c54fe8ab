//! Keys that are generated here, until they have a certificate.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{KeyView, RequestError};
use crate::clock::rfc3339;
use crate::config::parse_duration;
use crate::keys::Waiting;
use crate::keys::generate::Wanted;

/// Body of the command to generate a key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GenerateRequest {
    /// rsa-2048, rsa-3072, rsa-4096, p-256, p-384 or ed25519.
    #[serde(rename = "type")]
    pub key_type: String,
    /// By RFC 4514, as `CN=Orders,O=Example,C=DE`.
    pub subject: String,
    /// Alternative names, as `DNS:sender.example.com`, `IP:…`, `URI:…`, `email:…`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub san: Vec<String>,
    /// No request: a certificate of its own, valid for as long as `365d`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub self_signed: Option<String>,
}

/// A key that was generated: either of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GeneratedView {
    /// It waits for its certificate.
    pub request: Option<WaitingView>,
    /// It is self-signed.
    pub key: Option<KeyView>,
}

/// A key that waits for its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitingView {
    /// SHA-256 of its SubjectPublicKeyInfo, lower-case hex: its name until it has a certificate.
    pub public_key: String,
    /// Whose it shall be.
    pub subject: String,
    /// RSA-3072, P-256, …
    pub key_type: String,
    /// When it was generated.
    #[schema(format = DateTime)]
    pub made: String,
    /// PKCS#10 in PEM, for the authority.
    pub request: String,
}

impl WaitingView {
    pub(in crate::admin) fn of(waiting: &Waiting) -> Self {
        Self {
            public_key: waiting.public_key().to_string(),
            subject: waiting.subject().to_owned(),
            key_type: waiting.key_type().to_string(),
            made: rfc3339(waiting.made()),
            request: waiting.request(),
        }
    }
}

impl GenerateRequest {
    pub(in crate::admin) fn parse(self) -> Result<(Wanted, Option<Duration>), RequestError> {
        let names = self.san.iter().map(|name| name.parse());
        let wanted = Wanted {
            algorithm: self.key_type.parse()?,
            subject: self.subject.parse()?,
            alternative_names: names.collect::<Result<_, _>>()?,
        };
        let lifetime = self.self_signed.as_deref().map(parse_duration).transpose();
        let lifetime = lifetime.map_err(RequestError::Lifetime)?;
        Ok((wanted, lifetime))
    }
}
