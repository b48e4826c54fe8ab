//! What an operator does to keys. Each call returns when it is done: after `activate` and
//! `rollback` every new message is signed with the other key.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::Admin;
use super::problem::Problem;
use super::view::{ActivateRequest, AliasView, KeyView, PASSWORD_HEADER, PEM, PKCS12};
use crate::config::Activation;
use crate::keys::source::{from_pem, from_pkcs12};
use crate::keys::{AfterImport, CommandError, Fingerprint, Imported, KeyMaterial};

/// `?entry=NAME`: the key to take of a PKCS#12 file with several.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportQuery {
    entry: Option<String>,
}

/// 201 for a new key, 200 for one that was known.
pub(super) async fn import(
    State(admin): State<Admin>,
    Path(alias): Path<String>,
    Query(ImportQuery { entry }): Query<ImportQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<KeyView>), Problem> {
    on_a_thread(move || {
        admin.alias(&alias)?;
        let material = read(&headers, &body, entry.as_deref())?;
        let imported = admin
            .keys
            .import(&alias, material, admin.after_import(&alias), admin.clock.now());
        let Imported { fingerprint, new } = imported.map_err(|error| match error {
            CommandError::Unsuitable(refused) => Problem::from(refused),
            CommandError::UnknownAlias(_) | CommandError::Refused(_) => Problem::from(error),
        })?;
        let status = if new { StatusCode::CREATED } else { StatusCode::OK };
        Ok((status, Json(admin.key(&alias, &fingerprint)?)))
    })
    .await
}

pub(super) async fn activate(
    State(admin): State<Admin>,
    Path((alias, fingerprint)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<AliasView>, Problem> {
    let fingerprint: Fingerprint = fingerprint.parse()?;
    let replaces = replaces(&body)?;
    on_a_thread(move || {
        admin
            .keys
            .activate(&alias, fingerprint, replaces, admin.clock.now())?;
        admin.alias(&alias).map(Json)
    })
    .await
}

pub(super) async fn rollback(
    State(admin): State<Admin>,
    Path(alias): Path<String>,
) -> Result<Json<AliasView>, Problem> {
    on_a_thread(move || {
        admin.keys.rollback(&alias, admin.clock.now())?;
        admin.alias(&alias).map(Json)
    })
    .await
}

/// Deriving keys from passwords and trial signatures take milliseconds to seconds.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    spawn_blocking(work)
        .await
        .map_err(|error| Problem::internal(&error))?
}

fn read(headers: &HeaderMap, body: &[u8], entry: Option<&str>) -> Result<KeyMaterial, Problem> {
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
        Some(PKCS12) => Ok(from_pkcs12(body, password.unwrap_or_default(), entry)?),
        Some(PEM) => Ok(from_pem(body, password)?),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("send the key as {PKCS12} or {PEM}"),
        )),
    }
}

/// An empty body replaces whatever is active.
fn replaces(body: &[u8]) -> Result<Option<Fingerprint>, Problem> {
    if body.is_empty() {
        return Ok(None);
    }
    let request: ActivateRequest = serde_json::from_slice(body).map_err(|error| {
        let sentence = format!("the body is not {{\"replaces\": fingerprint}}: {error}");
        Problem::new(StatusCode::BAD_REQUEST, sentence)
    })?;
    Ok(request.replaces.map(|replaces| replaces.parse()).transpose()?)
}

impl Admin {
    /// What `activate` of the configuration says of a key that was sent here.
    fn after_import(&self, alias: &str) -> AfterImport {
        match self.config.aliases.get(alias).map(|alias| alias.activate) {
            Some(Activation::OnImport) => AfterImport::Activate,
            Some(Activation::Manual) | None => AfterImport::StayPending,
        }
    }
}
