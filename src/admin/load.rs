//! What those who may ask can take at a time: requests, and bytes of bodies. Nobody takes so much that the others get
//! nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::Response;
use http_body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::problem::Problem;
use crate::listener::Refused;
use crate::proxy::load::{Exhausted, Limit, Part, Portion, Share};

/// Requests of one caller, until their answers have gone out.
const REQUESTS: usize = 64;
/// Bytes of the bodies of one caller's requests, until they are answered.
const BYTES: usize = 4 * 1024 * 1024;
/// The same of all callers together.
const BYTES_OF_ALL: usize = 16 * 1024 * 1024;

/// Most events take milliseconds.
const FOR_A_TURN: Duration = Duration::from_secs(2);

/// So there are a hundred a second at most.
const BETWEEN_TURNS: Duration = Duration::from_millis(10);

/// What one caller has taken, of its own share and of what all have. Cheap to clone.
#[derive(Clone)]
pub(super) struct Load {
    requests: Limit,
    bytes: Portion,
    turns: Arc<Semaphore>,
    refused: Arc<Refused>,
}

/// Of all callers.
#[derive(Clone)]
pub(super) struct Common(Limit);

impl Default for Common {
    fn default() -> Self {
        Self(Limit::new(BYTES_OF_ALL))
    }
}

impl Common {
    /// For one more caller.
    pub(super) fn caller(&self) -> Load {
        Load {
            requests: Limit::new(REQUESTS),
            bytes: Portion::new(BYTES, &self.0),
            turns: Arc::new(Semaphore::new(1)),
            refused: Arc::default(),
        }
    }
}

impl Load {
    /// A request.
    pub(super) fn request(&self) -> Result<Share, Exhausted> {
        self.requests.take(1)
    }

    /// To do what one event asks for: one after the other, and not too many a second, or a flood would take the cores from
    /// messages. Nobody waits without end for an event that hangs at a token.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let turn = timeout(FOR_A_TURN, self.turns.clone().acquire_owned()).await;
        let turn = turn.ok()?.ok()?;
        sleep(BETWEEN_TURNS).await;
        Some(turn)
    }

    /// The line for its requests that are not let through.
    pub(super) fn refused(&self) -> &Refused {
        &self.refused
    }

    /// A body, of which nothing has come yet. Who says that much will come takes nothing by that.
    pub(super) fn body(&self, declared: usize) -> Result<Part, Exhausted> {
        if !self.bytes.has(declared) {
            return Err(Exhausted);
        }
        self.bytes.take(0)
    }

    /// So many more bytes of it.
    pub(super) fn more(&self, body: &mut Part, bytes: usize) -> Result<(), Exhausted> {
        self.bytes.more(body, bytes)
    }
}

impl From<Exhausted> for Problem {
    fn from(_: Exhausted) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, TOO_MUCH)
    }
}

const TOO_MUCH: &str = "too much is under way here for this caller, or for all; nothing was done: send it again in a few seconds";

/// An answer that holds its request's place until it has gone out.
pub(super) fn holding(response: Response, place: Share) -> Response {
    response.map(|body| Body::new(Holding { body, _place: place }))
}

struct Holding {
    body: Body,
    _place: Share,
}

impl http_body::Body for Holding {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_what_the_others_need() {
        let common = Common::default();
        let (greedy, modest) = (common.caller(), common.caller());
        let mut held = greedy.body(BYTES).unwrap();
        greedy.more(&mut held, BYTES).unwrap();
        assert!(greedy.more(&mut held, 1).is_err() && greedy.body(1).is_err());
        modest.more(&mut modest.body(BYTES).unwrap(), BYTES).unwrap();
        let places: Vec<_> = (0..REQUESTS).map(|_| greedy.request().unwrap()).collect();
        assert!(greedy.request().is_err() && modest.request().is_ok());
        drop((held, places));
        assert!(greedy.body(BYTES).is_ok() && greedy.request().is_ok());
    }

    #[test]
    fn all_together_have_a_bound() {
        let common = Common::default();
        let callers: Vec<_> = (0..=BYTES_OF_ALL / BYTES).map(|_| common.caller()).collect();
        let (last, others) = callers.split_last().unwrap();
        let held: Vec<_> = others
            .iter()
            .map(|caller| {
                let mut held = caller.body(BYTES).unwrap();
                caller.more(&mut held, BYTES).unwrap();
                held
            })
            .collect();
        assert!(last.body(1).is_err());
        drop(held);
        assert!(last.body(1).is_ok());
    }
}
