//! The admin listener: reads snapshots of the keys, sends commands to them, decides nothing.
//!
//! Whoever has the operator's token may do everything here; the peer's address grants nothing.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};

use crate::clock::Clock;
use crate::config::Config;
use crate::keys::Keys;
use crate::metrics::Metrics;

mod commands;
mod monitor;
mod overview;
mod problem;
mod token;
pub mod view;

pub use token::{Token, TokenError};

/// Bytes of a request; a keystore with its chain is a few thousand.
const MAX_BODY: usize = 1024 * 1024;

/// What the listener shows and operates.
#[derive(Clone)]
pub struct Admin {
    /// Operated.
    pub keys: Keys,
    /// Of the running proxy.
    pub config: Arc<Config>,
    /// Of the running proxy.
    pub metrics: Arc<Metrics>,
    /// Dates what is done here.
    pub clock: Clock,
    /// The operator's.
    pub token: Token,
    /// Whether messages are taken now.
    pub ready: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Admin {
    /// The table of routes.
    pub fn router(self) -> Router {
        let mut open = Router::new()
            .route("/healthz", get(monitor::healthz))
            .route("/readyz", get(monitor::readyz));
        let mut operator = Router::new()
            .route("/api/v1/aliases", get(overview::aliases))
            .route("/api/v1/aliases/{alias}", get(overview::alias))
            .route("/api/v1/aliases/{alias}/keys", post(commands::import))
            .route(
                "/api/v1/aliases/{alias}/keys/{fingerprint}/activate",
                post(commands::activate),
            )
            .route("/api/v1/aliases/{alias}/rollback", post(commands::rollback));
        let metrics = get(monitor::metrics);
        if self.config.admin.metrics_open {
            open = open.route("/metrics", metrics);
        } else {
            operator = operator.route("/metrics", metrics);
        }
        let operator = operator
            .fallback(problem::no_such_resource)
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(from_fn(problem::document))
            .layer(from_fn_with_state(self.clone(), token::demand));
        open.merge(operator)
            .method_not_allowed_fallback(problem::method_not_allowed)
            .with_state(self)
    }
}
