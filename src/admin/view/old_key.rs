//! Whether a key that signs no more is still needed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::clock::rfc3339;
use crate::keys::lifecycle::Entry;

/// Whoever has not referred to a key for so long is taken to have forgotten it: month-end runs come in between.
const FORGOTTEN: Duration = Duration::from_secs(35 * 24 * 60 * 60);

/// A key that signs no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OldKeyView {
    /// SHA-256 of its certificate in lower-case hex.
    pub key: String,
    /// retired, revoked or purged; or active, where it signs again.
    pub state: String,
    /// It cannot be purged before.
    #[schema(format = DateTime)]
    pub kept_until: Option<String>,
    /// Messages that referred to it, to be verified or decrypted.
    pub looked_up: u64,
    /// When the last one did; null: none.
    #[schema(format = DateTime)]
    pub last_lookup: Option<String>,
    /// Its retention is over, and nobody has referred to it for 35 days.
    pub safe_to_purge: bool,
    /// Why, or why not.
    pub sentence: String,
}

impl OldKeyView {
    pub(in crate::admin) fn of(entry: &Entry<'_>, now: OffsetDateTime) -> Self {
        let looked_up = entry.identity.uses().counts().looked_up;
        let obstacle = obstacle(entry, looked_up.last, now);
        Self {
            key: entry.fingerprint().to_string(),
            state: entry.state.name().to_owned(),
            kept_until: entry.state.kept_until().map(rfc3339),
            looked_up: looked_up.times,
            last_lookup: looked_up.last.map(rfc3339),
            safe_to_purge: obstacle.is_none(),
            sentence: obstacle
                .unwrap_or_else(|| "it is safe to purge: nobody refers to it any more".to_owned()),
        }
    }
}

fn obstacle(entry: &Entry<'_>, last: Option<OffsetDateTime>, now: OffsetDateTime) -> Option<String> {
    let state = entry.state.name();
    let Some(until) = entry.state.kept_until() else {
        return Some(format!("it is {state}: there is nothing to purge"));
    };
    if now < until {
        return Some(format!("it is kept until {}", rfc3339(until)));
    }
    let last = last.filter(|last| now - *last < FORGOTTEN)?;
    Some(format!(
        "a message referred to it on {}: it may still be needed",
        rfc3339(last)
    ))
}
