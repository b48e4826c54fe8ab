//! Stopping: no more is accepted, what is under way may end within bounds, and it is told how that went.

use http::StatusCode;

use crate::support::client::{Flow, SOAP11};
use crate::support::proxy::{self, TestProxy};
use crate::support::raw::Raw;
use crate::support::receiver::Receiver;
use crate::support::served::Place;
use crate::support::{eventually, within};

const MESSAGE: &str = include_str!("../messages/body-two-children.xml");

#[tokio::test]
async fn what_is_under_way_ends_or_is_cut_and_both_are_counted() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/"))
        .proxy("drain = \"500ms\"")
        .start()
        .await;
    let mut ends = half_sent(proxy.address()).await;
    let mut hangs = half_sent(proxy.address()).await;
    under_way(&proxy, 2).await;

    let address = proxy.address();
    let stopped = tokio::spawn(proxy.stop());
    while tokio::net::TcpStream::connect(address).await.is_ok() {}
    ends.send(MESSAGE.split_at(40).1).await;
    let answer = ends.message().await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let drained = within(stopped).await.unwrap();
    assert_eq!((drained.ended, drained.cut), (1, 1));
    assert!(
        !matches!(hangs.rest().await, Ok(rest) if !rest.is_empty()),
        "cut without a word"
    );
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn idle_connections_keep_nobody_waiting() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).proxy("drain = \"1h\"").start().await;
    let mut idle = proxy.flow().await;
    assert_eq!(idle.post("/orders", SOAP11, MESSAGE).await.status, StatusCode::OK);
    let _silent = Raw::connect(proxy.address()).await;
    let drained = proxy.stop().await;
    assert_eq!((drained.ended, drained.cut), (0, 0));
}

#[tokio::test]
async fn a_process_that_stops_is_not_ready_and_a_second_signal_ends_it_at_once() {
    let receiver = Receiver::start().await;
    let sections = format!(
        "[proxy]\nlisten = \"127.0.0.1:0\"\ndrain = \"1h\"\n\
         [[route]]\nname = \"orders\"\npath = \"/orders\"\nreceiver = \"{}\"\nalias = \"orders\"\n",
        receiver.url("/")
    );
    let mut served = Place::new().serve(&sections).await;
    let admin = served.admin;
    let ready = async || {
        let mut flow = Flow::connect(admin).await;
        flow.ask(http::Method::GET, "/readyz").await.status
    };
    assert_eq!(ready().await, StatusCode::OK);
    let mut hangs = half_sent(served.proxy).await;
    served
        .until("countersign_requests_under_way", |requests| requests == 1.0)
        .await;

    served.signal("TERM");
    eventually("it stops", || served.log().contains("stopping")).await;
    assert_eq!(ready().await, StatusCode::SERVICE_UNAVAILABLE);
    served.signal("TERM");
    assert_eq!(served.ended().await.code(), Some(1));
    assert!(served.log().contains("stopped at once"), "{}", served.log());
    assert!(!matches!(hangs.rest().await, Ok(rest) if !rest.is_empty()));
}

async fn half_sent(proxy: std::net::SocketAddr) -> Raw {
    let length = MESSAGE.len();
    let mut flow = Raw::connect(proxy).await;
    flow.send(format!(
        "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: {SOAP11}\r\nContent-Length: {length}\r\n\r\n"
    ))
    .await;
    flow.send(MESSAGE.split_at(40).0).await;
    flow
}

async fn under_way(proxy: &TestProxy, requests: usize) {
    let gauge = format!("countersign_requests_under_way {requests}");
    eventually(&gauge, || proxy.metrics().contains(&gauge)).await;
}
