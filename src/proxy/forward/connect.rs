//! Connections to one receiver: TCP, TLS by rustls, HTTP/2 where the receiver chooses it by ALPN, and the time all
//! that may take.

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

impl Connector {
    /// Reads the certificates that the route names.
    pub(super) fn new(route: &RouteConfig) -> Result<Self, TlsError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let inner = HttpsConnectorBuilder::new()
            .with_tls_config(client_config(&route.receiver, &route.receiver_tls)?)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(http);
        Ok(Self {
            inner,
            limit: route.timeouts.connect,
        })
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
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
