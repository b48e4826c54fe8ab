//! What a connection is doing: nothing, or answering requests; and whether its client takes the answers.
//!
//! By HTTP/2 a client can close the window of one answer and keep the connection alive. Nothing is asked of that answer
//! then, and no write of ours waits, so what is not taken is looked for here.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Of one connection.
pub(super) struct Standing {
    network: IpAddr,
    now: Mutex<Doing>,
    /// Its place is another's now.
    gives_way: Notify,
    /// Told when it becomes quiet.
    quiet: Arc<Notify>,
}

struct Doing {
    /// Requests, from their head to the end of their answer.
    under_way: usize,
    /// Since when it is quiet, or busy.
    since: Instant,
    next: u64,
    /// Answers whose next bytes the client has not asked for yet, since when.
    untaken: HashMap<u64, Instant>,
}

impl Standing {
    pub(super) fn new(network: IpAddr, quiet: Arc<Notify>) -> Self {
        Self {
            network,
            now: Mutex::new(Doing {
                under_way: 0,
                since: Instant::now(),
                next: 0,
                untaken: HashMap::new(),
            }),
            gives_way: Notify::new(),
            quiet,
        }
    }

    /// Where the client is.
    pub(super) fn network(&self) -> IpAddr {
        self.network
    }

    /// It has no request under way.
    pub(super) fn is_quiet(&self) -> bool {
        self.doing().under_way == 0
    }

    /// It has sent a request.
    pub(super) fn has_asked(&self) -> bool {
        self.doing().next > 0
    }

    /// Since when it is as it is.
    pub(super) fn since(&self) -> Instant {
        self.doing().since
    }

    /// It has to end: its place is another's.
    pub(super) fn give_way(&self) {
        self.gives_way.notify_one();
    }

    /// Waits until it has to end.
    pub(super) async fn must_go(&self) {
        self.gives_way.notified().await;
    }

    /// Waits until an answer has not been taken for so long.
    pub(super) async fn neglected(&self, patience: Duration) {
        loop {
            let (oldest, now) = (self.doing().untaken.values().min().copied(), Instant::now());
            let due = oldest.unwrap_or(now) + patience;
            if oldest.is_some() && due <= now {
                return;
            }
            sleep_until(due).await;
        }
    }

    /// A request has begun.
    pub(super) fn request(self: &Arc<Self>) -> UnderWay {
        let mut doing = self.doing();
        if doing.under_way == 0 {
            doing.since = Instant::now();
        }
        doing.under_way += 1;
        doing.next += 1;
        UnderWay {
            standing: self.clone(),
            number: doing.next,
        }
    }

    fn doing(&self) -> MutexGuard<'_, Doing> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request, until its answer has gone out; over when dropped.
pub(super) struct UnderWay {
    standing: Arc<Standing>,
    number: u64,
}

impl UnderWay {
    /// The client may take more of the answer.
    fn offered(&self) {
        let mut doing = self.standing.doing();
        doing.untaken.insert(self.number, Instant::now());
    }

    /// It has asked for more.
    fn taken(&self) {
        self.standing.doing().untaken.remove(&self.number);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut doing = self.standing.doing();
        doing.untaken.remove(&self.number);
        doing.under_way = doing.under_way.saturating_sub(1);
        if doing.under_way == 0 {
            doing.since = Instant::now();
            drop(doing);
            self.standing.quiet.notify_waiters();
        }
    }
}

/// The body of an answer.
pub(super) struct Answer<B> {
    body: B,
    under_way: UnderWay,
}

impl<B> Answer<B> {
    pub(super) fn new(body: B, under_way: UnderWay) -> Self {
        under_way.offered();
        Self { body, under_way }
    }
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(_) => self.under_way.offered(),
            Poll::Pending => self.under_way.taken(),
        }
        polled
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
    use std::net::Ipv4Addr;

    use bytes::Bytes;
    use http_body_util::{BodyExt, Full};
    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn standing() -> Arc<Standing> {
        Arc::new(Standing::new(Ipv4Addr::LOCALHOST.into(), Arc::default()))
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_is_found() {
        let standing = standing();
        let _answer = Answer::new(Full::new(Bytes::from("up")), standing.request());
        timeout(2 * PATIENCE, standing.neglected(PATIENCE)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_waits_for_us_is_not_the_clients_fault() {
        struct Never;
        impl Body for Never {
            type Data = Bytes;
            type Error = std::convert::Infallible;
            fn poll_frame(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
                Poll::Pending
            }
        }
        let standing = standing();
        let mut answer = Answer::new(Never, standing.request());
        let _ = timeout(Duration::ZERO, answer.frame()).await;
        assert!(timeout(9 * PATIENCE, standing.neglected(PATIENCE)).await.is_err());
    }

    #[tokio::test]
    async fn an_answer_that_was_taken_leaves_it_quiet() {
        let standing = standing();
        let answer = Answer::new(Full::new(Bytes::from("up")), standing.request());
        assert!(!standing.is_quiet());
        answer.collect().await.unwrap();
        assert!(standing.is_quiet() && standing.doing().untaken.is_empty());
    }
}
