//! Answers without end, without progress, or larger than a route takes: they are cut off, and never look whole.

use std::time::Duration;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Full};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::support::authority::Authority;
use crate::support::client::{Flow, SOAP11, posted};
use crate::support::frames::{DATA, END_HEADERS, Frame, HEADERS, literals};
use crate::support::proxy::{self, TestProxy};
use crate::support::raw::Raw;
use crate::support::receiver::{Receiver, scripted, scripted_frames};
use crate::support::{eventually, within};

const MESSAGE: &str = include_str!("../messages/body-two-children.xml");

/// A receiver that begins with this, goes on with that for as long as anybody takes it, and listens once.
async fn endless(begin: &'static str, goes_on: Option<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut connection = Raw(listener.accept().await.unwrap().0);
        connection.message().await;
        connection.send(begin).await;
        match goes_on {
            Some(more) => while connection.0.write_all(more.as_bytes()).await.is_ok() {},
            None => drop(connection.rest().await), // until it is closed
        }
    });
    format!("http://{address}/")
}

const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<a/>\n\r\n";

fn chunks() -> Option<String> {
    Some(format!("1000\r\n{}\r\n", "x".repeat(0x1000)))
}

/// The answer begins, and does not end.
async fn is_cut(flow: &mut Flow) {
    let response = within(flow.response(posted(SOAP11, &[], MESSAGE))).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let body = within(response.into_body().collect()).await;
    assert!(body.is_err(), "it must not look whole");
}

async fn told(proxy: &TestProxy, outcome: &str) {
    let line = format!("countersign_requests_total{{outcome=\"{outcome}\",route=\"orders\"}} 1");
    eventually(&line, || proxy.metrics().contains(&line)).await;
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off_at_max_answer() {
    for by_http_2 in [false, true] {
        let receiver = endless(CHUNKED, chunks()).await;
        let proxy = proxy::to(receiver).route("max_answer = \"256KiB\"").start().await;
        let mut flow = match by_http_2 {
            true => Flow::connect_h2c(proxy.address()).await,
            false => proxy.flow().await,
        };
        is_cut(&mut flow).await;
        told(&proxy, "answer-too-large").await;
    }
}

#[tokio::test]
async fn so_is_one_by_http_2() {
    fn frame(kind: u8, flags: u8, stream: u32, payload: Vec<u8>) -> Frame {
        Frame {
            kind,
            flags,
            stream,
            payload,
        }
    }
    let authority = Authority::of(&["receiver"]);
    let tls = authority.server(&["h2"], "receiver");
    let (receiver, _) = scripted_frames(tls, |stream| {
        let head = literals(&[(b":status", b"200")]);
        let mut frames = vec![frame(HEADERS, END_HEADERS, stream, head)];
        frames.extend((0..3).map(|_| frame(DATA, 0, stream, vec![b'x'; 16_000])));
        frames
    })
    .await;
    let route = format!(
        "max_answer = \"32KiB\"\nreceiver_tls = {{ ca = \"{}\" }}",
        authority.file("ca.pem").display()
    );
    let proxy = proxy::to(format!("https://{receiver}/"))
        .route(&route)
        .start()
        .await;
    is_cut(&mut proxy.flow().await).await;
    told(&proxy, "answer-too-large").await;
}

#[tokio::test]
async fn an_answer_that_says_it_is_too_large_is_a_fault() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 1025\r\n\r\n";
    let (receiver, _came) = scripted(vec![answer]).await;
    let route = "max_answer = \"1KiB\"\nfault_status = \"http\"";
    let proxy = proxy::to(format!("http://{receiver}/"))
        .route(route)
        .start()
        .await;
    let mut flow = proxy.flow().await;
    let answer = flow.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert!(
        answer.sentence().contains("larger than 1024 bytes"),
        "{}",
        answer.sentence()
    );
    assert_eq!(
        flow.post("/nowhere", SOAP11, MESSAGE).await.status,
        StatusCode::NOT_FOUND
    );
    told(&proxy, "answer-too-large").await;
}

#[tokio::test]
async fn an_answer_of_max_answer_is_whole() {
    let receiver = Receiver::answering(|_| http::Response::new(Full::from(vec![b'x'; 1024]))).await;
    let proxy = proxy::to(receiver.url("/"))
        .route("max_answer = \"1KiB\"")
        .start()
        .await;
    let answer = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 1024));
}

#[tokio::test]
async fn an_answer_that_stalls_is_cut_off_long_before_the_exchange_must_be_over() {
    for by_http_2 in [false, true] {
        let receiver = endless(CHUNKED, None).await;
        let route = "timeouts = { connect = \"5s\", response = \"60s\", idle = \"300ms\", total = \"90s\" }";
        let proxy = proxy::to(receiver).route(route).start().await;
        let mut flow = match by_http_2 {
            true => Flow::connect_h2c(proxy.address()).await,
            false => proxy.flow().await,
        };
        is_cut(&mut flow).await;
        told(&proxy, "timed-out").await;
    }
}

#[tokio::test]
async fn one_that_goes_on_now_and_then_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut connection = Raw(listener.accept().await.unwrap().0);
        connection.message().await;
        connection.send(CHUNKED).await;
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            connection.send("1\r\nx\r\n").await;
        }
        connection.send("0\r\n\r\n").await;
    });
    let route = "timeouts = { idle = \"1s\" }";
    let proxy = proxy::to(format!("http://{address}/")).route(route).start().await;
    let answer = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!(answer.text(), "<a/>\nxxxxxxxx");
    assert_eq!(answer.headers[CONTENT_TYPE], "text/xml");
}
