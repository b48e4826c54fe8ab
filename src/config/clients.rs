//! `clients` of a route: who may use it, by certificate or by network.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::table::Table;
use super::value::{self, Value};
use crate::keys::DistinguishedName;

/// Somebody who may use a route; any of its list is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Client {
    /// Whoever shows a verified certificate with this subject, compared by RFC 5280, section 7.1, in the order of
    /// RFC 4514.
    Subject(DistinguishedName),
    /// Whoever comes from one of these addresses.
    Network(IpNet),
}

/// Those of a route; empty where nobody is named. `None` if one was wrong, which must not read as that.
pub(super) fn all(route: &mut Table<'_>) -> Option<Vec<Client>> {
    if !route.has("clients") {
        return Some(Vec::new());
    }
    let clients = route.list("clients", Client::read)?;
    if clients.is_empty() {
        route.report_at(
            "clients",
            "nobody could use the route; name somebody, or remove it",
        );
        return None;
    }
    Some(clients)
}

impl Client {
    fn read(value: &Value<'_>) -> Result<Self, String> {
        let text = value::text(value)?;
        if text.contains('=') {
            let name = DistinguishedName::parse(text);
            return name.map(Self::Subject).ok_or_else(|| {
                format!("{text:?} is not a certificate's subject; write \"CN=orders,O=Example\"")
            });
        }
        network(text).map(Self::Network)
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let network = text
        .parse()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| {
            format!(
                "{text:?} is neither a network nor a certificate's subject; write \"10.0.0.0/8\" or \"CN=orders\""
            )
        })?;
    if network == network.trunc() {
        return Ok(network);
    }
    Err(format!(
        "{text:?} is an address within a network; write \"{}\" for all of it, or the address alone",
        network.trunc()
    ))
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subject(name) => write!(f, "{name}"),
            Self::Network(network) => write!(f, "{network}"),
        }
    }
}
