//! The side that listens: flows and operators towards us.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientCertVerifierBuilder, WebPkiClientVerifier};

use super::{TlsError, authorities, identity, refused};
use crate::config::ListenerTls;

/// What ALPN may choose, the better first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// For one listener. With `client_ca`, whoever has no certificate of these authorities is not let in.
///
/// # Errors
/// When a file cannot be read or used.
pub fn server_config(tls: &ListenerTls) -> Result<ServerConfig, TlsError> {
    config(tls, |verifier| verifier)
}

/// The same for a listener where clients may show in another way who they are: a certificate may be missing, and may
/// not be wrong.
///
/// # Errors
/// When a file cannot be read or used.
pub fn server_config_asking(tls: &ListenerTls) -> Result<ServerConfig, TlsError> {
    config(tls, ClientCertVerifierBuilder::allow_unauthenticated)
}

fn config(
    tls: &ListenerTls,
    clients: impl FnOnce(ClientCertVerifierBuilder) -> ClientCertVerifierBuilder,
) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Library)?;
    let config = match &tls.client_ca {
        None => config.with_no_client_auth(),
        Some(file) => {
            let roots = Arc::new(authorities(file)?);
            let verifier = clients(WebPkiClientVerifier::builder_with_provider(roots, provider));
            config.with_client_cert_verifier(verifier.build().map_err(|problem| TlsError::Authorities {
                file: file.clone(),
                problem,
            })?)
        }
    };
    let (certificates, key) = identity(&tls.identity)?;
    let mut config = config
        .with_single_cert(certificates, key)
        .map_err(refused(&tls.identity))?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    Ok(config)
}
