//! The admin API over HTTP, as operators and their tools use it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use countersign::admin::{Token, TokenError};
use countersign::keys::generate::{KeyAlgorithm, SelfSigned};
use http::{Method, Request};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::admin::{TestAdmin, new_key, pem};
use crate::support::client::Answer;
use crate::support::clock::now;
use crate::support::tool::openssl;

const ORDERS: &str = "/api/v1/aliases/orders";

/// Imports a new key; its fingerprint.
async fn import(admin: &TestAdmin, alias: &str) -> String {
    let reply = admin.import(alias, &new_key("Test")).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.json()["fingerprint"].as_str().unwrap().to_owned()
}

/// Fingerprint and state of every key, in the order of the answer.
fn states(alias: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let keys = alias["keys"].as_array().unwrap();
    keys.iter()
        .map(|key| (text(&key["fingerprint"]), text(&key["state"])))
        .collect()
}

async fn activate(admin: &TestAdmin, fingerprint: &str, body: &str) -> Answer {
    let path = format!("{ORDERS}/keys/{fingerprint}/activate");
    admin
        .send(admin.request(Method::POST, &path), body.to_owned())
        .await
}

#[tokio::test]
async fn a_key_is_imported_activated_displaced_and_rolled_back_to() {
    let admin = TestAdmin::start().await;
    let (first, second) = (import(&admin, "orders").await, import(&admin, "orders").await);
    let states_are = |alias: &Value, expected: [(&str, &str); 2]| {
        assert_eq!(
            states(alias),
            expected.map(|(key, state)| (key.to_owned(), state.to_owned()))
        );
    };
    states_are(
        &admin.get(ORDERS).await.json(),
        [(&first, "pending"), (&second, "pending")],
    );
    let reply = activate(&admin, &first, "").await;
    assert_eq!(reply.status, 200);
    states_are(&reply.json(), [(&first, "active"), (&second, "pending")]);
    let signer = admin.keys.ring().signer("orders", now()).unwrap();
    assert_eq!(**signer.certificate().fingerprint(), first);

    let reply = activate(
        &admin,
        &second.to_uppercase(),
        &json!({ "replaces": first }).to_string(),
    )
    .await;
    states_are(&reply.json(), [(&second, "active"), (&first, "retired")]);
    let again = activate(&admin, &second, &json!({ "replaces": first }).to_string()).await;
    assert_eq!((again.status.as_u16(), again.json()), (200, reply.json()));

    let reply = admin.post(&format!("{ORDERS}/rollback")).await;
    assert_eq!(reply.status, 200);
    states_are(&reply.json(), [(&first, "active"), (&second, "retired")]);
}

#[tokio::test]
async fn an_alias_shows_its_routes_and_all_facts_of_its_keys() {
    let admin = TestAdmin::start().await;
    let fingerprint = import(&admin, "orders").await;
    let signer = || {
        admin
            .keys
            .ring()
            .alias("orders")
            .and_then(|keys| Some(keys.active()?.signer().clone()))
    };
    assert!(signer().is_none());
    activate(&admin, &fingerprint, "").await;
    signer().unwrap().record_use(now());

    let alias = admin.get(ORDERS).await.json();
    assert_eq!(alias["alias"], "orders");
    assert_eq!(alias["strategy"], "pre-publish");
    assert_eq!(
        alias["routes"],
        json!([{ "name": "eu", "receiver": "https://eu.example.com/in" }])
    );
    let key = &alias["keys"][0];
    let certificate = signer().unwrap().certificate().clone();
    assert_eq!(key["subject"], "CN=Test");
    assert_eq!(key["issuer"], "CN=Test");
    assert_eq!(key["serial"], certificate.serial());
    assert_eq!(key["key_type"], "P-256");
    assert_eq!(key["use_counts"], json!({ "signed": 1, "looked_up": 0 }));
    for time in [
        &key["last_use"],
        &key["since"],
        &key["imported"],
        &key["validity"]["not_after"],
    ] {
        assert!(time.as_str().unwrap().ends_with('Z'), "{key}");
    }
    let all = admin.get("/api/v1/aliases").await.json();
    assert_eq!(all[0]["alias"], "invoices");
    assert_eq!(all[1], alias);
}

