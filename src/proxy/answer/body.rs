//! The body of a receiver's answer, of which the beginning may have been read ahead. Whoever takes it gets what came, as
//! it came: the same bytes in the same pieces, and the same end.

use std::collections::VecDeque;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming, SizeHint};

use crate::proxy::forward::AnswerBounds;

/// What is passed on.
pub(in crate::proxy) struct AnswerBody {
    /// Read ahead, and not taken yet.
    ahead: VecDeque<Bytes>,
    rest: Rest,
    /// Of the whole, as it was before anything of it came.
    size: SizeHint,
    bounds: AnswerBounds,
}

enum Rest {
    Coming(Incoming),
    Ended,
    /// Told once.
    Broken(Option<hyper::Error>),
}

impl AnswerBody {
    /// Of an answer whose head has come.
    pub(in crate::proxy) fn new(body: Incoming, bounds: AnswerBounds) -> Self {
        Self {
            bounds,
            size: body.size_hint(),
            ahead: VecDeque::new(),
            rest: Rest::Coming(body),
        }
    }

    /// Its size, as far as the receiver has said it.
    pub(in crate::proxy) fn size_hint(&self) -> SizeHint {
        self.size
    }

    /// What it may take, whatever it says.
    pub(in crate::proxy) fn bounds(&self) -> AnswerBounds {
        self.bounds
    }

    /// What was read ahead of it.
    pub(in crate::proxy) fn bytes_ahead(&self) -> usize {
        self.ahead.iter().map(Bytes::len).sum()
    }

    /// The next piece, to be passed on. Trailer fields end here, as their announcement does.
    pub(in crate::proxy) async fn next(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        match self.ahead.pop_front() {
            Some(piece) => Some(Ok(piece)),
            None => self.rest.next().await,
        }
    }

    /// All of it has been taken.
    pub(in crate::proxy) fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.rest.has_ended()
    }

    /// The next piece, read ahead of being passed on; `None` when no more comes. May be given up at any time.
    pub(super) async fn read_ahead(&mut self) -> Option<Bytes> {
        match self.rest.next().await? {
            Ok(piece) => {
                self.ahead.push_back(piece.clone());
                Some(piece)
            }
            Err(error) => {
                self.rest = Rest::Broken(Some(error));
                None
            }
        }
    }

    /// All of it has been read ahead, or was nothing.
    pub(super) fn is_whole(&self) -> bool {
        self.rest.has_ended()
    }
}

impl Rest {
    async fn next(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        loop {
            let frame = match self {
                Self::Coming(body) => body.frame().await,
                Self::Ended => None,
                Self::Broken(error) => return error.take().map(Err),
            };
            match frame.map(|frame| frame.map(|frame| frame.into_data())) {
                Some(Ok(Ok(piece))) => return Some(Ok(piece)),
                Some(Ok(Err(_trailers))) => {}
                Some(Err(error)) => return Some(Err(error)),
                None => {
                    *self = Self::Ended;
                    return None;
                }
            }
        }
    }

    fn has_ended(&self) -> bool {
        match self {
            Self::Coming(body) => body.is_end_stream(),
            Self::Ended => true,
            Self::Broken(_) => false,
        }
    }
}
