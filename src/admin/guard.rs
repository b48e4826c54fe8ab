//! Stands before every route that is not open: who is it, may it, and is its request of a sensible
//! size? Only then does a handler see it. Every command is logged here, with who gave it.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::time::timeout;
use tracing::{Instrument, field};

use super::access::{Access, Actor, Caller};
use super::load::{Load, holding};
use super::problem::Problem;
use super::strangers::Strangers;
use crate::config::Role;
use crate::keys::CommandError;
use crate::listener::Peer;
use crate::proxy::load::{Part, Share};

/// Bytes of a request; a keystore with its chain is a few thousand.
const MAX_BODY: usize = 1024 * 1024;
/// From a request's head to the end of its body.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Before one route.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) access: Access,
    /// Who was not let in.
    pub(super) strangers: Strangers,
    /// What its caller needs.
    pub(super) role: Role,
}

impl Guard {
    /// Lets through whoever may.
    pub(super) async fn pass(
        State(guard): State<Self>,
        path: RawPathParams,
        request: Request,
        next: Next,
    ) -> Result<Response, Problem> {
        let (method, target) = (request.method().clone(), request.uri().path().to_owned());
        let peer = request.extensions().get::<Peer>();
        let caller = match guard.access.caller(request.headers(), peer) {
            Ok(caller) => caller,
            Err(problem) => {
                let strangers = &guard.strangers;
                strangers
                    .not_let_in(&method, &target, request.headers(), peer, &problem)
                    .await;
                return Err(problem);
            }
        };
        let load = caller.load().clone();
        let Actor { name, shown, from } = caller.actor();
        let span = tracing::info_span!("admin", who = %name, by = %shown, from = from.map(field::display));
        async {
            let response = match guard.admit(caller, &path, request).await {
                // The bytes of the body count until it has been dealt with, the request until it is answered.
                Ok((request, place, _bytes)) => holding(next.run(request).await, place),
                Err(refused) => {
                    load.refused().turn().await;
                    refused.into_response()
                }
            };
            log(&method, &target, response.status());
            Ok(response)
        }
        .instrument(span)
        .await
    }

    /// The request, whole, of one who may send it; and what it takes.
    async fn admit(
        &self,
        caller: Caller,
        path: &RawPathParams,
        request: Request,
    ) -> Result<(Request, Share, Part), Problem> {
        self.check(&caller, path)?;
        not_from_another_site(&request)?;
        let place = caller.load().request()?;
        let (mut request, bytes) = whole(request, caller.load()).await?;
        request.extensions_mut().insert(caller);
        Ok((request, place, bytes))
    }

    /// An alias that a caller is not to see is told from one that does not exist by nobody: so 404, in the same words.
    fn check(&self, caller: &Caller, path: &RawPathParams) -> Result<(), Problem> {
        if !caller.role().may(self.role) {
            let (name, role) = (&caller.actor().name, caller.role());
            let sentence = format!("this needs the role {}; {name} has {role}", self.role);
            return Err(Problem::new(StatusCode::FORBIDDEN, sentence));
        }
        let hidden = path
            .iter()
            .find(|(name, value)| *name == "alias" && !caller.sees(value));
        match hidden {
            Some((_, alias)) => Err(CommandError::UnknownAlias(alias.to_owned()).into()),
            None => Ok(()),
        }
    }
}

/// A browser shows its user's client certificate for any page that asks: none but our own may have commands sent.
/// Programs do not send this header (Fetch Metadata).
fn not_from_another_site(request: &Request) -> Result<(), Problem> {
    let site = request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes);
    match site {
        Some(b"cross-site" | b"same-site") if !request.method().is_safe() => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "a page of another site sent this; commands are given by our own or by programs",
        )),
        _ => Ok(()),
    }
}

/// Reads the body before anything is done, so that no command waits for its sender.
async fn whole(request: Request, load: &Load) -> Result<(Request, Part), Problem> {
    let (head, body) = request.into_parts();
    let declared = body.size_hint().lower();
    let declared = usize::try_from(declared).ok().filter(|bytes| *bytes <= MAX_BODY);
    let mut held = load.body(declared.ok_or_else(too_large)?)?;
    let read = timeout(BODY_TIME, read(body, load, &mut held)).await;
    let body = read.map_err(|_| {
        let sentence = format!("the body did not arrive within {} s", BODY_TIME.as_secs());
        Problem::new(StatusCode::REQUEST_TIMEOUT, sentence)
    })??;
    Ok((Request::from_parts(head, Body::from(body)), held))
}

async fn read(mut body: Body, load: &Load, held: &mut Part) -> Result<Bytes, Problem> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let sentence = format!("the body did not arrive whole: {error}");
            Problem::new(StatusCode::BAD_REQUEST, sentence)
        })?;
        let Ok(piece) = frame.into_data() else { continue };
        if read.len() + piece.len() > MAX_BODY {
            return Err(too_large());
        }
        load.more(held, piece.len())?;
        read.extend_from_slice(&piece);
    }
    Ok(read.freeze())
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body is larger than {MAX_BODY} bytes, which no request here needs"),
    )
}

fn log(method: &Method, path: &str, status: StatusCode) {
    let status = status.as_u16();
    if method.is_safe() {
        tracing::debug!(%method, path, status, "answered");
    } else {
        tracing::info!(%method, path, status, "answered");
    }
}