#[tokio::test]
async fn a_known_key_changes_nothing_and_an_alias_may_activate_what_it_imports() {
    let admin = TestAdmin::start().await;
    let key = new_key("Test");
    assert_eq!(admin.import("invoices", &key).await.json()["state"], "active");
    let again = admin.import("invoices", &key).await;
    assert_eq!(
        (again.status.as_u16(), again.json()["state"].as_str()),
        (200, Some("active"))
    );
    assert_eq!(
        admin.import("invoices", &new_key("Next")).await.json()["state"],
        "active"
    );
    let again = admin.import("invoices", &key).await;
    assert_eq!(
        (again.status.as_u16(), again.json()["state"].as_str()),
        (200, Some("retired"))
    );
}

#[tokio::test]
async fn a_pkcs12_file_is_opened_by_the_password_in_the_header() {
    let admin = TestAdmin::start().await;
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("key.pem"), pem(&new_key("Test"))).unwrap();
    openssl(
        dir.path(),
        "pkcs12 -export -in key.pem -name eins -out key.p12 -passout pass:geheimnüß",
    );
    let bytes = fs::read(dir.path().join("key.p12")).unwrap();
    let send = async |query: &str, password: &str| {
        let request = admin.request(Method::POST, &format!("{ORDERS}/keys{query}"));
        let request = request
            .header("content-type", "application/x-pkcs12")
            .header("Pkcs12-Password", password);
        admin.send(request, bytes.clone()).await
    };
    assert_eq!(send("", "wrong").await.problem(422), "the password is wrong");
    let unknown = send("?entry=zwei", "geheimnüß").await.problem(422);
    assert_eq!(
        unknown,
        "there is no private key named \"zwei\" in it, only: eins"
    );
    assert!(
        send("?alias=eins", "geheimnüß")
            .await
            .problem(400)
            .contains("unknown field")
    );
    assert_eq!(send("?entry=eins", "geheimnüß").await.status, 201);
}

#[tokio::test]
async fn a_key_that_may_not_sign_is_refused_with_the_reason() {
    let admin = TestAdmin::start().await;
    let day = Duration::from_secs(24 * 60 * 60);
    let old = SelfSigned::generate(KeyAlgorithm::P256, "Old", now() - 2 * day, day).unwrap();
    assert!(
        admin
            .import("orders", &old)
            .await
            .problem(422)
            .starts_with("the certificate of CN=Old expired on ")
    );
    let early = SelfSigned::generate(KeyAlgorithm::P256, "Early", now() + day, day).unwrap();
    let reply = admin.import("orders", &early).await;
    assert_eq!(reply.status, 201);
    let fingerprint = reply.json()["fingerprint"].as_str().unwrap().to_owned();
    assert!(
        activate(&admin, &fingerprint, "")
            .await
            .problem(409)
            .contains("is not valid before")
    );
}

#[tokio::test]
async fn commands_that_the_states_do_not_allow_say_what_to_do() {
    let admin = TestAdmin::start().await;
    let nothing = admin.post(&format!("{ORDERS}/rollback")).await.problem(409);
    assert_eq!(
        nothing,
        "no key is retired under this alias, so there is none to go back to"
    );
    let (first, second) = (import(&admin, "orders").await, import(&admin, "orders").await);
    let replaces = json!({ "replaces": second }).to_string();
    let refused = activate(&admin, &first, &replaces).await.problem(409);
    assert_eq!(
        refused,
        format!("no key is active, so {second} cannot be replaced: leave `replaces` out")
    );
    activate(&admin, &first, "").await;
    activate(&admin, &second, "").await;
    let refused = activate(&admin, &first, "").await.problem(409);
    assert_eq!(
        refused,
        format!("key {first} is retired: use rollback, which goes back one step")
    );
    let unknown = activate(&admin, &"0".repeat(64), "").await.problem(404);
    assert!(unknown.contains("import it first"), "{unknown}");
    let prefix = activate(&admin, first.split_at(16).0, "").await.problem(400);
    assert!(prefix.contains("give all 64 hex digits"), "{prefix}");
}

