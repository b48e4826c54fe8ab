//! Messages on their way through the running proxy: what the receiver gets, and what comes back.

use base64::prelude::{BASE64_STANDARD, Engine};
use countersign::keys::AfterImport;
use countersign::keys::audit::Author;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, VIA};
use http::{Method, Response, StatusCode};
use http_body_util::Full;

use crate::support::client::{SOAP11, SOAP12};
use crate::support::clock::now;
use crate::support::proxy::ALIAS;
use crate::support::raw::Raw;
use crate::support::receiver::{ACKNOWLEDGED, Receiver, Recorded};
use crate::support::{eventually, proxy, within};

const MESSAGE: &str = include_str!("../messages/body-two-children.xml");
const LATIN1: &[u8] = include_bytes!("../messages/latin1.xml");

#[tokio::test]
async fn a_message_arrives_signed_and_otherwise_as_it_was_sent() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/services/orders?client=100"))
        .start()
        .await;
    let answer = proxy.flow().await.post("/orders?trace=1", SOAP11, MESSAGE).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::OK, ACKNOWLEDGED));

    let came = receiver.only_request();
    assert_eq!(
        (came.method, came.target.as_str()),
        (Method::POST, "/services/orders?client=100&trace=1")
    );
    assert_eq!(came.headers[CONTENT_LENGTH], came.body.len().to_string());
    let signed = std::str::from_utf8(&came.body).unwrap();
    assert_eq!(signed.matches("<ds:SignatureValue>").count(), 1);
    assert_eq!(without_insertion(signed), MESSAGE);
}

#[tokio::test]
async fn a_message_of_many_reads_arrives_signed_and_otherwise_as_it_was_sent() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let text = "lines of text,\nand more of them ".repeat(60_000);
    let message = MESSAGE.replacen("bolt", &text, 1);
    let answer = proxy.flow().await.post("/orders", SOAP11, message.clone()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let came = receiver.only_request();
    assert!(without_insertion(std::str::from_utf8(&came.body).unwrap()) == message);
}

#[tokio::test]
async fn after_a_switch_every_new_message_is_signed_with_the_new_key() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let mut flow = proxy.flow().await;
    flow.post("/orders", SOAP11, MESSAGE).await;

    let material = proxy::new_key();
    let certificate = material.certificate.clone();
    proxy
        .keys()
        .by(Author::cli())
        .import(ALIAS, material, AfterImport::StayPending, now())
        .unwrap();
    flow.post("/orders", SOAP11, MESSAGE).await;
    proxy
        .keys()
        .by(Author::cli())
        .activate(ALIAS, certificate.fingerprint().clone(), None, now())
        .unwrap();
    flow.post("/orders", SOAP11, MESSAGE).await;

    let token = BASE64_STANDARD.encode(certificate.der());
    let carries_token = |request: &Recorded| std::str::from_utf8(&request.body).unwrap().contains(&token);
    assert_eq!(
        receiver.requests().iter().map(carries_token).collect::<Vec<_>>(),
        [false, false, true]
    );
    let switched = r#"countersign_key_switches_total{alias="orders",trigger="activate"} 1"#;
    assert!(proxy.metrics().contains(switched), "{}", proxy.metrics());
}

#[tokio::test]
async fn what_the_receiver_answers_comes_back_untouched() {
    let receiver = Receiver::answering(|_| {
        let answer = Response::builder()
            .status(500)
            .header(CONTENT_TYPE, SOAP12)
            .header("x-trace", "7");
        let answer = answer
            .header("connection", "keep-alive, x-hop")
            .header("x-hop", "1")
            .header("set-cookie", "a=b");
        answer
            .body(Full::from(" \r\n<fault of='the receiver'/>"))
            .unwrap()
    });
    let receiver = receiver.await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let answer = proxy.flow().await.post("/orders", SOAP12, MESSAGE).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.text(), " \r\n<fault of='the receiver'/>");
    for (name, value) in [("content-type", SOAP12), ("x-trace", "7"), ("set-cookie", "a=b")] {
        assert_eq!(answer.headers[name], value);
    }
    assert!(!answer.headers.contains_key("x-hop"));
    let counted = r#"countersign_requests_total{outcome="answered",route="orders"} 1"#;
    eventually(counted, || proxy.metrics().contains(counted)).await;
}

