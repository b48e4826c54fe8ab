//! Which header fields go on to the receiver and come back from it, byte for byte, and which end here.

use crate::support::client::SOAP11;
use crate::support::proxy;
use crate::support::raw::Raw;
use crate::support::receiver::scripted;
use crate::support::within;

const MESSAGE: &str = include_str!("../messages/body-two-children.xml");

/// What goes on to the receiver.
const KEPT: [(&str, &str); 12] = [
    ("SOAPAction", "\"urn:place\""),
    ("Cookie", "a=b; c=d"),
    ("Authorization", "Basic eTp6"),
    ("Accept", "text/xml, multipart/related"),
    ("Accept-Encoding", "gzip"),
    ("Accept-Language", "de"),
    ("User-Agent", "flow/1.0"),
    ("X-Request-Id", "7"),
    (
        "traceparent",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ),
    ("Forwarded", "for=192.0.2.1"),
    ("X-Empty", ""),
    ("X-Latin", "M\u{fc}ller"),
];

/// What does not; `X-Hop` and `X-Other-Hop` are named by `Connection`.
const DROPPED: [(&str, &str); 20] = [
    ("Connection", "keep-alive, X-Hop"),
    ("Connection", "x-other-hop"),
    ("X-Hop", "1"),
    ("X-Other-Hop", "1"),
    ("Keep-Alive", "timeout=5"),
    ("Proxy-Connection", "keep-alive"),
    ("Proxy-Authorization", "Basic eTp6"),
    ("Proxy-Authenticate", "Basic"),
    ("Proxy-Authentication-Info", "a"),
    ("TE", "trailers"),
    ("Trailer", "X-Trailer"),
    ("Upgrade", "h2c"),
    ("HTTP2-Settings", "AAEAAEAAAAIAAAAA"),
    ("Content-MD5", "x"),
    ("Digest", "sha-256=x"),
    ("Content-Digest", "sha-256=:x:"),
    ("Repr-Digest", "sha-256=:x:"),
    ("Signature", "sig=:x:"),
    ("Signature-Input", "sig=()"),
    ("Expect", "100-continue"),
];

fn lines(fields: &[(&str, &str)]) -> String {
    fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect()
}

fn has_line(head: &str, line: &str) -> bool {
    head.split("\r\n").any(|own| own.trim_end() == line.trim_end())
}

fn has_field(head: &str, name: &str) -> bool {
    let mut names = head
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name);
    names.any(|own| own.eq_ignore_ascii_case(name))
}

#[tokio::test]
async fn of_a_requests_fields_those_end_to_end_go_on_as_they_were_spelled_and_the_others_end_here() {
    let (address, came) = scripted(vec!["HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"]).await;
    let proxy = proxy::to(format!("http://{address}/services")).start().await;
    let mut raw = Raw::connect(proxy.address()).await;
    let (kept, dropped, length) = (lines(&KEPT), lines(&DROPPED), MESSAGE.len());
    raw.send(format!(
        "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml; charset=utf-8; a=\"b\"\r\n\
         {kept}{dropped}Content-Length: {length}\r\n\r\n{MESSAGE}"
    ))
    .await;
    assert!(raw.message().await.starts_with("HTTP/1.1 100"));
    assert!(raw.message().await.starts_with("HTTP/1.1 202"));

    let came = within(came).await.unwrap().remove(0);
    let head = came.split_once("\r\n\r\n").unwrap().0;
    for (name, value) in KEPT {
        assert!(
            has_line(head, &format!("{name}: {value}")),
            "{name} is not in {head}"
        );
    }
    assert!(
        has_line(head, "Content-Type: text/xml; charset=utf-8; a=\"b\""),
        "{head}"
    );
    assert!(has_line(head, &format!("Host: {address}")), "{head}");
    for (name, _) in DROPPED {
        assert!(!has_field(head, name), "{name} is in {head}");
    }
    assert!(!has_field(head, "Transfer-Encoding"), "{head}");
}

