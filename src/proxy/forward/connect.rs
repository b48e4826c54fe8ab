//! Connections to one receiver: TCP, TLS by rustls, and the time both may take.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;

use crate::config::{ReceiverTls, RouteConfig};

/// Why connections to a receiver cannot be made, whatever it says.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    /// A PEM file is missing, or not what it should be.
    #[error("{file}: {problem}; it must be a PEM file with {wanted}", file = .file.display())]
    Pem {
        /// The file.
        file: PathBuf,
        /// What it should hold.
        wanted: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The system trusts nobody.
    #[error(
        "the system has no certificates of authorities to trust; install ca-certificates, or set receiver_tls.ca"
    )]
    NoSystemStore,
    /// Certificate and key do not go together, or cannot be used.
    #[error(
        "the client certificate cannot be used: {0}; receiver_tls needs a certificate and the key that belongs to it"
    )]
    ClientCertificate(#[source] rustls::Error),
    /// The TLS library refused.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[source] rustls::Error),
}

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
    pub(super) fn new(route: &RouteConfig) -> Result<Self, ReceiverError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let inner = HttpsConnectorBuilder::new()
            .with_tls_config(tls_config(&route.receiver, &route.receiver_tls)?)
            .https_or_http()
            .enable_http1()
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

/// TLS 1.2 or 1.3 towards a receiver. One that speaks plain HTTP gets a configuration that trusts nobody.
///
/// # Errors
/// When a file cannot be read or used.
pub fn tls_config(receiver: &Uri, tls: &ReceiverTls) -> Result<ClientConfig, ReceiverError> {
    let roots = match &tls.ca {
        Some(ca) => authorities(ca)?,
        None if receiver.scheme() == Some(&Scheme::HTTPS) => system_authorities()?,
        None => RootCertStore::empty(),
    };
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(ReceiverError::Tls)?
        .with_root_certificates(roots);
    let Some(client) = &tls.client else {
        return Ok(config.with_no_client_auth());
    };
    let key = PrivateKeyDer::from_pem_file(&client.private_key)
        .map_err(|error| unusable(&client.private_key, "an unencrypted private key", &error))?;
    config
        .with_client_auth_cert(certificates(&client.certificate)?, key)
        .map_err(ReceiverError::ClientCertificate)
}

fn authorities(file: &Path) -> Result<RootCertStore, ReceiverError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots
            .add(certificate)
            .map_err(|error| unusable(file, AUTHORITIES, &error))?;
    }
    Ok(roots)
}

const AUTHORITIES: &str = "certificates of authorities";

fn system_authorities() -> Result<RootCertStore, ReceiverError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        Err(ReceiverError::NoSystemStore)
    } else {
        Ok(roots)
    }
}

/// At least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, ReceiverError> {
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(file, "certificates", &error))?;
    if certificates.is_empty() {
        return Err(unusable(file, "certificates", &"there is none in it"));
    }
    Ok(certificates)
}

fn unusable(file: &Path, wanted: &'static str, problem: &impl ToString) -> ReceiverError {
    ReceiverError::Pem {
        file: file.to_owned(),
        wanted,
        problem: problem.to_string(),
    }
}
