//! For load balancers and Prometheus. Health and readiness need no token, so they say nothing but
//! up or not.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::problem::{PROBLEM_JSON, Problem};
use super::view::ProblemView;
use super::{Admin, Caller};

/// Whether the process is up
#[utoipa::path(get, path = "/healthz", tag = "monitoring", responses(
    (status = 200, description = "It is", body = String, content_type = "text/plain"),
))]
pub(super) async fn healthz() -> &'static str {
    "up\n"
}

/// Whether messages are taken
#[utoipa::path(get, path = "/readyz", tag = "monitoring", responses(
    (status = 200, description = "They are", body = String, content_type = "text/plain"),
    (status = 503, description = "They are not, or no more", body = ProblemView, content_type = PROBLEM_JSON),
))]
pub(super) async fn readyz(State(admin): State<Admin>) -> Result<&'static str, Problem> {
    if (admin.ready)() {
        return Ok("ready\n");
    }
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, NOT_READY))
}

const NOT_READY: &str = "this proxy is not ready: it takes no messages, or no more";

/// Metrics
///
/// In the text format of Prometheus; without what belongs to aliases that the caller may not see.
#[utoipa::path(get, path = "/metrics", tag = "monitoring", responses(
    (status = 200, description = "The metrics", body = String, content_type = prometheus::TEXT_FORMAT),
))]
pub(super) async fn metrics(State(admin): State<Admin>, caller: Option<Extension<Caller>>) -> Response {
    let sees = |alias: &str| caller.as_ref().is_none_or(|caller| caller.sees(alias));
    let metrics = admin.metrics.render_where(|label, value| match label {
        "alias" => sees(value),
        "route" => admin.alias_of(value).is_none_or(sees),
        _ => true,
    });
    match metrics {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => Problem::internal(&error).into_response(),
    }
}
