//! `tls` of a listener and `receiver_tls` of a route: which PEM files, not yet what is in them.

use std::path::{Path, PathBuf};

use super::table::Table;
use super::value;

/// A certificate and its private key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsIdentity {
    /// Certificate, then its chain.
    pub certificate: PathBuf,
    /// Private key, not encrypted.
    pub private_key: PathBuf,
}

/// A listener speaks TLS, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerTls {
    /// Who we are.
    pub identity: TlsIdentity,
    /// PEM file of the authorities one of which every client of the proxy needs a certificate of, and those of the admin
    /// listener may have one of; `None`: clients are not asked.
    pub client_ca: Option<PathBuf>,
    /// The line to name when a file cannot be used.
    pub line: usize,
}

/// Trust and identity towards an `https` receiver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReceiverTls {
    /// PEM file of the only authorities trusted; `None`: the system's store.
    pub ca: Option<PathBuf>,
    /// Who we are, where the receiver asks.
    pub client: Option<TlsIdentity>,
}

impl TlsIdentity {
    fn files(&self) -> [&Path; 2] {
        [&self.certificate, &self.private_key]
    }
}

impl ListenerTls {
    /// The files it names.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.identity.files().into_iter().chain(self.client_ca.as_deref())
    }

    pub(super) fn from_table(table: &mut Table<'_>) -> Option<Self> {
        let certificate = table.required("certificate", "\"proxy.crt\"", value::path);
        let private_key = table.required("private_key", "\"proxy.key\"", value::path);
        let client_ca = table.optional("client_ca", value::path);
        Some(Self {
            identity: TlsIdentity {
                certificate: certificate?,
                private_key: private_key?,
            },
            client_ca,
            line: table.line_of("certificate"),
        })
    }
}

impl ReceiverTls {
    /// The files it names.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let client = self.client.iter().flat_map(TlsIdentity::files);
        self.ca.as_deref().into_iter().chain(client)
    }

    pub(super) fn from_table(table: &mut Table<'_>) -> Self {
        let ca = table.optional("ca", value::path);
        let certificate = table.optional("certificate", value::path);
        let private_key = table.optional("private_key", value::path);
        if table.has("certificate") != table.has("private_key") {
            table.report(
                "receiver_tls: certificate and private_key go together; write both or none".to_owned(),
            );
        }
        let client = certificate
            .zip(private_key)
            .map(|(certificate, private_key)| TlsIdentity {
                certificate,
                private_key,
            });
        Self { ca, client }
    }
}
