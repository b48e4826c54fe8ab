//! Step 6: what the receiver's answer means, before it is passed on: did it accept the message, refuse its key, or say
//! something else?
//!
//! Only what may be a fault is read: an error (or a 200, by the route's setting) of an XML type, of at most
//! [`fault::LARGEST`] bytes, coded or not. It is passed on as it came, and so is everything else, untouched. Every fault is
//! counted and logged, so that an operator sees what to write into `key_refused`.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::media_type::MediaType;
use super::read::Decoding;
use super::reply::UnverifiedResponse;
use super::route::Route;
use crate::cores::cores;
use crate::metrics::Metrics;
use crate::wss::fault::{self, Fault};

mod body;
mod log;

pub(super) use body::AnswerBody;
pub(super) use log::FaultLog;

use log::written;

/// How long an answer that nobody acts on is waited for before it is passed on unread, and streams as it comes; one that
/// somebody would act on is waited for until there is only so long left to pass it on.
const PATIENCE: Duration = Duration::from_secs(1);

/// What an answer means for the key that signed the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// Any 2xx that is no fault.
    Accepted,
    /// A fault that the route's `key_refused` names: the key was not accepted, the message was not processed.
    KeyRefused,
    /// It says nothing about the key, or nobody can tell.
    Other,
}

/// An answer, to be passed on, and what it means.
pub(super) struct Judged {
    pub(super) response: UnverifiedResponse,
    pub(super) finding: Finding,
    /// What it says, if it is a fault.
    pub(super) fault: Option<Fault>,
}

/// Judges answers.
pub(super) struct Judging {
    /// A tree takes many times the memory of its document.
    cores: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

/// What an answer turned out to be.
enum Content {
    Fault(Fault),
    /// Not read, for it cannot be one, or read.
    NoFault,
    /// It broke off, is not what it says, or does not come: nobody can tell.
    Unknown,
}

impl Judging {
    /// Tells the metrics.
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            cores: Arc::new(Semaphore::new(cores())),
            metrics,
        }
    }

    /// Judges an answer to a message of this route.
    pub(super) async fn judge(
        &self,
        route: &Route,
        response: UnverifiedResponse,
        deadline: Instant,
    ) -> Judged {
        let status = response.status();
        let is_error = status.is_client_error() || status.is_server_error();
        let may_be_fault = is_error || (status == StatusCode::OK && route.faults_with_200);
        let soon = Instant::now() + PATIENCE;
        let patience = match route.key_refused.is_empty() {
            true => soon,
            false => deadline.checked_sub(PATIENCE).map_or(soon, |late| late.max(soon)),
        };
        self.weigh(route, response, may_be_fault, patience.min(deadline))
            .await
    }

    /// The same of an answer that nobody else waits for, whatever its status.
    pub(super) async fn examine(
        &self,
        route: &Route,
        response: UnverifiedResponse,
        deadline: Instant,
    ) -> Judged {
        self.weigh(route, response, true, deadline).await
    }

    async fn weigh(
        &self,
        route: &Route,
        mut response: UnverifiedResponse,
        may_be_fault: bool,
        patience: Instant,
    ) -> Judged {
        let status = response.status();
        let content = match may_be_fault.then(|| readable(&response)).flatten() {
            Some(media_type) => timeout_at(patience, self.content(&mut response, &media_type))
                .await
                .unwrap_or(Content::Unknown),
            None => Content::NoFault,
        };
        let finding = match &content {
            Content::Fault(fault) if route.key_refused.says(fault) => Finding::KeyRefused,
            Content::NoFault if status.is_success() => Finding::Accepted,
            Content::Fault(_) | Content::NoFault | Content::Unknown => Finding::Other,
        };
        let fault = match content {
            Content::Fault(fault) => {
                self.metrics.receiver_fault(&route.name, &written(&fault));
                route.faults.tell(&route.name, status, &fault, finding);
                Some(fault)
            }
            Content::NoFault | Content::Unknown => None,
        };
        Judged {
            response,
            finding,
            fault,
        }
    }

    /// Reads it ahead, and then reads what it says.
    async fn content(&self, response: &mut UnverifiedResponse, media_type: &MediaType) -> Content {
        let bytes = match whole(response).await {
            Whole::Bytes(bytes) => bytes,
            Whole::TooLarge => return Content::NoFault,
            Whole::Not => return Content::Unknown,
        };
        let charset = media_type.charset().map(str::to_owned);
        let Ok(core) = self.cores.clone().acquire_owned().await else {
            return Content::Unknown;
        };
        let reading = spawn_blocking(move || {
            let read = Fault::read(&bytes, charset.as_deref());
            drop(core);
            read
        });
        match reading.await {
            Ok(Ok(Some(fault))) => Content::Fault(fault),
            Ok(Ok(None)) => Content::NoFault,
            Ok(Err(_)) | Err(_) => Content::Unknown,
        }
    }
}

/// The type of an answer that is small enough, and of XML.
fn readable(response: &UnverifiedResponse) -> Option<MediaType> {
    let mut types = response.headers().get_all(CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else {
        return None;
    };
    let small = response.body().size_hint().lower() <= fault::LARGEST as u64;
    MediaType::parse(only)
        .ok()
        .filter(|media_type| media_type.is_xml() && small)
}

/// What became of reading an answer ahead.
enum Whole {
    /// Inflated, where it was coded.
    Bytes(Vec<u8>),
    TooLarge,
    /// It broke off, or is not what its `Content-Encoding` says.
    Not,
}

async fn whole(response: &mut UnverifiedResponse) -> Whole {
    let Ok(mut decoding) = Decoding::of(response.headers()) else {
        return Whole::Not;
    };
    let body = response.body_mut();
    let (mut came, mut bytes) = (0, Vec::new());
    while let Some(chunk) = body.read_ahead().await {
        came += chunk.len();
        if came > fault::LARGEST {
            return Whole::TooLarge;
        }
        decoding.feed(chunk);
        loop {
            match decoding.next() {
                Ok(Some(piece)) if bytes.len() + piece.len() > fault::LARGEST => return Whole::TooLarge,
                Ok(Some(piece)) => bytes.extend_from_slice(&piece),
                Ok(None) => break,
                Err(_) => return Whole::Not,
            }
        }
    }
    match body.is_whole() && (came == 0 || decoding.finish().is_ok()) {
        true => Whole::Bytes(bytes),
        false => Whole::Not,
    }
}
