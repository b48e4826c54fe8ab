//! Who may do what at the admin listener, and what the others are told.

use std::fs;
use std::path::Path;

use countersign::admin::Access;
use countersign::config::Config;
use http::Method;
use http_body_util::Full;
use tempfile::tempdir;

use crate::support::admin::{TestAdmin, new_key};
use crate::support::client::{Flow, request};
use crate::support::countersign::{Running, countersign};

const ORDERS: &str = "/api/v1/aliases/orders";
const INVOICES: &str = "/api/v1/aliases/invoices";

#[tokio::test]
async fn a_viewer_looks_and_changes_nothing() {
    let admin = TestAdmin::start_for(&[("dashboard", "role = \"viewer\"")]).await;
    for path in ["/api/v1/aliases", ORDERS, "/metrics", "/api/openapi.json"] {
        assert_eq!(
            admin.ask_as("dashboard", Method::GET, path).await.status,
            200,
            "{path}"
        );
    }
    let activate = format!("{ORDERS}/keys/{}/activate", "0".repeat(64));
    for path in [format!("{ORDERS}/keys"), activate, format!("{ORDERS}/rollback")] {
        let refused = admin.ask_as("dashboard", Method::POST, &path).await.problem(403);
        assert_eq!(
            refused, "this needs the role operator; dashboard has viewer",
            "{path}"
        );
    }
}

#[tokio::test]
async fn one_who_sends_events_does_nothing_else() {
    let admin = TestAdmin::start_for(&[("broker", "role = \"event\"")]).await;
    for (method, path, role) in [
        (Method::GET, ORDERS, "viewer"),
        (Method::GET, "/metrics", "viewer"),
        (Method::POST, "/api/v1/aliases/orders/rollback", "operator"),
    ] {
        let refused = admin.ask_as("broker", method, path).await.problem(403);
        assert_eq!(refused, format!("this needs the role {role}; broker has event"));
    }
}

#[tokio::test]
async fn a_further_operator_does_what_the_first_does() {
    let admin = TestAdmin::start_for(&[("pipeline", "role = \"operator\"")]).await;
    let refused = admin
        .ask_as("pipeline", Method::POST, &format!("{ORDERS}/rollback"))
        .await;
    assert!(refused.problem(409).starts_with("no key is retired"));
    assert_eq!(admin.ask_as("pipeline", Method::GET, ORDERS).await.status, 200);
    assert_eq!(admin.get(ORDERS).await.status, 200, "the first is still there");
    admin.ask_as("nobody", Method::GET, ORDERS).await.problem(401);
}

#[tokio::test]
async fn an_alias_that_one_may_not_see_is_as_one_that_does_not_exist() {
    let lines = "role = \"operator\"\naliases = [\"invoices\"]";
    let admin = TestAdmin::start_for(&[("billing", lines)]).await;
    for alias in ["orders", "invoices"] {
        assert_eq!(admin.import(alias, &new_key("Test")).await.status, 201);
    }
    let ask = async |method, path: &str| admin.ask_as("billing", method, path).await;

    ask(Method::GET, "/api/v1/aliases/%6frders").await.problem(404);
    let aliases = ask(Method::GET, "/api/v1/aliases").await.json();
    assert_eq!(aliases.as_array().unwrap().len(), 1);
    assert_eq!(aliases[0]["alias"], "invoices");
    assert_eq!(ask(Method::GET, INVOICES).await.status, 200);
    ask(Method::POST, &format!("{INVOICES}/rollback"))
        .await
        .problem(409);

    let activate = format!("keys/{}/activate", admin.fingerprints("orders")[0]);
    for (method, call) in [
        (Method::GET, ""),
        (Method::POST, "/keys"),
        (Method::POST, "/rollback"),
        (Method::POST, &*format!("/{activate}")),
    ] {
        let hidden = ask(method.clone(), &format!("{ORDERS}{call}")).await.problem(404);
        let absent = ask(method, &format!("/api/v1/aliases/nobody{call}"))
            .await
            .problem(404);
        assert_eq!(hidden, absent.replace("nobody", "orders"), "{call}");
    }
}

