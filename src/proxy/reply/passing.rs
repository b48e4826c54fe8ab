//! The receiver's answer on its way to the flow: a task takes it from the receiver and hands it over, frame by frame.
//!
//! The exchange ends here in time whatever the flow does: who takes nothing asks for nothing, and a body that nobody
//! asks looks at no deadline. At most one frame waits, and one is in hand.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};

use crate::metrics::Outcome;
use crate::proxy::answer::AnswerBody;
use crate::proxy::exchange::Exchange;
use crate::proxy::forward::AnswerBounds;

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
    /// It sends nothing, and does not end.
    #[error("nothing of the receiver's answer came for {} s", .0.as_secs())]
    Stalled(Duration),
    /// Over `max_answer`.
    #[error("the receiver's answer is larger than {0} bytes (max_answer), and was cut off")]
    TooLarge(u64),
    /// The exchange as a whole took too long.
    #[error("the receiver's answer did not end in time, or the flow did not take it")]
    TimedOut,
}

impl ReplyError {
    const fn outcome(&self) -> Outcome {
        match self {
            Self::BrokenOff(_) => Outcome::BrokenOff,
            Self::TooLarge(_) => Outcome::AnswerTooLarge,
            Self::Stalled(_) | Self::TimedOut => Outcome::TimedOut,
        }
    }
}

impl Passing {
    /// Begins to pass it on; the exchange ends with it.
    pub(super) fn begin(body: AnswerBody, exchange: Exchange) -> Self {
        let (size, bounds) = (body.size_hint(), body.bounds());
        let (hand, handed) = mpsc::channel(1);
        let coming = Coming {
            body,
            bounds,
            came: 0,
        };
        tokio::spawn(pass(coming, exchange, hand));
        Self {
            handed,
            size,
            ended: false,
        }
    }
}

async fn pass(mut coming: Coming, mut exchange: Exchange, hand: mpsc::Sender<Handed>) {
    let mut deadline = std::pin::pin!(sleep_until(exchange.deadline()));
    loop {
        let next = async {
            let next = coming.next().await;
            hand.reserve().await.map(|place| (next, place))
        };
        let (next, place) = tokio::select! {
            biased;
            Ok(next) = next => next,
            () = hand.closed() => return, // the flow went away
            () = &mut deadline => {
                let error = ReplyError::TimedOut;
                return exchange.broke_off(error.outcome(), error.to_string());
            }
        };
        match &next {
            Handed::Frame(_) => {
                place.send(next);
                continue;
            }
            Handed::Last(_) | Handed::End => exchange.completed(),
            Handed::Broken(error) => exchange.broke_off(error.outcome(), error.to_string()),
        }
        // First, so that the flow's next request finds the place free that this one had.
        drop(exchange);
        return place.send(next);
    }
}

/// What comes from the receiver, within its bounds. An answer that is cut off at one of them never looks like one that is
/// over: the flow's stream, or its connection, ends with an error.
struct Coming {
    body: AnswerBody,
    bounds: AnswerBounds,
    /// Bytes so far.
    came: u64,
}

impl Coming {
    async fn next(&mut self) -> Handed {
        let idle = self.bounds.idle;
        timeout(idle, self.piece())
            .await
            .unwrap_or(Handed::Broken(ReplyError::Stalled(idle)))
    }

    /// Empty pieces are no progress.
    async fn piece(&mut self) -> Handed {
        loop {
            let piece = match self.body.next().await {
                Some(Ok(piece)) => piece,
                Some(Err(error)) => return Handed::Broken(error.into()),
                None => return Handed::End,
            };
            self.came += piece.len() as u64;
            let is_last = self.body.is_end_stream();
            if self.came > self.bounds.most {
                return Handed::Broken(ReplyError::TooLarge(self.bounds.most));
            }
            if is_last {
                return Handed::Last(Frame::data(piece));
            }
            if !piece.is_empty() {
                return Handed::Frame(Frame::data(piece));
            }
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
