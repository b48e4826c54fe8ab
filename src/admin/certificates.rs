//! Public halves: which key is meant by this reference, and what do receivers have to trust?

mod query;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::problem::{PROBLEM_JSON, Problem};
use super::view::{AliasPath, CertificateView, KeyView, ProblemView};
use super::{Admin, Caller};
use crate::certificates::{self, Wanted, formats};
use crate::keys::{CommandError, Found, Purpose};
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
    params(AliasPath, Wanted,
        ("Accept" = Option<String>, Header, description = "One of the types of the answer; PEM, if nothing is said"),
        ("If-None-Match" = Option<String>, Header, description = "An ETag of before")),
    responses(
        (status = 200, description = "The certificates", content((String = formats::PEM), (Vec<u8> = formats::PKCS7), (Object = formats::JWK_SET)),
            headers(("etag" = String, description = "Changes with the certificates and their states"))),
        (status = 304, description = "As before"),
        (status = 400, description = "No such form, or another question", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 404, description = "No such alias, or no such certificate of it", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 406, description = "None of these types", body = ProblemView, content_type = PROBLEM_JSON),
    ),
)]
pub(super) async fn of_alias(
    State(admin): State<Admin>,
    Path(AliasPath { alias }): Path<AliasPath>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let ring = admin.keys.ring();
    let keys = ring
        .alias(&alias)
        .ok_or_else(|| CommandError::UnknownAlias(alias.clone()))?;
    certificates::answer(&alias, keys, &wanted, &headers)
        .map_err(|refused| Problem::new(refused.status(), refused.to_string()))
}
