//! Many flows at once, and what became of each of their messages.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{Method, StatusCode};
use http_body_util::Full;
use tokio::time::Instant;

use super::client::{Flow, SOAP11, request};

/// What became of messages.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// How long the answers of those took that the receiver acknowledged.
    pub(crate) accepted: Vec<Duration>,
    /// How long it took to hear "503, later".
    pub(crate) put_off: Vec<Duration>,
    /// Everything else.
    pub(crate) failed: Vec<String>,
}

impl Tally {
    /// Sends the message of this id, and notes what becomes of it. Whether the connection may be used again.
    pub(crate) async fn send(&mut self, flow: &mut Flow, id: &str) -> bool {
        let begun = Instant::now();
        let post = request(Method::POST, "/orders").header(CONTENT_TYPE, SOAP11);
        let post = post.body(Full::<Bytes>::from(message(id))).expect("a request");
        let answer = match flow.try_send(post).await {
            Ok(answer) => answer,
            Err(error) => {
                self.failed.push(format!("{id}: {error:?}"));
                return false;
            }
        };
        match answer.status {
            StatusCode::OK => self.accepted.push(begun.elapsed()),
            StatusCode::SERVICE_UNAVAILABLE if answer.headers.contains_key(RETRY_AFTER) => {
                self.put_off.push(begun.elapsed());
            }
            other => self.failed.push(format!("{id}: {other} {}", answer.text())),
        }
        answer
            .headers
            .get("connection")
            .is_none_or(|value| value != "close")
    }

    pub(crate) fn merge(&mut self, mut other: Self) {
        self.accepted.append(&mut other.accepted);
        self.put_off.append(&mut other.put_off);
        self.failed.append(&mut other.failed);
    }
}

/// Half of them took no longer, and 99 of a hundred.
pub(crate) fn percentiles(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |percent: usize| {
        times
            .get(times.len() * percent / 100)
            .copied()
            .unwrap_or_default()
    };
    format!("{} (p50 {:?}, p99 {:?})", times.len(), at(50), at(99))
}

/// One that a receiver tells from others by its `wsa:MessageID`.
pub(crate) fn message(id: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">\
         <s:Header><a:MessageID xmlns:a=\"http://www.w3.org/2005/08/addressing\">{id}</a:MessageID></s:Header>\
         <s:Body><order xmlns=\"urn:example:orders\"><item>bolt</item></order></s:Body></s:Envelope>"
    )
}
