//! A receiver by scheme, host and port: how renewals name it, and what tells one from another.

use http::Uri;

/// `https://erp.example.com:443`, host in lower case and port spelled out, so that two spellings of it are equal.
#[must_use]
pub fn origin(receiver: &Uri) -> String {
    let scheme = receiver.scheme_str().unwrap_or_default();
    let host = receiver.host().unwrap_or_default().to_ascii_lowercase();
    let port = receiver
        .port_u16()
        .unwrap_or(if scheme == "https" { 443 } else { 80 });
    format!("{scheme}://{host}:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_receiver_are_equal() {
        for (spelling, expected) in [
            (
                "https://ERP.example.com/services/orders?a=b",
                "https://erp.example.com:443",
            ),
            ("https://erp.example.com:443/", "https://erp.example.com:443"),
            ("http://erp.example.com", "http://erp.example.com:80"),
            ("http://[::1]:8080/orders", "http://[::1]:8080"),
        ] {
            assert_eq!(origin(&spelling.parse().unwrap()), expected);
        }
    }
}
