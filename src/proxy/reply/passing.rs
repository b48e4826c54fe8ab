//! The receiver's answer on its way to the flow: a task takes it from the receiver and hands it over, frame by frame.
//!
//! The exchange ends here in time whatever the flow does: who takes nothing asks for nothing, and a body that nobody
//! asks looks at no deadline. At most one frame waits, and one is in hand.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use crate::metrics::Outcome;
use crate::proxy::exchange::Exchange;

/// The answer's body, as the flow gets it.
pub(in crate::proxy) struct Passing {
    handed: mpsc::Receiver<Handed>,
    size: SizeHint,
}

/// A frame, or `None` for the end. Without either, it was given up.
type Handed = Result<Option<Frame<Bytes>>, ReplyError>;

/// Why the receiver's answer ends midway; what has been sent of it cannot be taken back.
#[derive(Debug, thiserror::Error)]
pub(in crate::proxy) enum ReplyError {
    /// The receiver broke off.
    #[error("the receiver's answer broke off: {0}")]
    BrokenOff(#[from] hyper::Error),
    /// The exchange as a whole took too long.
    #[error("the receiver's answer did not end in time, or the flow did not take it")]
    TimedOut,
}

impl Passing {
    /// Begins to pass it on; the exchange ends with it.
    pub(super) fn begin(body: Incoming, exchange: Exchange) -> Self {
        let size = body.size_hint();
        let (hand, handed) = mpsc::channel(1);
        tokio::spawn(pass(body, exchange, hand));
        Self { handed, size }
    }
}

async fn pass(mut body: Incoming, mut exchange: Exchange, hand: mpsc::Sender<Handed>) {
    let deadline = exchange.deadline();
    tokio::select! {
        biased;
        passed = hand_over(&mut body, &hand) => match passed {
            Passed::Whole => exchange.completed(),
            Passed::Broken(reason) => exchange.broke_off(Outcome::BrokenOff, reason),
            Passed::NotTaken => {}
        },
        () = hand.closed() => {}
        () = sleep_until(deadline) => {
            exchange.broke_off(Outcome::TimedOut, ReplyError::TimedOut.to_string());
        }
    }
}

enum Passed {
    Whole,
    Broken(String),
    /// The flow went away.
    NotTaken,
}

async fn hand_over(body: &mut Incoming, hand: &mpsc::Sender<Handed>) -> Passed {
    loop {
        let frame = body.frame().await.transpose().map_err(ReplyError::from);
        if matches!(&frame, Ok(Some(frame)) if frame.is_trailers()) {
            continue; // they end here, as their announcement does
        }
        let broken = frame.as_ref().err().map(ReplyError::to_string);
        let ends = matches!(frame, Ok(None));
        let taken = hand.send(frame).await.is_ok();
        match broken {
            Some(reason) => return Passed::Broken(reason),
            // A flow that was told the length does not wait for the end.
            None if ends || (!taken && body.is_end_stream()) => return Passed::Whole,
            None if taken => {}
            None => return Passed::NotTaken,
        }
    }
}

impl Body for Passing {
    type Data = Bytes;
    type Error = ReplyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReplyError>>> {
        let handed = ready!(self.handed.poll_recv(context));
        Poll::Ready(handed.unwrap_or(Err(ReplyError::TimedOut)).transpose())
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}
