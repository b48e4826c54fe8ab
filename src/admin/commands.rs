//! What an operator does to keys. Each call returns when it is done: after `activate` and
//! `rollback` every new message is signed with the other key.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use time::OffsetDateTime;
use tokio::task::spawn_blocking;
use tracing::Span;

use super::access::By;
use super::json::OptionalJson;
use super::problem::{PROBLEM_JSON, Problem};
use super::view::{
    ActivateRequest, AliasPath, AliasView, KeyPath, KeyView, PASSWORD_HEADER, PEM, PKCS12, ProblemView,
    RollbackRequest,
};
use super::{Admin, draining, view};
use crate::config::Activation;
use crate::keys::source::{from_pem, from_pkcs12};
use crate::keys::{AfterImport, Fingerprint, Imported, KeyMaterial};

/// `?entry=NAME`.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportQuery {
    /// The key to take of a PKCS#12 file with several.
    #[param(required = false)]
    entry: Option<String>,
}

/// Imports a key
///
/// It is pending, unless the configuration says that this alias activates what it imports. A key that is known, in
/// any state, changes nothing.
#[utoipa::path(post, path = "/api/v1/aliases/{alias}/keys", tag = "keys",
    params(
        AliasPath,
        ImportQuery,
        ("Pkcs12-Password" = Option<String>, Header, description = "Opens the key, in either form; UTF-8"),
    ),
    request_body(
        content((Vec<u8> = PKCS12), (String = PEM)),
        description = "Private key, certificate and chain",
    ),
    responses(
        (status = 201, description = "A new key", body = KeyView),
        (status = 200, description = "A key that was known; nothing was changed", body = KeyView),
        (status = 404, description = "No such alias", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 415, description = "Neither PKCS#12 nor PEM", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 422, description = "Not a key that may sign", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 503, description = "It cannot be stored now; nothing was changed", body = ProblemView, content_type = PROBLEM_JSON),
    ),
)]
pub(super) async fn import(
    State(admin): State<Admin>,
    By(author): By,
    Path(AliasPath { alias }): Path<AliasPath>,
    Query(ImportQuery { entry }): Query<ImportQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<KeyView>), Problem> {
    on_a_thread(move || {
        admin.alias(&alias)?;
        let material = read(&headers, &body, entry.as_deref(), admin.clock.now())?;
        let imported =
            admin
                .keys
                .by(author)
                .import(&alias, material, admin.after_import(&alias), admin.clock.now());
        let Imported { fingerprint, new } = imported.map_err(Problem::of_import)?;
        let status = if new { StatusCode::CREATED } else { StatusCode::OK };
        Ok((status, Json(admin.key(&alias, &fingerprint)?)))
    })
    .await
}

/// Activates a key
///
/// The switch: when this returns, every new message is signed with it. Of the active key it changes nothing. While messages
/// drain for it, it waits for their end. With `at` it is activated then, and with `cancel` no more. Where the receivers trust
/// one key (`hold`, `receiver-led`), one that they are not known to have is activated with `unconfirmed` alone.
#[utoipa::path(post, path = "/api/v1/aliases/{alias}/keys/{fingerprint}/activate", tag = "keys",
    params(KeyPath),
    request_body = Option<ActivateRequest>,
    responses(
        (status = 200, description = "The key is active, or will be", body = AliasView),
        (status = 400, description = "No fingerprint, another JSON, or a time that has passed", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 404, description = "No such alias or key", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 409, description = "Its state, its validity or `replaces` does not allow it, or receivers would refuse it",
            body = ProblemView, content_type = PROBLEM_JSON),
        (status = 415, description = "Not JSON", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 503, description = "It cannot be stored now; nothing was changed", body = ProblemView, content_type = PROBLEM_JSON),
    ),
)]
pub(super) async fn activate(
    State(admin): State<Admin>,
    By(author): By,
    Path(KeyPath { alias, fingerprint }): Path<KeyPath>,
    OptionalJson(request): OptionalJson<ActivateRequest>,
) -> Result<Json<AliasView>, Problem> {
    let fingerprint: Fingerprint = fingerprint.parse()?;
    let activation = request.parse()?;
    draining::ended(&admin.keys, &alias, &fingerprint).await;
    on_a_thread(move || {
        let (operator, now) = (admin.keys.by(author), admin.clock.now());
        match activation {
            view::Activation::Now(replaces, false) => operator.activate(&alias, fingerprint, replaces, now),
            view::Activation::Now(replaces, true) => {
                operator.activate_unconfirmed(&alias, fingerprint, replaces, now)
            }
            view::Activation::Then(schedule, unconfirmed) => {
                operator.activate_at(&alias, fingerprint, schedule, unconfirmed, now)
            }
            view::Activation::Never => operator.cancel(&alias, fingerprint, now),
        }?;
        admin.alias(&alias).map(Json)
    })
    .await
}

