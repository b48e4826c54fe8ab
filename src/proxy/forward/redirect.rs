//! Redirects (RFC 9110, section 15.4). None of them reaches a flow: common clients would follow it, and post the message as
//! they have it, unsigned, straight to the receiver.
//!
//! Where the route says so, a signed message follows one itself: to where the method and the message stay as they are, never
//! beyond the receiver's origin, a bounded number of times, and signed anew each time, since receivers take the same
//! signature twice for a replay. A question for a description carries nothing, and follows within the origin in any case.

use fluent_uri::{Uri as Address, UriRef};
use http::header::LOCATION;
use http::{HeaderMap, Method, StatusCode, Uri};

use crate::config::origin;
use crate::xml::text::Line;

/// Redirects in a row that one request follows.
const MOST: u8 = 5;
/// Characters shown of a place.
const SHOWN: usize = 300;

/// Where a request goes: the receiver's address, or where the receiver has led it.
#[derive(Debug, Clone)]
pub(in crate::proxy) struct Place {
    pub(super) uri: Uri,
    /// Redirects that the request may follow from here.
    left: u8,
}

/// A receiver's answer that leads elsewhere, or says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) struct Redirect {
    status: StatusCode,
    /// As the receiver wrote it.
    location: Option<String>,
    /// The address that it means, if it is one.
    target: Option<Uri>,
}

impl Place {
    /// From which a request follows redirects.
    pub(super) fn first(uri: Uri) -> Self {
        Self { uri, left: MOST }
    }

    /// From which it follows none.
    pub(super) fn last(uri: Uri) -> Self {
        Self { uri, left: 0 }
    }

    /// Whether the request may have to go on.
    pub(in crate::proxy) fn may_lead_on(&self) -> bool {
        self.left > 0
    }

    /// Where a message goes on, if it may.
    pub(in crate::proxy) fn of_message(&self, redirect: &Redirect) -> Option<Self> {
        let keeps_message = matches!(
            redirect.status,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
        );
        keeps_message.then(|| self.next(redirect)).flatten()
    }

    /// Where a question without a body goes on, if it may.
    pub(super) fn of_question(&self, redirect: &Redirect) -> Option<Self> {
        let leads_on = matches!(
            redirect.status,
            StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT
        );
        leads_on.then(|| self.next(redirect)).flatten()
    }

    fn next(&self, redirect: &Redirect) -> Option<Self> {
        let (target, left) = (redirect.target.as_ref()?, self.left.checked_sub(1)?);
        (origin(target) == origin(&self.uri)).then(|| Self {
            uri: target.clone(),
            left,
        })
    }
}

impl Redirect {
    /// Tells whether an answer from this place is one. To a conditional question 304 is an answer.
    pub(super) fn of(
        method: &Method,
        place: &Place,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Option<Self> {
        let is_answer = status == StatusCode::NOT_MODIFIED && method != Method::POST;
        if !status.is_redirection() || is_answer {
            return None;
        }
        let location = headers.get(LOCATION).map(|value| value.as_bytes());
        let location = location.map(|value| String::from_utf8_lossy(value).into_owned());
        let target = location.as_deref();
        Some(Self {
            status,
            target: target.and_then(|location| resolved(location, &place.uri)),
            location,
        })
    }
}

/// RFC 3986, section 5.2; the fragment is nobody's business but the client's.
fn resolved(location: &str, base: &Uri) -> Option<Uri> {
    let base = base.to_string();
    let (base, location) = (Address::parse(base.as_str()).ok()?, UriRef::parse(location).ok()?);
    let mut target = location.resolve_against(&base).ok()?;
    target.set_fragment(None);
    let target: Uri = target.as_str().parse().ok()?;
    let authority = target.authority()?;
    (!authority.as_str().contains('@')).then_some(target)
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Line(&self.uri.to_string(), SHOWN).fmt(f)
    }
}

