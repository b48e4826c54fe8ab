//! What connections to a receiver are made by. Where two configurations agree on it, connections are kept: trust by what
//! the files held, not by their names.

use std::time::Duration;

use http::uri::{Authority, Scheme};

use crate::config::{ReceiverTls, RouteConfig};
use crate::files::Digest;

/// All that a connection depends on.
#[derive(PartialEq, Eq)]
pub(super) struct Settings {
    scheme: Option<Scheme>,
    authority: Option<Authority>,
    connect: Duration,
    tls: ReceiverTls,
    /// Of each file of `tls`, read before the connections' own reading: if it changes in between, they are made anew
    /// once too often, never once too rarely.
    contents: Vec<Option<Digest>>,
    /// Of the system's authorities, where they are the ones trusted.
    system: Option<Digest>,
}

impl Settings {
    /// As the files are now.
    pub(super) fn of(route: &RouteConfig) -> Self {
        let tls = route.receiver_tls.clone();
        let trusts_system = tls.ca.is_none() && route.receiver.scheme() == Some(&Scheme::HTTPS);
        Self {
            scheme: route.receiver.scheme().cloned(),
            authority: route.receiver.authority().cloned(),
            connect: route.timeouts.connect,
            contents: tls.files().map(Digest::of_file).collect(),
            system: trusts_system.then(system),
            tls,
        }
    }
}

fn system() -> Digest {
    let authorities = rustls_native_certs::load_native_certs().certs;
    Digest::of(authorities.iter().map(AsRef::as_ref))
}
