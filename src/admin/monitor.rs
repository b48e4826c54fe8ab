//! For load balancers and Prometheus. Health and readiness need no token, so they say nothing but
//! up or not.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::Admin;
use super::problem::Problem;

pub(super) async fn healthz() -> &'static str {
    "up\n"
}

pub(super) async fn readyz(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    if (admin.ready)() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}

pub(super) async fn metrics(State(admin): State<Admin>) -> Response {
    match admin.metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => Problem::internal(&error).into_response(),
    }
}
