//! `POST /events`: CloudEvents that ask for something to be done to keys; and the handshake by which a sender finds out
//! that it may send them here.
//!
//! An event is answered, and not an error, whenever it was understood: 200 says that it need not be sent again, `result`
//! what became of it. What cannot be read is refused as a whole, before any of it is acted on. 503 says that an event was
//! not decided: it is to be sent again, and what came before it in its batch is answered as it was.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use super::access::By;
use super::commands::on_a_thread;
use super::problem::{PROBLEM_JSON, Problem};
use super::view::{EventAnswer, EventAnswers, EventRequest, ProblemView};
use super::{Admin, Caller, draining};
use crate::cloud_events::codec::{CloudEvent, NotACloudEvent, Received};
use crate::keys::answer::{Answer, Verdict};
use crate::keys::audit::Author;
use crate::keys::{CommandError, Refusal};
use crate::metrics::EventOutcome;
use ruling::Ruling;

pub(super) mod handshake;
mod instruction;
mod ruling;
mod secrets;

pub use instruction::EventType;

/// Takes events
///
/// CloudEvents 1.0 in binary, structured or batched mode; `subject` is the alias. Types and their data:
/// `io.countersign.key.import` without data, `io.countersign.key.activate` with fingerprint and, if wanted, replaces and
/// at, `io.countersign.key.rollback` without data, `io.countersign.key.revoke` with fingerprint, reason and, of the active
/// key, successor; `io.countersign.renewal.confirm` with renewal and receiver; `io.countersign.hold.start` and
/// `io.countersign.hold.end` without data. An event that comes again, by caller, source and id, is answered as it was and
/// does nothing, for 90 days; the same id with another type, subject or data is refused.
/// Events with anything that looks like a private key or a password are refused and not kept.
#[utoipa::path(post, path = "/events", tag = "events", operation_id = "receive_events",
    request_body(
        content((EventRequest = "application/cloudevents+json"), (Vec<EventRequest> = "application/cloudevents-batch+json"), (Object = "application/json")),
        description = "One event; a list of at most 100; or, in binary mode, the data of one",
    ),
    responses(
        (status = 200, description = "What became of the event, or of each event of a batch: applied, ignored or refused", body = EventAnswers),
        (status = 400, description = "Not a CloudEvent, or one of a batch is none; nothing was done", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 413, description = "More bytes or events than are taken at once; nothing was done", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 415, description = "Another media type, character set or coding; nothing was done", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 503, description = "It cannot be decided or stored now: send it again", body = ProblemView, content_type = PROBLEM_JSON),
    ),
)]
pub(super) async fn receive(
    State(admin): State<Admin>,
    caller: Caller,
    By(author): By,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<EventAnswers>, Problem> {
    let on_behalf = (caller, author);
    Ok(Json(match Received::read(&headers, &body)? {
        Received::One(event) => EventAnswers::One(answer(&admin, &on_behalf, *event).await?),
        Received::Batch(events) => {
            let mut answers = Vec::with_capacity(events.len());
            for event in events {
                answers.push(answer(&admin, &on_behalf, event).await?);
            }
            EventAnswers::Batch(answers)
        }
    }))
}

/// One after the other: a later event of a batch finds what an earlier one did.
async fn answer(
    admin: &Admin,
    on_behalf: &(Caller, Author),
    event: CloudEvent,
) -> Result<EventAnswer, Problem> {
    let (kind, id) = (event.kind.parse().ok(), event.id.clone());
    let decided = decide(admin, on_behalf, event).await;
    let outcome = decided
        .as_ref()
        .map_or(EventOutcome::Failed, |(outcome, _)| *outcome);
    admin.metrics.event_answered(kind.map(EventType::name), outcome);
    let (_, Answer { verdict, reason }) = decided?;
    tracing::info!(kind = kind.map(EventType::name), %verdict, %outcome, "event answered");
    Ok(EventAnswer {
        id,
        result: verdict.name().to_owned(),
        reason,
    })
}

/// An activation that crosses a drain waits for its end.
async fn decide(
    admin: &Admin,
    on_behalf: &(Caller, Author),
    event: CloudEvent,
) -> Result<(EventOutcome, Answer), Problem> {
    let mut ruling = rule(admin, on_behalf, event.clone()).await?;
    if let Ruling::Later(alias, key) = &ruling {
        draining::ended(&admin.keys, alias, key).await;
        ruling = rule(admin, on_behalf, event).await?;
    }
    match ruling {
        Ruling::New(answer) => Ok((answer.verdict.into(), answer)),
        Ruling::Repeated(answer) => Ok((EventOutcome::Repeated, answer)),
        Ruling::Later(..) => {
            let draining = CommandError::Refused(Refusal::Draining).to_string();
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, draining))
        }
    }
}

async fn rule(
    admin: &Admin,
    (caller, author): &(Caller, Author),
    event: CloudEvent,
) -> Result<Ruling, Problem> {
    let (admin, caller, author) = (admin.clone(), caller.clone(), author.clone());
    let turn = caller.load().turn().await;
    on_a_thread(move || {
        let ruled = ruling::rule(&admin, &caller, author, event);
        drop(turn);
        ruled
    })
    .await
}

impl From<Verdict> for EventOutcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Applied => Self::Applied,
            Verdict::Ignored => Self::Ignored,
            Verdict::Refused => Self::Refused,
        }
    }
}

impl From<NotACloudEvent> for Problem {
    fn from(error: NotACloudEvent) -> Self {
        let status = match &error {
            NotACloudEvent::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            NotACloudEvent::TooMany(_) => StatusCode::PAYLOAD_TOO_LARGE,
            NotACloudEvent::Json(_)
            | NotACloudEvent::Missing(_)
            | NotACloudEvent::Version
            | NotACloudEvent::Attribute { .. } => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.to_string())
    }
}
