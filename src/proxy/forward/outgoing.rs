//! The body of a request to a receiver: a signed message, or nothing.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;

use super::super::read::Outlay;
use crate::wss::SignedMessage;

/// A body made of a signed message's segments, which are not copied. Its memory is given back when it has been sent.
pub(super) struct Outgoing {
    segments: VecDeque<Bytes>,
    left: u64,
    _memory: Option<Outlay>,
    /// Dropped with the body: tells [`Sent`].
    _unsent: oneshot::Sender<Infallible>,
}

/// Resolves when the body has been handed to the connection to its last byte, or was given up.
pub(super) type Sent = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Outgoing {
    /// The one way by which a message gets into a request.
    pub(super) fn message(message: SignedMessage, memory: Outlay) -> (Self, Sent) {
        Self::new(message.into_segments().into(), Some(memory))
    }

    /// For requests without a body.
    pub(super) fn nothing() -> (Self, Sent) {
        Self::new(VecDeque::new(), None)
    }

    fn new(segments: VecDeque<Bytes>, memory: Option<Outlay>) -> (Self, Sent) {
        let left = segments.iter().map(|segment| segment.len() as u64).sum();
        let (unsent, sent) = oneshot::channel();
        let sent = Box::pin(async move {
            let Err(_dropped) = sent.await;
        });
        (
            Self {
                segments,
                left,
                _memory: memory,
                _unsent: unsent,
            },
            sent,
        )
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let segment = self.segments.pop_front();
        self.left -= segment.as_ref().map_or(0, |segment| segment.len() as u64);
        Poll::Ready(segment.map(|segment| Ok(Frame::data(segment))))
    }

    fn is_end_stream(&self) -> bool {
        self.segments.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