#[tokio::test]
async fn requests_that_make_no_sense_get_a_problem_document() {
    let admin = TestAdmin::start().await;
    let unknown = admin.get("/api/v1/aliases/nobody").await.problem(404);
    assert_eq!(
        unknown,
        "there is no alias \"nobody\"; aliases are made in the configuration"
    );
    assert_eq!(admin.get("/api/v2").await.problem(404), "there is no /api/v2");
    assert_eq!(
        admin.post(ORDERS).await.problem(405),
        "/api/v1/aliases/orders does not take POST"
    );
    assert!(
        admin
            .post(&format!("{ORDERS}/keys"))
            .await
            .problem(415)
            .contains("application/x-pkcs12")
    );
    let import = || {
        admin
            .request(Method::POST, &format!("{ORDERS}/keys"))
            .header("content-type", "application/x-pem-file")
    };
    assert_eq!(
        admin.send(import(), "").await.problem(422),
        "there is no private key in it; it is neither PEM nor DER"
    );
    assert!(
        !admin
            .send(import(), vec![b' '; 2 * 1024 * 1024])
            .await
            .problem(413)
            .is_empty()
    );
    let key = "0".repeat(64);
    for body in ["{", "7", r#"{"replaces": "abc"}"#, r#"{"replace": null}"#] {
        assert!(!activate(&admin, &key, body).await.problem(400).is_empty());
    }
}

#[tokio::test]
async fn only_the_operators_token_opens_the_api() {
    let admin = TestAdmin::start().await;
    let url = |path: &str| format!("http://{}{path}", admin.address);
    for path in ["/api/v1/aliases", ORDERS, "/metrics", "/", "/api/v1/nothing"] {
        let refused = admin.send(Request::get(url(path)), "").await;
        assert!(
            refused.problem(401).starts_with("send `Authorization: Bearer`"),
            "{path}"
        );
        assert_eq!(refused.headers["www-authenticate"], "Bearer");
    }
    for wrong in ["Bearer", "Bearer ", "Bearer wrong", "Basic wrong", "wrong"] {
        let request = Request::post(url(&format!("{ORDERS}/rollback"))).header("authorization", wrong);
        admin.send(request, "").await.problem(401);
    }
    let token = fs::read_to_string(admin.token_file()).unwrap();
    let request = Request::get(url(ORDERS)).header("authorization", format!("bearer {}", token.trim()));
    assert_eq!(admin.send(request, "").await.status, 200);
}

#[tokio::test]
async fn the_token_is_made_once_and_only_its_owner_reads_it() {
    let admin = TestAdmin::start().await;
    assert_eq!(admin.token_mode(), 0o600);
    let directory = fs::metadata(admin.token_file().parent().unwrap()).unwrap();
    assert_eq!(directory.permissions().mode() & 0o777, 0o700);
    let token = fs::read_to_string(admin.token_file()).unwrap();
    assert_eq!(token.trim().len(), 43, "256 bits in base64");
    Token::load_or_create(&admin.token_file()).unwrap();
    assert_eq!(fs::read_to_string(admin.token_file()).unwrap(), token);

    fs::write(admin.token_file(), "short\n").unwrap();
    assert!(matches!(
        Token::load_or_create(&admin.token_file()),
        Err(TokenError::TooShort(_))
    ));
}