impl std::fmt::Display for Redirect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = self.status.as_u16();
        match &self.location {
            Some(location) => write!(
                f,
                "the receiver answered {status}, a redirect to {}, which this route does not follow; whoever runs the proxy \
                 writes that address into the route, if it is right",
                Line(location, SHOWN)
            ),
            None => write!(
                f,
                "the receiver answered {status} to a message, and does not say where it should go"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn place() -> Place {
        Place::first("https://erp.example.com/services/orders?a=b".parse().unwrap())
    }

    fn redirect(status: u16, location: &str) -> Redirect {
        let headers =
            HeaderMap::from_iter([(LOCATION, HeaderValue::from_bytes(location.as_bytes()).unwrap())]);
        let status = StatusCode::from_u16(status).unwrap();
        Redirect::of(&Method::POST, &place(), status, &headers).unwrap()
    }

    fn message(status: u16, location: &str) -> Option<String> {
        let next = place().of_message(&redirect(status, location))?;
        Some(next.uri.to_string())
    }

    #[test]
    fn a_message_follows_within_its_origin_however_the_place_is_written() {
        for (location, expected) in [
            ("https://erp.example.com/new", "https://erp.example.com/new"),
            (
                "HTTPS://ERP.example.com:443/new?c=d#e",
                "HTTPS://ERP.example.com:443/new?c=d",
            ),
            ("//erp.example.com/new", "https://erp.example.com/new"),
            ("/new", "https://erp.example.com/new"),
            ("new/", "https://erp.example.com/services/new/"),
            ("../../new", "https://erp.example.com/new"),
            ("?c=d", "https://erp.example.com/services/orders?c=d"),
        ] {
            for status in [307, 308] {
                let next: Option<Uri> = message(status, location).map(|next| next.parse().unwrap());
                assert_eq!(next, Some(expected.parse().unwrap()), "{location}");
            }
        }
    }

    #[test]
    fn a_message_never_follows_beyond_its_origin_nor_where_it_would_change() {
        for location in [
            "http://erp.example.com/new",
            "https://erp.example.com:8443/new",
            "https://other.example.com/new",
            "//other.example.com/new",
            "https://erp.example.com@other.example.com/new",
            "https://user@erp.example.com/new",
            "https:/new",
            "ftp://erp.example.com/new",
            "mailto:a@b",
            "https://erp.example.com/ü",
            "https://erp.example.com/a b",
            "https://erp.example.com\\@other.example.com/",
            "",
        ] {
            let next = message(307, location);
            // An empty reference is the place itself.
            let same = location.is_empty().then(|| place().uri.to_string());
            assert_eq!(next, same, "{location}");
        }
        for status in [300, 301, 302, 303, 304, 305, 306, 399] {
            assert_eq!(message(status, "/new"), None, "{status}");
        }
    }

    #[test]
    fn where_the_route_does_not_say_so_nothing_follows() {
        let last = Place::last(place().uri);
        assert!(!last.may_lead_on() && last.of_message(&redirect(307, "/new")).is_none());
    }

    #[test]
    fn nobody_is_led_in_circles() {
        let (mut place, here) = (place(), redirect(307, "?"));
        for _ in 0..MOST {
            place = place.of_message(&here).unwrap();
        }
        assert!(place.of_message(&here).is_none() && place.of_question(&here).is_none());
    }

    #[test]
    fn a_question_follows_whatever_the_method_and_takes_304_for_an_answer() {
        for status in [301, 302, 303, 307, 308] {
            assert!(place().of_question(&redirect(status, "/new")).is_some());
            assert!(place().of_question(&redirect(status, "http://other/")).is_none());
        }
        assert!(place().of_question(&redirect(300, "/new")).is_none());
        let answer =
            |method: &Method, status| Redirect::of(method, &place(), status, &HeaderMap::new()).is_none();
        assert!(
            answer(&Method::GET, StatusCode::NOT_MODIFIED) && answer(&Method::HEAD, StatusCode::NOT_MODIFIED)
        );
        assert!(!answer(&Method::POST, StatusCode::NOT_MODIFIED) && !answer(&Method::GET, StatusCode::FOUND));
    }

    #[test]
    fn a_place_is_shown_within_bounds_and_nothing_in_it_is_markup_or_moves_a_terminal() {
        let long = redirect(302, &format!("http://other/\u{85}{}", "x".repeat(10_000))).to_string();
        assert!(
            long.contains("302, a redirect to http://other/\\u{85}xx"),
            "{long}"
        );
        assert!(long.len() < 500, "{}", long.len());
    }
}
