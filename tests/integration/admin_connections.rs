//! The bounds of the admin listener: nobody holds it up, and it ends with nothing cut.

use std::time::Duration;

use http::Method;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::support::admin::TestAdmin;
use crate::support::frames::{END_STREAM, Frames, GOAWAY, HEADERS, SETTINGS};
use crate::support::raw::Raw;
use crate::support::within;

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// The head of an import whose body has this length.
fn import(admin: &TestAdmin, length: usize) -> String {
    format!(
        "POST /api/v1/aliases/orders/keys HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/x-pem-file\r\nContent-Length: {length}\r\n\r\n",
        admin.token()
    )
}

#[tokio::test]
async fn a_body_that_does_not_come_is_waited_for_no_longer_than_thirty_seconds() {
    let admin = TestAdmin::start().await;
    let mut raw = Raw::connect(admin.address).await;
    raw.send(import(&admin, 100) + "a part").await;
    let (status, waited) = raw.status_after_silence().await;
    assert_eq!(status, "HTTP/1.1 408");
    assert!((29..=31).contains(&waited), "{waited}");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_without_waiting_for_it() {
    let admin = TestAdmin::start().await;
    let mut raw = Raw::connect(admin.address).await;
    raw.send(import(&admin, 2 << 20) + "a part").await;
    let answer = raw.message().await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(
        answer.contains("application/problem+json") && answer.contains("larger than 1048576 bytes"),
        "{answer}"
    );
}

/// More than there are places.
const MANY: usize = 150;

/// Asked, as a load balancer asks.
async fn is_up(admin: &TestAdmin) {
    let mut raw = Raw::connect(admin.address).await;
    raw.send(HEALTH).await;
    let begun = Instant::now();
    assert!(raw.message().await.starts_with("HTTP/1.1 200"));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn who_sends_nothing_keeps_nobody_out() {
    let admin = TestAdmin::start().await;
    let mut silent = Vec::new();
    for _ in 0..2 {
        for _ in 0..MANY {
            silent.push(Raw::connect(admin.address).await);
        }
        is_up(&admin).await;
    }
}

#[tokio::test]
async fn who_stops_within_a_head_keeps_nobody_out() {
    let admin = TestAdmin::start().await;
    let mut slow = Vec::new();
    for beginning in ["G", "GET /healthz HTTP/1.1\r\nHost", "PRI * HTTP/2.0\r\n"]
        .iter()
        .cycle()
        .take(MANY)
    {
        let mut raw = Raw::connect(admin.address).await;
        raw.send(beginning).await;
        slow.push(raw);
    }
    is_up(&admin).await;
}

#[tokio::test]
async fn who_keeps_a_connection_and_asks_nothing_more_keeps_nobody_out() {
    let admin = TestAdmin::start().await;
    let mut idle = Vec::new();
    for _ in 0..MANY {
        let mut raw = Raw::connect(admin.address).await;
        raw.send(HEALTH).await;
        assert!(raw.message().await.starts_with("HTTP/1.1 200"));
        idle.push(raw);
    }
    is_up(&admin).await;
    assert_eq!(
        idle[0].rest().await.unwrap(),
        "",
        "the one that was idle for longest gave way"
    );
}

#[tokio::test]
async fn who_speaks_http_2_and_asks_nothing_keeps_nobody_out_and_is_told() {
    let admin = TestAdmin::start().await;
    let mut idle = Vec::new();
    for _ in 0..MANY {
        let stream = TcpStream::connect(admin.address).await.unwrap();
        let mut frames = Frames::connect(stream).await;
        frames.request(1, &get("/healthz"), END_STREAM).await;
        assert_eq!(frames.next().await.unwrap().kind, HEADERS);
        idle.push(frames);
    }
    is_up(&admin).await;
    assert!(
        idle[0].next_of(GOAWAY).await.is_some(),
        "its client may send again what was not looked at"
    );
}

#[tokio::test]
async fn who_takes_no_answer_keeps_nobody_out() {
    let admin = TestAdmin::start().await;
    let mut shut = Vec::new();
    for _ in 0..MANY {
        let stream = TcpStream::connect(admin.address).await.unwrap();
        let mut frames = Frames::connect(stream).await;
        // SETTINGS_INITIAL_WINDOW_SIZE of nought: no answer has a body.
        frames.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]).await;
        for stream in 0..8 {
            frames.request(2 * stream + 1, &get("/healthz"), END_STREAM).await;
        }
        shut.push(frames);
    }
    is_up(&admin).await;
}

