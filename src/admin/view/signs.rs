//! Which key signs, as every command that may change it tells.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::rfc3339;
use crate::keys::lifecycle::{KeyState, Lifecycle};

/// The key that every new message of an alias is signed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SigningKeyView {
    /// SHA-256 of its certificate in lower-case hex.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub fingerprint: String,
    /// Of its certificate, RFC 4514.
    pub subject: String,
    /// It does since then.
    #[schema(format = DateTime)]
    pub since: String,
}

impl SigningKeyView {
    pub(in crate::admin) fn of(keys: &Lifecycle) -> Option<Self> {
        let mut active = keys.keys().filter_map(|entry| {
            let KeyState::Active { since, .. } = entry.state else {
                return None;
            };
            Some(Self {
                fingerprint: entry.fingerprint().to_string(),
                subject: entry.identity.certificate().subject().to_owned(),
                since: rfc3339(since),
            })
        });
        active.next()
    }
}
