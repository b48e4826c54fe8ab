//! The only place that turns errors into answers: RFC 9457 problem documents.

use std::fmt;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use super::Admin;
use super::strangers::Strangers;
use super::view::{ProblemView, RequestError};
use crate::keys::lifecycle::NotARenewal;
use crate::keys::source::SourceError;
use crate::keys::store::StoreError;
use crate::keys::{CommandError, GenerationError, KeyRefused, NotAFingerprint, Refusal};
use crate::listener::Peer;

/// RFC 9457, section 3.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request was not served: a status, and a sentence for the operator.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    /// RFC 9457, section 3.1.1; nothing where the status says all.
    kind: Option<&'static str>,
    detail: String,
}

/// Whether a change was made is not known: who repeats it looks first.
const OUTCOME_UNKNOWN: &str = "urn:countersign:problem:outcome-unknown";

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            kind: None,
            detail: detail.into(),
        }
    }

    /// No 503, for who gets that may send again at once, and a rollback that is done twice is none.
    fn outcome_unknown(error: &StoreError) -> Self {
        Self {
            kind: Some(OUTCOME_UNKNOWN),
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
        }
    }

    /// Of a key that was sent: where it may not sign, it is at fault, and not the state of others.
    pub(super) fn of_import(error: CommandError) -> Self {
        if let CommandError::Unsuitable(refused) = error {
            refused.into()
        } else {
            error.into()
        }
    }

    /// Ours; the log says more than the answer.
    pub(super) fn internal(error: &dyn fmt::Display) -> Self {
        tracing::error!(%error, "admin request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "this failed inside; the log of the proxy says more",
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = ProblemView {
            kind: self.kind.map(ToOwned::to_owned),
            title: self.status.canonical_reason().unwrap_or_default().to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
        };
        let mut response = (self.status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        if let CommandError::Store(unknown @ StoreError::Unknown { .. }) = &error {
            return Self::outcome_unknown(unknown);
        }
        let status = match &error {
            CommandError::UnknownAlias(_)
            | CommandError::NotWaiting { .. }
            | CommandError::Refused(Refusal::UnknownKey(_) | Refusal::UnknownRenewal(_)) => {
                StatusCode::NOT_FOUND
            }
            CommandError::Refused(Refusal::TimePassed { .. }) => StatusCode::BAD_REQUEST,
            CommandError::Refused(_)
            | CommandError::Unsuitable(_)
            | CommandError::NothingBrought { .. }
            | CommandError::Barred { .. }
            | CommandError::Repeated(_) => StatusCode::CONFLICT,
            CommandError::NotCertified(_) => StatusCode::UNPROCESSABLE_ENTITY,
            CommandError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}

impl From<GenerationError> for Problem {
    fn from(error: GenerationError) -> Self {
        match error {
            GenerationError::Command(error) => error.into(),
            GenerationError::Generate(error) => Self::internal(&error),
        }
    }
}

/// The key that was sent is at fault.
impl From<KeyRefused> for Problem {
    fn from(error: KeyRefused) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
    }
}

impl From<SourceError> for Problem {
    fn from(error: SourceError) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
    }
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error.to_string())
    }
}

impl From<NotARenewal> for Problem {
    fn from(error: NotARenewal) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error.to_string())
    }
}

/// Ours, or the disk's.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed");
        if matches!(error, StoreError::Unknown { .. }) {
            return Self::outcome_unknown(&error);
        }
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl From<NotAFingerprint> for Problem {
    fn from(error: NotAFingerprint) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error.to_string())
    }
}

/// Tells only those who may ask anything.
pub(super) async fn no_such_resource(
    State(admin): State<Admin>,
    Extension(strangers): Extension<Strangers>,
    request: Request,
) -> Problem {
    let peer = request.extensions().get::<Peer>();
    match admin.access.caller(request.headers(), peer) {
        Ok(_) => {
            let path = request.uri().path();
            Problem::new(StatusCode::NOT_FOUND, format!("there is no {path}"))
        }
        Err(unknown) => {
            let (method, path) = (request.method(), request.uri().path());
            strangers
                .not_let_in(method, path, request.headers(), peer, &unknown)
                .await;
            unknown
        }
    }
}

pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{} does not take {method}", uri.path()),
    )
}

/// What axum refuses on its own (a body too large, a path that is not UTF-8) says so in plain text.
pub(super) async fn document(request: Request, next: Next) -> Response {
    /// Bytes; axum's sentences are short.
    const LONGEST: usize = 4096;
    let response = next.run(request).await;
    let status = response.status();
    let error = status.is_client_error() || status.is_server_error();
    let media_type = response.headers().get(CONTENT_TYPE);
    if !error || media_type.is_some_and(|own| own == PROBLEM_JSON) {
        return response;
    }
    let text = to_bytes(response.into_body(), LONGEST).await.unwrap_or_default();
    Problem::new(status, String::from_utf8_lossy(&text)).into_response()
}
