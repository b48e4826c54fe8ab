//! The side that connects: us towards a receiver.

use std::sync::Arc;

use http::Uri;
use http::uri::Scheme;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

use super::{TlsError, authorities, identity, refused};
use crate::config::ReceiverTls;

/// Towards one receiver. One that speaks plain HTTP gets a configuration that trusts nobody. ALPN is left to who
/// makes the connections.
///
/// # Errors
/// When a file cannot be read or used.
pub fn client_config(receiver: &Uri, tls: &ReceiverTls) -> Result<ClientConfig, TlsError> {
    let roots = match &tls.ca {
        Some(ca) => authorities(ca)?,
        None if receiver.scheme() == Some(&Scheme::HTTPS) => system_authorities()?,
        None => RootCertStore::empty(),
    };
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Library)?
        .with_root_certificates(roots);
    let Some(files) = &tls.client else {
        return Ok(config.with_no_client_auth());
    };
    let (certificates, key) = identity(files)?;
    config
        .with_client_auth_cert(certificates, key)
        .map_err(refused(files))
}

fn system_authorities() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        Err(TlsError::NoSystemStore)
    } else {
        Ok(roots)
    }
}
