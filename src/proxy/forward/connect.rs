//! Connections to one receiver: TCP, TLS by rustls, HTTP/2 where the receiver chooses it by ALPN, and the time all
//! that may take.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;

use super::ForwardError;
use crate::config::RouteConfig;
use crate::tls::{TlsError, client_config};

/// No connection within the time allowed, TLS included.
#[derive(Debug, thiserror::Error)]
#[error("no connection in time")]
pub(super) struct ConnectTimedOut;

/// Makes connections to one receiver.
#[derive(Clone)]
pub(super) struct Connector {
    inner: HttpsConnector<HttpConnector>,
    limit: Duration,
}

/// What a connection is made to.
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// By what the receiver chooses, and by HTTP/1.1.
pub(super) struct Connectors {
    pub(super) chosen: Connector,
    pub(super) http1: Connector,
}

impl Connectors {
    /// Reads the certificates that the route names.
    pub(super) fn new(route: &RouteConfig) -> Result<Self, TlsError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let tls = client_config(&route.receiver, &route.receiver_tls)?;
        let http1 = |tls| {
            let builder = HttpsConnectorBuilder::new().with_tls_config(tls);
            builder.https_or_http().enable_http1()
        };
        let limited = |inner| Connector {
            inner,
            limit: route.timeouts.connect,
        };
        Ok(Self {
            chosen: limited(http1(tls.clone()).enable_http2().wrap_connector(http.clone())),
            http1: limited(http1(tls).wrap_connector(http)),
        })
    }
}

impl Connector {
    /// A connection on which nothing has been sent yet.
    pub(super) async fn connect(mut self, receiver: Uri) -> Result<Stream, ForwardError> {
        let connected = async {
            poll_fn(|context| self.poll_ready(context)).await?;
            self.call(receiver).await
        };
        connected
            .await
            .map_err(|error| ForwardError::unconnected(&*error))
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, receiver: Uri) -> Self::Future {
        let connection = timeout(self.limit, self.inner.call(receiver));
        Box::pin(async move { connection.await.map_err(|_| ConnectTimedOut)? })
    }
}
