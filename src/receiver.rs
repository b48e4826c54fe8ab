//! A receiver for demos and tests: verifies the messages it gets, answers, and counts.
//!
//! It is the other side of a proxy and no part of one. `POST` anywhere is a message: accepted with a
//! SOAP response that names the key, or refused with a SOAP fault that says why. `GET /` is the counts,
//! `GET /last` the message accepted last, as it came.
//! `PUT /trust` exchanges whom it trusts; with [`Options::strict_one_key`] that is a single certificate at a time, as with
//! some partners. Nobody is asked who he is, so it belongs on a loopback address.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, put};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

mod answer;
mod counts;
mod judge;

pub use counts::Counts;

use crate::clock::Clock;
use crate::proxy::media_type::MediaType;
pub use crate::wss::key_refused::KEY_NOT_TRUSTED;
use crate::wss::policy::Policy;
use crate::wss::verify::Trust;
use answer::Answer;
use judge::Judge;

/// How a receiver behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// What it accepts.
    pub policy: Policy,
    /// Trust only the last certificate given.
    pub strict_one_key: bool,
    /// What tells two messages apart, so that one processed twice is noticed: an attribute of the
    /// Body's first child, or else an element within it, of this local name. Without it, or where a
    /// message has none, `wsa:MessageID`, and failing that the signature value, which differs also
    /// between two transmissions of the same message.
    pub message_id: Option<String>,
    /// Bytes of one message.
    pub max_message: usize,
    /// Judges Timestamps and certificates.
    pub clock: Clock,
}

impl Options {
    /// For whatever the proxy sends.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            policy: Policy::outbound(),
            strict_one_key: false,
            message_id: None,
            max_message: 128 * 1024 * 1024,
            clock,
        }
    }
}

/// A running receiver. Dropped, it goes on until its runtime ends; [`Receiver::shut_down`] ends it.
pub struct Receiver {
    address: SocketAddr,
    judge: Arc<Judge>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<io::Result<()>>,
}

impl Receiver {
    /// Listens, and serves from now on.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn bind(address: SocketAddr, trust: Trust, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let max_message = options.max_message;
        let judge = Arc::new(Judge::new(trust, options));
        let router = Router::new()
            .route("/", get(counts).post(message))
            .route("/last", get(last_message))
            .route("/trust", put(exchange_trust))
            .fallback(axum::routing::post(message))
            .layer(DefaultBodyLimit::max(max_message))
            .with_state(judge.clone());
        // An answer of two packets would wait for the client's delayed acknowledgement
        let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move { drop(stopped.await) };
        let serving = axum::serve(listener, router).with_graceful_shutdown(stopped);
        let served = tokio::spawn(serving.into_future());
        Ok(Self {
            address,
            judge,
            stop,
            served,
        })
    }

    /// Where it listens: the port that it got.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.judge.counts()
    }

    /// Trusts others from now on; with [`Options::strict_one_key`] the last of them.
    pub fn exchange_trust(&self, trust: Trust) {
        self.judge.exchange_trust(trust);
    }

    /// Answers what is under way, then ends.
    ///
    /// # Errors
    /// When serving had failed before.
    pub async fn shut_down(self) -> io::Result<Counts> {
        drop(self.stop);
        self.served.await.map_err(io::Error::other)??;
        Ok(self.judge.counts())
    }
}

async fn message(State(judge): State<Arc<Judge>>, headers: HeaderMap, body: Bytes) -> Response {
    let content_type = headers
        .get(CONTENT_TYPE)
        .map(MediaType::parse)
        .and_then(Result::ok);
    // libxml2's tree stays on one thread, and an RSA verification is no work for one that moves bytes
    let judged = tokio::task::spawn_blocking(move || judge.judge(&body, content_type.as_ref())).await;
    match judged {
        Ok(answer) => answer.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn counts(State(judge): State<Arc<Judge>>) -> Json<Counts> {
    Json(judge.counts())
}

async fn last_message(State(judge): State<Arc<Judge>>) -> Response {
    match judge.last_accepted() {
        Some(message) => ([(CONTENT_TYPE, "application/xml")], message).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn exchange_trust(State(judge): State<Arc<Judge>>, pem: Bytes) -> Response {
    match Trust::read(&pem) {
        Ok(trust) => {
            judge.exchange_trust(trust);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, [(CONTENT_TYPE, self.content_type)], self.envelope).into_response()
    }
}
