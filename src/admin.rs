//! The admin listener: reads snapshots of the keys, sends commands to them, decides nothing.
//!
//! `Admin::router` has the table of who may do what. Whoever asks has to show who it is; the peer's
//! address grants nothing.

use std::sync::Arc;

use axum::Router;
use rustls::ServerConfig;
use utoipa_axum::routes;

use crate::clock::Clock;
use crate::config::{Config, Role};
use crate::keys::audit::Author;
use crate::keys::source::SourceProblems;
use crate::keys::{CommandError, Keys};
use crate::listener::Serving;
use crate::metrics::Metrics;
use crate::proxy::Proxy;
use access::Caller;
use routes::Routes;

mod access;
mod address;
mod audit;
mod certificates;
mod commands;
mod document;
mod draining;
mod events;
mod guard;
mod json;
mod load;
mod monitor;
mod overview;
mod preflight;
mod probe;
mod problem;
mod renewals;
mod requests;
mod routes;
mod strangers;
mod token;
pub mod view;
mod withdrawal;

pub use access::{Access, AccessError, AccessErrors, Actor, CredentialError, Shown};
pub use events::EventType;
pub use token::{Token, TokenError};

/// Looks at the source of an alias, on behalf of somebody, and takes in what it has.
pub type Look = Arc<dyn Fn(&str, Author) -> Result<(), CommandError> + Send + Sync>;

/// What the listener shows and operates.
#[derive(Clone)]
pub struct Admin {
    /// Operated.
    pub keys: Keys,
    /// Of the running proxy.
    pub config: Arc<Config>,
    /// The running proxy.
    pub proxy: Arc<Proxy>,
    /// Of the running proxy.
    pub metrics: Arc<Metrics>,
    /// Dates what is done here.
    pub clock: Clock,
    /// Who may ask.
    pub access: Access,
    /// With the sources of keys.
    pub problems: Arc<SourceProblems>,
    /// `None`: plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Has an alias's source looked at now.
    pub look: Look,
    /// Whether messages are taken now.
    pub ready: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Admin {
    /// Ready to serve.
    #[must_use]
    pub fn serving(self) -> Serving {
        Serving {
            tls: self.tls.clone(),
            router: self.router(),
        }
    }

    /// Who may do what: each handler with the role that it needs.
    fn router(self) -> Router {
        let metrics = routes!(monitor::metrics);
        let metrics_open = self.config.admin.metrics_open;
        let routes = Routes::of(self)
            .open(routes!(monitor::healthz))
            .open(routes!(monitor::readyz))
            .permit(Role::Viewer, routes!(document::openapi))
            .permit(Role::Viewer, routes!(overview::aliases))
            .permit(Role::Viewer, routes!(overview::alias))
            .permit(Role::Operator, routes!(commands::import))
            .permit(Role::Operator, routes!(commands::activate))
            .permit(Role::Operator, routes!(commands::rollback))
            .permit(Role::Operator, routes!(commands::reviewed))
            .permit(Role::Operator, routes!(withdrawal::revoke))
            .permit(Role::Operator, routes!(withdrawal::discard))
            .permit(Role::Operator, routes!(withdrawal::purge))
            .permit(Role::Viewer, routes!(certificates::find))
            .permit(Role::Viewer, routes!(certificates::of_alias))
            .permit(Role::Viewer, routes!(audit::records))
            .permit(Role::Viewer, routes!(audit::verification));
        let routes = events(renewals(requests(routes)));
        let routes = routes.permit(Role::Operator, routes!(probe::probe));
        let routes = if metrics_open {
            routes.open_within_bounds(metrics)
        } else {
            routes.permit(Role::Viewer, metrics)
        };
        routes.finish()
    }
}

/// Events from outside, and the question whether they may be sent.
fn events(routes: Routes) -> Routes {
    routes
        .open(routes!(events::handshake::answer))
        .permit(Role::Event, routes!(events::receive))
}

/// Keys that are generated here.
fn requests(routes: Routes) -> Routes {
    routes
        .permit(Role::Operator, routes!(requests::generate))
        .permit(Role::Viewer, routes!(requests::show))
        .permit(Role::Operator, routes!(requests::discard))
        .permit(Role::Operator, routes!(requests::certify))
}

/// The exchange of a key, step by step.
fn renewals(routes: Routes) -> Routes {
    routes
        .permit(Role::Viewer, routes!(renewals::list))
        .permit(Role::Operator, routes!(renewals::start))
        .permit(Role::Viewer, routes!(renewals::show))
        .permit(Role::Operator, routes!(renewals::publish::publish))
        .permit(Role::Operator, routes!(renewals::confirm))
        .permit(Role::Operator, routes!(renewals::hold))
        .permit(Role::Operator, routes!(renewals::resume))
        .permit(Role::Operator, routes!(renewals::complete))
        .permit(Role::Operator, routes!(renewals::abort))
        .permit(Role::Viewer, routes!(preflight::look))
        .permit(Role::Operator, routes!(preflight::look_and_probe))
}
