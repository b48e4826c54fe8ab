//! The bounds of the admin listener: nobody holds it up, and it ends with nothing cut.

use std::io::ErrorKind;

use crate::support::admin::TestAdmin;
use crate::support::raw::Raw;
use crate::support::within;

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

/// The head of an import whose body has this length.
fn import(admin: &TestAdmin, length: usize) -> String {
    format!(
        "POST /api/v1/aliases/orders/keys HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\
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

#[tokio::test]
async fn who_sends_nothing_takes_a_place_only_for_a_while() {
    let admin = TestAdmin::start().await;
    let mut idle = Vec::new();
    for _ in 0..128 {
        let mut raw = Raw::connect(admin.address).await;
        raw.send(HEALTH).await;
        assert!(raw.message().await.starts_with("HTTP/1.1 200"));
        idle.push(raw);
    }
    let mut late = Raw::connect(admin.address).await;
    late.send(HEALTH).await;
    for _ in 0..50 {
        // Time enough for the late one, if there were a place.
        idle[0].send(HEALTH).await;
        idle[0].message().await;
    }
    let mut byte = [0];
    let read = late.0.try_read(&mut byte);
    assert_eq!(
        read.map_err(|error| error.kind()),
        Err(ErrorKind::WouldBlock),
        "all places are taken"
    );
    drop(idle.pop());
    assert!(late.message().await.starts_with("HTTP/1.1 200"), "one is free");
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
    busy.send(import(&admin, 6).replace("Host: a", "Host: a\r\nExpect: 100-continue"))
        .await;
    assert!(
        busy.message().await.starts_with("HTTP/1.1 100 "),
        "the body is waited for"
    );
    busy.send("a p").await;
    let address = admin.address;
    let stopping = tokio::spawn(admin.stop());
    assert_eq!(idle.rest().await.unwrap(), "", "an idle connection is closed");
    within(async { while tokio::net::TcpStream::connect(address).await.is_ok() {} }).await;
    busy.send("art").await;
    let answer = busy.message().await;
    assert!(
        answer.starts_with("HTTP/1.1 422 ") && answer.contains("there is no private key in it"),
        "{answer}"
    );
    stopping.await.unwrap();
}
