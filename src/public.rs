//! The `[public]` listener: what receivers may reach. An alias's certificates, and the page on which a receiver's
//! administrator confirms; nothing else is there.
//!
//! Nobody is asked who it is: certificates are public, and who has a link's token is whom the link was made for. There
//! are no cookies and no other standing rights of a browser, so no page of another site can have anything done with them:
//! to forge a request it would have to know the token, and whoever knows that may ask directly.

mod confirm;
mod page;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rustls::ServerConfig;

use crate::certificates::{self, Wanted};
use crate::clock::Clock;
use crate::config::{Config, PublicConfig};
use crate::keys::Keys;
use crate::listener::{self, Refused, Serving};

/// What the listener shows.
#[derive(Clone)]
pub struct Public {
    /// Shown, and told who has confirmed.
    pub keys: Keys,
    /// Of the running proxy.
    pub config: Arc<Config>,
    /// Links expire by it.
    pub clock: Clock,
    /// `None`: plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
}

impl Public {
    /// Ready to serve; where the configuration has no such listener, nothing is there.
    #[must_use]
    pub fn serving(self) -> Serving {
        let tls = self.tls.clone();
        let router = Router::new()
            .route("/certificates/{alias}", get(of_alias))
            .route("/confirm/{token}", get(confirm::show).post(confirm::act))
            .fallback(nothing_here)
            .layer(from_fn(one_host))
            .layer(from_fn_with_state(Arc::<Refused>::default(), late))
            .layer(map_response(page::guard))
            .with_state(self);
        Serving { tls, router }
    }

    /// Whether there is such an alias for receivers.
    fn shows(&self, alias: &str) -> bool {
        let public = self.config.public.as_ref();
        let among = |public: &PublicConfig| public.aliases.contains(alias);
        public.is_some_and(among) && self.config.aliases.contains_key(alias)
    }
}

/// As on the admin listener; but of an alias that is not shown nobody learns that it exists.
async fn of_alias(
    State(public): State<Public>,
    alias: Result<Path<String>, PathRejection>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let ring = public.keys.ring();
    let found = alias.ok().filter(|Path(alias)| public.shows(alias));
    let found = found.and_then(|Path(alias)| Some((ring.alias(&alias)?, alias)));
    let Some((keys, alias)) = found else {
        return nothing_here().await.into_response();
    };
    let wanted = match wanted {
        Ok(Query(wanted)) => wanted,
        Err(refused) => return (StatusCode::BAD_REQUEST, sentence(&refused.body_text())).into_response(),
    };
    certificates::answer(&alias, keys, &wanted, &headers)
        .unwrap_or_else(|refused| (refused.status(), sentence(&refused.to_string())).into_response())
}

/// By whatever name: something in front of us may have chosen it.
async fn one_host(request: Request, next: Next) -> Response {
    match listener::host(&request) {
        Ok(_) => next.run(request).await,
        Err(refused) => (StatusCode::BAD_REQUEST, sentence(&refused.to_string())).into_response(),
    }
}

/// Links and aliases that nobody has are asked for without end, and not too fast.
async fn late(State(refused): State<Arc<Refused>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if response.status().is_client_error() {
        refused.turn().await;
    }
    response
}

async fn nothing_here() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "There is nothing here.\n")
}

fn sentence(text: &str) -> String {
    format!("{text}\n")
}
