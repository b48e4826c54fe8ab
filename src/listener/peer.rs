//! Who is on the other side of a connection. It says who, and grants nothing.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;

use crate::config::Client;
use crate::keys::{Certificate, DistinguishedName};

/// The other side of a connection; cheap to clone.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Where it comes from; of an IPv4 client of an IPv6 socket, the IPv4 address.
    pub address: IpAddr,
    /// The subject of the client certificate that the handshake verified.
    pub subject: Option<Arc<DistinguishedName>>,
}

impl Peer {
    /// One that showed no certificate.
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address: address.ip().to_canonical(),
            subject: None,
        }
    }

    /// One whose certificates, its own first, were verified. A certificate without a subject, or whose subject cannot
    /// be read, is as good as none.
    pub(super) fn verified(address: SocketAddr, certificates: Option<&[CertificateDer<'_>]>) -> Self {
        let subject = certificates
            .and_then(<[_]>::first)
            .and_then(|certificate| Certificate::from_der(certificate).ok())
            .and_then(|certificate| DistinguishedName::parse(certificate.subject()));
        Self {
            subject: subject.map(Arc::new),
            ..Self::new(address)
        }
    }

    /// Whether it is the one that is meant.
    pub fn is(&self, client: &Client) -> bool {
        match client {
            Client::Subject(name) => self.subject.as_deref() == Some(name),
            Client::Network(network) => network.contains(&self.address),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Some(subject) => write!(f, "{subject} at {}", self.address),
            None => write!(f, "{} without a client certificate", self.address),
        }
    }
}
