//! `url` of a route: the address that a client asks for that uses us as its HTTP proxy.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use http::uri::Scheme;

/// Port of `http` addresses that name none.
const HTTP_PORT: u16 = 80;

/// An `http` address in the form in which two spellings of it are equal (RFC 9110, section 4.2.3): host in lower case,
/// port spelled out. The path is compared as it is. The query is not part of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Url {
    host: String,
    port: u16,
    path: String,
}

impl Url {
    /// `None` for an address that is not `http`, or names a user.
    pub fn of(uri: &Uri) -> Option<Self> {
        let authority = uri.authority()?;
        (uri.scheme() == Some(&Scheme::HTTP) && !authority.as_str().contains('@')).then(|| Self {
            host: authority.host().to_ascii_lowercase(),
            port: authority.port_u16().unwrap_or(HTTP_PORT),
            path: uri.path().to_owned(),
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, path } = self;
        if *port == HTTP_PORT {
            write!(f, "http://{host}{path}")
        } else {
            write!(f, "http://{host}:{port}{path}")
        }
    }
}

/// Whether what is sent to this host stays on it.
#[must_use]
pub fn is_loopback(host: Option<&str>) -> bool {
    let host = host.unwrap_or_default();
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Option<String> {
        Url::of(&text.parse().unwrap()).map(|url| url.to_string())
    }

    #[test]
    fn spellings_of_one_address_are_equal_and_others_are_not() {
        let orders = Some("http://erp.example.com/orders".to_owned());
        for same in [
            "http://erp.example.com/orders",
            "HTTP://ERP.example.COM:80/orders",
            "http://erp.example.com:/orders?a=b",
        ] {
            assert_eq!(url(same), orders, "{same}");
        }
        for other in [
            "http://erp.example.com/Orders",
            "http://erp.example.com/orders/",
            "http://erp.example.com/%6frders",
            "http://erp.example.com:8080/orders",
            "http://erp.example.com./orders",
            "https://erp.example.com/orders",
            "http://erp.example.com@evil.example/orders",
            "http://me@erp.example.com/orders",
            "/orders",
        ] {
            assert_ne!(url(other), orders, "{other}");
        }
    }
}
