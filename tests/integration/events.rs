//! Events from outside: what they do, once, and what they are refused.

use http::Method;
use serde_json::{Value, json};

use crate::support::evented::{ALIASES, BATCHED, Evented, STRUCTURED, event, routes};
use crate::support::receiver::Receiver;
use crate::support::served::Place;

async fn started() -> Evented {
    Evented::start(&format!("{ALIASES}{}", routes("http://127.0.0.1:1/"))).await
}

fn result(answer: &Value) -> (&str, &str) {
    (
        answer["result"].as_str().unwrap(),
        answer["reason"].as_str().unwrap(),
    )
}

/// That it came to this, with these words.
fn is(answer: &Value, expected: &str, words: &str) {
    let (result, reason) = result(answer);
    assert!(result == expected && reason.contains(words), "{answer}");
}

#[tokio::test]
async fn keys_are_exchanged_by_events_in_each_mode() {
    let proxy = started().await;
    let first = proxy.active("orders");
    let second = proxy.exchange_source();

    let import = event("1", "key.import", json!({}));
    is(&proxy.send(&import).await, "applied", "key imported");
    assert_eq!(proxy.states("orders")[1], (second.clone(), "pending"));

    let binary = [
        ("ce-specversion", "1.0"),
        ("ce-id", "2"),
        ("ce-source", "/hr"),
        ("ce-type", "io.countersign.key.activate"),
        ("ce-subject", "orders"),
        ("content-type", "application/json"),
    ];
    let data = json!({"fingerprint": second, "replaces": first}).to_string();
    let answer = proxy.ask("hr", Method::POST, &binary, data).await;
    assert_eq!(answer.json()["id"], "2");
    is(&answer.json(), "applied", "key activated by event");
    assert_eq!(proxy.active("orders"), second);

    let batch = json!([event("3", "key.rollback", json!({}))]).to_string();
    let answer = proxy.post_as("hr", BATCHED, batch).await.json();
    is(&answer[0], "applied", "key activated by rollback");
    assert_eq!(proxy.active("orders"), first);

    let revoke = json!({"fingerprint": second, "reason": "stolen"});
    let answer = proxy.send(&event("4", "key.revoke", revoke)).await;
    is(&answer, "applied", "key revoked: stolen");
    let series = "countersign_events_total{outcome=\"applied\",type=\"io.countersign.key.revoke\"}";
    assert_eq!(proxy.metric(series), 1.0);
}

#[tokio::test]
async fn an_event_that_comes_again_is_answered_as_it_was_also_after_a_restart() {
    let proxy = started().await;
    let first = proxy.active("orders");
    let second = proxy.import("orders");
    let activate = json!({"fingerprint": second});
    proxy.send(&event("1", "key.activate", activate)).await;

    let rollback = event("2", "key.rollback", json!({}));
    let answer = proxy.send(&rollback).await;
    is(&answer, "applied", "rollback");
    let refused = event("3", "key.activate", json!({"fingerprint": "0".repeat(64)}));
    let refusal = proxy.send(&refused).await;
    is(&refusal, "refused", "there is no key");
    let ignored = event("4", "key.activate", json!({"fingerprint": first}));
    let nothing = proxy.send(&ignored).await;
    is(&nothing, "ignored", "active one already");

    let restarted = {
        for _ in 0..3 {
            assert_eq!(proxy.send(&rollback).await, answer);
        }
        proxy.restart().await
    };
    for (event, expected) in [(&rollback, &answer), (&refused, &refusal), (&ignored, &nothing)] {
        assert_eq!(restarted.send(event).await, *expected);
    }
    assert_eq!(restarted.active("orders"), first);
    let series = "countersign_events_total{outcome=\"repeated\",type=\"io.countersign.key.rollback\"}";
    assert_eq!(restarted.metric(series), 1.0);

    let mut other = rollback.clone();
    other["subject"] = json!("invoices");
    is(&restarted.send(&other).await, "refused", "another event");
    let mut new = rollback.clone();
    new["source"] = json!("/elsewhere");
    new["data"] = json!({"replaces": first});
    is(&restarted.send(&new).await, "applied", "rollback");
    assert_eq!(restarted.active("orders"), second, "an id is a source's own");
}

