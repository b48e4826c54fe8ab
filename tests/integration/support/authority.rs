//! A certification authority by OpenSSL, and what it issues: `NAME.pem` and `NAME.key` in its directory.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tempfile::{TempDir, tempdir};

use super::tool::openssl;

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

/// An authority; `ca.pem` is its certificate.
pub(crate) struct Authority(TempDir);

impl Authority {
    /// That has issued to 127.0.0.1 a certificate for each of these common names.
    pub(crate) fn of(names: &[&str]) -> Self {
        let authority = Self(tempdir().expect("a directory"));
        let directory = authority.0.path();
        openssl(
            directory,
            &format!("req -x509 {NEW_KEY} -subj /CN=Authority -keyout ca.key -out ca.pem"),
        );
        let extensions = "subjectAltName = IP:127.0.0.1\nbasicConstraints = CA:FALSE\n";
        fs::write(directory.join("extensions"), extensions).expect("a file");
        for name in names {
            openssl(
                directory,
                &format!("req {NEW_KEY} -subj /O=Example/CN={name} -keyout {name}.key -out {name}.csr"),
            );
            openssl(
                directory,
                &format!(
                    "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile extensions -out {name}.pem"
                ),
            );
        }
        authority
    }

    /// The certificate that it issues for a request, and its own.
    pub(crate) fn answer(&self, request: &str) -> Vec<u8> {
        fs::write(self.file("request.csr"), request).expect("a file");
        openssl(
            self.0.path(),
            "x509 -req -in request.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -copy_extensions copyall -out \
             answer.pem",
        );
        let files = ["answer.pem", "ca.pem"].map(|file| fs::read(self.file(file)).expect("a file"));
        files.concat()
    }

    /// The path of one of its files.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn certificate(&self, name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.file(&format!("{name}.pem"))).expect("a certificate")
    }

    pub(crate) fn key(&self, name: &str) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_file(self.file(&format!("{name}.key"))).expect("a key")
    }

    /// It alone.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate("ca")).expect("an authority");
        roots
    }

    /// A TLS server with the certificate of this name, that speaks these protocols.
    pub(crate) fn server(&self, protocols: &[&str], name: &str) -> ServerConfig {
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth();
        let mut config = config
            .with_single_cert(vec![self.certificate(name)], self.key(name))
            .expect("a certificate");
        config.alpn_protocols = alpn(protocols);
        config
    }

    /// A TLS client that trusts it, speaks these protocols, and shows the certificate of this name.
    pub(crate) fn client(&self, protocols: &[&str], name: Option<&str>) -> ClientConfig {
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_root_certificates(self.roots());
        let mut config = match name {
            None => config.with_no_client_auth(),
            Some(name) => config
                .with_client_auth_cert(vec![self.certificate(name)], self.key(name))
                .expect("a client certificate"),
        };
        config.alpn_protocols = alpn(protocols);
        config
    }
}

fn alpn(protocols: &[&str]) -> Vec<Vec<u8>> {
    let bytes = protocols.iter().map(|protocol| protocol.as_bytes().to_vec());
    bytes.collect()
}
