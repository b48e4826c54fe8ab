//! The listener for receivers: certificates of the aliases that are theirs, in each form, and nothing else; whatever
//! is asked for.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign::app::{App, Origin};
use countersign::clock::Clock;
use countersign::config::Config;
use http::Method;
use http_body_util::Full;
use openssl::pkcs7::Pkcs7;
use openssl::x509::X509;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::admin::{new_key, pem};
use crate::support::authority::Authority;
use crate::support::client::{Answer, Flow, request};
use crate::support::raw::Raw;
use crate::support::whole::Whole;
use crate::support::within;

/// Orders are for receivers, invoices are not.
const ALIASES: &str = "aliases = [\"orders\"]\n[alias.orders]\n[alias.invoices]\n\
    [[route]]\nname = \"orders\"\npath = \"/orders\"\nreceiver = \"http://127.0.0.1:9/\"\nalias = \"orders\"\n";

async fn import(whole: &Whole, alias: &str) -> String {
    let keys = format!("aliases/{alias}/keys");
    let imported = whole.operate_with(
        Method::POST,
        &keys,
        "application/x-pem-file",
        pem(&new_key(alias)),
    );
    let imported = imported.await;
    assert_eq!(imported.status, 201, "{imported:?}");
    imported.json()["fingerprint"].as_str().unwrap().to_owned()
}

async fn command(whole: &Whole, key: &str, verb: &str, body: serde_json::Value) {
    let path = format!("aliases/orders/keys/{key}/{verb}");
    let done = whole.operate(Method::POST, &path, body).await;
    assert_eq!(done.status, 200, "{done:?}");
}

async fn get(whole: &Whole, path: &str) -> Answer {
    whole.visit(Method::GET, path).await
}

/// The keys of a JWK Set: fingerprint and state.
async fn states(whole: &Whole) -> Vec<(String, String)> {
    let set = get(whole, "/certificates/orders?format=jwks").await.json();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let keys = set["keys"].as_array().unwrap().iter();
    keys.map(|key| (text(&key["kid"]), text(&key["state"]))).collect()
}

#[test]
fn each_mistake_of_its_section_says_what_to_do() {
    let right = "listen = \"0.0.0.0:8443\"\nurl = \"https://keys.example.com/\"\n";
    let read = |lines: &str| Config::parse(&format!("[public]\n{lines}{ALIASES}"), Path::new("test.toml"));
    let public = read(right).unwrap().public.unwrap();
    assert_eq!(public.link("token"), "https://keys.example.com/confirm/token");
    assert!(public.aliases.contains("orders") && !public.aliases.contains("invoices"));
    for (lines, words) in [
        (
            right.replace("listen", "# "),
            "listen is missing; write listen = \"0.0.0.0:8443\"",
        ),
        (
            right.replace("url", "# "),
            "url is missing; write url = \"https://keys.example.com\"",
        ),
        (
            right.replace("https", "http"),
            "could confirm in the receiver's name; write https://…",
        ),
        (
            right.replace("com/", "com/?a=b"),
            "is not where receivers find this listener",
        ),
        (
            right.replace("com/", "com/#a"),
            "is not where receivers find this listener",
        ),
        (
            right.replace("https://", "https://me@"),
            "is not where receivers find this listener",
        ),
        (
            format!("{right}tls = {{ certificate = \"a\" }}\n"),
            "private_key is missing",
        ),
        (
            format!("{right}tls = {{ certificate = \"a\", private_key = \"b\", client_ca = \"c\" }}\n"),
            "remove client_ca",
        ),
    ] {
        let mistakes = read(&lines).unwrap_err().to_string();
        assert!(
            mistakes.contains(words) && mistakes.lines().count() == 1,
            "{lines}: {mistakes}"
        );
    }
    assert!(read(&right.replace("https://keys.example.com", "http://localhost:8443")).is_ok());
}

#[tokio::test]
async fn receivers_get_what_they_are_to_trust_with_its_state_and_never_what_was_revoked() {
    let whole = Whole::start(ALIASES).await;
    let (first, second, third) = (
        import(&whole, "orders").await,
        import(&whole, "orders").await,
        import(&whole, "orders").await,
    );
    command(&whole, &first, "activate", json!(null)).await;
    command(&whole, &second, "activate", json!(null)).await;
    let state = |key: &str, state: &str| (key.to_owned(), state.to_owned());
    let all = [
        state(&second, "active"),
        state(&third, "pending"),
        state(&first, "retired"),
    ];
    assert_eq!(states(&whole).await, all);
    command(&whole, &first, "revoke", json!({"reason": "stolen"})).await;
    assert_eq!(states(&whole).await, all[..2]);
    let revoked = get(&whole, &format!("/certificates/orders?fingerprint={first}")).await;
    assert_eq!(revoked.status, 404);
    let one = get(
        &whole,
        &format!("/certificates/orders?fingerprint={third}&format=pem"),
    )
    .await;
    let text = one.text();
    assert!(
        text.starts_with("state=pending") && text.matches("BEGIN").count() == 1,
        "{text}"
    );
}