#[tokio::test]
async fn health_readiness_and_if_so_configured_metrics_need_no_token() {
    let admin = TestAdmin::start_with("metrics = \"open\"").await;
    let get = async |path: &str| {
        admin
            .send(Request::get(format!("http://{}{path}", admin.address)), "")
            .await
    };
    assert_eq!(get("/healthz").await.status, 200);
    assert_eq!(get("/readyz").await.status, 503);
    admin.ready.store(true, Ordering::Relaxed);
    assert_eq!(get("/readyz").await.status, 200);
    let metrics = get("/metrics").await;
    assert_eq!(metrics.headers["content-type"], "text/plain; version=0.0.4");
    assert!(metrics.body.starts_with(b"# HELP "));
    get("/api/v1/aliases").await.problem(401);
}

#[tokio::test]
async fn every_refusal_is_a_problem_document_whatever_the_client_accepts() {
    let admin = TestAdmin::start().await;
    let ask = async |method: Method, path: &str, header: (&str, &str), body: &'static str| {
        admin
            .send(admin.request(method, path).header(header.0, header.1), body)
            .await
    };
    let xml = ("accept", "application/xml");
    ask(Method::GET, "/api/v1/aliases/nobody", xml, "")
        .await
        .problem(404);
    ask(Method::GET, "/nothing", xml, "").await.problem(404);
    ask(Method::GET, "/api/v1/aliases/%ff", xml, "")
        .await
        .problem(400);
    assert_eq!(ask(Method::GET, ORDERS, xml, "").await.status, 200);

    let refused = ask(Method::DELETE, ORDERS, xml, "").await;
    refused.problem(405);
    assert_eq!(refused.headers["allow"], "GET,HEAD");

    let activate = format!("{ORDERS}/keys/{}/activate", "0".repeat(64));
    let form = ("content-type", "application/x-www-form-urlencoded");
    assert_eq!(
        ask(Method::POST, &activate, form, "replaces=x")
            .await
            .problem(415),
        "send the body as application/json"
    );
    let json = ("content-type", "application/json; charset=utf-8");
    let malformed = ask(Method::POST, &activate, json, "{\n  \"replaces\": }")
        .await
        .problem(400);
    assert!(
        malformed.ends_with("expected value at line 2 column 15"),
        "{malformed}"
    );
    let unknown = ask(Method::POST, &activate, json, "{\"replace\": null}")
        .await
        .problem(400);
    assert!(
        unknown.contains(
            "unknown field `replace`, expected one of `replaces`, `at`, `unconfirmed`, `cancel` at line 1 column 10"
        ),
        "{unknown}"
    );
}

/// A derived reader would take its elements for the members, in the order in which they are declared.
#[tokio::test]
async fn a_list_in_place_of_an_object_is_refused_by_every_command() {
    let admin = TestAdmin::start().await;
    let key = import(&admin, "orders").await;
    let document = admin.get("/api/openapi.json").await.json();
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let content = &operations["post"]["requestBody"]["content"];
        if path == "/events" || content["application/json"].is_null() {
            continue; // a list of events is a batch
        }
        let path = path
            .replace("{alias}", "orders")
            .replace("{fingerprint}", &key)
            .replace("{id}", "r-1");
        for list in ["[]", "[null]", "[null, null, true]"] {
            let answer = admin.send(admin.request(Method::POST, &path), list).await;
            let sentence = "the body is not the JSON that belongs here: invalid type: sequence, expected an object at line 1";
            assert!(
                answer.problem(400).starts_with(sentence),
                "{path} {list}: {answer:?}"
            );
            asked += 1;
        }
    }
    assert!(asked >= 9 * 3, "{asked}");
    assert_eq!(
        states(&admin.get(ORDERS).await.json()),
        [(key, "pending".to_owned())]
    );
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let admin = TestAdmin::start().await;
    for path in ["/healthz", "/metrics", "/api/v1/aliases", ORDERS] {
        let (get, head) = (
            admin.get(path).await,
            admin.send(admin.request(Method::HEAD, path), "").await,
        );
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        assert_eq!(
            head.headers["content-type"], get.headers["content-type"],
            "{path}"
        );
    }
    admin.ask(Method::HEAD, ORDERS).await.headers["www-authenticate"]
        .to_str()
        .unwrap();
}
