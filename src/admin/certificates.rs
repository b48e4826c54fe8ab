//! Public halves: which key is meant by this reference, and what do receivers have to trust?

mod formats;
mod query;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::problem::{PROBLEM_JSON, Problem};
use super::view::{AliasPath, CertificateView, KeyView, ProblemView};
use super::{Admin, Caller};
use crate::keys::lifecycle::KeyState;
use crate::keys::{CommandError, Found, Purpose};
use formats::Format;
use query::CertificateQuery;

/// Finds certificates
///
/// Among the keys of all states, by issuer and serial number, thumbprint or subject key identifier. Several can
/// answer to one of them.
#[utoipa::path(get, path = "/api/v1/certificates", tag = "certificates", params(CertificateQuery), responses(
    (status = 200, description = "Those that the caller may see", body = Vec<CertificateView>),
    (status = 400, description = "Not one way to refer to a certificate", body = ProblemView, content_type = PROBLEM_JSON),
))]
pub(super) async fn find(
    State(admin): State<Admin>,
    caller: Caller,
    Query(query): Query<CertificateQuery>,
) -> Result<Json<Vec<CertificateView>>, Problem> {
    let reference = query.parse()?;
    let found = admin.keys.look_up(&reference, Purpose::Find, admin.clock.now());
    let found = found.into_iter().filter(|key| caller.sees(&key.alias));
    Ok(Json(
        found
            .map(|key| {
                admin
                    .metrics
                    .key_looked_up(&key.alias, Purpose::Find, key.state.name());
                view(&key)
            })
            .collect(),
    ))
}

fn view(key: &Found) -> CertificateView {
    CertificateView {
        alias: key.alias.to_string(),
        key: KeyView::of(&key.entry()),
        certificate: formats::certificate(key.identity.certificate().der()),
        chain: key
            .identity
            .chain()
            .iter()
            .map(|issuer| formats::certificate(issuer.der()))
            .collect(),
    }
}

/// The certificates of an alias
///
/// Of every key that may have signed a message that is still under way, or will sign one: active, pending and
/// retired. With their states in PEM and as a JWK Set; PKCS#7 has no place for them.
#[utoipa::path(get, path = "/certificates/{alias}", tag = "certificates",
    params(AliasPath, ("Accept" = Option<String>, Header, description = "One of the types of the answer; PEM, if nothing is said"),
        ("If-None-Match" = Option<String>, Header, description = "An ETag of before")),
    responses(
        (status = 200, description = "The certificates", content((String = formats::PEM), (Vec<u8> = formats::PKCS7), (Object = formats::JWK_SET)),
            headers(("etag" = String, description = "Changes with the certificates and their states"))),
        (status = 304, description = "As before"),
        (status = 404, description = "No such alias", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 406, description = "None of these types", body = ProblemView, content_type = PROBLEM_JSON),
    ),
)]
pub(super) async fn of_alias(
    State(admin): State<Admin>,
    Path(AliasPath { alias }): Path<AliasPath>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let accepted = headers.get(ACCEPT).and_then(|accepted| accepted.to_str().ok());
    let format = Format::accepted(accepted).ok_or_else(|| {
        let sentence = format!("the certificates are there as {}", Format::all().join(", "));
        Problem::new(StatusCode::NOT_ACCEPTABLE, sentence)
    })?;
    let ring = admin.keys.ring();
    let keys = ring
        .alias(&alias)
        .ok_or_else(|| CommandError::UnknownAlias(alias.clone()))?;
    let published: Vec<_> = keys.keys().filter(|entry| verifies(&entry.state)).collect();
    let body = format.write(&published);
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest(&SHA256, &body)));
    let shared = [(ETAG, tag.clone()), (VARY, "accept".to_owned())];
    if is_known(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, shared).into_response());
    }
    Ok((shared, [(CONTENT_TYPE, format.media_type())], body).into_response())
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
