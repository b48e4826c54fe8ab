//! Clients that are told to use us as their HTTP proxy: they ask for an absolute address, which must be a route's `url`.

use http::{Method, StatusCode};

use crate::support::client::{SOAP11, request};
use crate::support::proxy::{self, TestProxy};
use crate::support::raw::Raw;
use crate::support::receiver::Receiver;

const MESSAGE: &str = include_str!("../messages/body-two-children.xml");
const URL: &str = "http://erp.example.com/orders";

async fn proxy(receiver: &Receiver) -> TestProxy {
    let setup = proxy::to(receiver.url("/services/orders")).route(&format!("url = \"{URL}\""));
    setup.start().await
}

/// The status of an answer to a message posted to this target.
async fn posted(proxy: &TestProxy, target: &str, host: &str) -> (String, String) {
    let mut raw = Raw::connect(proxy.address()).await;
    let length = MESSAGE.len();
    raw.send(format!(
        "POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {SOAP11}\r\nContent-Length: {length}\r\n\r\n{MESSAGE}"
    ))
    .await;
    let answer = raw.message().await;
    let status = answer.split(' ').nth(1).unwrap().to_owned();
    (status, answer)
}

#[tokio::test]
async fn the_routes_url_leads_to_its_receiver_however_it_is_spelled_and_whatever_host_says() {
    let receiver = Receiver::start().await;
    let proxy = proxy(&receiver).await;
    for (target, host) in [
        (URL, "erp.example.com"),
        (URL, "evil.example"),
        ("HTTP://ERP.Example.Com:80/orders", "erp.example.com"),
        ("http://erp.example.com/orders?client=100", "erp.example.com"),
    ] {
        let (status, answer) = posted(&proxy, target, host).await;
        assert_eq!(status, "200", "{answer}");
        let came = receiver.take_request();
        assert!(came.target.starts_with("/services/orders"), "{}", came.target);
        assert_eq!(came.headers["host"], receiver.address.to_string());
    }
    assert_eq!(
        posted(&proxy, "/orders", "a").await.0,
        "200",
        "its path does as well"
    );
}

#[tokio::test]
async fn any_other_address_is_refused_and_nobody_is_asked() {
    let receiver = Receiver::start().await;
    let proxy = proxy(&receiver).await;
    for target in [
        &receiver.url("/services/orders"),
        "http://erp.example.com/",
        "http://erp.example.com/orders/",
        "http://erp.example.com/Orders",
        "http://erp.example.com/%6frders",
        "http://erp.example.com/a/../orders",
        "http://erp.example.com:8080/orders",
        "http://erp.example.com.evil.example/orders",
        "http://erp.example.com@evil.example/orders",
        "http://user@erp.example.com/orders",
        "https://erp.example.com/orders",
        "ftp://erp.example.com/orders",
        &format!("http://{}/orders", proxy.address()),
    ] {
        let (status, answer) = posted(&proxy, target, "erp.example.com").await;
        assert_eq!(status, "403", "{target}: {answer}");
        assert!(answer.contains("relays to nobody else"), "{answer}");
    }
    assert_eq!(receiver.requests().len(), 0);
}

#[tokio::test]
async fn a_route_may_have_a_url_alone() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/"))
        .without_path()
        .route(&format!("url = \"{URL}\""))
        .start()
        .await;
    assert_eq!(posted(&proxy, "/orders", "a").await.0, "404");
    assert_eq!(posted(&proxy, URL, "a").await.0, "200");
    let mut flow = proxy.flow().await;
    let wsdl = request(Method::GET, &format!("{URL}?wsdl")).body(Default::default());
    assert_eq!(flow.send(wsdl.unwrap()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_client_that_wants_a_tunnel_is_told_what_to_do() {
    let receiver = Receiver::start().await;
    let proxy = proxy(&receiver).await;
    let mut raw = Raw::connect(proxy.address()).await;
    let authority = receiver.address;
    raw.send(format!(
        "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n"
    ))
    .await;
    let answer = raw.message().await;
    assert!(
        answer.starts_with("HTTP/1.1 405")
            && answer.contains(
                "configure the client with the http:// address; the proxy speaks TLS to the receiver"
            ),
        "{answer}"
    );
    raw.send("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(raw.message().await.starts_with("HTTP/1.1 404"), "it is usable");
    assert_eq!(receiver.requests().len(), 0);
}
