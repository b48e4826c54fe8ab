//! Which header fields go on, and which end here (RFC 9110, section 7.6).

use std::hash::{BuildHasher, RandomState};

use http::header::{
    ALT_SVC, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderMap, HeaderName,
    HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::{Version, request};

/// Fields about one connection, besides those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    // Goes with `Upgrade: h2c`, which java.net.http offers with every request over plain HTTP.
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Fields that speak of the body's old bytes, and those that are made anew for the next connection.
const REPLACED: [HeaderName; 11] = [
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    EXPECT,
    HOST,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("signature"),
    HeaderName::from_static("signature-input"),
    HeaderName::from_static("proxy-authentication-info"),
];

/// The name by which we know our own `Via` again; one for each process, so that several proxies
/// may stand in a row.
#[derive(Debug, Clone)]
pub(super) struct Pseudonym(String);

impl Pseudonym {
    /// A new one. It need not be secret, only different: a hasher's random seed does.
    pub(super) fn random() -> Self {
        Self(format!("countersign-{:016x}", RandomState::new().hash_one(())))
    }

    /// The request has been here before.
    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        let mut hops = headers
            .get_all(VIA)
            .into_iter()
            .flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
        hops.any(|hop| {
            hop.split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty())
                .nth(1)
                == Some(self.0.as_bytes())
        })
    }

    /// Takes from a request what goes on to the receiver.
    pub(super) fn onward(&self, head: &request::Parts) -> HeaderMap {
        let mut headers = head.headers.clone();
        end_to_end(&mut headers);
        for name in &REPLACED {
            headers.remove(name);
        }
        join_crumbs(&mut headers);
        let version = match head.version {
            Version::HTTP_10 => "1.0",
            Version::HTTP_2 => "2.0",
            _ => "1.1",
        };
        if let Ok(hop) = HeaderValue::try_from(format!("{version} {}", self.0)) {
            headers.append(VIA, hop);
        }
        headers
    }
}

/// By HTTP/2 a Cookie may come in several fields, which only there mean the same (RFC 9113, section 8.2.3).
fn join_crumbs(headers: &mut HeaderMap) {
    let crumbs: Vec<_> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if crumbs.len() > 1
        && let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(COOKIE, cookie);
    }
}

/// Takes from a receiver's answer what goes back to the flow. Another address for what is ours (RFC 7838) would lead its
/// messages past us.
pub(super) fn back(headers: &mut HeaderMap) {
    end_to_end(headers);
    headers.remove(ALT_SVC);
}

/// Removes what concerns one connection only.
fn end_to_end(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .into_iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn onward(fields: &[(&str, &str)]) -> HeaderMap {
        let mut request = Request::post("/orders");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        Pseudonym("us".into()).onward(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn end_to_end_fields_go_on() {
        let kept = [
            ("soapaction", "\"urn:place\""),
            ("content-type", "text/xml; charset=utf-8"),
            ("cookie", "a=b"),
            ("authorization", "Basic YTpi"),
        ];
        let headers = onward(&kept);
        for (name, value) in kept {
            assert_eq!(headers[name], value);
        }
    }

    #[test]
    fn fields_of_the_connection_and_of_the_old_body_end_here() {
        let dropped = [
            "x-named",
            "connection",
            "keep-alive",
            "proxy-connection",
            "proxy-authorization",
            "proxy-authenticate",
            "proxy-authentication-info",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "http2-settings",
            "content-md5",
            "digest",
            "content-digest",
            "repr-digest",
            "signature",
            "signature-input",
            "expect",
            "host",
            "content-encoding",
            "content-length",
        ];
        let fields: Vec<_> = dropped
            .map(|name| {
                (
                    name,
                    if name == "connection" {
                        "close , X-Named"
                    } else {
                        "1"
                    },
                )
            })
            .into();
        let headers = onward(&fields);
        assert_eq!(headers.keys().collect::<Vec<_>>(), [VIA]);
    }

    #[test]
    fn a_cookie_in_crumbs_goes_on_in_one_piece() {
        let headers = onward(&[("cookie", "a=b"), ("cookie", "c=d; e=f")]);
        assert_eq!(
            headers.get_all(COOKIE).iter().collect::<Vec<_>>(),
            ["a=b; c=d; e=f"]
        );
    }

    #[test]
    fn our_own_via_is_known_again_among_others() {
        let headers = onward(&[("via", "1.1 other (us), 1.0 fred")]);
        let us = Pseudonym("us".into());
        assert!(us.is_in(&headers));
        assert!(!us.is_in(&onward_without_us()));
        assert_ne!(Pseudonym::random().0, Pseudonym::random().0);
    }

    fn onward_without_us() -> HeaderMap {
        HeaderMap::from_iter([(VIA, HeaderValue::from_static("1.1 other (us), 1.0 fred"))])
    }
}
