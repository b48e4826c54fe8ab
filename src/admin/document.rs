//! The OpenAPI document: what the API is, who may do what, and how it refuses.

use axum::Extension;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use super::problem::PROBLEM_JSON;
use super::view::ProblemView;
use crate::config::Role;

/// The document as it is sent.
#[derive(Clone)]
pub(super) struct Document(Bytes);

impl Document {
    pub(super) fn of(document: &OpenApi) -> Self {
        // Strings, numbers and maps with text as keys: serde_json writes them all.
        Self(serde_json::to_vec(document).unwrap_or_default().into())
    }
}

/// This document
#[utoipa::path(get, path = "/api/openapi.json", tag = "meta",
    responses((status = 200, description = "In OpenAPI 3.1", body = Object)))]
pub(super) async fn openapi(Extension(Document(document)): Extension<Document>) -> Response {
    ([(CONTENT_TYPE, "application/json")], document).into_response()
}

/// All but the operations.
pub(super) fn empty() -> OpenApi {
    let components = ComponentsBuilder::new()
        .schema(ProblemView::name(), ProblemView::schema())
        .security_scheme(TOKEN, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)))
        .security_scheme(
            CERTIFICATE,
            SecurityScheme::MutualTls {
                description: None,
                deprecated: None,
                extensions: None,
            },
        );
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("countersign")
                .description(Some("The admin API. Errors are problem documents (RFC 9457)."))
                .version(env!("CARGO_PKG_VERSION"))
                .license(Some(
                    LicenseBuilder::new()
                        .name(env!("CARGO_PKG_LICENSE"))
                        .identifier(Some(env!("CARGO_PKG_LICENSE")))
                        .build(),
                )),
        )
        .components(Some(components.build()))
        .build()
}

/// The names of the security schemes.
const TOKEN: &str = "token";
const CERTIFICATE: &str = "certificate";

/// An operation that only callers of the role may ask for, and what others are told.
pub(super) fn guarded(operation: &mut Operation, role: Role) {
    let need = format!("Needs the role {role}.");
    operation.description = Some(match operation.description.take() {
        Some(description) if !description.is_empty() => format!("{description}\n\n{need}"),
        _ => need,
    });
    // In OpenAPI 3.1 the list names roles.
    operation.security = Some(
        [TOKEN, CERTIFICATE]
            .map(|scheme| SecurityRequirement::new(scheme, [role.name()]))
            .into(),
    );
    let refusals = [
        ("401", "The caller has not shown who it is"),
        ("403", "The caller's role is another"),
        ("default", "Refused"),
    ];
    for (status, description) in refusals {
        let problem = Content::new(Some(Ref::from_schema_name(ProblemView::name())));
        let response = ResponseBuilder::new()
            .description(description)
            .content(PROBLEM_JSON, problem);
        operation
            .responses
            .responses
            .insert(status.to_owned(), response.build().into());
    }
}
