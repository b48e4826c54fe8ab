//! JSON bodies. What is not JSON, or not the JSON that is meant, is refused with the place.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// A body that may be left out, or be null; then every part of it has its default.
pub(super) struct OptionalJson<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let json = is_json(request.headers());
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|error| Problem::internal(&error))?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        if !json {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "send the body as application/json",
            ));
        }
        let value: Option<T> = serde_json::from_slice(&body).map_err(|error| {
            let sentence = format!("the body is not the JSON that belongs here: {error}");
            Problem::new(StatusCode::BAD_REQUEST, sentence)
        })?;
        Ok(Self(value.unwrap_or_default()))
    }
}

/// Who says nothing is taken at its word.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(media_type) = headers.get(CONTENT_TYPE) else {
        return true;
    };
    let essence = media_type
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}
