//! Step 5: a [`SignedMessage`] goes to the receiver and its answer comes back.
//!
//! Connections are kept and used again: by all, or, where the receiver authenticates connections, by the flow alone whose
//! they are ([`Companion`]). A message is sent a second time only if not one byte of it had been written to a connection;
//! what happened to it otherwise, only the receiver knows. There is no way to send a message that is not signed.

use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, request};
use hyper::body::{Body, Incoming};
use hyper_util::client::legacy::connect::capture_connection;
use tokio::time::{Instant, sleep, sleep_until};

use super::headers::Pseudonym;
use super::read::Outlay;
use super::reply::UnverifiedResponse;
use crate::config::{Redirects, RouteConfig};
use crate::tls::TlsError;
use crate::wss::SignedMessage;

pub(super) mod challenge;
mod companion;
mod connect;
mod error;
mod outgoing;
mod pool;
mod redirect;
mod settings;

pub(super) use companion::{Companion, Last};
pub(super) use error::ForwardError;
pub(super) use redirect::Place;

use companion::ends_its_connection;
use connect::{Connector, Connectors};
use outgoing::{Outgoing, Sent};
use pool::Pool;
use redirect::Redirect;
use settings::Settings;

/// How long an idle connection is kept: shorter than the 5 s after which common servers close, for a message
/// written just as the receiver closes is lost without anybody knowing.
const IDLE: Duration = Duration::from_secs(4);

/// Where a route's messages go.
pub(super) struct Receiver {
    uri: Uri,
    own_name: Pseudonym,
    response_timeout: Duration,
    redirects: Redirects,
    answers: AnswerBounds,
    /// Connections that all flows share.
    pool: Arc<Pool>,
    /// Makes those that belong to one flow: by HTTP/1.1, for by HTTP/2 no connection is anybody's (RFC 9113, section 9.1).
    connector: Connector,
    /// What connections are made by.
    settings: Arc<Settings>,
}