#[tokio::test]
async fn a_narrow_sender_cannot_use_up_the_id_of_somebody_elses_revocation() {
    let proxy = started().await;
    let second = proxy.import("orders");
    let mut squatting = event("1", "key.rollback", json!({}));
    squatting["subject"] = json!("invoices");
    let squatted = proxy.post_as("narrow", STRUCTURED, squatting.to_string()).await;
    is(&squatted.json(), "refused", "no key is retired");

    let revoke = event(
        "1",
        "key.revoke",
        json!({"fingerprint": second, "reason": "stolen"}),
    );
    is(&proxy.send(&revoke).await, "applied", "key revoked: stolen");
    let again = proxy.post_as("narrow", STRUCTURED, squatting.to_string()).await;
    assert_eq!(again.json(), squatted.json(), "each is answered as it was");
}

#[tokio::test]
async fn an_id_that_comes_with_other_data_is_refused_and_told() {
    let proxy = started().await;
    let (first, second) = (proxy.active("orders"), proxy.import("orders"));
    let activate = |data: Value| event("1", "key.activate", data);
    let answer = proxy.send(&activate(json!({"fingerprint": second}))).await;
    is(&answer, "applied", "activated");
    let other = proxy.send(&activate(json!({"fingerprint": first}))).await;
    is(
        &other,
        "refused",
        "with another type, subject or data, had this id",
    );
    let again = proxy.send(&activate(json!({"fingerprint": second}))).await;
    assert_eq!(again, answer);
}

#[tokio::test]
async fn of_the_same_events_that_come_at_once_one_is_done() {
    let proxy = started().await;
    let second = proxy.import("orders");
    let activate = json!({"fingerprint": second});
    proxy.send(&event("1", "key.activate", activate)).await;

    let rollback = event("2", "key.rollback", json!({}));
    let sent = (0..16).map(|_| proxy.send(&rollback));
    let answers = futures(sent).await;
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");
    is(&answers[0], "applied", "rollback");
    let series = "countersign_key_switches_total{alias=\"orders\",trigger=\"rollback\"}";
    assert_eq!(proxy.metric(series), 1.0);
}

/// All of them, begun at once.
async fn futures<T>(sent: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut pinned: Vec<_> = sent.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = pinned.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in pinned.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn a_batch_has_an_answer_for_each_of_its_events_in_their_order() {
    let proxy = started().await;
    let second = proxy.import("orders");
    let batch = json!([
        event("1", "key.activate", json!({"fingerprint": "0".repeat(64)})),
        event("2", "key.created", json!({})),
        event("3", "key.activate", json!({"fingerprint": second})),
        event("4", "key.activate", json!({"fingerprint": second})),
        event("3", "key.activate", json!({"fingerprint": second})),
        event("5", "key.activate", json!({"fingerprint": second, "because": 1})),
    ]);
    let answers = proxy.post_as("hr", BATCHED, batch.to_string()).await.json();
    let results: Vec<_> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| (answer["id"].as_str().unwrap(), result(answer).0))
        .collect();
    let expected = [
        ("1", "refused"),
        ("2", "ignored"),
        ("3", "applied"),
        ("4", "ignored"),
        ("3", "applied"),
        ("5", "refused"),
    ];
    assert_eq!(results, expected);
    assert_eq!(proxy.active("orders"), second);
    let of_other = "countersign_events_total{outcome=\"ignored\",type=\"other\"}";
    assert_eq!(proxy.metric(of_other), 1.0);

    // One of them is no event, so none is done.
    let batch = format!("[{},{{}}]", event("6", "key.rollback", json!({})));
    let problem = proxy.post_as("hr", BATCHED, batch).await.problem(400);
    assert!(problem.contains("specversion"), "{problem}");
    assert_eq!(proxy.active("orders"), second);
    assert_eq!(proxy.post_as("hr", BATCHED, "[]").await.json(), json!([]));
}

#[tokio::test]
async fn no_event_goes_back_in_the_sequence_of_imports() {
    let proxy = started().await;
    let (older, newer) = (proxy.import("orders"), proxy.import("orders"));
    // The sender says otherwise.
    let mut activate = event("1", "key.activate", json!({"fingerprint": newer}));
    activate["time"] = json!("2020-01-01T00:00:00Z");
    is(&proxy.send(&activate).await, "applied", "activated");
    let mut late = event("2", "key.activate", json!({"fingerprint": older}));
    late["time"] = json!("2030-01-01T00:00:00Z");
    is(
        &proxy.send(&late).await,
        "refused",
        "imported before the active key",
    );
    let at = json!({"fingerprint": older, "at": "2030-01-01T00:00:00Z"});
    is(
        &proxy.send(&event("3", "key.activate", at)).await,
        "refused",
        "imported before the active key",
    );
    assert_eq!(proxy.active("orders"), newer);
}

