//! What strangers have said in the log: how much, how often, and in which characters.

use http::{Method, Response, StatusCode};
use http_body_util::Full;

use crate::support::client::{Flow, SOAP11, request};
use crate::support::eventually;
use crate::support::raw::Raw;
use crate::support::receiver::Receiver;
use crate::support::served::{Place, Served};

/// Bytes; hyper takes heads of more.
const LONG: usize = 50_000;
/// Bytes of a line, in any case.
const MOST: usize = 12 * 1024;

async fn serve(log: &str, receiver: &Receiver) -> Served {
    let sections = format!(
        "[log]\n{log}\n[proxy]\nlisten = \"127.0.0.1:0\"\n[[route]]\nname = \"orders\"\npath = \"/orders\"\n\
         receiver = \"{}\"\nalias = \"orders\"\n",
        receiver.url("/")
    );
    Place::new().serve(&sections).await
}

/// Requests of somebody whom nobody knows, each with as much as a head takes.
async fn strangers(served: &Served) {
    let long = "x".repeat(LONG);
    let to_admin = [
        format!("OPTIONS /events HTTP/1.1\r\nHost: localhost\r\nWebHook-Request-Origin: {long}\r\n\r\n"),
        format!("GET /api/v1/aliases/{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ];
    let to_proxy = [
        format!("POST /{long} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"),
        format!("POST http://a/{long} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"),
        format!(
            "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: {long}\r\nContent-Length: 0\r\n\r\n"
        ),
        format!("POST /orders HTTP/1.1\r\nHost: localhost\r\nExpect: {long}\r\nContent-Length: 0\r\n\r\n"),
        format!(
            "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Encoding: {long}\r\n\
             Content-Length: 0\r\n\r\n"
        ),
        format!(
            "{} /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
            "X".repeat(LONG)
        ),
    ];
    for (address, requests) in [(served.admin, &to_admin[..]), (served.proxy, &to_proxy)] {
        for request in requests {
            let mut raw = Raw::connect(address).await;
            raw.send(request).await;
            assert!(raw.message().await.starts_with("HTTP/1.1 "));
        }
    }
}

#[tokio::test]
async fn no_stranger_makes_a_line_long() {
    let receiver = Receiver::start().await;
    for format in [
        "format = \"text\"\nlevel = \"debug\"",
        "format = \"json\"\nlevel = \"debug\"",
    ] {
        let served = serve_in(format, &receiver).await;
        strangers(&served).await;
        eventually("all is told", || served.log().matches("xxxx").count() >= 6).await;
        let longest = served.log().lines().map(str::len).max().unwrap();
        assert!(longest < MOST, "{longest}");
    }
}

/// The addresses stand in a log of text alone.
async fn serve_in(format: &str, receiver: &Receiver) -> Served {
    let served = serve(format, receiver).await;
    if format.contains("json") {
        let line = served.log();
        assert!(line.lines().all(|line| line.starts_with('{')), "{line}");
    }
    served
}

#[tokio::test]
async fn a_flood_of_strangers_is_no_flood_of_lines() {
    let receiver = Receiver::start().await;
    let served = serve("", &receiver).await;
    let before = served.log().lines().count();
    for (address, request) in [
        (
            served.admin,
            "GET /api/v1/aliases HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        (
            served.admin,
            "OPTIONS /events HTTP/1.1\r\nHost: localhost\r\nWebHook-Request-Origin: a.example\r\n\r\n",
        ),
        (served.proxy, "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (served.proxy, "GET /orders HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ] {
        let mut raw = Raw::connect(address).await;
        for _ in 0..200 {
            raw.send(request).await;
            raw.message().await;
        }
    }
    let lines = served.log().lines().count() - before;
    // Within two minutes, should the test run over the end of one.
    assert!((40..=2 * 160).contains(&lines), "{lines}");
}

#[tokio::test]
async fn an_address_is_written_as_an_address() {
    let receiver = Receiver::start().await;
    let served = serve("", &receiver).await;
    let mut raw = Raw::connect(served.admin).await;
    raw.send("GET /api/v1/aliases HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    raw.message().await;
    served.activate("orders", "none").await;
    eventually("both are told", || served.log().contains("answered")).await;
    let log = served.log();
    assert_eq!(log.matches("from=127.0.0.1").count(), 2, "{log}");
    assert!(!log.contains("Some("), "{log}");
}

#[tokio::test]
async fn what_receivers_say_is_not_logged_where_that_is_not_wanted() {
    let fault = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault>\
                 <faultcode>s:Server</faultcode><faultstring>order of Ms Miller</faultstring></s:Fault></s:Body></s:Envelope>";
    let receiver = Receiver::answering(move |_| {
        let answer = Response::builder().status(500).header("content-type", SOAP11);
        answer.body(Full::from(fault)).unwrap()
    })
    .await;
    for (setting, told) in [("", true), ("receiver_text = false", false)] {
        let served = serve(setting, &receiver).await;
        let mut flow = Flow::connect(served.proxy).await;
        let post = request(Method::POST, "/orders").header("content-type", SOAP11);
        let message = include_str!("../messages/soap11.xml");
        let answer = flow.send(post.body(Full::from(message)).unwrap()).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        eventually("it is told", || served.log().contains("answered with a fault")).await;
        let log = served.log();
        assert_eq!(
            (log.contains("Miller"), log.contains("code=Server")),
            (told, true),
            "{log}"
        );
    }
}
