//! The OpenAPI document of the running admin listener, held against the listener.

use std::collections::BTreeSet;

use http::Method;
use serde_json::Value;

use crate::support::admin::TestAdmin;

/// Every operation of the document: path, method, and itself.
fn operations(document: &Value) -> Vec<(String, Method, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| {
            (
                path.clone(),
                method.to_uppercase().parse().unwrap(),
                operation.clone(),
            )
        })
    });
    operations.collect()
}

/// The path with something in place of its parameters.
fn filled_in(path: &str) -> String {
    path.replace("{alias}", "orders")
        .replace("{route}", "eu")
        .replace("{fingerprint}", &"0".repeat(64))
}

#[tokio::test]
async fn every_route_is_in_it_with_its_role_and_nothing_else() {
    let admin = TestAdmin::start().await;
    let document = admin.get("/api/openapi.json").await.json();
    let mut table: Vec<_> = operations(&document)
        .into_iter()
        .map(|(path, method, operation)| {
            let role = operation["security"][0]["token"][0]
                .as_str()
                .unwrap_or("open")
                .to_owned();
            format!("{role} {method} {path}")
        })
        .collect();
    table.sort();
    assert_eq!(
        table,
        [
            "event POST /events",
            "open GET /healthz",
            "open GET /readyz",
            "open OPTIONS /events",
            "operator POST /api/v1/aliases/{alias}/certificates",
            "operator POST /api/v1/aliases/{alias}/keys",
            "operator POST /api/v1/aliases/{alias}/keys/{fingerprint}/activate",
            "operator POST /api/v1/aliases/{alias}/keys/{fingerprint}/discard",
            "operator POST /api/v1/aliases/{alias}/keys/{fingerprint}/preflight",
            "operator POST /api/v1/aliases/{alias}/keys/{fingerprint}/purge",
            "operator POST /api/v1/aliases/{alias}/keys/{fingerprint}/revoke",
            "operator POST /api/v1/aliases/{alias}/renewals",
            "operator POST /api/v1/aliases/{alias}/requests",
            "operator POST /api/v1/aliases/{alias}/requests/{public_key}/discard",
            "operator POST /api/v1/aliases/{alias}/reviewed",
            "operator POST /api/v1/aliases/{alias}/rollback",
            "operator POST /api/v1/renewals/{renewal}/abort",
            "operator POST /api/v1/renewals/{renewal}/complete",
            "operator POST /api/v1/renewals/{renewal}/confirm",
            "operator POST /api/v1/renewals/{renewal}/hold",
            "operator POST /api/v1/renewals/{renewal}/publish",
            "operator POST /api/v1/renewals/{renewal}/resume",
            "operator POST /api/v1/routes/{route}/probe",
            "viewer GET /api/openapi.json",
            "viewer GET /api/v1/aliases",
            "viewer GET /api/v1/aliases/{alias}",
            "viewer GET /api/v1/aliases/{alias}/keys/{fingerprint}/preflight",
            "viewer GET /api/v1/aliases/{alias}/requests/{public_key}",
            "viewer GET /api/v1/audit",
            "viewer GET /api/v1/audit/verification",
            "viewer GET /api/v1/certificates",
            "viewer GET /api/v1/renewals",
            "viewer GET /api/v1/renewals/{renewal}",
            "viewer GET /certificates/{alias}",
            "viewer GET /metrics",
        ]
    );
}

#[tokio::test]
async fn what_it_says_of_methods_and_roles_is_what_the_listener_does() {
    let admin = TestAdmin::start_for(&[
        ("viewer", "role = \"viewer\""),
        ("operator2", "role = \"operator\""),
        ("sender", "role = \"event\""),
    ])
    .await;
    let document = admin.get("/api/openapi.json").await.json();
    let operations = operations(&document);
    assert!(!operations.is_empty());
    for (path, method, operation) in &operations {
        let (target, what) = (filled_in(path), format!("{method} {path}"));
        let needed = operation["security"][0]["token"][0].as_str();
        let status = async |name: &str| admin.ask_as(name, method.clone(), &target).await.status.as_u16();
        let unknown = admin.ask(method.clone(), &target).await.status.as_u16();
        assert_eq!(unknown == 401, needed.is_some(), "{what}");
        assert_eq!(
            status("viewer").await == 403,
            matches!(needed, Some("operator" | "event")),
            "{what}"
        );
        assert_ne!(status("operator2").await, 403, "{what}");
        assert_eq!(
            status("sender").await == 403,
            matches!(needed, Some("operator" | "viewer")),
            "{what}"
        );
    }
    for (path, _, _) in &operations {
        let mut allowed: Vec<_> = operations
            .iter()
            .filter(|(other, ..)| other == path)
            .map(|(_, method, _)| method.to_string())
            .collect();
        if allowed.contains(&"GET".to_owned()) {
            allowed.push("HEAD".to_owned());
        }
        let refused = admin.ask_as("operator2", Method::TRACE, &filled_in(path)).await;
        refused.problem(405);
        let mut told: Vec<_> = refused.headers["allow"]
            .to_str()
            .unwrap()
            .split(',')
            .map(str::to_owned)
            .collect();
        told.sort();
        allowed.sort();
        assert_eq!(told, allowed, "{path}");
    }
}

/// Programs made from the document name their functions so.
#[tokio::test]
async fn each_operation_has_a_name_of_its_own() {
    let admin = TestAdmin::start().await;
    let document = admin.get("/api/openapi.json").await.json();
    let name =
        |(_, _, operation): (String, Method, Value)| operation["operationId"].as_str().map(str::to_owned);
    let named: Vec<_> = operations(&document).into_iter().map(name).collect();
    let different: BTreeSet<_> = named.iter().flatten().collect();
    assert_eq!(different.len(), named.len(), "{named:?}");
}

#[tokio::test]
async fn errors_are_described_as_problem_documents() {
    let admin = TestAdmin::start().await;
    let document = admin.get("/api/openapi.json").await.json();
    assert_eq!(
        document["components"]["securitySchemes"]["token"]["scheme"],
        "bearer"
    );
    for (path, method, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let plain = status.starts_with(['2', '3']);
            let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(
                schema == "#/components/schemas/ProblemView",
                !plain,
                "{method} {path} {status}"
            );
        }
    }
}
