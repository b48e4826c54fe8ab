//! The connections to a receiver that all flows share: by HTTP/2 where the receiver chooses it, until it asks for HTTP/1.1
//! instead. IIS does so wherever Windows authenticates.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::connect::Connector;
use super::outgoing::Outgoing;
use super::{ForwardError, IDLE};

/// A receiver that is silent on HTTP/2 is asked whether it is there, and has this long to say so: on one connection
/// that is dead unnoticed all messages would wait in vain.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIME: Duration = Duration::from_secs(10);
/// Bytes of the head of an answer by HTTP/2.
const MAX_HEAD: u32 = 64 * 1024;

/// Connections to one receiver.
pub(super) struct Pool {
    chosen: Client<Connector, Outgoing>,
    http1: Client<Connector, Outgoing>,
    http1_required: AtomicBool,
}

impl Pool {
    /// By what the receiver chooses, and by HTTP/1.1.
    pub(super) fn new(chosen: Connector, http1: Connector) -> Self {
        Self {
            chosen: client(chosen),
            http1: client(http1),
            http1_required: AtomicBool::new(false),
        }
    }

    /// A request by which the receiver asks for HTTP/1.1 is not sent again by itself: HTTP does not promise that nothing was
    /// done (RFC 9113, section 8.7).
    pub(super) async fn send(&self, request: Request<Outgoing>) -> Result<Response<Incoming>, ForwardError> {
        let client = if self.http1_required.load(Ordering::Relaxed) {
            &self.http1
        } else {
            &self.chosen
        };
        let receiver = request.uri().authority().cloned();
        let answered = client.request(request).await.map_err(ForwardError::from);
        if matches!(answered, Err(ForwardError::Http1Required))
            && !self.http1_required.swap(true, Ordering::Relaxed)
        {
            let receiver = receiver.as_ref().map(tracing::field::display);
            tracing::warn!(receiver, "a receiver asks for HTTP/1.1, and gets it from now on");
        }
        answered
    }
}

fn client(connector: Connector) -> Client<Connector, Outgoing> {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .timer(TokioTimer::new())
        .http2_keep_alive_interval(PING_INTERVAL)
        .http2_keep_alive_timeout(PING_TIME)
        .http2_max_header_list_size(MAX_HEAD)
        .http1_preserve_header_case(true)
        .build(connector)
}