#[tokio::test]
async fn who_sends_bodies_slowly_keeps_nobody_out() {
    let admin = TestAdmin::start().await;
    let mut slow = Vec::new();
    for _ in 0..MANY {
        let mut raw = Raw::connect(admin.address).await;
        raw.send(import(&admin, 100) + "a part").await;
        slow.push(raw);
    }
    is_up(&admin).await;
}

/// Bodies that stop in the midst: together far more than one caller may have under way.
const BODIES: usize = 24;

#[tokio::test]
async fn bodies_have_a_bound_together_and_nobody_takes_it_from_others() {
    let admin = TestAdmin::start_for(&[("pki", "role = \"event\"")]).await;
    let head = format!(
        "POST /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {:-<43}\r\n\
         Content-Type: application/cloudevents+json\r\nContent-Length: 1048576\r\n\r\n",
        "pki"
    );
    let mut all = Vec::new();
    for _ in 0..BODIES {
        let mut raw = Raw::connect(admin.address).await;
        raw.send(&head).await;
        raw.send(vec![b'x'; 512 * 1024]).await;
        all.push(raw);
    }
    let mut refused = 0;
    for raw in &mut all {
        if let Ok(answer) = timeout(Duration::from_millis(200), raw.message()).await {
            assert!(
                answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: "),
                "{answer}"
            );
            refused += 1;
        }
    }
    assert!(refused >= BODIES / 2, "{refused}");
    let operator = admin.request(Method::POST, "/api/v1/aliases/orders/keys");
    let operator = operator.header("content-type", "application/x-pem-file");
    let answer = admin.send(operator, vec![b'x'; 1 << 20]).await;
    assert_eq!(answer.status, 422, "{answer:?}");
}

fn get(path: &'static str) -> [(&'static [u8], &'static [u8]); 4] {
    [
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":authority", b"localhost"),
        (b":path", path.as_bytes()),
    ]
}

#[tokio::test]
async fn what_is_under_way_at_the_end_is_answered() {
    let admin = TestAdmin::start().await;
    let (mut busy, mut idle) = (
        Raw::connect(admin.address).await,
        Raw::connect(admin.address).await,
    );
    idle.send(HEALTH).await;
    idle.message().await;
    busy.send(import(&admin, 6).replace("Host: localhost", "Host: localhost\r\nExpect: 100-continue"))
        .await;
    assert!(
        busy.message().await.starts_with("HTTP/1.1 100 "),
        "the body is waited for"
    );
    busy.send("a p").await;
    let address = admin.address;
    let stopping = tokio::spawn(admin.stop());
    assert_eq!(idle.rest().await.unwrap(), "", "an idle connection is closed");
    within(async { while TcpStream::connect(address).await.is_ok() {} }).await;
    busy.send("art").await;
    let answer = busy.message().await;
    assert!(
        answer.starts_with("HTTP/1.1 422 ") && answer.contains("there is no private key in it"),
        "{answer}"
    );
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_request_has_one_host_and_one_of_ours() {
    let admin = TestAdmin::start_with("hosts = [\"proxy.example.com\"]").await;
    for (hosts, status) in [
        ("", 400),
        ("Host: localhost\r\nHost: localhost\r\n", 400),
        ("Host: localhost\r\nHost: rebound.example\r\n", 400),
        ("Host: rebound.example\r\n", 421),
        ("Host: localhost\r\n", 401),
        ("Host: 192.0.2.1:9090\r\n", 401),
        ("Host: Proxy.Example.com:9090\r\n", 401),
        ("Host: localhost\r\nOrigin: https://evil.example\r\n", 403),
        ("Host: localhost\r\nOrigin: null\r\n", 403),
        ("Host: localhost\r\nOrigin: http://localhost\r\n", 401),
        ("Host: localhost\r\nOrigin: https://proxy.example.com\r\n", 401),
    ] {
        for path in ["/api/v1/aliases", "/metrics", "/nothing"] {
            let mut raw = Raw::connect(admin.address).await;
            raw.send(format!("GET {path} HTTP/1.1\r\n{hosts}\r\n")).await;
            let answer = raw.message().await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{hosts} {path}: {answer}"
            );
            assert!(answer.contains("application/problem+json"), "{answer}");
        }
    }
}

#[tokio::test]
async fn health_is_told_by_whatever_name_is_asked() {
    let admin = TestAdmin::start().await;
    let mut raw = Raw::connect(admin.address).await;
    raw.send(HEALTH.replace("localhost", "balancer.example")).await;
    assert!(raw.message().await.starts_with("HTTP/1.1 200"));
}
