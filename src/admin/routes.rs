//! The router and its OpenAPI document, made of the same entries: what is served is described, and
//! nothing else. There is no way in here without saying who may.

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use utoipa::openapi::path::{Operation, Paths};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::guard::Guard;
use super::{Admin, document, problem};
use crate::config::Role;

/// Routes in the making.
pub(super) struct Routes {
    admin: Admin,
    router: OpenApiRouter<Admin>,
}

impl Routes {
    pub(super) fn of(admin: Admin) -> Self {
        let router = OpenApiRouter::with_openapi(document::empty());
        Self { admin, router }
    }

    /// For whoever reaches the port.
    pub(super) fn open(mut self, routes: UtoipaMethodRouter<Admin>) -> Self {
        self.router = self.router.routes(routes);
        self
    }

    /// For callers of this role, and for operators.
    pub(super) fn permit(mut self, role: Role, routes: UtoipaMethodRouter<Admin>) -> Self {
        let (schemas, mut paths, methods) = routes;
        for operation in operations(&mut paths) {
            document::guarded(operation, role);
        }
        let access = self.admin.access.clone();
        let methods = methods.route_layer(from_fn_with_state(Guard { access, role }, Guard::pass));
        self.router = self.router.routes((schemas, paths, methods));
        self
    }

    /// Everything else is a problem.
    pub(super) fn finish(self) -> Router {
        let (router, document) = self.router.split_for_parts();
        router
            .fallback(problem::no_such_resource)
            .method_not_allowed_fallback(problem::method_not_allowed)
            .layer(from_fn(problem::document))
            .layer(axum::Extension(document::Document::of(&document)))
            .with_state(self.admin)
    }
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
