//! TLS on both sides: files in, rustls' configurations out, for our listeners and towards receivers.
//!
//! TLS 1.2 and 1.3 by rustls on aws-lc-rs, HTTP/2 and HTTP/1.1 by ALPN. The files are read once a configuration;
//! whoever wants them read again makes a new one.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::TlsIdentity;
use crate::files;

mod client;
mod server;

pub use client::client_config;
pub use server::{server_config, server_config_asking};

/// Why TLS cannot be spoken, whatever the other side does.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
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
    #[error("{file} cannot be used: {problem}; it needs the private key that belongs to it", file = .file.display())]
    Identity {
        /// The certificate's file.
        file: PathBuf,
        /// What is wrong.
        problem: rustls::Error,
    },
    /// No client could be told by these authorities.
    #[error("{file} cannot be used: {problem}", file = .file.display())]
    Authorities {
        /// Their file.
        file: PathBuf,
        /// What is wrong.
        problem: rustls::server::VerifierBuilderError,
    },
    /// The TLS library refused.
    #[error("TLS cannot be set up: {0}")]
    Library(#[source] rustls::Error),
}

/// A certificate with its chain, and its private key.
type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(files: &TlsIdentity) -> Result<Identity, TlsError> {
    let (file, wanted) = (&files.private_key, "an unencrypted private key");
    let pem = files::read(file).map_err(|error| unusable(file, wanted, &error))?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| unusable(file, wanted, &error))?;
    Ok((certificates(&files.certificate)?, key))
}

fn refused(files: &TlsIdentity) -> impl FnOnce(rustls::Error) -> TlsError {
    let file = files.certificate.clone();
    |problem| TlsError::Identity { file, problem }
}

fn authorities(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots
            .add(certificate)
            .map_err(|error| unusable(file, "certificates of authorities", &error))?;
    }
    Ok(roots)
}

/// At least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = files::read(file).map_err(|error| unusable(file, "certificates", &error))?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(file, "certificates", &error))?;
    if certificates.is_empty() {
        return Err(unusable(file, "certificates", &"there is none in it"));
    }
    Ok(certificates)
}

fn unusable(file: &Path, wanted: &'static str, problem: &impl ToString) -> TlsError {
    TlsError::Pem {
        file: file.to_owned(),
        wanted,
        problem: problem.to_string(),
    }
}