#[tokio::test]
async fn of_an_answers_fields_those_end_to_end_come_back_as_they_were_spelled_and_the_others_end_here() {
    let kept = [
        ("Content-Type", "text/xml; charset=utf-8"),
        ("Set-Cookie", "a=b"),
        ("Set-Cookie", "c=d; Path=/"),
        ("WWW-Authenticate", "Basic realm=\"a\""),
        ("Content-MD5", "the body is as it was"),
        ("Digest", "sha-256=x"),
        ("Content-Encoding", "gzip"),
        ("X-Trace", "7"),
        ("Server", "erp"),
        ("Retry-After", "5"),
    ];
    let dropped = [
        ("Connection", "keep-alive, X-Hop"),
        ("X-Hop", "1"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
        ("Proxy-Authenticate", "Basic"),
        ("Proxy-Authorization", "Basic x"),
        ("TE", "trailers"),
        ("Trailer", "X-Trailer"),
        ("Upgrade", "h2c"),
        ("Alt-Svc", "h2=\"erp.internal:443\""),
    ];
    let (kept_lines, dropped_lines) = (lines(&kept), lines(&dropped));
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\n{kept_lines}{dropped_lines}Transfer-Encoding: chunked\r\n\r\n\
         5\r\n<a/>\n\r\n0\r\nX-Trailer: 1\r\n\r\n"
    );
    let (address, _came) = scripted(vec![answer.leak()]).await;
    let proxy = proxy::to(format!("http://{address}/")).start().await;
    let mut raw = Raw::connect(proxy.address()).await;
    let length = MESSAGE.len();
    raw.send(format!(
        "POST /orders HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE, close\r\n\
         Content-Type: {SOAP11}\r\nContent-Length: {length}\r\n\r\n{MESSAGE}"
    ))
    .await;
    let answer = raw.rest().await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{head}");
    for (name, value) in kept {
        assert!(
            has_line(head, &format!("{name}: {value}")),
            "{name} is not in {head}"
        );
    }
    for (name, _) in dropped.iter().filter(|(name, _)| *name != "Connection") {
        assert!(!has_field(head, name), "{name} is in {head}");
    }
    assert!(has_line(head, "Connection: close"), "our own: {head}");
    assert_eq!(body, "5\r\n<a/>\n\r\n0\r\n\r\n");
}

#[tokio::test]
async fn an_answer_by_http_1_0_is_ours_by_the_protocol_of_the_flow() {
    let answer = "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\n<a/>";
    let (address, _came) = scripted(vec![answer]).await;
    let proxy = proxy::to(format!("http://{address}/")).start().await;
    let mut raw = Raw::connect(proxy.address()).await;
    raw.send("GET /orders?wsdl HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let answer = raw.message().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    raw.send("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(
        raw.message().await.starts_with("HTTP/1.1 404"),
        "the connection is usable"
    );
}

#[tokio::test]
async fn an_offer_of_http_2_within_http_1_is_neither_taken_nor_passed_on() {
    let (address, came) = scripted(vec!["HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"; 2]).await;
    let proxy = proxy::to(format!("http://{address}/")).start().await;
    let mut raw = Raw::connect(proxy.address()).await;
    let length = MESSAGE.len();
    // As java.net.http sends it, and as one does that forgets to name a field.
    for connection in ["Upgrade, HTTP2-Settings", "Upgrade"] {
        raw.send(format!(
            "POST /orders HTTP/1.1\r\nConnection: {connection}\r\nContent-Length: {length}\r\nHost: a\r\n\
             HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\nUpgrade: h2c\r\n\
             Content-Type: {SOAP11}\r\n\r\n{MESSAGE}"
        ))
        .await;
        let answer = raw.message().await;
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    }
    for came in within(came).await.unwrap() {
        for name in ["Connection", "Upgrade", "HTTP2-Settings"] {
            assert!(!has_field(&came, name), "{came}");
        }
    }
}
