//! Speaks to the admin API of a running proxy.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode, request};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::admin::view::ProblemView;
use crate::cli::CliError;
use crate::listener::SPEAKS_TLS;

mod connection;
mod failure;

pub(in crate::cli) use connection::Connection;

/// An import derives keys from passwords; everything else takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of an answer; the keys of 10,000 aliases are a tenth of it.
const LARGEST: usize = 64 * 1024 * 1024;

/// Connections to one proxy.
pub(in crate::cli) struct AdminClient {
    url: String,
    authorization: Option<HeaderValue>,
    patience: Duration,
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// A call that succeeded.
pub(in crate::cli) struct Answer {
    status: StatusCode,
    /// JSON.
    pub(in crate::cli) body: Bytes,
}

impl AdminClient {
    /// One who shows a token or a certificate.
    pub(in crate::cli) fn new(connection: &Connection) -> Result<Self, CliError> {
        Ok(Self {
            authorization: connection.authorization()?,
            ..Self::anonymous(connection)?
        })
    }

    /// One who shows nothing.
    pub(in crate::cli) fn anonymous(connection: &Connection) -> Result<Self, CliError> {
        Ok(Self {
            url: connection.admin.to_string().trim_end_matches('/').to_owned(),
            authorization: None,
            patience: PATIENCE,
            http: Client::builder(TokioExecutor::new()).build(connection.connector()?),
        })
    }

    /// One who waits so long for an answer.
    pub(in crate::cli) fn waiting(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Whether the proxy takes messages.
    pub(in crate::cli) async fn ready(&self) -> Result<(), CliError> {
        let request = Request::get(format!("{}/readyz", self.url));
        self.send(request, Bytes::new()).await.map(drop)
    }

    /// `path` is what follows `/api/v1/`.
    pub(in crate::cli) async fn get(&self, path: &str) -> Result<Answer, CliError> {
        self.send(self.request(Method::GET, path), Bytes::new()).await
    }

    pub(in crate::cli) async fn post(&self, path: &str) -> Result<Answer, CliError> {
        self.send(self.request(Method::POST, path), Bytes::new()).await
    }

    pub(in crate::cli) async fn post_json(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Answer, CliError> {
        let request = self
            .request(Method::POST, path)
            .header(CONTENT_TYPE, "application/json");
        let body = serde_json::to_vec(body).map_err(CliError::failed)?;
        self.send(request, body.into()).await
    }

    pub(in crate::cli) fn request(&self, method: Method, path: &str) -> request::Builder {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/api/v1/{path}", self.url));
        match &self.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization),
            None => request,
        }
    }

    pub(in crate::cli) async fn send(
        &self,
        request: request::Builder,
        body: Bytes,
    ) -> Result<Answer, CliError> {
        let answer = self.exchange(request, body).await?;
        match answer.status.is_success() {
            true => Ok(answer),
            false => Err(CliError::Failed(self.refusal(&answer))),
        }
    }

    /// The same of what a file holds: where that is what is refused, the sentence names the file.
    pub(super) async fn send_file(
        &self,
        request: request::Builder,
        body: Bytes,
        file: &Path,
    ) -> Result<Answer, CliError> {
        let answer = self.exchange(request, body).await?;
        let refusal = || self.refusal(&answer);
        match answer.status {
            status if status.is_success() => Ok(answer),
            StatusCode::UNPROCESSABLE_ENTITY => {
                Err(CliError::Failed(format!("{}: {}", file.display(), refusal())))
            }
            _ => Err(CliError::Failed(refusal())),
        }
    }

    async fn exchange(&self, request: request::Builder, body: Bytes) -> Result<Answer, CliError> {
        let request = request.body(Full::new(body)).map_err(CliError::failed)?;
        let exchange = async {
            let response = self
                .http
                .request(request)
                .await
                .map_err(|error| self.unreachable(&error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LARGEST).collect().await;
            let body = body.map_err(|error| self.broken_off(&*error))?;
            Ok(Answer {
                status,
                body: body.to_bytes(),
            })
        };
        timeout(self.patience, exchange).await.map_err(|_| {
            CliError::Failed(format!(
                "{} did not answer within {} s",
                self.url,
                self.patience.as_secs()
            ))
        })?
    }

    fn refusal(&self, answer: &Answer) -> String {
        if let Ok(problem) = serde_json::from_slice::<ProblemView>(&answer.body) {
            return problem.detail;
        }
        if answer.body.starts_with(SPEAKS_TLS) {
            return format!("{} speaks TLS; write --admin https://…", self.url);
        }
        let (url, status) = (&self.url, answer.status);
        format!("{url} answered {status}: is it countersign's admin listener?")
    }

    fn broken_off(&self, error: &(dyn Error + 'static)) -> CliError {
        if error.is::<LengthLimitError>() {
            let url = &self.url;
            return CliError::Failed(format!(
                "{url} answered with more than {} MiB: is it countersign's admin listener?",
                LARGEST >> 20
            ));
        }
        self.unreachable(error)
    }

    fn unreachable(&self, error: &(dyn Error + 'static)) -> CliError {
        let sentence = failure::sentence(error);
        CliError::Failed(format!(
            "cannot reach the admin listener at {}: {sentence}",
            self.url
        ))
    }
}

impl Answer {
    /// Something was made that was not there before.
    pub(in crate::cli) fn is_new(&self) -> bool {
        self.status == StatusCode::CREATED
    }

    pub(in crate::cli) fn read<T: DeserializeOwned>(&self) -> Result<T, CliError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            CliError::Failed(format!(
                "the answer is not of this version of countersign: {error}"
            ))
        })
    }
}