/// Goes one step back
///
/// When this returns, every new message is signed with the key that was displaced last. Directly after another step back it
/// would go forward again: that is done with `replaces` alone.
#[utoipa::path(post, path = "/api/v1/aliases/{alias}/rollback", tag = "keys", params(AliasPath), request_body = Option<RollbackRequest>, responses(
    (status = 200, description = "The key is active again", body = AliasView),
    (status = 400, description = "No fingerprint, or another JSON", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 404, description = "No such alias", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 409, description = "There is none, it may not sign now, or `replaces` is missing or not the active one",
        body = ProblemView, content_type = PROBLEM_JSON),
    (status = 415, description = "Not JSON", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 503, description = "It cannot be stored now; nothing was changed", body = ProblemView, content_type = PROBLEM_JSON),
))]
pub(super) async fn rollback(
    State(admin): State<Admin>,
    By(author): By,
    Path(AliasPath { alias }): Path<AliasPath>,
    OptionalJson(RollbackRequest { replaces }): OptionalJson<RollbackRequest>,
) -> Result<Json<AliasView>, Problem> {
    let replaces = replaces.map(|replaces| replaces.parse()).transpose()?;
    on_a_thread(move || {
        let (operator, now) = (admin.keys.by(author), admin.clock.now());
        match replaces {
            None => operator.rollback(&alias, now),
            Some(replaces) => operator.rollback_from(&alias, replaces, now),
        }?;
        admin.alias(&alias).map(Json)
    })
    .await
}

/// Lets an alias sign again after a backup was restored
///
/// Says that an operator has looked at what a backup brought that may be older than what the alias signed with. Of an alias
/// that does not wait for that it changes nothing.
#[utoipa::path(post, path = "/api/v1/aliases/{alias}/reviewed", tag = "keys", params(AliasPath), responses(
    (status = 200, description = "It signs again", body = AliasView),
    (status = 404, description = "No such alias", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 503, description = "It cannot be stored now; nothing was changed", body = ProblemView, content_type = PROBLEM_JSON),
))]
pub(super) async fn reviewed(
    State(admin): State<Admin>,
    By(author): By,
    Path(AliasPath { alias }): Path<AliasPath>,
) -> Result<Json<AliasView>, Problem> {
    on_a_thread(move || {
        admin.keys.by(author).reviewed(&alias, admin.clock.now())?;
        admin.alias(&alias).map(Json)
    })
    .await
}

/// Deriving keys from passwords and trial signatures take milliseconds to seconds. What is logged there says who asked,
/// too.
pub(super) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let span = Span::current();
    spawn_blocking(move || span.in_scope(work))
        .await
        .map_err(|error| Problem::internal(&error))?
}

fn read(
    headers: &HeaderMap,
    body: &[u8],
    entry: Option<&str>,
    now: OffsetDateTime,
) -> Result<KeyMaterial, Problem> {
    let password = headers
        .get(PASSWORD_HEADER)
        .map(|value| std::str::from_utf8(value.as_bytes()));
    let password = password.transpose().map_err(|_| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            format!("the password in the header {PASSWORD_HEADER} is not UTF-8"),
        )
    })?;
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match media_type {
        Some(PKCS12) => Ok(from_pkcs12(body, password.unwrap_or_default(), entry, now)?),
        Some(PEM) => Ok(from_pem(body, password, now)?),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("send the key as {PKCS12} or {PEM}"),
        )),
    }
}

impl Admin {
    /// What `activate` of the configuration says of a key that was sent here.
    pub(super) fn after_import(&self, alias: &str) -> AfterImport {
        match self.config.aliases.get(alias).map(|alias| alias.activate) {
            Some(Activation::OnImport) => AfterImport::Activate,
            Some(Activation::Manual | Activation::BeforeExpiry) | None => AfterImport::StayPending,
        }
    }
}
