//! Step 7: the receiver's answer, or our refusal, becomes an HTTP response. [`verdict`] is the one
//! table from error to status and SOAP fault.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::answer::AnswerBody;
use super::exchange::Exchange;
use super::forward::{AnswerBounds, ForwardError, Last};
use super::gate::NotPassed;
use super::headers::back;
use super::load::Exhausted;
use super::read::ReadError;
use super::route::RouteError;
use super::sign::SigningError;
use crate::config::FaultStatus;
use crate::metrics::Outcome;

mod fault;
mod passing;
mod verdict;

use passing::{Passing, ReplyError};
use verdict::Verdict;

/// When a client should try again after an overload, or without a usable key.
const RETRY_AFTER_TIME: Duration = Duration::from_secs(5);

/// A message that was refused or led elsewhere before, and now cannot be signed or go on.
const FORWARDED: &str = "; the receiver has been shown this message before, and has not accepted it";

/// The receiver's answer as it came: nothing in it has been verified.
pub(super) struct UnverifiedResponse(Response<AnswerBody>);

impl UnverifiedResponse {
    /// An answer that a receiver gave.
    pub(super) fn new(response: Response<Incoming>, bounds: AnswerBounds) -> Self {
        Self(response.map(|body| AnswerBody::new(body, bounds)))
    }

    /// What it says of itself.
    pub(super) fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// Its fields.
    pub(super) fn headers(&self) -> &HeaderMap {
        self.0.headers()
    }

    /// What follows its head.
    pub(super) fn body(&self) -> &AnswerBody {
        self.0.body()
    }

    /// To read ahead.
    pub(super) fn body_mut(&mut self) -> &mut AnswerBody {
        self.0.body_mut()
    }
}

/// Why a request gets no answer from its receiver: one variant a step.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// Step 2.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// Before anything is done for it.
    #[error("too many requests are under way; send it again later")]
    Load(#[from] Exhausted),
    /// Step 3.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Before step 4.
    #[error(transparent)]
    Held(#[from] NotPassed),
    /// Step 4.
    #[error(transparent)]
    Sign(#[from] SigningError),
    /// Step 5.
    #[error(transparent)]
    Forward(#[from] ForwardError),
}

impl Refusal {
    /// There is too much to do: the answer comes before the rest of the request is read.
    pub(super) fn is_urgent(&self) -> bool {
        matches!(Verdict::of(self).outcome, Outcome::Overloaded)
    }

    /// Its sender must change the request, and can send it without end as it is.
    pub(super) fn is_of_the_sender(&self) -> bool {
        matches!(Verdict::of(self).outcome, Outcome::Refused)
    }
}

/// Passes the receiver's answer on, to its last byte or the exchange's deadline.
pub(super) fn pass_on(response: UnverifiedResponse, mut exchange: Exchange) -> Response<ReplyBody> {
    let (mut head, body) = response.0.into_parts();
    back(&mut head.headers);
    if head.extensions.remove::<Last>().is_some() {
        head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    head.version = Version::default(); // ours, whichever the receiver speaks
    exchange.answered(head.status);
    if !body.is_end_stream() {
        return Response::from_parts(head, ReplyBody::Passing(Passing::begin(body, exchange)));
    }
    exchange.completed();
    let nothing = ReplyBody::Ours {
        text: Full::default(),
        _exchange: exchange,
    };
    Response::from_parts(head, nothing)
}

/// Answers with a SOAP fault that says what to do. Unless `reusable`, the connection ends with it.
pub(super) fn refuse(refusal: &Refusal, mut exchange: Exchange, reusable: bool) -> Response<ReplyBody> {
    let (mut verdict, mut sentence) = (Verdict::of(refusal), refusal.to_string());
    if exchange.was_forwarded() && verdict.asks_for_another_try() {
        (verdict, sentence) = (verdict.once_forwarded(), sentence + FORWARDED);
    }
    let version = exchange.soap_version();
    let fault_status = exchange
        .route()
        .map_or(FaultStatus::Http, |route| route.fault_status);
    let status = verdict.answered(fault_status, version);
    let fault = fault::envelope(version, verdict.blame, &sentence);
    exchange.refused(status, verdict.outcome, sentence);

    let length = fault.len();
    // Over HTTP/2 hyper would send a body that the answer to a HEAD must not have.
    let sent = if exchange.asks_for_head() {
        String::new()
    } else {
        fault
    };
    let mut response = Response::new(ReplyBody::Ours {
        text: Full::new(Bytes::from(sent)),
        _exchange: exchange,
    });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(fault::content_type(version)),
    );
    if verdict.asks_for_another_try() {
        headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_TIME.as_secs()));
    }
    if matches!(refusal, Refusal::Read(ReadError::Coding(_))) {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate"));
    }
    if verdict.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("POST, GET, HEAD"));
    }
    if !reusable {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The body of our response.
pub(super) enum ReplyBody {
    /// Ours; with it ends the exchange.
    Ours {
        /// Perhaps nothing.
        text: Full<Bytes>,
        /// Held to be dropped.
        _exchange: Exchange,
    },
    /// The receiver's.
    Passing(Passing),
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = ReplyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReplyError>>> {
        match self.get_mut() {
            Self::Ours { text, .. } => Pin::new(text).poll_frame(context).map_err(|never| match never {}),
            Self::Passing(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Ours { text, .. } => text.is_end_stream(),
            Self::Passing(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Ours { text, .. } => text.size_hint(),
            Self::Passing(body) => body.size_hint(),
        }
    }
}
