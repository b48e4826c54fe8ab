//! The receiver's answer on its way to the flow: a task takes it from the receiver and hands it over, frame by frame.
//!
//! The exchange ends here in time whatever the flow does: who takes nothing asks for nothing, and a body that nobody
//! asks looks at no deadline. At most one frame waits, and one is in hand.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use crate::metrics::Outcome;
use crate::proxy::answer::AnswerBody;
use crate::proxy::exchange::Exchange;

/// The answer's body, as the flow gets it.
pub(in crate::proxy) struct Passing {
    handed: mpsc::Receiver<Handed>,
    size: SizeHint,
    ended: bool,
}

/// What goes from the task to the body. If nothing comes any more before the end, the answer was given up.
enum Handed {
    Frame(Frame<Bytes>),
    Last(Frame<Bytes>),
    End,
    Broken(ReplyError),
}

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
    pub(super) fn begin(body: AnswerBody, exchange: Exchange) -> Self {
        let size = body.size_hint();
        let (hand, handed) = mpsc::channel(1);
        tokio::spawn(pass(body, exchange, hand));
        Self {
            handed,
            size,
            ended: false,
        }
    }
}

async fn pass(mut body: AnswerBody, mut exchange: Exchange, hand: mpsc::Sender<Handed>) {
    let mut deadline = std::pin::pin!(sleep_until(exchange.deadline()));
    loop {
        let next = async {
            let next = next(&mut body).await;
            hand.reserve().await.map(|place| (next, place))
        };
        let (next, place) = tokio::select! {
            biased;
            Ok(next) = next => next,
            () = hand.closed() => return, // the flow went away
            () = &mut deadline => {
                let reason = ReplyError::TimedOut.to_string();
                return exchange.broke_off(Outcome::TimedOut, reason);
            }
        };
        match &next {
            Handed::Frame(_) => {
                place.send(next);
                continue;
            }
            Handed::Last(_) | Handed::End => exchange.completed(),
            Handed::Broken(error) => exchange.broke_off(Outcome::BrokenOff, error.to_string()),
        }
        // First, so that the flow's next request finds the place free that this one had.
        drop(exchange);
        return place.send(next);
    }
}

async fn next(body: &mut AnswerBody) -> Handed {
    match body.next().await {
        Some(Ok(piece)) if body.is_end_stream() => Handed::Last(Frame::data(piece)),
        Some(Ok(piece)) => Handed::Frame(Frame::data(piece)),
        Some(Err(error)) => Handed::Broken(error.into()),
        None => Handed::End,
    }
}

impl Body for Passing {
    type Data = Bytes;
    type Error = ReplyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReplyError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let handed = ready!(self.handed.poll_recv(context));
        self.ended = !matches!(handed, Some(Handed::Frame(_)));
        Poll::Ready(match handed {
            Some(Handed::Frame(frame) | Handed::Last(frame)) => Some(Ok(frame)),
            Some(Handed::End) => None,
            Some(Handed::Broken(error)) => Some(Err(error)),
            None => Some(Err(ReplyError::TimedOut)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}
