//! Events on their way out: real sinks over TLS, that are there, down, slow to recover, or gone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use countersign::cloud_events::codec::{Data, Received};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::authority::Authority;
use crate::support::evented::{ALIASES, Evented, event, routes};
use crate::support::eventually;
use crate::support::sink::Sink;

fn with(sink: &str) -> String {
    format!("{ALIASES}{sink}{}", routes("http://127.0.0.1:1/"))
}

fn of(kind: &str, alias: &str) -> (String, String) {
    (kind.to_owned(), alias.to_owned())
}

#[tokio::test]
async fn a_sink_is_told_what_happens_in_its_order_with_its_token() {
    let sink = Sink::start().await;
    let token = sink.authority.file("token");
    std::fs::write(&token, "a-token\n").unwrap();
    let lines = format!("token_file = \"{}\"", token.display());
    let proxy = Evented::start(&with(&sink.sections("hr", &lines))).await;
    let (first, second) = (proxy.active("orders"), proxy.import("orders"));
    proxy
        .send(&event("1", "key.activate", json!({"fingerprint": second})))
        .await;
    let expected = [
        "key.pending",
        "key.activated",
        "key.pending",
        "key.activated",
        "key.retired",
    ];
    eventually("all arrive", || sink.taken().len() == expected.len()).await;
    assert_eq!(sink.told(), expected.map(|kind| of(kind, "orders")));

    let requests = sink.receiver.requests();
    for request in &requests {
        assert_eq!(request.target, "/in?a=b");
        assert_eq!(request.headers["authorization"], "Bearer a-token");
        assert_eq!(
            request.headers["content-type"],
            "application/cloudevents+json; charset=utf-8"
        );
        let Ok(Received::One(event)) = Received::read(&request.headers, &request.body) else {
            panic!("{request:?}");
        };
        assert!(event.source.starts_with("urn:uuid:") && matches!(event.data, Data::Json(_)));
        assert!(!String::from_utf8_lossy(&request.body).contains("PRIVATE"));
    }
    let taken = sink.taken();
    assert_eq!(taken[3]["data"]["fingerprint"], second);
    assert_eq!(taken[3]["data"]["trigger"], "event");
    assert_eq!(taken[4]["data"]["fingerprint"], first);
    let certificate = taken[2]["data"]["certificate"].as_str().unwrap();
    assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----"));
    let series = "countersign_event_deliveries_total{outcome=\"delivered\",sink=\"hr\"}";
    eventually("it is counted", || proxy.metric(series) == 5.0).await;
    assert_eq!(proxy.metric("countersign_outbox_events{sink=\"hr\"}"), 0.0);
    // Each has the name of its record in the audit.
    let audit = proxy.app.keys.audit_trail().read(0, 100).unwrap();
    for (event, record) in taken.iter().zip(audit) {
        let id = event["id"].as_str().unwrap();
        assert!(id.starts_with(&format!("{}-", record.sequence)), "{id}");
    }
}

/// The monotonic clock goes on by so much, in one step; sockets do not notice.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
    // What was due is under way.
    tokio::time::sleep(Duration::from_millis(20)).await;
}

#[tokio::test]
async fn a_sink_that_was_down_for_an_hour_is_told_of_everything_once() {
    const OLDEST: &str = "countersign_outbox_oldest_timestamp_seconds{sink=\"hr\"}";
    let sink = Sink::start().await;
    sink.answer(503);
    let proxy = Evented::start(&with(&sink.sections("hr", ""))).await;
    for number in 0..10 {
        let key = proxy.import(if number % 2 == 0 { "orders" } else { "invoices" });
        let mut activate = event(&number.to_string(), "key.activate", json!({"fingerprint": key}));
        activate["subject"] = json!(if number % 2 == 0 { "orders" } else { "invoices" });
        proxy.send(&activate).await;
    }
    let waiting = proxy.metric("countersign_outbox_events{sink=\"hr\"}");
    assert_eq!(waiting, 31.0, "two aliases begin, and nine keys are exchanged");
    assert!(proxy.metric(OLDEST) > 0.0);
    for _ in 0..60 {
        pass(Duration::from_secs(60)).await;
    }
    assert!(sink.taken().is_empty());
    let attempts = sink.receiver.requests();
    assert!(
        (16..80).contains(&attempts.len()),
        "two aliases, tried less and less often: {}",
        attempts.len()
    );
    assert_eq!(proxy.metric("countersign_outbox_events{sink=\"hr\"}"), waiting);

    sink.answer(204);
    pass(Duration::from_secs(5 * 60)).await;
    // One that was cut by an hour that passed in no time may come twice, under the same id.
    let ids = || -> BTreeSet<_> { sink.taken().iter().map(|event| event["id"].to_string()).collect() };
    eventually("all arrive", || ids().len() == 31).await;
    let empty = || proxy.metric("countersign_outbox_events{sink=\"hr\"}") == 0.0;
    eventually("nothing is left", empty).await;
    assert_eq!(proxy.metric(OLDEST), 0.0);
    for alias in ["orders", "invoices"] {
        let taken = sink.taken();
        let of_alias = taken.iter().filter(|event| event["subject"] == alias);
        let sequence = |event: &Value| {
            let id = event["id"].as_str().unwrap().split_once('-').unwrap();
            id.0.parse::<u64>().unwrap()
        };
        let sequences: Vec<_> = of_alias.map(sequence).collect();
        assert!(sequences.is_sorted(), "{alias}: {sequences:?}");
    }
    let ids = ids();
    // The first attempts had the same ids.
    let first: Value = serde_json::from_slice(&attempts[0].body).unwrap();
    assert!(ids.contains(&first["id"].to_string()));
}