#[tokio::test]
async fn over_tls_its_certificate_is_the_sections_own() {
    let authority = Authority::of(&["keys"]);
    let [certificate, key] = ["keys.pem", "keys.key"].map(|name| authority.file(name).display().to_string());
    let tls = format!("tls = {{ certificate = \"{certificate}\", private_key = \"{key}\" }}\n");
    let whole = Whole::start(&(tls + ALIASES)).await;
    let imported = import(&whole, "orders").await;
    for protocols in [&["h2", "http/1.1"][..], &["http/1.1"]] {
        let trusting = authority.client(protocols, None);
        let mut visitor = Flow::connect_tls(whole.public(), trusting).await.unwrap();
        let path = format!("/certificates/orders?fingerprint={imported}");
        let asked = request(Method::GET, &path).body(Full::default()).unwrap();
        let answer = visitor.send(asked).await;
        assert!(
            answer.status == 200 && answer.text().contains("BEGIN CERTIFICATE"),
            "{answer:?}"
        );
    }
    let stranger = Authority::of(&[]).client(&[], None);
    let refused = Flow::connect_tls(whole.public(), stranger).await;
    assert!(refused.is_err(), "who does not trust it does not get in");
    let mut plain = Raw::connect(whole.public()).await;
    plain
        .send("GET /certificates/orders HTTP/1.1\r\nhost: keys.example.com\r\n\r\n")
        .await;
    let told = plain.rest().await.unwrap_or_default();
    assert!(!told.contains("BEGIN CERTIFICATE"), "{told}");
}

#[tokio::test]
async fn where_it_listens_is_settled_at_the_start_and_whom_it_shows_is_not() {
    const OTHERS: &str = "[proxy]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    let text = |port: u16, aliases: &str| {
        let url = "https://keys.example.com";
        format!("{OTHERS}[public]\nlisten = \"127.0.0.1:{port}\"\nurl = \"{url}\"\n{aliases}")
    };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("test.toml");
    let config = Config::parse(&text(0, ALIASES), &file).unwrap();
    let app = App::start(config, Clock::system()).await.unwrap();
    let reload = async |text: String| {
        let file = file.clone();
        let origin: Origin = Arc::new(move || Config::parse(&text, &file));
        app.reload(&origin).await
    };
    let (_, without) = ALIASES.split_once('\n').unwrap();
    for other in [text(1, ALIASES), format!("{OTHERS}{without}")] {
        let refused = reload(other).await.unwrap_err().to_string();
        assert!(refused.contains("[public] listen cannot change"), "{refused}");
    }
    let invoices = ALIASES.replacen("[\"orders\"]", "[\"invoices\"]", 1);
    reload(text(0, &invoices)).await.unwrap();
    let mut visitor = Flow::connect(app.public_address.unwrap()).await;
    for (alias, status) in [("orders", 404), ("invoices", 200)] {
        let asked = request(Method::GET, &format!("/certificates/{alias}"));
        let answer = visitor.send(asked.body(Full::default()).unwrap()).await;
        assert_eq!(answer.status, status, "{alias}");
    }
    within(app.shutdown()).await;
}

#[tokio::test]
async fn each_form_is_read_by_openssl_and_is_not_sent_again_unless_it_has_changed() {
    let whole = Whole::start(ALIASES).await;
    let keys = [import(&whole, "orders").await, import(&whole, "orders").await];
    let accepting = |types: &str| request(Method::GET, "/certificates/orders").header("accept", types);

    let pem = whole.visit_with(accepting("text/html, */*;q=0.8"), "").await;
    assert_eq!(pem.headers["cache-control"], "no-cache", "kept, and asked about");
    assert_eq!(pem.headers["content-type"], "application/x-pem-file");
    assert_eq!(
        pem.headers["content-disposition"],
        "attachment; filename=\"orders.pem\""
    );
    assert_eq!(X509::stack_from_pem(&pem.body).unwrap().len(), keys.len());
    let pkcs7 = whole.visit_with(accepting("application/pkcs7-mime"), "").await;
    let read = Pkcs7::from_der(&pkcs7.body).unwrap();
    let certificates = read
        .signed()
        .and_then(|signed| signed.certificates().map(|stack| stack.len()));
    assert_eq!(certificates, Some(keys.len()));
    let set = whole
        .visit_with(accepting("application/jwk-set+json"), "")
        .await
        .json();
    assert!(set["keys"][0]["x5c"][0].is_string(), "{set}");
    assert_eq!(whole.visit_with(accepting("image/png"), "").await.status, 406);
    assert_eq!(get(&whole, "/certificates/orders?format=word").await.status, 400);
    assert_eq!(get(&whole, "/certificates/orders?form=pem").await.status, 400);

    let known = |tag: &str| request(Method::GET, "/certificates/orders").header("if-none-match", tag);
    let tag = pem.headers["etag"].to_str().unwrap().to_owned();
    let again = whole.visit_with(known(&tag), "").await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    command(&whole, &keys[0], "activate", json!(null)).await;
    let changed = whole.visit_with(known(&tag), "").await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.headers["etag"], tag);
    let head = whole.visit(Method::HEAD, "/certificates/orders").await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(head.headers["etag"], changed.headers["etag"]);
}