/// What the body of an answer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AnswerBounds {
    /// In bytes.
    pub(super) most: u64,
    /// Until some more of it comes.
    pub(super) idle: Duration,
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
        let (pool, connector, settings) = match earlier.find(|receiver| *receiver.settings == settings) {
            Some(same) => (same.pool.clone(), same.connector.clone(), same.settings.clone()),
            None => {
                let Connectors { chosen, http1 } = Connectors::new(route)?;
                let pool = Arc::new(Pool::new(chosen, http1.clone()));
                (pool, http1, Arc::new(settings))
            }
        };
        Ok(Self {
            uri: route.receiver.clone(),
            own_name,
            response_timeout: route.timeouts.response,
            redirects: route.redirects,
            answers: AnswerBounds {
                most: route.max_answer as u64,
                idle: route.timeouts.idle,
            },
            pool,
            connector,
            settings,
        })
    }

    /// Where it is.
    pub(super) fn address(&self) -> &Uri {
        &self.uri
    }

    /// Where a message goes first.
    pub(super) fn place(&self, head: &request::Parts) -> Result<Place, ForwardError> {
        let uri = with_query(&self.uri, head.uri.query())?;
        Ok(match self.redirects {
            Redirects::Refuse => Place::last(uri),
            Redirects::Follow => Place::first(uri),
        })
    }

    /// Sends the message, once.
    pub(super) async fn send(
        &self,
        head: &request::Parts,
        place: &Place,
        message: SignedMessage,
        memory: Outlay,
        deadline: Instant,
    ) -> Result<UnverifiedResponse, ForwardError> {
        let (body, sent) = Outgoing::message(message, memory);
        self.exchange(head, place, body, sent, deadline).await
    }

    /// Asks for the WSDL or a schema; sends nothing but the question.
    pub(super) async fn describe(
        &self,
        head: &request::Parts,
        deadline: Instant,
    ) -> Result<UnverifiedResponse, ForwardError> {
        let mut place = Place::first(with_query(&self.uri, head.uri.query())?);
        loop {
            let (body, sent) = Outgoing::nothing();
            match self.exchange(head, &place, body, sent, deadline).await {
                Err(ForwardError::Redirected(redirect)) => {
                    let next = place.of_question(&redirect);
                    place = next.ok_or(ForwardError::Redirected(redirect))?;
                }
                answered => return answered,
            }
        }
    }

    /// Passes on the first step of a client that authenticates its connection: a request without a message.
    pub(super) async fn authenticate(
        &self,
        head: &request::Parts,
        deadline: Instant,
    ) -> Result<UnverifiedResponse, ForwardError> {
        let place = Place::last(with_query(&self.uri, head.uri.query())?);
        let (body, sent) = Outgoing::nothing();
        self.exchange(head, &place, body, sent, deadline).await
    }

    async fn exchange(
        &self,
        head: &request::Parts,
        place: &Place,
        body: Outgoing,
        sent: Sent,
        deadline: Instant,
    ) -> Result<UnverifiedResponse, ForwardError> {
        let request = self.request(head, place, body);
        let late = async {
            sent.await;
            sleep(self.response_timeout).await;
        };
        let response = tokio::select! {
            response = self.transmit(head, request) => response?,
            () = late => return Err(ForwardError::TimedOut),
            () = sleep_until(deadline) => return Err(ForwardError::TimedOut),
        };
        let status = response.status();
        // Whoever asks a flow for a proxy's credentials would get those that are meant for another proxy.
        if status.is_informational() || status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Err(ForwardError::Unexpected(status));
        }
        if let Some(redirect) = Redirect::of(&head.method, place, status, response.headers()) {
            return Err(ForwardError::Redirected(redirect));
        }
        if response.body().size_hint().lower() > self.answers.most {
            return Err(ForwardError::AnswerTooLarge(self.answers.most));
        }
        Ok(UnverifiedResponse::new(response, self.answers))
    }

    /// Over a connection of the pool, unless the receiver authenticates connections. No credentials for such an
    /// authentication ever get into the pool.
    async fn transmit(
        &self,
        head: &request::Parts,
        mut request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, ForwardError> {
        let mut companion = Companion::of(head).lease().await;
        if challenge::is_answered(&head.headers) {
            companion.bind(&self.settings);
        }
        let is_alone = head.version < Version::HTTP_2;
        let mut response = if companion.is_bound_to(&self.settings) {
            let mut response = companion.send(&self.connector, request).await?;
            if is_alone && ends_its_connection(&response) {
                response.extensions_mut().insert(Last);
            }
            response
        } else {
            let connection = capture_connection(&mut request);
            let response = self.pool.send(request).await?;
            if challenge::is_posed(response.headers()) {
                companion.bind(&self.settings);
                let connection = connection.connection_metadata();
                let exclusive = connection
                    .as_ref()
                    .filter(|connection| !connection.is_negotiated_h2());
                if let Some(connection) = exclusive {
                    connection.poison();
                }
            }
            response
        };
        if is_alone && challenge::is_posed(response.headers()) {
            response.headers_mut().insert(PROXY_SUPPORT, SESSION_BASED);
        }
        companion.keep();
        Ok(response)
    }

    fn request(&self, head: &request::Parts, place: &Place, body: Outgoing) -> Request<Outgoing> {
        let is_empty = body.is_end_stream();
        let mut request = Request::new(body);
        *request.uri_mut() = place.uri.clone();
        *request.headers_mut() = self.own_name.onward(head);
        // Hyper keeps there how the sender spelled its header names; some receivers want `SOAPAction` so.
        *request.extensions_mut() = head.extensions.clone();
        request.extensions_mut().remove::<Companion>();
        *request.method_mut() = head.method.clone();
        if is_empty && head.method == Method::POST {
            let nothing = HeaderValue::from_static("0");
            request.headers_mut().insert(CONTENT_LENGTH, nothing);
        }
        request
    }
}

/// What tells clients that a proxy on the way keeps their connections apart (RFC 4559, section 6).
const PROXY_SUPPORT: HeaderName = HeaderName::from_static("proxy-support");
const SESSION_BASED: HeaderValue = HeaderValue::from_static("Session-Based-Authentication");

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
