//! One sink: a webhook that takes CloudEvents in structured mode, over TLS. No redirect is followed, for it would lead
//! elsewhere than the configuration says; of an answer its status counts, and no more of it is read than keeps the
//! connection of use.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::causes::innermost;
use crate::cloud_events::codec::STRUCTURED;
use crate::config::SinkConfig;
use crate::files;
use crate::metrics::DeliveryOutcome;
use crate::tls::{TlsError, client_config};

/// From the connection to the head of the answer.
const LIMIT: Duration = Duration::from_secs(30);
/// For the rest of an answer, which says nothing that counts.
const REST: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next event.
const IDLE: Duration = Duration::from_secs(30);
/// Bytes of an answer's body.
const MOST_OF_AN_ANSWER: usize = 16 * 1024;

/// Where events are sent.
pub struct Sink {
    name: String,
    url: Uri,
    authorization: Option<HeaderValue>,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// A sink that cannot be used, whatever it answers.
#[derive(Debug, thiserror::Error)]
#[error("sink {sink}: {problem}")]
pub struct SinkError {
    /// Its name.
    pub sink: String,
    /// The line where it is configured.
    pub line: usize,
    /// Why.
    pub problem: SinkProblem,
}

/// Why a sink cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SinkProblem {
    /// Whom to trust cannot be told.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Its token.
    #[error("the token file {} cannot be read: {error}", file.display())]
    Unreadable {
        /// Its file.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Its token is none.
    #[error("{} does not hold a token: one line of characters that a header field may have", .0.display())]
    NoToken(PathBuf),
}

/// Why an event was not taken.
pub(super) struct NotTaken {
    /// In a sentence.
    pub(super) problem: String,
    /// For how long the sink asks to be left alone.
    pub(super) wait: Option<Duration>,
    pub(super) outcome: DeliveryOutcome,
}

impl Sink {
    /// Reads the files that it names.
    ///
    /// # Errors
    /// When one is of no use.
    pub fn new(config: &SinkConfig) -> Result<Self, SinkError> {
        Self::read(config).map_err(|problem| SinkError {
            sink: config.name().to_owned(),
            line: config.line,
            problem,
        })
    }

    fn read(config: &SinkConfig) -> Result<Self, SinkProblem> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(client_config(&config.url, &config.tls)?)
            .https_only()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Self {
            name: config.name().to_owned(),
            url: config.url.clone(),
            authorization: config.token_file.clone().map(bearer).transpose()?,
            client,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Sends an event, once.
    pub(super) async fn tell(&self, event: String) -> Result<(), NotTaken> {
        let late = |_| NotTaken {
            problem: format!("it did not answer within {} s", LIMIT.as_secs()),
            wait: None,
            outcome: DeliveryOutcome::TimedOut,
        };
        let response = timeout(LIMIT, self.exchange(event)).await.map_err(late)??;
        let judged = judge(&response);
        // Whatever it says there, or does not say; what is not read closes the connection.
        let rest = Limited::new(response.into_body(), MOST_OF_AN_ANSWER).collect();
        drop(timeout(REST, rest).await);
        judged
    }

    async fn exchange(&self, event: String) -> Result<Response<Incoming>, NotTaken> {
        let mut request = Request::new(Full::from(event));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.url.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let response = self.client.request(request).await;
        response.map_err(|error| unreachable(&error))
    }
}

/// `STRUCTURED`, in UTF-8.
const MEDIA_TYPE: &str = "application/cloudevents+json; charset=utf-8";
const AGENT: &str = concat!("countersign/", env!("CARGO_PKG_VERSION"));
const _: () = assert!(STRUCTURED.len() < MEDIA_TYPE.len());

/// Any 2xx is an acknowledgement. Everything else is tried again, 410 Gone included: a sink that is gone for good is
/// removed from the configuration, and not by an answer that somebody's proxy may have given.
fn judge(response: &Response<Incoming>) -> Result<(), NotTaken> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let problem = match status {
        StatusCode::GONE => {
            "it answered 410: it is gone; if that is meant, remove it from [events]".to_owned()
        }
        _ if status.is_redirection() => {
            format!("it answered {status}, which is not followed: write the new address into [events]")
        }
        _ => format!("it answered {status}"),
    };
    let wait = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    Err(NotTaken {
        problem,
        wait: wait.map(Duration::from_secs),
        outcome: DeliveryOutcome::Refused,
    })
}

fn unreachable(error: &(dyn Error + 'static)) -> NotTaken {
    NotTaken {
        problem: format!("it cannot be reached: {}", innermost(error)),
        wait: None,
        outcome: DeliveryOutcome::Unreachable,
    }
}

fn bearer(file: PathBuf) -> Result<HeaderValue, SinkProblem> {
    let token = files::read_text(&file);
    let token = match token {
        Ok(token) => token,
        Err(error) => return Err(SinkProblem::Unreadable { file, error }),
    };
    let field = Zeroizing::new(format!("Bearer {}", token.trim()));
    let plain = !token.trim().is_empty() && token.trim().bytes().all(|byte| byte.is_ascii_graphic());
    let value = HeaderValue::from_str(&field).ok().filter(|_| plain);
    let mut value = value.ok_or(SinkProblem::NoToken(file))?;
    value.set_sensitive(true);
    Ok(value)
}
