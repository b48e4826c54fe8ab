//! The handshake of CloudEvents HTTP 1.1 Web Hooks, section 4: a sender asks before it sends, so that nobody can have it
//! flood others. It grants nothing: events need a token or a client certificate all the same.

use axum::extract::State;
use axum::http::header::ALLOW;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::admin::Admin;
use crate::admin::problem::{PROBLEM_JSON, Problem};
use crate::admin::view::ProblemView;
use crate::logging::Seldom;

const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

/// Answers whether a sender may announce events
///
/// The webhook handshake. An origin of `[events] allowed_origins` is answered with WebHook-Allowed-Origin and
/// WebHook-Allowed-Rate. WebHook-Request-Callback is not used: no address that came with a request is ever fetched.
#[utoipa::path(options, path = "/events", tag = "events", operation_id = "webhook_handshake",
    params(("WebHook-Request-Origin" = Option<String>, Header, description = "The sender's DNS name")),
    responses(
        (status = 204, description = "With WebHook-Allowed-Origin: it may; without: nobody asked"),
        (status = 403, description = "This origin may not", body = ProblemView, content_type = PROBLEM_JSON),
    ),
)]
pub(in crate::admin) async fn answer(
    State(admin): State<Admin>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let allow = (ALLOW, HeaderValue::from_static("POST, OPTIONS"));
    let Some(origin) = headers.get(REQUEST_ORIGIN) else {
        return Ok((StatusCode::NO_CONTENT, [allow]).into_response());
    };
    let allowed = &admin.config.events.allowed_origins;
    let known = |own: &String| origin.as_bytes().eq_ignore_ascii_case(own.as_bytes());
    let is_known = allowed.iter().any(known);
    tell(origin, is_known);
    if !is_known {
        return Err(Problem::new(StatusCode::FORBIDDEN, NOT_ALLOWED));
    }
    // How fast it sends bounds nothing here: each event waits for its turn.
    let granted = [
        allow,
        (ALLOWED_ORIGIN, origin.clone()),
        (ALLOWED_RATE, HeaderValue::from_static("*")),
    ];
    Ok((StatusCode::NO_CONTENT, granted).into_response())
}

/// Whoever reaches the port can have it said.
fn tell(origin: &HeaderValue, is_known: bool) {
    static ASKED: Seldom = Seldom::new(20);
    let Some(omitted) = ASKED.due() else { return };
    if is_known {
        tracing::info!(?origin, omitted, "a sender of events was answered the handshake");
    } else {
        tracing::warn!(
            ?origin,
            omitted,
            "a sender of events that is not allowed to asked for the handshake"
        );
    }
}

const NOT_ALLOWED: &str =
    "this origin may not announce events here; its operator can add it to [events] allowed_origins";
