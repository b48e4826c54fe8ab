//! What those who may ask can take at a time: requests, and bytes of bodies. Nobody takes so much that the others get
//! nothing.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::Response;
use http_body::{Frame, SizeHint};

use super::problem::Problem;
use crate::proxy::load::{Exhausted, Limit, Share};

/// Requests of one caller, until their answers have gone out.
const REQUESTS: usize = 64;
/// Bytes of the bodies of one caller's requests, until they are answered.
const BYTES: usize = 4 * 1024 * 1024;
/// The same of all callers together.
const BYTES_OF_ALL: usize = 16 * 1024 * 1024;

/// What one caller has taken, of its own share and of what all have. Cheap to clone.
#[derive(Clone)]
pub(super) struct Load {
    requests: Limit,
    own: Limit,
    all: Limit,
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
            own: Limit::new(BYTES),
            all: self.0.clone(),
        }
    }
}

/// Bytes of one body.
pub(super) struct Held {
    own: Share,
    all: Share,
}

impl Held {
    /// Of so many more.
    pub(super) fn more(&mut self, load: &Load, bytes: usize) -> Result<(), Exhausted> {
        self.own.merge(load.own.take(bytes)?);
        self.all.merge(load.all.take(bytes)?);
        Ok(())
    }
}

impl Load {
    /// A request.
    pub(super) fn request(&self) -> Result<Share, Exhausted> {
        self.requests.take(1)
    }

    /// A body, of which nothing has come yet. Who says that much will come takes nothing by that.
    pub(super) fn body(&self, declared: usize) -> Result<Held, Exhausted> {
        if !self.own.has(declared) || !self.all.has(declared) {
            return Err(Exhausted);
        }
        Ok(Held {
            own: self.own.take(0)?,
            all: self.all.take(0)?,
        })
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
        held.more(&greedy, BYTES).unwrap();
        assert!(held.more(&greedy, 1).is_err() && greedy.body(1).is_err());
        modest.body(BYTES).unwrap().more(&modest, BYTES).unwrap();
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
                held.more(caller, BYTES).unwrap();
                held
            })
            .collect();
        assert!(last.body(1).is_err());
        drop(held);
        assert!(last.body(1).is_ok());
    }
}
