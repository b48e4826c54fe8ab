//! An alias's certificates as receivers take them, from whichever listener hands them out.
//!
//! Of every key that may have signed a message that is still under way, or will sign one: active, pending and retired,
//! each with its state. Never those of revoked, purged or discarded keys.

pub(crate) mod formats;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::keys::lifecycle::{KeyState, Lifecycle};
use crate::spelling::UnknownWord;
use formats::Format;

/// Which of them, and how; said in the address, for those who cannot say it in a header.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// pem, pkcs7 or jwks; overrides `Accept`.
    #[param(required = false)]
    format: Option<String>,
    /// SHA-256 of one certificate in hex: that one alone.
    #[param(required = false)]
    fingerprint: Option<String>,
}

/// Why certificates are not handed out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotHandedOut {
    /// The address names none of ours.
    #[error("format: {0}")]
    Format(#[from] UnknownWord),
    /// The header names none of ours.
    #[error("the certificates are there as {}", Format::media_types().join(", "))]
    NotAcceptable,
    /// It has no such key, or nobody is to trust it.
    #[error("no certificate of this fingerprint is handed out")]
    Unknown,
}

impl NotHandedOut {
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::Format(_) => StatusCode::BAD_REQUEST,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::Unknown => StatusCode::NOT_FOUND,
        }
    }
}

/// What somebody gets who asks for the certificates of `alias`.
pub(crate) fn answer(
    alias: &str,
    keys: &Lifecycle,
    wanted: &Wanted,
    headers: &HeaderMap,
) -> Result<Response, NotHandedOut> {
    let format = format(wanted, headers)?;
    let one = wanted.fingerprint.as_deref().map(str::to_ascii_lowercase);
    let is_wanted = |fingerprint: &str| one.as_deref().is_none_or(|one| one == fingerprint);
    let certificates: Vec<_> = keys
        .keys()
        .filter(|entry| verifies(&entry.state) && is_wanted(entry.fingerprint()))
        .collect();
    if one.is_some() && certificates.is_empty() {
        return Err(NotHandedOut::Unknown);
    }
    let body = format.write(&certificates);
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest(&SHA256, &body)));
    // Kept, and asked about each time: trust goes by it.
    let shared = [
        (ETAG, tag.clone()),
        (VARY, "accept".to_owned()),
        (CACHE_CONTROL, "no-cache".to_owned()),
    ];
    if is_known(headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, shared).into_response());
    }
    // Names of aliases are letters, digits, '-' and '_'.
    let file = format!("attachment; filename=\"{alias}.{}\"", format.extension());
    let described = [
        (CONTENT_TYPE, format.media_type().to_owned()),
        (CONTENT_DISPOSITION, file),
    ];
    Ok((shared, described, body).into_response())
}

fn format(wanted: &Wanted, headers: &HeaderMap) -> Result<Format, NotHandedOut> {
    if let Some(name) = &wanted.format {
        return Ok(name.parse()?);
    }
    let accepted = headers.get(ACCEPT).and_then(|accepted| accepted.to_str().ok());
    Format::accepted(accepted).ok_or(NotHandedOut::NotAcceptable)
}

/// The table of states: what such a key signed verifies.
const fn verifies(state: &KeyState) -> bool {
    match state {
        KeyState::Pending { .. } | KeyState::Active { .. } | KeyState::Retired { .. } => true,
        KeyState::Revoked { .. } | KeyState::Purged { .. } | KeyState::Discarded { .. } => false,
    }
}

/// RFC 9110, section 13.1.2.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    known
        .flat_map(|value| value.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == "*" || known == tag)
}
