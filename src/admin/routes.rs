//! The router and its OpenAPI document, made of the same entries: what is served is described, and
//! nothing else. There is no way in here without saying who may.

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::{Extension, Router};
use utoipa::openapi::path::{Operation, Paths};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::address::Names;
use super::guard::Guard;
use super::load::{Common, Load, holding};
use super::problem::Problem;
use super::strangers::Strangers;
use super::{Admin, document, problem};
use crate::config::Role;

/// Routes in the making.
pub(super) struct Routes {
    admin: Admin,
    strangers: Strangers,
    router: OpenApiRouter<Admin>,
}

impl Routes {
    pub(super) fn of(admin: Admin) -> Self {
        let router = OpenApiRouter::with_openapi(document::empty());
        let strangers = Strangers::new(admin.keys.clone(), admin.clock.clone());
        Self {
            admin,
            strangers,
            router,
        }
    }

    /// For whoever reaches the port.
    pub(super) fn open(mut self, routes: UtoipaMethodRouter<Admin>) -> Self {
        self.router = self.router.routes(routes);
        self
    }

    /// The same, for what takes more than a few bytes to answer.
    pub(super) fn open_within_bounds(self, routes: UtoipaMethodRouter<Admin>) -> Self {
        let (schemas, paths, methods) = routes;
        let methods = methods.route_layer(from_fn_with_state(Common::default().caller(), within_bounds));
        self.open((schemas, paths, methods))
    }

    /// For callers of this role, and for operators.
    pub(super) fn permit(mut self, role: Role, routes: UtoipaMethodRouter<Admin>) -> Self {
        let (schemas, mut paths, methods) = routes;
        for operation in operations(&mut paths) {
            document::guarded(operation, role);
        }
        let access = self.admin.access.clone();
        let strangers = self.strangers.clone();
        let guard = Guard {
            access,
            strangers,
            role,
        };
        let methods = methods.route_layer(from_fn_with_state(guard, Guard::pass));
        self.router = self.router.routes((schemas, paths, methods));
        self
    }

    /// Everything else is a problem.
    pub(super) fn finish(self) -> Router {
        let (router, document) = self.router.split_for_parts();
        let names = Names::of(&self.admin.config.admin);
        router
            .fallback(problem::no_such_resource)
            .method_not_allowed_fallback(problem::method_not_allowed)
            .layer(from_fn(problem::document))
            .layer(from_fn_with_state(names, Names::check))
            .layer(Extension(document::Document::of(&document)))
            .layer(Extension(self.strangers))
            .with_state(self.admin)
    }
}

/// As for one caller who has no name.
async fn within_bounds(State(load): State<Load>, request: Request, next: Next) -> Result<Response, Problem> {
    let place = load.request()?;
    Ok(holding(next.run(request).await, place))
}

fn operations(paths: &mut Paths) -> impl Iterator<Item = &mut Operation> {
    paths.paths.values_mut().flat_map(|item| {
        [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
            &mut item.patch,
        ]
        .into_iter()
        .flatten()
    })
}
