//! Step 5: a [`SignedMessage`] goes to the receiver and its answer comes back.
//!
//! Connections are kept and used again. A message is sent a second time only if not one byte of
//! it had been written to a connection; what happened to it otherwise, only the receiver knows.
//! There is no way to send a message that is not signed.

use std::error::Error;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{Request, StatusCode, Uri, request};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, sleep, sleep_until};

use super::headers::Pseudonym;
use super::read::Outlay;
use super::reply::UnverifiedResponse;
use crate::config::RouteConfig;
use crate::tls::TlsError;
use crate::wss::SignedMessage;

mod connect;
mod outgoing;
mod settings;

use connect::{ConnectTimedOut, Connector};
use outgoing::{Outgoing, Sent};
use settings::Settings;

/// How long an idle connection is kept: shorter than the 5 s after which common servers close, for a message
/// written just as the receiver closes is lost without anybody knowing.
const IDLE: Duration = Duration::from_secs(4);

/// A receiver that is silent on HTTP/2 is asked whether it is there, and has this long to say so: on one connection
/// that is dead unnoticed all messages would wait in vain.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIME: Duration = Duration::from_secs(10);
/// Bytes of the head of an answer by HTTP/2.
const MAX_HEAD: u32 = 64 * 1024;

/// Where a route's messages go.
pub(super) struct Receiver {
    uri: Uri,
    own_name: Pseudonym,
    response_timeout: Duration,
    client: Client<Connector, Outgoing>,
    /// What the client's connections were made by.
    settings: Settings,
}

/// Why there is no answer of the receiver.
#[derive(Debug, thiserror::Error)]
pub(super) enum ForwardError {
    /// No connection: nothing was sent.
    #[error("the receiver cannot be reached: {0}; the message was not sent")]
    Unreachable(String),
    /// No connection in time: nothing was sent.
    #[error("the receiver did not accept a connection in time; the message was not sent")]
    ConnectTimedOut,
    /// Sent, at least in part.
    #[error("the connection to the receiver broke before its answer: {0}; it may have got the message")]
    BrokenOff(String),
    /// Sent, at least in part.
    #[error("the receiver did not answer in time; it may have got the message")]
    TimedOut,
    /// An answer that HTTP does not allow here.
    #[error("the receiver's answer is not one to a message: status {0}")]
    Unexpected(StatusCode),
    /// The request's query does not fit the receiver's address.
    #[error("the query cannot be passed on: {0}")]
    Address(#[from] http::Error),
}

impl Receiver {
    /// Reads the certificates that the route names. Connections of an earlier one that were made by the same settings
    /// are used on.
    pub(super) fn new<'a>(
        route: &RouteConfig,
        own_name: Pseudonym,
        mut earlier: impl Iterator<Item = &'a Self>,
    ) -> Result<Self, TlsError> {
        let settings = Settings::of(route);
        let client = match earlier.find(|receiver| receiver.settings == settings) {
            Some(receiver) => receiver.client.clone(),
            None => Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .timer(TokioTimer::new())
                .http2_keep_alive_interval(PING_INTERVAL)
                .http2_keep_alive_timeout(PING_TIME)
                .http2_max_header_list_size(MAX_HEAD)
                .http1_preserve_header_case(true)
                .build(Connector::new(route)?),
        };
        Ok(Self {
            uri: route.receiver.clone(),
            own_name,
            response_timeout: route.timeouts.response,
            client,
            settings,
        })
    }

    /// Where it is.
    pub(super) fn address(&self) -> &Uri {
        &self.uri
    }

    /// Sends the message, once.
    pub(super) async fn send(
        &self,
        head: &request::Parts,
        message: SignedMessage,
        memory: Outlay,
        deadline: Instant,
    ) -> Result<UnverifiedResponse, ForwardError> {
        let (body, sent) = Outgoing::message(message, memory);
        self.exchange(head, body, sent, deadline).await
    }

    /// Asks for the WSDL or a schema; sends nothing but the question.
    pub(super) async fn describe(
        &self,
        head: &request::Parts,
        deadline: Instant,
    ) -> Result<UnverifiedResponse, ForwardError> {
        let (body, sent) = Outgoing::nothing();
        self.exchange(head, body, sent, deadline).await
    }

    async fn exchange(
        &self,
        head: &request::Parts,
        body: Outgoing,
        sent: Sent,
        deadline: Instant,
    ) -> Result<UnverifiedResponse, ForwardError> {
        let request = self.request(head, body)?;
        let late = async {
            sent.await;
            sleep(self.response_timeout).await;
        };
        let response = tokio::select! {
            response = self.client.request(request) => response?,
            () = late => return Err(ForwardError::TimedOut),
            () = sleep_until(deadline) => return Err(ForwardError::TimedOut),
        };
        if response.status().is_informational() {
            return Err(ForwardError::Unexpected(response.status()));
        }
        Ok(UnverifiedResponse::new(response))
    }

    fn request(&self, head: &request::Parts, body: Outgoing) -> Result<Request<Outgoing>, http::Error> {
        let mut request = Request::new(body);
        *request.uri_mut() = with_query(&self.uri, head.uri.query())?;
        *request.headers_mut() = self.own_name.onward(head);
        // Hyper keeps there how the sender spelled its header names; some receivers want `SOAPAction` so.
        *request.extensions_mut() = head.extensions.clone();
        *request.method_mut() = head.method.clone();
        Ok(request)
    }
}

/// The receiver's address with a request's query behind its own.
fn with_query(receiver: &Uri, query: Option<&str>) -> Result<Uri, http::Error> {
    let Some(query) = query else {
        return Ok(receiver.clone());
    };
    let separator = if receiver.query().is_some() { '&' } else { '?' };
    let own = receiver.path_and_query().map_or("/", PathAndQuery::as_str);
    let mut parts = receiver.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{own}{separator}{query}"))?);
    Ok(Uri::from_parts(parts)?)
}

impl ForwardError {
    /// The receiver was not there, and has got nothing of the message.
    pub(super) const fn is_absence(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::ConnectTimedOut => true,
            Self::BrokenOff(_) | Self::TimedOut | Self::Unexpected(_) | Self::Address(_) => false,
        }
    }
}

impl From<legacy::Error> for ForwardError {
    fn from(error: legacy::Error) -> Self {
        if !error.is_connect() {
            return Self::BrokenOff(innermost(&error));
        }
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(error) = cause {
            if error.is::<ConnectTimedOut>() {
                return Self::ConnectTimedOut;
            }
            cause = error.source();
        }
        Self::Unreachable(innermost(&error))
    }
}

/// The cause that says most; the layers above it say "error sending request".
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_goes_on_behind_the_receivers_own() {
        let joined =
            |receiver: &str, query| with_query(&receiver.parse().unwrap(), query).unwrap().to_string();
        assert_eq!(
            joined("http://erp/services/orders", None),
            "http://erp/services/orders"
        );
        assert_eq!(
            joined("http://erp/services/orders", Some("wsdl")),
            "http://erp/services/orders?wsdl"
        );
        assert_eq!(
            joined("http://erp/services?client=100", Some("wsdl")),
            "http://erp/services?client=100&wsdl"
        );
        assert_eq!(joined("http://erp", Some("wsdl")), "http://erp/?wsdl");
    }
}