#[tokio::test]
async fn an_event_that_a_sink_never_takes_holds_up_no_other_alias() {
    let sink = Sink::refusing(|event| event["subject"] == "orders").await;
    let proxy = Evented::start(&with(&sink.sections("hr", ""))).await;
    let key = proxy.import("invoices");
    let told = [of("key.pending", "invoices"), of("key.activated", "invoices")];
    eventually("the other alias is told of", || sink.told() == told).await;
    let waiting = || proxy.metric("countersign_outbox_events{sink=\"hr\"}") == 2.0;
    eventually("two wait", waiting).await;
    let refused = "countersign_event_deliveries_total{outcome=\"refused\",sink=\"hr\"}";
    eventually("it was tried", || proxy.metric(refused) >= 1.0).await;
    assert_eq!(proxy.active("invoices"), key);
}

#[tokio::test]
async fn what_was_not_acknowledged_is_sent_after_a_restart() {
    let sink = Sink::start().await;
    sink.answer(500);
    let sections = with(&sink.sections("hr", ""));
    let proxy = Evented::start(&sections).await;
    eventually("it was tried", || !sink.receiver.requests().is_empty()).await;
    let proxy = proxy.restart().await;
    sink.answer(204);
    pass(Duration::from_secs(60)).await;
    let told = [of("key.pending", "orders"), of("key.activated", "orders")];
    eventually("it arrives", || sink.told() == told).await;
    // And not again.
    let proxy = proxy.restart().await;
    proxy.import("invoices");
    eventually("the next arrive", || sink.taken().len() == 4).await;
    assert_eq!(sink.told()[..2], told);
}

#[tokio::test]
async fn a_sink_is_told_what_it_asks_for_and_one_that_is_removed_nothing() {
    let (sink, other) = (Sink::start().await, Sink::start().await);
    sink.answer(410);
    let lines = "types = [\"io.countersign.key.activated\"]\naliases = [\"invoices\"]";
    let both = sink.sections("hr", "") + &other.sections("some", lines);
    let proxy = Evented::start(&with(&both)).await;
    proxy.import("invoices");
    eventually("one is told", || {
        other.told() == [of("key.activated", "invoices")]
    })
    .await;
    let waiting = |sink: &str| proxy.metric(&format!("countersign_outbox_events{{sink=\"{sink}\"}}"));
    eventually("it has acknowledged", || waiting("some") == 0.0).await;
    assert_eq!(waiting("hr"), 4.0);

    // Gone by an answer is not gone: it goes on to be tried, and not elsewhere.
    sink.answer(302);
    pass(Duration::from_secs(60)).await;
    assert!(sink.taken().is_empty());
    proxy.reload(&with(&other.sections("some", lines))).await;
    sink.answer(204);
    proxy.reload(&with(&both)).await;
    proxy.import("orders");
    eventually("it is told of what is new", || {
        sink.told() == [of("key.pending", "orders")]
    })
    .await;
    assert_eq!(other.taken().len(), 1);
}

/// Acknowledges, and never ends what it says.
#[tokio::test]
async fn an_acknowledgement_counts_however_long_the_rest_of_the_answer_takes() {
    const DAWDLES: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nthanks";
    let authority = Authority::of(&["sink"]);
    let tls = TlsAcceptor::from(Arc::new(authority.server(&[], "sink")));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, ca) = (listener.local_addr().unwrap().port(), authority.file("ca.pem"));
    let sink = tokio::spawn(async move {
        let mut kept = Vec::new();
        loop {
            let mut stream = tls.accept(listener.accept().await.unwrap().0).await.unwrap();
            let mut event = [0; 64 * 1024];
            assert!(stream.read(&mut event).await.unwrap() > 0);
            stream.write_all(DAWDLES).await.unwrap();
            stream.flush().await.unwrap();
            kept.push(stream);
        }
    });
    let proxy = Evented::start(&with(&format!(
        "[[events.sink]]\nname = \"hr\"\nurl = \"https://127.0.0.1:{port}/\"\nca = \"{}\"\n",
        ca.display()
    )))
    .await;
    let waiting = || proxy.metric("countersign_outbox_events{sink=\"hr\"}");
    assert!(waiting() > 0.0);
    for _ in 0..100 {
        if waiting() > 0.0 {
            pass(Duration::from_secs(10)).await;
        }
    }
    assert_eq!(waiting(), 0.0);
    let late = "countersign_event_deliveries_total{outcome=\"timed-out\",sink=\"hr\"}";
    assert_eq!(proxy.metric(late), 0.0);
    sink.abort();
}

#[tokio::test]
async fn a_sink_that_is_mended_in_the_configuration_is_told_at_once() {
    let sink = Sink::start().await;
    let wrong = sink.sections("hr", "").replace("/in?a=b", "/in");
    let wrong = wrong.replace(&sink.receiver.address.port().to_string(), "1");
    let proxy = Evented::start(&with(&wrong)).await;
    let failed = "countersign_event_deliveries_total{outcome=\"unreachable\",sink=\"hr\"}";
    eventually("nobody is there", || proxy.metric(failed) >= 1.0).await;
    proxy.reload(&with(&sink.sections("hr", ""))).await;
    eventually("it is told", || sink.taken().len() == 2).await;
}
