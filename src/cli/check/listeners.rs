//! Whether the listeners can have their addresses: one each, and one that this machine has.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use crate::config::Config;

/// Every listener, by its section.
fn all(config: &Config) -> Vec<(&'static str, SocketAddr)> {
    let public = config.public.as_ref().map(|public| ("public", public.listen));
    [("proxy", config.proxy.listen), ("admin", config.admin.listen)]
        .into_iter()
        .chain(public)
        .collect()
}

/// Pairs of sections whose listeners would be in each other's way.
pub(super) fn that_collide(config: &Config) -> Vec<(&'static str, &'static str)> {
    let all = all(config);
    let mut pairs = Vec::new();
    for (index, (later, address)) in all.iter().enumerate() {
        let earlier = all
            .iter()
            .take(index)
            .find(|(_, other)| collide(*other, *address));
        pairs.extend(earlier.map(|(earlier, _)| (*earlier, *later)));
    }
    pairs
}

/// An address for all is for each one. With port 0 the system picks a free one.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let same_address = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same_address
}

/// Sections with an address that no interface of this machine has, which may be right where the proxy runs elsewhere.
pub(super) fn elsewhere(config: &Config) -> Vec<(&'static str, IpAddr)> {
    let all = all(config)
        .into_iter()
        .map(|(section, address)| (section, address.ip()));
    // Takes a free port for a moment, and sends nothing.
    all.filter(|(_, address)| UdpSocket::bind((*address, 0)).is_err())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_once() {
        let collides = |one: &str, other: &str| collide(one.parse().unwrap(), other.parse().unwrap());
        assert!(collides("127.0.0.1:8080", "127.0.0.1:8080"));
        assert!(collides("0.0.0.0:8080", "127.0.0.1:8080"));
        assert!(collides("127.0.0.1:8080", "[::]:8080"));
        assert!(!collides("127.0.0.1:0", "127.0.0.1:0"));
        assert!(!collides("127.0.0.1:8080", "127.0.0.2:8080"));
        assert!(!collides("0.0.0.0:8080", "0.0.0.0:9090"));
    }
}
