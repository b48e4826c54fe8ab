//! Keys that are generated here: a request for a certificate goes out, an authority's answer comes in.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::Admin;
use super::access::By;
use super::commands::on_a_thread;
use super::json::OptionalJson;
use super::problem::{PROBLEM_JSON, Problem};
use super::view::{
    AliasPath, AliasView, GenerateRequest, GeneratedView, KeyView, ProblemView, RequestPath, WaitingView,
};
use crate::keys::source::certificates;
use crate::keys::{CommandError, Fingerprint, GenerationError};

/// Generates a key
///
/// Its private half never leaves the proxy. It waits for its certificate, which the request in the answer asks an
/// authority for; or, with `self_signed`, it has one of its own at once and is a key like one that was imported.
#[utoipa::path(post, path = "/api/v1/aliases/{alias}/requests", tag = "keys",
    params(AliasPath),
    request_body = GenerateRequest,
    responses(
        (status = 201, description = "A new key", body = GeneratedView),
        (status = 400, description = "No such type, subject or name, or not this JSON", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 404, description = "No such alias", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 415, description = "Not JSON", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 503, description = "It cannot be stored now; nothing was changed", body = ProblemView, content_type = PROBLEM_JSON),
    ),
)]
pub(super) async fn generate(
    State(admin): State<Admin>,
    By(author): By,
    Path(AliasPath { alias }): Path<AliasPath>,
    OptionalJson(request): OptionalJson<GenerateRequest>,
) -> Result<(StatusCode, Json<GeneratedView>), Problem> {
    let (wanted, lifetime) = request.parse()?;
    on_a_thread(move || {
        admin.alias(&alias)?;
        let pair = wanted.generate().map_err(GenerationError::from)?;
        let (operator, now) = (admin.keys.by(author), admin.clock.now());
        let generated = match lifetime {
            None => {
                let waiting = operator.await_certificate(&alias, pair, now)?;
                GeneratedView {
                    request: Some(WaitingView::of(&waiting)),
                    key: None,
                }
            }
            Some(lifetime) => {
                let material = pair.self_signed(now, lifetime).map_err(GenerationError::from)?;
                let imported = operator.import(&alias, material, admin.after_import(&alias), now)?;
                GeneratedView {
                    request: None,
                    key: Some(admin.key(&alias, &imported.fingerprint)?),
                }
            }
        };
        Ok((StatusCode::CREATED, Json(generated)))
    })
    .await
}

/// Shows the request of a key that waits for its certificate
#[utoipa::path(get, path = "/api/v1/aliases/{alias}/requests/{public_key}",
    operation_id = "show_request", tag = "keys", params(RequestPath), responses(
    (status = 200, description = "With the PKCS#10 request in PEM", body = WaitingView),
    (status = 400, description = "No fingerprint", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 404, description = "No such alias, or no such key waits", body = ProblemView, content_type = PROBLEM_JSON),
))]
pub(super) async fn show(
    State(admin): State<Admin>,
    Path(RequestPath { alias, public_key }): Path<RequestPath>,
) -> Result<Json<WaitingView>, Problem> {
    let public_key: Fingerprint = public_key.parse()?;
    let waiting = admin.keys.waiting(&alias);
    let found = waiting.iter().find(|waiting| *waiting.public_key() == public_key);
    match found {
        Some(waiting) => Ok(Json(WaitingView::of(waiting))),
        None => Err(CommandError::NotWaiting { alias, public_key }.into()),
    }
}

/// Discards a key that waits for its certificate
///
/// Its private half is destroyed: a certificate that comes later is of no use.
#[utoipa::path(post, path = "/api/v1/aliases/{alias}/requests/{public_key}/discard",
    operation_id = "discard_request", tag = "keys", params(RequestPath), responses(
    (status = 200, description = "The key is gone", body = AliasView),
    (status = 400, description = "No fingerprint", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 404, description = "No such alias, or no such key waits", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 503, description = "It cannot be stored now; nothing was changed", body = ProblemView, content_type = PROBLEM_JSON),
))]
pub(super) async fn discard(
    State(admin): State<Admin>,
    By(author): By,
    Path(RequestPath { alias, public_key }): Path<RequestPath>,
) -> Result<Json<AliasView>, Problem> {
    let public_key: Fingerprint = public_key.parse()?;
    on_a_thread(move || {
        let operator = admin.keys.by(author);
        operator.discard_waiting(&alias, &public_key, admin.clock.now())?;
        admin.alias(&alias).map(Json)
    })
    .await
}

/// Takes in the certificate of a key that was generated here
///
/// With what leads from there to a root, in any order: PEM, DER, or PKCS#7 in either. The key that waits for it is
/// found by its public key, and is pending then, as if it had been imported. So is one that has a certificate already, pending or
/// active: with the new one it is another key here.
#[utoipa::path(post, path = "/api/v1/aliases/{alias}/certificates", tag = "keys",
    params(AliasPath),
    request_body(
        content((String = "application/x-pem-file"), (Vec<u8> = "application/pkix-cert"), (Vec<u8> = "application/pkcs7-mime")),
        description = "What the authority answered",
    ),
    responses(
        (status = 201, description = "A new key", body = KeyView),
        (status = 200, description = "A key that was known; nothing was changed", body = KeyView),
        (status = 404, description = "No such alias", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 422, description = "No certificate of a key that waits, or one that may not sign", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 503, description = "It cannot be stored now; nothing was changed", body = ProblemView, content_type = PROBLEM_JSON),
    ),
)]
pub(super) async fn certify(
    State(admin): State<Admin>,
    By(author): By,
    Path(AliasPath { alias }): Path<AliasPath>,
    body: Bytes,
) -> Result<(StatusCode, Json<KeyView>), Problem> {
    on_a_thread(move || {
        admin.alias(&alias)?;
        let certificates = certificates(&body)?;
        let (operator, now) = (admin.keys.by(author), admin.clock.now());
        let certified = operator.certify(&alias, certificates, admin.after_import(&alias), now);
        let imported = certified.map_err(Problem::of_import)?;
        let status = if imported.new {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        Ok((status, Json(admin.key(&alias, &imported.fingerprint)?)))
    })
    .await
}