#[tokio::test]
async fn an_activation_is_set_for_a_time() {
    let proxy = started().await;
    let second = proxy.import("orders");
    let soon = countersign::clock::rfc3339(crate::support::clock::now() + time::Duration::hours(1));
    let then = json!({"fingerprint": second, "at": soon});
    is(
        &proxy.send(&event("1", "key.activate", then.clone())).await,
        "applied",
        "will be activated at",
    );
    is(
        &proxy.send(&event("2", "key.activate", then)).await,
        "ignored",
        "already",
    );
    assert_eq!(proxy.states("orders")[1], (second, "pending"));
}

#[tokio::test]
async fn an_alias_that_is_hidden_from_a_sender_is_none() {
    let proxy = started().await;
    let rollback = |id: &str, alias: Value| {
        let mut event = event(id, "key.rollback", json!({}));
        event["subject"] = alias;
        event.to_string()
    };
    let ask = async |name: &str, id: &str, alias: Value| {
        let answer = proxy.post_as(name, STRUCTURED, rollback(id, alias)).await;
        answer.json()
    };
    let hidden = ask("narrow", "1", json!("orders")).await;
    let unknown = ask("narrow", "1", json!("customers")).await;
    is(&hidden, "refused", "there is no alias \"orders\"");
    is(&unknown, "refused", "there is no alias \"customers\"");
    is(
        &ask("narrow", "1", json!("invoices")).await,
        "refused",
        "no key is retired",
    );
    is(&ask("hr", "2", Value::Null).await, "refused", "no subject");
    // What the narrow one was refused stands in nobody's way.
    let mut second = event(
        "3",
        "key.activate",
        json!({"fingerprint": proxy.import("orders")}),
    );
    let refused = proxy.post_as("narrow", STRUCTURED, second.to_string()).await;
    is(&refused.json(), "refused", "there is no alias");
    second["time"] = json!("2020-01-01T00:00:00Z");
    is(&proxy.send(&second).await, "applied", "activated");
}

#[tokio::test]
async fn a_source_without_a_new_key_and_an_alias_without_a_source_are_told_apart() {
    let proxy = started().await;
    let import = event("1", "key.import", Value::Null);
    is(&proxy.send(&import).await, "ignored", "no new key");
    let mut other = event("2", "key.import", Value::Null);
    other["subject"] = json!("invoices");
    is(&proxy.send(&other).await, "refused", "none is configured");
    std::fs::write(proxy.file("orders.pem"), "half of it").unwrap();
    let import = event("3", "key.import", Value::Null);
    is(
        &proxy.send(&import).await,
        "refused",
        "brings no key that may sign",
    );
}

#[tokio::test]
async fn what_is_no_cloud_event_is_told_from_what_is_refused() {
    let proxy = started().await;
    let right = event("1", "key.rollback", json!({})).to_string();
    let post = async |name: &str, media_type: &str, body: &str| {
        proxy.post_as(name, media_type, body.to_owned()).await
    };
    post("hr", STRUCTURED, "{").await.problem(400);
    post("hr", STRUCTURED, "{}").await.problem(400);
    post("hr", "application/json", &right).await.problem(415);
    post("hr", "application/cloudevents+avro", &right)
        .await
        .problem(415);
    post("hr", STRUCTURED, &"x".repeat(1024 * 1024 + 1))
        .await
        .problem(413);
    let many = vec![right.clone(); 101].join(",");
    post("hr", BATCHED, &format!("[{many}]")).await.problem(413);
    post("nobody", STRUCTURED, &right).await.problem(401);
    let refused = post("viewer", STRUCTURED, &right).await.problem(403);
    assert!(refused.contains("the role event"), "{refused}");
    assert_eq!(post("hr", STRUCTURED, &right).await.status, 200);
}

