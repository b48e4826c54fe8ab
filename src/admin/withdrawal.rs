//! How an operator takes keys out of use. Each call returns when it is done and durable.

use axum::Json;
use axum::extract::{Path, State};

use super::Admin;
use super::access::By;
use super::commands::on_a_thread;
use super::json::OptionalJson;
use super::problem::{PROBLEM_JSON, Problem};
use super::view::{AliasView, KeyPath, ProblemView, PurgeRequest, RevokeRequest};
use crate::keys::Fingerprint;

/// Revokes a key
///
/// It signs and verifies no more; it still decrypts. The active key is only revoked together with the key that
/// signs instead, or with `stop`, after which messages of its routes are refused.
#[utoipa::path(post, path = "/api/v1/aliases/{alias}/keys/{fingerprint}/revoke", tag = "keys",
    params(KeyPath),
    request_body = RevokeRequest,
    responses(
        (status = 200, description = "The key is revoked", body = AliasView),
        (status = 400, description = "No fingerprint, no reason, or not this JSON", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 404, description = "No such alias or key", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 409, description = "The key's state, or the successor's, does not allow it", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 415, description = "Not JSON", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 503, description = "It cannot be stored now; nothing was changed", body = ProblemView, content_type = PROBLEM_JSON),
    ),
)]
pub(super) async fn revoke(
    State(admin): State<Admin>,
    By(author): By,
    Path(KeyPath { alias, fingerprint }): Path<KeyPath>,
    OptionalJson(request): OptionalJson<RevokeRequest>,
) -> Result<Json<AliasView>, Problem> {
    let fingerprint: Fingerprint = fingerprint.parse()?;
    let (reason, replacement) = request.parse()?;
    on_a_thread(move || {
        let operator = admin.keys.by(author);
        operator.revoke(&alias, fingerprint, reason, replacement, admin.clock.now())?;
        admin.alias(&alias).map(Json)
    })
    .await
}

/// Discards a pending key
///
/// Its private key is destroyed. The alias's source does not bring it back; an import does.
#[utoipa::path(post, path = "/api/v1/aliases/{alias}/keys/{fingerprint}/discard", tag = "keys", params(KeyPath), responses(
    (status = 200, description = "The key is gone", body = AliasView),
    (status = 400, description = "No fingerprint", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 404, description = "No such alias or key", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 409, description = "It is not pending", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 503, description = "It cannot be stored now; nothing was changed", body = ProblemView, content_type = PROBLEM_JSON),
))]
pub(super) async fn discard(
    State(admin): State<Admin>,
    By(author): By,
    Path(KeyPath { alias, fingerprint }): Path<KeyPath>,
) -> Result<Json<AliasView>, Problem> {
    let fingerprint: Fingerprint = fingerprint.parse()?;
    on_a_thread(move || {
        let operator = admin.keys.by(author);
        operator.discard(&alias, fingerprint, admin.clock.now())?;
        admin.alias(&alias).map(Json)
    })
    .await
}

/// Purges a key
///
/// The private key of a retired or revoked key is destroyed; certificate and audit stay. Refused before its retention
/// is over, unless it is revoked and `compromised`.
#[utoipa::path(post, path = "/api/v1/aliases/{alias}/keys/{fingerprint}/purge", tag = "keys",
    params(KeyPath),
    request_body = Option<PurgeRequest>,
    responses(
        (status = 200, description = "The key is purged", body = AliasView),
        (status = 400, description = "No fingerprint, or not this JSON", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 404, description = "No such alias or key", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 409, description = "Its retention is not over, with the date, or its state does not allow it", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 415, description = "Not JSON", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 503, description = "It cannot be stored now; nothing was changed", body = ProblemView, content_type = PROBLEM_JSON),
    ),
)]
pub(super) async fn purge(
    State(admin): State<Admin>,
    By(author): By,
    Path(KeyPath { alias, fingerprint }): Path<KeyPath>,
    OptionalJson(request): OptionalJson<PurgeRequest>,
) -> Result<Json<AliasView>, Problem> {
    let fingerprint: Fingerprint = fingerprint.parse()?;
    on_a_thread(move || {
        let operator = admin.keys.by(author);
        operator.purge(&alias, fingerprint, request.compromised, admin.clock.now())?;
        admin.alias(&alias).map(Json)
    })
    .await
}