#[tokio::test]
async fn metrics_are_without_what_one_may_not_see() {
    let narrowed = "role = \"viewer\"\naliases = [\"invoices\"]";
    let admin = TestAdmin::start_for(&[("billing", narrowed), ("all", "role = \"viewer\"")]).await;
    admin.metrics.key_switched(
        "orders",
        countersign::keys::lifecycle::Trigger::Activate,
        Default::default(),
    );
    admin.metrics.key_switched(
        "invoices",
        countersign::keys::lifecycle::Trigger::Activate,
        Default::default(),
    );
    admin
        .metrics
        .request_ended(Some("eu"), countersign::metrics::Outcome::Answered);
    let seen = async |name| {
        let body = admin.ask_as(name, Method::GET, "/metrics").await.body;
        let text = String::from_utf8(body.to_vec()).unwrap();
        [
            "alias=\"orders\"",
            "alias=\"invoices\"",
            "route=\"eu\"",
            "process_open_fds",
        ]
        .map(|words| text.contains(words))
    };
    assert_eq!(seen("all").await, [true; 4]);
    assert_eq!(
        seen("billing").await,
        [false, true, false, true],
        "the route eu signs with orders"
    );
}

#[test]
fn every_token_that_is_of_no_use_is_named_at_once() {
    let directory = tempdir().unwrap();
    let entry = |name: &str| {
        format!("[[admin.access]]\nname = \"{name}\"\nrole = \"viewer\"\ntoken_file = \"{name}\"\n")
    };
    let text = format!(
        "[admin]\n{}{}{}{}[alias.a]\n[[route]]\nname = \"a\"\npath = \"/a\"\nreceiver = \"http://127.0.0.1\"\nalias = \"a\"",
        entry("missing"),
        entry("short"),
        entry("first"),
        entry("second"),
    );
    fs::write(directory.path().join("short"), "secret").unwrap();
    fs::write(directory.path().join("first"), "0123456789012345678901").unwrap();
    fs::write(directory.path().join("second"), "0123456789012345678901\n").unwrap();
    let config = Config::parse(&text, &directory.path().join("test.toml")).unwrap();

    let Err(errors) = Access::load(&config.admin) else {
        panic!("three of them are of no use")
    };

    let errors = errors.to_string();
    let sentences: Vec<_> = errors.lines().collect();
    assert_eq!(sentences.len(), 3, "{errors}");
    for (sentence, words) in sentences.iter().zip([
        "missing: there is no token file",
        "short: the token in",
        "second: first has the same token",
    ]) {
        assert!(sentence.contains(words), "{sentence}");
    }
    fs::write(directory.path().join("test.toml"), text).unwrap();
    fs::remove_dir_all(directory.path().join("state")).unwrap();
    let checked = countersign(directory.path(), "check --config test.toml");
    assert_eq!(checked.code, Some(1));
    for (line, sentence) in [3, 7, 15].into_iter().zip(sentences) {
        let sentence = sentence.replace(&format!("{}/", directory.path().display()), "");
        let said = format!("error: test.toml:{line}: {sentence}\n");
        assert!(checked.stderr.contains(&said), "{said} in {}", checked.stderr);
    }
    assert!(!directory.path().join("state").exists(), "a check makes no token");
}

#[tokio::test]
async fn the_log_says_who_gave_each_command() {
    let directory = tempdir().unwrap();
    let mut proxy = serve(directory.path());
    let listening = proxy.logs("section=[admin]");
    let address = listening
        .rsplit_once("address=")
        .unwrap()
        .1
        .trim()
        .parse()
        .unwrap();
    let mut client = Flow::connect(address).await;
    for (method, path) in [
        (Method::GET, ORDERS),
        (Method::POST, "/api/v1/aliases/orders/rollback"),
    ] {
        let request = request(method, path).header("authorization", format!("Bearer {TOKEN}"));
        client.send(request.body(Full::default()).unwrap()).await;
    }

    let line = proxy.logs("answered");

    for words in [
        "who=pipeline",
        "method=POST",
        "path=\"/api/v1/aliases/orders/rollback\"",
        "status=409",
    ] {
        assert!(line.contains(words), "{line}");
    }
    assert!(!line.contains(TOKEN));
}

const TOKEN: &str = "0123456789012345678901";

/// The real program, with an access entry `pipeline`.
fn serve(directory: &Path) -> Running {
    let config = "[proxy]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
        [[admin.access]]\nname = \"pipeline\"\nrole = \"operator\"\ntoken_file = \"pipeline.token\"\n\
        [alias.orders]\n[[route]]\nname = \"a\"\npath = \"/a\"\nreceiver = \"http://127.0.0.1:1/\"\nalias = \"orders\"\n";
    fs::write(directory.join("test.toml"), config).unwrap();
    fs::write(directory.join("pipeline.token"), TOKEN).unwrap();
    Running::start(directory, "serve --config test.toml")
}
