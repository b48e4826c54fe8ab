//! Steady load: flows on keep-alive connections, each sending its next message as soon as the last one
//! is answered.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::ledger::{Acceptance, Sent};
use super::scene::path;
use crate::cli::CliError;
use crate::keys::Fingerprint;

/// Who sends what, and for how long.
pub(super) struct Load {
    pub(super) proxy: SocketAddr,
    /// Flows send for these aliases in turn, from the first one on.
    pub(super) aliases: usize,
    pub(super) connections: u16,
    pub(super) until: Instant,
    /// Equal seeds send equal messages.
    pub(super) seed: u64,
}

impl Load {
    /// Sends until the time is over; then waits for the last answers.
    pub(super) async fn run(self) -> Result<Vec<Sent>, CliError> {
        let mut flows = JoinSet::new();
        for (number, alias) in (0..self.connections).zip((0..self.aliases).cycle()) {
            let flow = Flow {
                proxy: self.proxy,
                alias,
                number,
                random: Random(self.seed ^ u64::from(number) << 32),
            };
            flows.spawn(flow.run(self.until));
        }
        let mut sent = Vec::new();
        while let Some(flow) = flows.join_next().await {
            sent.extend(flow.map_err(CliError::failed)??);
        }
        Ok(sent)
    }
}

/// One integration flow on one connection.
struct Flow {
    proxy: SocketAddr,
    alias: usize,
    number: u16,
    random: Random,
}

impl Flow {
    async fn run(mut self, until: Instant) -> Result<Vec<Sent>, CliError> {
        let mut connection = self.connect().await?;
        let mut sent = Vec::new();
        while Instant::now() < until {
            if connection.ready().await.is_err() {
                connection = self.connect().await?;
                continue;
            }
            let id = format!("urn:countersign:demo:{}:{}", self.number, sent.len());
            let request = self.request(&id)?;
            let begun = Instant::now();
            let key = exchange(&mut connection, request).await;
            let accepted = key.map(|key| Acceptance {
                at: Instant::now(),
                key,
            });
            sent.push(Sent {
                alias: self.alias,
                begun,
                accepted,
            });
        }
        Ok(sent)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, CliError> {
        let stream = TcpStream::connect(self.proxy).await.map_err(CliError::failed)?;
        stream.set_nodelay(true).map_err(CliError::failed)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(CliError::failed)?;
        // Ends with the sender.
        tokio::spawn(connection);
        Ok(sender)
    }

    fn request(&mut self, id: &str) -> Result<Request<Full<Bytes>>, CliError> {
        Request::post(path(self.alias))
            .header(HOST, self.proxy.to_string())
            .header(CONTENT_TYPE, "text/xml; charset=utf-8")
            .header("SOAPAction", "\"urn:countersign:demo:order\"")
            .body(Full::from(message(id, &mut self.random)))
            .map_err(CliError::failed)
    }
}

/// The key that the receiver names in its answer; `None` without one, or with a fault.
async fn exchange(
    connection: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Option<Fingerprint> {
    let response = connection.send_request(request).await.ok()?;
    let accepted = response.status() == StatusCode::OK;
    let answer = response.into_body().collect().await.ok()?.to_bytes();
    let answer = std::str::from_utf8(&answer).ok().filter(|_| accepted)?;
    let (_, key) = answer.split_once(" key=\"")?;
    key.split_once('"')?.0.parse().ok()
}

/// An order of one to 64 items.
fn message(id: &str, random: &mut Random) -> String {
    let items: String = (0..=random.next() % 64)
        .map(|item| format!("<item>{item}: {}</item>", random.next() % 1000))
        .collect();
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">\
         <s:Header><a:MessageID xmlns:a=\"http://www.w3.org/2005/08/addressing\">{id}</a:MessageID></s:Header>\
         <s:Body><order xmlns=\"urn:countersign:demo\">{items}</order></s:Body></s:Envelope>"
    )
}

/// SplitMix64: the same numbers for the same seed, good enough to vary messages.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