#[tokio::test]
async fn a_secret_in_an_event_is_refused_and_kept_nowhere() {
    const SECRET: &str = "correct-horse-battery-staple";
    let proxy = started().await;
    for (number, data) in [
        json!({"password": SECRET}),
        json!({"fingerprint": SECRET, "keystore": {"p12": SECRET}}),
        json!({"note": format!("-----BEGIN PRIVATE KEY-----\n{SECRET}")}),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = proxy.send(&event(&number.to_string(), "key.import", data)).await;
        is(&answer, "refused", "private key or a password");
        assert!(!answer.to_string().contains(SECRET));
    }
    // Neither are fields that no type has.
    let answer = proxy.send(&event("9", "key.import", json!({SECRET: 1}))).await;
    is(&answer, "refused", "has no data");
    assert!(!answer.to_string().contains(SECRET));
    for file in std::fs::read_dir(proxy.file("state")).unwrap() {
        let contents = std::fs::read(file.unwrap().path()).unwrap();
        assert!(memchr::memmem::find(&contents, SECRET.as_bytes()).is_none());
    }
}

/// At the finest level, as an operator sets it who looks for something.
#[tokio::test]
async fn a_secret_in_an_event_is_in_no_line_of_the_log_however_the_event_is_sent() {
    const SECRET: &str = "correct-horse-battery-staple";
    let served = Place::new()
        .serve(&format!(
            "[log]\nlevel = \"trace\"\n[proxy]\nlisten = \"127.0.0.1:0\"\n[alias.invoices]\n{}",
            routes("http://127.0.0.1:1/")
        ))
        .await;
    let secret = json!({"password": SECRET});
    let own = event("1", "key.import", secret.clone());
    let unknown = event("2", "key.exchange", json!({"private_key": SECRET}));
    let mut extended = event("3", "key.import", json!({}));
    extended["mypassword"] = json!(SECRET);
    let mut source = event("4", "key.import", json!({}));
    source["source"] = json!(format!("https://me:{SECRET}@hr.example.com/"));
    let field = event("5", "key.import", json!({SECRET: 1}));
    let fingerprint = event("6", "key.activate", json!({"fingerprint": SECRET}));
    let no_event = json!({"specversion": "1.0", "password": SECRET});
    let batch = json!([own, unknown]);
    for (media_type, body, status) in [
        (STRUCTURED, &own, 200),
        (STRUCTURED, &unknown, 200),
        (STRUCTURED, &extended, 200),
        (STRUCTURED, &source, 200),
        (STRUCTURED, &field, 200),
        (STRUCTURED, &fingerprint, 200),
        (STRUCTURED, &no_event, 400),
        (BATCHED, &batch, 200),
        ("application/json", &secret, 415),
    ] {
        let answer = served
            .ask(Method::POST, "/events", media_type, body.to_string())
            .await;
        let (told, text) = (answer.0, String::from_utf8_lossy(&answer.1).into_owned());
        assert!(told == status && !text.contains(SECRET), "{body}: {told} {text}");
    }
    let cut = format!("{{\"password\": \"{SECRET}\"");
    let (status, _) = served.ask(Method::POST, "/events", STRUCTURED, cut).await;
    assert_eq!(status, 400);
    let log = served.log();
    assert!(!log.contains(SECRET), "{log}");
    let refused = "something like a private key or a password was refused";
    assert_eq!(log.matches(refused).count(), 6, "{log}");
}

#[tokio::test]
async fn the_handshake_is_answered_to_origins_that_are_configured_and_fetches_nothing() {
    let callback = Receiver::start().await;
    let events = "[events]\nallowed_origins = [\"Events.example.com\"]\n";
    let sections = format!("{ALIASES}{events}{}", routes("http://127.0.0.1:1/"));
    let proxy = Evented::start(&sections).await;
    let url = callback.url("/confirm");
    let ask = async |fields: &[(&str, &str)]| proxy.ask("nobody", Method::OPTIONS, fields, "").await;

    let allowed = ask(&[
        ("webhook-request-origin", "events.example.com"),
        ("webhook-request-callback", &url),
        ("webhook-request-rate", "120"),
    ])
    .await;
    assert_eq!(allowed.status, 204);
    assert_eq!(allowed.headers["webhook-allowed-origin"], "events.example.com");
    assert_eq!(allowed.headers["webhook-allowed-rate"], "*");
    assert_eq!(allowed.headers["allow"], "POST, OPTIONS");

    for other in ["evil.example.com", "*", "events.example.com.evil", ""] {
        let refused = ask(&[
            ("webhook-request-origin", other),
            ("webhook-request-callback", &url),
        ])
        .await;
        refused.problem(403);
        assert!(!refused.headers.contains_key("webhook-allowed-origin"));
    }
    let nobody = ask(&[]).await;
    assert_eq!(nobody.status, 204);
    assert!(!nobody.headers.contains_key("webhook-allowed-origin"));
    assert_eq!(callback.connections(), 0);
}