#[tokio::test]
async fn an_alias_that_is_not_theirs_is_told_from_one_that_is_not_there_by_nobody() {
    let whole = Whole::start(ALIASES).await;
    import(&whole, "invoices").await;
    let nothing = get(&whole, "/certificates/nobody").await;
    let hidden = get(&whole, "/certificates/invoices").await;
    for answer in [&nothing, &hidden] {
        assert_eq!(
            (answer.status.as_u16(), answer.text()),
            (404, "There is nothing here.\n")
        );
    }
    assert_eq!(nothing.headers, hidden.headers);
}

#[tokio::test]
async fn nothing_of_the_other_listeners_is_there_and_what_is_odd_is_refused() {
    let whole = Whole::start(ALIASES).await;
    for path in [
        "/",
        "/metrics",
        "/healthz",
        "/api/v1/aliases",
        "/api/openapi.json",
        "/events",
        "/orders",
        "/certificates",
        "/certificates/",
        "/certificates/orders/",
        "/certificates/../api/v1/aliases",
        "/certificates/%2e%2e%2fapi",
        "/certificates/orders%00",
        "/certificates/%ff",
        "//certificates/orders",
        "/favicon.ico",
        "/robots.txt",
    ] {
        let answer = get(&whole, path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text()),
            (404, "There is nothing here.\n"),
            "{path}"
        );
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("x-robots-tag", "noindex, nofollow"),
        ] {
            assert_eq!(answer.headers[name], value, "{path}");
        }
    }
    for method in [
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
    ] {
        let answer = whole.visit(method.clone(), "/certificates/orders").await;
        assert_eq!(answer.status, 405, "{method}");
    }
    let mut raw = Raw::connect(whole.public()).await;
    let long = "a".repeat(1 << 20);
    raw.send(format!("GET /certificates/{long} HTTP/1.1\r\nHost: a\r\n\r\n"))
        .await;
    let refused = raw.message().await;
    assert!(
        refused.starts_with("HTTP/1.1 414 ") || refused.starts_with("HTTP/1.1 431 "),
        "{refused}"
    );
}

#[tokio::test]
async fn who_has_no_link_has_no_form_read() {
    let whole = Whole::start(ALIASES).await;
    let mut raw = Raw::connect(whole.public()).await;
    raw.send("POST /confirm/token HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nstep=")
        .await;
    assert!(raw.message().await.starts_with("HTTP/1.1 404"));
}

/// So nobody takes the cores from messages by guessing, or tries many links.
#[tokio::test]
async fn who_guesses_links_waits_for_the_answers_and_nobody_else_does() {
    const FLOWS: u32 = 40;
    const GUESSES: u32 = 20;
    let whole = Whole::start(ALIASES).await;
    import(&whole, "orders").await;
    let mut flows = Vec::new();
    for _ in 0..FLOWS {
        flows.push(Flow::connect(whole.public()).await);
    }
    let begun = Instant::now();
    let mut guesses = JoinSet::new();
    for mut flow in flows {
        guesses.spawn(async move {
            for _ in 0..GUESSES {
                let guess = request(Method::GET, "/confirm/token").body(Full::default());
                assert_eq!(flow.send(guess.unwrap()).await.status, 404);
            }
        });
    }
    assert_eq!(get(&whole, "/certificates/orders").await.status, 200);
    let asked = begun.elapsed();
    while let Some(guessed) = within(guesses.join_next()).await {
        guessed.unwrap();
    }
    let guessed = begun.elapsed();
    assert!(
        guessed >= FLOWS * GUESSES * Duration::from_millis(2),
        "{guessed:?}"
    );
    assert!(asked < guessed / 2, "{asked:?} of {guessed:?}");
}

#[tokio::test]
async fn a_request_has_one_host() {
    let whole = Whole::start(ALIASES).await;
    for hosts in ["", "Host: a\r\nHost: a\r\n", "Host: a\r\nHost: b\r\n"] {
        for path in ["/certificates/orders", "/confirm/token", "/"] {
            let mut raw = Raw::connect(whole.public()).await;
            raw.send(format!("GET {path} HTTP/1.1\r\n{hosts}\r\n")).await;
            let answer = raw.message().await;
            assert!(
                answer.starts_with("HTTP/1.1 400") && answer.contains("send exactly one"),
                "{answer}"
            );
        }
    }
}
