//! Authentication that belongs to a connection (RFC 4559, and Microsoft's NTLM): whoever has authenticated on one speaks
//! for everything that comes on it, so it must never be somebody else's.

use http::header::{AUTHORIZATION, PROXY_AUTHENTICATE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName};

/// Schemes that authenticate a connection, or that some servers use so.
const SCHEMES: [&[u8]; 5] = [b"ntlm", b"negotiate", b"nego2", b"kerberos", b"credssp"];

/// The request's sender authenticates the connection that it is sent on.
pub(in crate::proxy) fn is_answered(request: &HeaderMap) -> bool {
    has_scheme(request, &AUTHORIZATION)
}

/// The receiver asks for that, in its place or in that of a proxy before it.
pub(super) fn is_posed(response: &HeaderMap) -> bool {
    has_scheme(response, &WWW_AUTHENTICATE) || has_scheme(response, &PROXY_AUTHENTICATE)
}

/// One of the field's values begins with a scheme, or has one behind a comma: a word too many there costs a connection,
/// one too few gives one away.
fn has_scheme(headers: &HeaderMap, name: &HeaderName) -> bool {
    let values = headers.get_all(name).into_iter();
    let mut challenges = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    challenges.any(|challenge| {
        let mut words = challenge.split(u8::is_ascii_whitespace);
        let scheme = words.find(|word| !word.is_empty()).unwrap_or_default();
        SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme))
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn schemes_of_connections_are_known_in_any_place_and_case() {
        for (value, bound) in [
            ("NTLM", true),
            ("ntlm TlRMTVNTUAABAAAA", true),
            ("Negotiate", true),
            ("Basic realm=\"a, b\", Negotiate YII=", true),
            (" \tNeGoTiAtE", true),
            ("Basic eTp6", false),
            ("Bearer ntlm", false),
            ("Digest realm=\"NTLM\"", false),
            ("", false),
        ] {
            let value = HeaderValue::from_static(value);
            let request = HeaderMap::from_iter([(AUTHORIZATION, value.clone())]);
            assert_eq!(is_answered(&request), bound, "{value:?}");
            for name in [WWW_AUTHENTICATE, PROXY_AUTHENTICATE] {
                let mut response = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static("Basic"))]);
                response.append(name, value.clone());
                assert_eq!(is_posed(&response), bound, "{value:?}");
            }
        }
    }
}
