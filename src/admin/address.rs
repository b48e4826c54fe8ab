//! Stands before all routes but health and readiness: is the listener meant, or is a browser made to ask it?
//!
//! A page of somebody else's can have its own name lead here (DNS rebinding), or ask us from there. A program sends no
//! Origin, and who reaches an address by its number was led there by nobody.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::ORIGIN;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use crate::config::AdminConfig;
use crate::listener::{self, Refused};
use crate::xml::text::Line;

/// Routes that say nothing but "up", to whoever asks by whatever name.
const HEALTH: [&str; 2] = ["/healthz", "/readyz"];
/// Characters shown of a host.
const SHOWN: usize = 100;

/// By which names the listener is reached.
#[derive(Clone)]
pub(super) struct Names(Arc<Reached>);

struct Reached {
    /// In lower case, beside addresses and `localhost`.
    hosts: Vec<String>,
    /// Its certificate answers for the name, whatever it is: no other name leads here.
    tls: bool,
    /// Where those wait who do not mean it.
    refused: Refused,
}

impl Names {
    pub(super) fn of(config: &AdminConfig) -> Self {
        Self(Arc::new(Reached {
            hosts: config.hosts.clone(),
            tls: config.tls.is_some(),
            refused: Refused::default(),
        }))
    }

    /// Lets through who means the listener.
    pub(super) async fn check(State(names): State<Self>, request: Request, next: Next) -> Response {
        match names.judge(&request) {
            Ok(()) => next.run(request).await,
            Err(refused) => {
                names.0.refused.turn().await;
                refused.into_response()
            }
        }
    }

    fn judge(&self, request: &Request) -> Result<(), Problem> {
        let host = listener::host(request)
            .map_err(|refused| Problem::new(StatusCode::BAD_REQUEST, refused.to_string()))?;
        if HEALTH.contains(&request.uri().path()) {
            return Ok(());
        }
        if let Some(host) = host.as_ref().filter(|host| !self.is_ours(host.host())) {
            return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, not_ours(host)));
        }
        let origins = request.headers().get_all(ORIGIN);
        if origins.iter().all(|origin| self.is_same(origin, host.as_ref())) {
            return Ok(());
        }
        Err(Problem::new(StatusCode::FORBIDDEN, CROSS_ORIGIN))
    }

    fn is_ours(&self, host: &str) -> bool {
        let named = self.0.hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
        let any = self.0.tls && self.0.hosts.is_empty();
        named || any || is_address(host) || host.eq_ignore_ascii_case("localhost")
    }

    /// Something in front of the listener may have exchanged the host; its name is known then.
    fn is_same(&self, origin: &HeaderValue, host: Option<&Authority>) -> bool {
        let origin = Uri::try_from(origin.as_bytes()).ok();
        let Some(origin) = origin
            .as_ref()
            .filter(|uri| uri.scheme().is_some())
            .and_then(Uri::authority)
        else {
            return false; // "null", too
        };
        let named = self
            .0
            .hosts
            .iter()
            .any(|own| own.eq_ignore_ascii_case(origin.host()));
        named || host == Some(origin)
    }
}

const CROSS_ORIGIN: &str = "a page of another site sent this; if it comes through something in front of this listener, add the name \
    that browsers know that by to [admin] hosts";

fn not_ours(host: &Authority) -> String {
    format!(
        "this listener is not known as {}; if it is reached by that name, add the name to [admin] hosts",
        Line(host.host(), SHOWN)
    )
}

fn is_address(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host).parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn asked(host: &str, origin: Option<&str>) -> Request {
        let mut request = Request::builder().uri("/api/v1/aliases").header("host", host);
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        request.body(Body::empty()).unwrap()
    }

    fn judged(hosts: &[&str], tls: bool, host: &str, origin: Option<&str>) -> Result<(), String> {
        let names = Names(Arc::new(Reached {
            hosts: hosts.iter().map(ToString::to_string).collect(),
            tls,
            refused: Refused::default(),
        }));
        let judged = names.judge(&asked(host, origin));
        judged.map_err(|problem| problem.to_string())
    }

    #[test]
    fn addresses_and_known_names_are_ours() {
        for host in [
            "127.0.0.1:9090",
            "[::1]:9090",
            "10.0.0.7",
            "localhost:9090",
            "LOCALHOST",
            "proxy.example.com:1",
        ] {
            assert_eq!(
                judged(&["proxy.example.com"], false, host, None),
                Ok(()),
                "{host}"
            );
        }
        assert_eq!(judged(&[], true, "by.its.certificate", None), Ok(()));
    }

    #[test]
    fn a_name_that_somebody_else_leads_here_is_not() {
        for (hosts, tls, host) in [
            (&[][..], false, "rebound.example:9090"),
            (&[], false, "localhost.example"),
            (&[], false, "127.0.0.1.example"),
            (&["proxy.example.com"], true, "rebound.example"),
        ] {
            let refused = judged(hosts, tls, host, None).unwrap_err();
            assert!(refused.contains("add the name to [admin] hosts"), "{refused}");
        }
    }

    #[test]
    fn a_page_of_another_site_is_told_by_its_origin() {
        let origin = |origin: &str| judged(&["console.example.com"], false, "127.0.0.1:9090", Some(origin));
        for same in [
            "http://127.0.0.1:9090",
            "https://console.example.com",
            "https://console.example.com:8443",
        ] {
            assert_eq!(origin(same), Ok(()), "{same}");
        }
        for other in [
            "null",
            "",
            "http://127.0.0.1:8080",
            "https://evil.example",
            "http://localhost:9090",
            "file://",
        ] {
            assert!(origin(other).is_err(), "{other}");
        }
    }
}
