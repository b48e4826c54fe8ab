//! The connection to a receiver that belongs to one connection of a flow, because the receiver authenticates connections.
//! It is used by nobody else, never comes into the pool, and ends with the flow's.
//!
//! A flow's HTTP/2 connection carries many exchanges side by side, and there is no such authentication on it: each of them
//! that brings credentials gets a connection of its own, for once.

use std::sync::Arc;

use http::header::{CONNECTION, HOST};
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, Uri, Version, request};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::sleep;

use super::connect::Connector;
use super::outgoing::Outgoing;
use super::settings::Settings;
use super::{ForwardError, IDLE};

type Sender = http1::SendRequest<Outgoing>;

/// What one connection of a flow has; cheap to clone.
#[derive(Clone, Default)]
pub(in crate::proxy) struct Companion(Arc<Mutex<Own>>);

#[derive(Default)]
struct Own {
    /// The receiver that authenticates connections. One at a time: a flow's connection has no more than one.
    receiver: Option<Arc<Settings>>,
    sender: Option<Sender>,
    /// How often it was used.
    uses: u64,
}

/// An extension of an answer with which the receiver ends the flow's own connection: what the flow has shown there is
/// over, and so is its connection to us.
#[derive(Debug, Clone, Copy)]
pub(in crate::proxy) struct Last;

/// A companion for the time of one exchange. The flow's next one waits for the end of its answer.
pub(super) struct Lease(OwnedMutexGuard<Own>);

impl Companion {
    /// That of the connection which a request came on; of one that others come on side by side, a new one.
    pub(super) fn of(head: &request::Parts) -> Self {
        match head.extensions.get::<Self>() {
            Some(own) if head.version < Version::HTTP_2 => own.clone(),
            _ => Self::default(),
        }
    }

    pub(super) async fn lease(self) -> Lease {
        Lease(self.0.lock_owned().await)
    }
}

impl Lease {
    /// All that the flow sends to this receiver goes over a connection of its own.
    pub(super) fn is_bound_to(&self, receiver: &Arc<Settings>) -> bool {
        self.0.receiver.as_ref() == Some(receiver)
    }

    /// From now on. A connection to another receiver ends.
    pub(super) fn bind(&mut self, receiver: &Arc<Settings>) {
        if !self.is_bound_to(receiver) {
            *self.0 = Own {
                receiver: Some(receiver.clone()),
                ..Own::default()
            };
        }
    }

    /// Sends a request over the flow's own connection; over a new one if there is none, or if not one byte was written to
    /// the one there was.
    pub(super) async fn send(
        &mut self,
        connector: &Connector,
        mut request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, ForwardError> {
        let receiver = request.uri().clone();
        address(&mut request)?;
        // Given back with an answer alone: what is given up midway is closed.
        if let Some(mut kept) = self.0.sender.take()
            && kept.ready().await.is_ok()
        {
            match kept.try_send_request(request).await {
                Ok(response) => {
                    self.0.sender = Some(kept);
                    return Ok(response);
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(ForwardError::broken_off(&error.into_error())),
                },
            }
        }
        let mut fresh = connect(connector, receiver).await?;
        let response = fresh.send_request(request).await;
        let response = response.map_err(|error| ForwardError::broken_off(&error))?;
        self.0.sender = Some(fresh);
        Ok(response)
    }

    /// Keeps the connection for the flow's next request once the answer is over, and for as long as others are kept idle.
    pub(super) fn keep(mut self) {
        tokio::spawn(async move {
            let is_usable = match &mut self.0.sender {
                Some(sender) => sender.ready().await.is_ok(),
                None => false,
            };
            if !is_usable {
                self.0.sender = None;
                return;
            }
            self.0.uses += 1;
            let (uses, own) = (self.0.uses, Arc::downgrade(OwnedMutexGuard::mutex(&self.0)));
            drop(self);
            sleep(IDLE).await;
            if let Some(own) = own.upgrade()
                && let Ok(mut own) = own.try_lock()
                && own.uses == uses
            {
                own.sender = None;
            }
        });
    }
}

async fn connect(connector: &Connector, receiver: Uri) -> Result<Sender, ForwardError> {
    let stream = connector.clone().connect(receiver).await?;
    let handshake = http1::Builder::new().preserve_header_case(true).handshake(stream);
    let (mut sender, connection) = handshake
        .await
        .map_err(|error| ForwardError::broken_off(&error))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a flow's own connection to its receiver ended early");
        }
    });
    sender
        .ready()
        .await
        .map_err(|error| ForwardError::broken_off(&error))?;
    Ok(sender)
}

/// What the pool does for the others: the target is a path, the host a field (RFC 9112, section 3.2).
fn address(request: &mut Request<Outgoing>) -> Result<(), http::Error> {
    let uri = request.uri();
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let (host, path) = (HeaderValue::try_from(authority)?, path_of(uri));
    request.headers_mut().insert(HOST, host);
    *request.uri_mut() = path.into();
    Ok(())
}

fn path_of(uri: &Uri) -> PathAndQuery {
    let path = uri.path_and_query().cloned();
    path.unwrap_or_else(|| PathAndQuery::from_static("/"))
}

/// Whether the receiver ends the connection with this answer.
pub(super) fn ends_its_connection(response: &Response<Incoming>) -> bool {
    let named = |word: &[u8]| {
        let values = response.headers().get_all(CONNECTION).into_iter();
        let mut words = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
        words.any(|own| own.trim_ascii().eq_ignore_ascii_case(word))
    };
    named(b"close") || (response.version() == Version::HTTP_10 && !named(b"keep-alive"))
}