#[tokio::test]
async fn a_message_of_unknown_length_arrives_with_its_length() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let mut flow = Raw::connect(proxy.address()).await;
    flow.send(format!(
        "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: {SOAP11}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ))
    .await;
    for chunk in MESSAGE.as_bytes().chunks(7) {
        flow.send([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat())
            .await;
    }
    flow.send("0\r\nX-Trailer: 1\r\n\r\n").await;
    assert!(flow.message().await.starts_with("HTTP/1.1 200"));
    let came = receiver.only_request();
    assert_eq!(came.headers[CONTENT_LENGTH], came.body.len().to_string());
    assert_eq!(
        without_insertion(std::str::from_utf8(&came.body).unwrap()),
        MESSAGE
    );
}

#[tokio::test]
async fn a_message_in_another_encoding_goes_out_as_utf_8_and_says_so() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let content_type = "application/soap+xml; charset=ISO-8859-1; action=\"urn:place\"";
    let answer = proxy.flow().await.post("/orders", content_type, LATIN1).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let came = receiver.only_request();
    assert_eq!(
        came.headers[CONTENT_TYPE],
        "application/soap+xml; action=\"urn:place\"; charset=utf-8"
    );
    assert!(std::str::from_utf8(&came.body).is_ok());
}

#[tokio::test]
async fn connections_to_the_receiver_are_used_again() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    for _ in 0..3 {
        let mut flow = proxy.flow().await;
        for _ in 0..3 {
            assert_eq!(flow.post("/orders", SOAP11, MESSAGE).await.status, StatusCode::OK);
        }
    }
    assert_eq!((receiver.requests().len(), receiver.connections()), (9, 1));
}

#[tokio::test]
async fn a_receiver_that_closes_after_each_answer_gets_each_message_once() {
    let receiver = Receiver::answering(|_| {
        Response::builder()
            .header("connection", "close")
            .body(Full::from(ACKNOWLEDGED))
            .unwrap()
    });
    let receiver = receiver.await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let mut flow = proxy.flow().await;
    for _ in 0..10 {
        assert_eq!(flow.post("/orders", SOAP11, MESSAGE).await.status, StatusCode::OK);
    }
    assert_eq!(receiver.requests().len(), 10);
}

#[tokio::test]
async fn a_route_that_leads_back_to_the_proxy_is_a_loop_and_ends() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let proxy = proxy::to(format!("http://{address}/orders"))
        .listen(address)
        .start()
        .await;
    let answer = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!(answer.status, StatusCode::LOOP_DETECTED);
    assert!(
        answer.sentence().contains("leads back here"),
        "{}",
        answer.sentence()
    );
}

#[tokio::test]
async fn several_proxies_may_stand_in_a_row() {
    let receiver = Receiver::start().await;
    let inner = proxy::to(receiver.url("/")).start().await;
    let outer = proxy::to(format!("http://{}/orders", inner.address()))
        .start()
        .await;
    let answer = outer.flow().await.ask(Method::GET, "/orders?wsdl").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(receiver.only_request().headers.get_all(VIA).iter().count(), 2);
}

#[tokio::test]
async fn a_stopped_proxy_finishes_what_is_under_way_and_accepts_no_more() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let address = proxy.address();
    let (head, tail) = MESSAGE.split_at(10);
    let mut under_way = Raw::connect(address).await;
    let length = MESSAGE.len();
    under_way.send(format!("POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: {SOAP11}\r\nContent-Length: {length}\r\n\r\n{head}")).await;
    let mut idle = proxy.flow().await;
    idle.post("/orders", SOAP11, MESSAGE).await;

    let stopped = tokio::spawn(proxy.stop());
    while tokio::net::TcpStream::connect(address).await.is_ok() {}
    under_way.send(tail).await;
    assert!(under_way.message().await.starts_with("HTTP/1.1 200"));
    assert_eq!(within(stopped).await.unwrap().cut, 0);
    assert_eq!(receiver.requests().len(), 2);
}

#[tokio::test]
async fn metrics_tell_what_was_signed_and_where_the_time_went() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
    for series in [
        r#"countersign_requests_total{outcome="answered",route="orders"} 1"#,
        r#"countersign_messages_signed_total{alias="orders",key=""#,
        r#"countersign_sign_duration_seconds_count{algorithm="ecdsa-sha256",alias="orders"} 1"#,
        r#"countersign_request_duration_seconds_count{phase="read",route="orders"} 1"#,
        r#"countersign_request_duration_seconds_count{phase="sign",route="orders"} 1"#,
        r#"countersign_request_duration_seconds_count{phase="receiver",route="orders"} 1"#,
        r#"countersign_request_duration_seconds_count{phase="total",route="orders"} 1"#,
    ] {
        eventually(series, || proxy.metrics().contains(series)).await;
    }
}

/// Cuts out the header that was inserted before the Body, and the Body's new attributes.
fn without_insertion(signed: &str) -> String {
    let (before, rest) = signed.split_once("<s:Header>").unwrap();
    let (_, after) = rest.split_once("</s:Header>").unwrap();
    let (start, rest) = after.split_once(' ').unwrap();
    let (attributes, rest) = rest.split_once('>').unwrap();
    assert!(
        attributes.contains("wsu:Id=") && start == "<s:Body",
        "{start} {attributes}"
    );
    format!("{before}{start}>{rest}")
}
