//! The probe of a route: how does its receiver refuse?

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::access::By;
use super::problem::{PROBLEM_JSON, Problem};
use super::view::{ProbeView, ProblemView};
use super::{Admin, Caller};
use crate::proxy::probe::{Attempt, ProbeError, Sample};

/// Names a route.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct RoutePath {
    /// Its name.
    route: String,
}

/// `?attempts=unknown-key,altered`.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ProbeQuery {
    /// What the receiver is to refuse, each once, in this order: unknown-key (alone where this is left out), altered,
    /// expired.
    #[param(
        required = false,
        pattern = "^(unknown-key|altered|expired)(,(unknown-key|altered|expired))*$"
    )]
    attempts: Option<String>,
}

/// Probes how a receiver refuses
///
/// The body is a harmless message. It goes to the route's receiver once for each attempt, signed so that it has to be
/// refused: by a key that nobody trusts, with a digest that is wrong, with yesterday's Timestamp. The answer has what the
/// receiver said, and what to write into the route's `key_refused`. Of the request's fields the receiver gets Content-Type
/// and SOAPAction.
#[utoipa::path(post, path = "/api/v1/routes/{route}/probe", operation_id = "probe_route", tag = "renewals",
    params(
        RoutePath,
        ProbeQuery,
        ("SOAPAction" = Option<String>, Header, description = "For the receiver"),
    ),
    request_body(
        content((String = "text/xml"), (String = "application/soap+xml")),
        description = "A message that does no harm, not signed",
    ),
    responses(
        (status = 200, description = "What the receiver said", body = ProbeView),
        (status = 400, description = "No such attempt", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 404, description = "No such route", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 409, description = "The alias has no key that may sign, or it did not", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 415, description = "Not a message of SOAP, by its type", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 422, description = "Not a message of SOAP, or one that cannot be sent so", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 503, description = "It cannot be noted in the audit now, or too much is under way; nothing was sent", body = ProblemView, content_type = PROBLEM_JSON),
    ),
)]
pub(super) async fn probe(
    State(admin): State<Admin>,
    caller: Caller,
    By(author): By,
    Path(RoutePath { route }): Path<RoutePath>,
    Query(ProbeQuery { attempts }): Query<ProbeQuery>,
    headers: HeaderMap,
    message: Bytes,
) -> Result<Json<ProbeView>, Problem> {
    let attempts = parse(attempts.as_deref())?;
    let mut routes = admin.config.routes.iter();
    let seen = routes.any(|known| known.name == route && caller.sees(&known.alias));
    if !seen {
        return Err(ProbeError::UnknownRoute(route).into());
    }
    let sample = Sample {
        headers: for_receiver(&headers),
        message,
    };
    let report = admin.proxy.probe(&route, sample, &attempts, author).await?;
    Ok(Json(ProbeView::of(&report)))
}

/// Never the caller's credentials.
pub(super) fn for_receiver(headers: &HeaderMap) -> HeaderMap {
    let passed = headers
        .iter()
        .filter(|(name, _)| *name == CONTENT_TYPE || *name == "soapaction");
    passed
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn parse(attempts: Option<&str>) -> Result<Vec<Attempt>, Problem> {
    let Some(list) = attempts else {
        return Ok(vec![Attempt::UnknownKey]);
    };
    let mut parsed = Vec::new();
    for word in list.split(',') {
        let attempt = word
            .trim()
            .parse()
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("attempts: {error}")))?;
        // The receiver is not asked the same thing again.
        if !parsed.contains(&attempt) {
            parsed.push(attempt);
        }
    }
    Ok(parsed)
}

impl From<ProbeError> for Problem {
    fn from(error: ProbeError) -> Self {
        let status = match error {
            ProbeError::Audit(error) => return error.into(),
            ProbeError::UnknownRoute(_) => StatusCode::NOT_FOUND,
            ProbeError::Sample(_) | ProbeError::NoTimestamp(_) => StatusCode::UNPROCESSABLE_ENTITY,
            ProbeError::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ProbeError::NoKey(_) | ProbeError::NotSigned(_) => StatusCode::CONFLICT,
            ProbeError::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}
