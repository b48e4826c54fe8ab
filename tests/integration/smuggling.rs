//! Requests that two HTTP implementations could read in two ways: each is refused, or goes on as one message that can
//! be read in one way only. The bytes at the receiver tell.

use http::StatusCode;

use crate::support::client::{Flow, SOAP11};
use crate::support::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, Frames, GOAWAY, HEADERS, RST_STREAM, literals,
};
use crate::support::proxy;
use crate::support::raw::Raw;
use crate::support::receiver::{Receiver, scripted};
use crate::support::within;

const MESSAGE: &str = include_str!("../messages/body-two-children.xml");
const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";

/// A head with these lines, besides those that every message has.
fn head(lines: &str) -> String {
    format!("POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: {SOAP11}\r\n{lines}\r\n\r\n")
}

fn chunked() -> String {
    format!("{:x}\r\n{MESSAGE}\r\n0\r\n\r\n", MESSAGE.len())
}

/// A message with these lines and a right length.
fn with_length(lines: &str) -> String {
    head(&format!("{lines}\r\nContent-Length: {}", MESSAGE.len())) + MESSAGE
}

/// What was sent, and the status that refuses it.
type Refused = (String, u16);

fn refused_lengths_and_codings() -> Vec<Refused> {
    let length = MESSAGE.len();
    let coded = |coding: &str| head(&format!("Transfer-Encoding: {coding}")) + &chunked();
    vec![
        (with_length("Content-Length: 0"), 400),
        (with_length("Content-Length: 5"), 400),
        (head(&format!("Content-Length: {length}, 0")) + MESSAGE, 400),
        (head(&format!("Content-Length: +{length}")) + MESSAGE, 400),
        (head("Content-Length: -1"), 400),
        (head("Content-Length: 0x10") + MESSAGE, 400),
        (head("Content-Length: 1 0") + MESSAGE, 400),
        (head("Content-Length: 99999999999999999999999"), 400),
        (coded("chunked, identity"), 400),
        (coded("identity"), 400),
        (coded("xchunked"), 400),
        (coded("\x0bchunked"), 400),
        (coded("gzip, chunked"), 501),
        (coded("identity, chunked"), 501),
        (coded("chunked\r\nTransfer-Encoding: identity"), 400),
        (head("Transfer-Encoding : chunked") + &chunked(), 400),
        (coded("chunked").replace("HTTP/1.1", "HTTP/1.0"), 400),
    ]
}

fn refused_heads() -> Vec<Refused> {
    let of = |line: &str| format!("{line}\r\nHost: a\r\n\r\n");
    let long = "a".repeat(1 << 20);
    vec![
        (with_length("X-A : 1"), 400),
        (with_length("X-A: 1\r\n folded: 2"), 400),
        (with_length("X-A: 1\r\n\tTransfer-Encoding: chunked"), 400),
        (with_length(" X-A: 1"), 400),
        (with_length("X-A: \0"), 400),
        (with_length("X-\0A: 1"), 400),
        (with_length("X-A: 1\rTransfer-Encoding: chunked"), 400),
        (with_length("X(A): 1"), 400),
        (with_length(": 1"), 400),
        (with_length("no colon"), 400),
        (with_length("Host: b"), 400),
        (with_length("Host: a"), 400),
        (with_length("Host: b").replace("HTTP/1.1", "HTTP/1.0"), 400),
        (with_length("X-A: 1").replace("Host: a", "Host: a, b"), 400),
        (with_length("X-A: 1").replace("Host: a", "Host: a/b"), 400),
        (with_length("X-A: 1").replace("Host: a\r\n", ""), 400),
        (with_length(&format!("X-A: {long}")), 431),
        (with_length(&["X-A: 1"; 300].join("\r\n")), 431),
        (of(&format!("POST /{} HTTP/1.1", "a".repeat(1 << 17))), 414),
        (of("POST /orders HTTP/3.7"), 400),
        (of("POST  /orders HTTP/1.1"), 400),
        (of("POST /orders HTTP/1.1 x"), 400),
        (of("POST /or\0ders HTTP/1.1"), 400),
        (of("post /orders HTTP/1.1"), 405),
    ]
}

fn refused_chunks() -> Vec<Refused> {
    let length = format!("{:x}", MESSAGE.len());
    let first =
        |line: &str| head("Transfer-Encoding: chunked") + &format!("{line}\r\n{MESSAGE}\r\n0\r\n\r\n");
    let long = "a".repeat(1 << 20);
    vec![
        (first("FFFFFFFFFFFFFFFFF"), 400),
        (first(&format!("-{length}")), 400),
        (first(&format!("0x{length}")), 400),
        (first("1 0"), 400),
        (first("g"), 400),
        (first(&format!("{length};a\nb")), 400),
        (first(&format!("{length};{long}")), 400),
        (first(&length).replace("\r\n0\r\n", "0\r\n"), 400),
        // In a trailer section, too.
        (first(&length).replace("\r\n0\r\n", "\r\n0\r\nX-A\0: 1\r\n"), 400),
    ]
}

#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let mut wrong = Vec::new();
    let refused = [refused_lengths_and_codings(), refused_heads(), refused_chunks()].concat();
    for (request, status) in refused {
        let mut raw = Raw::connect(proxy.address()).await;
        raw.send(&request).await;
        let answer = raw.message().await;
        let after_version = answer.get("HTTP/1.x".len()..).unwrap_or_default();
        if !after_version.starts_with(&format!(" {status} ")) {
            let shown: String = request.chars().take(300).collect();
            wrong.push(format!("{shown:?} should get {status}: {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(receiver.requests().len(), 0);
    let answer = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!(answer.status, StatusCode::OK);
}

/// What goes on: allowed, if unusual.
fn forwarded() -> Vec<String> {
    let length = MESSAGE.len();
    vec![
        head(&format!("Content-Length: {length}\r\nContent-Length: {length}")) + MESSAGE,
        head(&format!("Content-Length: {length}\r\nTransfer-Encoding: chunked")) + &chunked(),
        head("Transfer-Encoding: chunked\r\nContent-Length: 5") + &chunked(),
        head("Transfer-Encoding: CHUNKED") + &chunked(),
        head("Transfer-Encoding:\tchunked ") + &chunked(),
        head("Transfer-Encoding: chunked")
            + &format!(
                "0{length:X};a=\"b\";c\r\n{MESSAGE}\r\n000\r\nX-Trailer: 1\r\nContent-Length: 7\r\n\r\n"
            ),
        (head(&format!("Content-Length: {length}\r\nX-A: 1")).replace("\r\n", "\n")) + MESSAGE,
        format!("\r\n{}{MESSAGE}", head(&format!("Content-Length: {length}"))),
        head(&format!(
            "Content-Length: {length}\r\nConnection: close, Content-Length"
        )) + MESSAGE,
    ]
}

#[tokio::test]
async fn what_goes_on_can_be_read_in_one_way_only() {
    for request in forwarded() {
        let (receiver, came) = scripted(vec![ACCEPTED]).await;
        let proxy = proxy::to(format!("http://{receiver}/services")).start().await;
        let mut raw = Raw::connect(proxy.address()).await;
        raw.send(&request).await;
        assert!(raw.message().await.starts_with("HTTP/1.1 202"), "{request:?}");

        let came = within(came).await.unwrap().remove(0);
        let (head, body) = came.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /services HTTP/1.1\r\n"), "{head}");
        let named = |name: &str| -> Vec<_> {
            let lines = head.split("\r\n").skip(1);
            let of_name = lines.filter_map(|line| line.split_once(": "));
            of_name
                .filter(|(own, _)| own.eq_ignore_ascii_case(name))
                .collect()
        };
        let lengths = named("content-length");
        assert_eq!(lengths.len(), 1, "{head}");
        assert_eq!(lengths[0].1, body.len().to_string());
        assert!(named("transfer-encoding").is_empty(), "{head}");
        assert!(
            named("x-trailer").is_empty() && named("connection").is_empty(),
            "{head}"
        );
        assert!(
            !head.contains(['\0', '\t']) && !head.replace("\r\n", "").contains(['\r', '\n']),
            "{head:?}"
        );
        assert!(
            body.starts_with("<s:Envelope") && body.trim_end().ends_with(":Envelope>"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn nothing_behind_a_message_of_two_lengths_is_taken_for_a_request() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let behind = format!(
        "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: {SOAP11}\r\nContent-Length: {}\r\n\r\n{MESSAGE}",
        MESSAGE.len()
    );
    let length = chunked().len() + behind.len();
    for lines in [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"),
    ] {
        let mut raw = Raw::connect(proxy.address()).await;
        raw.send(head(&lines) + &chunked() + &behind).await;
        assert!(raw.message().await.starts_with("HTTP/1.1 200 OK"));
        assert_eq!(
            raw.rest().await.unwrap(),
            "",
            "the connection ends (RFC 9112, section 6.1)"
        );
        receiver.take_request();
        assert_eq!(receiver.requests().len(), 0);
    }
}

type Fields<'f> = Vec<(&'f [u8], &'f [u8])>;

const METHOD: (&[u8], &[u8]) = (b":method", b"POST");
const PATH: (&[u8], &[u8]) = (b":path", b"/orders");
const SCHEME: (&[u8], &[u8]) = (b":scheme", b"http");
const AUTHORITY: (&[u8], &[u8]) = (b":authority", b"a");
const TYPE: (&[u8], &[u8]) = (b"content-type", b"text/xml");

/// What is malformed by RFC 9113, section 8: a request with one of these behind, before, or instead of its fields.
fn malformed() -> Vec<Fields<'static>> {
    let with = |field| vec![METHOD, PATH, SCHEME, AUTHORITY, TYPE, field];
    vec![
        with((b"SOAPAction", b"\"\"")),
        with((b"X-a", b"1")),
        with((b":path", b"/other")),
        vec![METHOD, METHOD, PATH, SCHEME, AUTHORITY, TYPE],
        vec![METHOD, PATH, PATH, SCHEME, AUTHORITY, TYPE],
        vec![METHOD, PATH, SCHEME, SCHEME, AUTHORITY, TYPE],
        vec![METHOD, PATH, SCHEME, AUTHORITY, AUTHORITY, TYPE],
        vec![METHOD, PATH, SCHEME, TYPE, AUTHORITY],
        vec![PATH, SCHEME, AUTHORITY, TYPE],
        vec![METHOD, SCHEME, AUTHORITY, TYPE],
        vec![METHOD, (b":path", b""), SCHEME, AUTHORITY, TYPE],
        vec![METHOD, (b":path", b"/or ders"), SCHEME, AUTHORITY, TYPE],
        vec![METHOD, PATH, SCHEME, (b":authority", b"a b"), TYPE],
        vec![(b":method", b"PO ST"), PATH, SCHEME, AUTHORITY, TYPE],
        vec![METHOD, PATH, SCHEME, AUTHORITY, (b":status", b"200"), TYPE],
        vec![METHOD, PATH, SCHEME, AUTHORITY, (b":unknown", b"1"), TYPE],
        with((b"connection", b"close")),
        with((b"transfer-encoding", b"chunked")),
        with((b"keep-alive", b"1")),
        with((b"upgrade", b"h2c")),
        with((b"proxy-connection", b"close")),
        with((b"te", b"gzip")),
        with((b"x-a", b"1\r\nx-b: 2")),
        with((b"x-a", b"1\0")),
        with((b"x-a", b"1\n")),
        with((b"x a", b"1")),
        with((b"x-a:", b"1")),
        with((b"", b"1")),
        with((b"content-length", b"5")),
        with((b"content-length", b"-1")),
    ]
}

#[tokio::test]
async fn what_is_malformed_by_http_2_is_refused() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    for fields in malformed() {
        let shown: Vec<_> = fields
            .iter()
            .map(|(name, value)| (String::from_utf8_lossy(name), String::from_utf8_lossy(value)))
            .collect();
        let mut frames = Frames::connect(Raw::connect(proxy.address()).await.0).await;
        frames.request(1, &fields, 0).await;
        frames.send(DATA, END_STREAM, 1, MESSAGE.as_bytes()).await;
        let answer = frames.next().await;
        let refused = match &answer {
            None => true,
            Some(Frame {
                kind: RST_STREAM | GOAWAY,
                ..
            }) => true,
            // :status 400, of HPACK's static table
            Some(Frame {
                kind: HEADERS,
                payload,
                ..
            }) => payload.first() == Some(&0x8c),
            Some(_) => false,
        };
        assert!(refused, "{shown:?}: {answer:?}");
        assert_eq!(receiver.requests().len(), 0, "{shown:?}");
    }
    let mut flow = Flow::connect_h2c(proxy.address()).await;
    assert_eq!(flow.post("/orders", SOAP11, MESSAGE).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_malformed_request_by_http_2_leaves_the_others_of_its_connection_alone() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let mut frames = Frames::connect(Raw::connect(proxy.address()).await.0).await;
    frames
        .request(
            1,
            &[METHOD, PATH, SCHEME, AUTHORITY, TYPE, (b"connection", b"close")],
            0,
        )
        .await;
    assert_eq!(frames.next_of(RST_STREAM).await.unwrap().stream, 1);
    frames
        .request(3, &[METHOD, PATH, SCHEME, AUTHORITY, TYPE], 0)
        .await;
    frames.send(DATA, END_STREAM, 3, MESSAGE.as_bytes()).await;
    let answer = frames.next_of(HEADERS).await.unwrap();
    assert_eq!((answer.stream, answer.payload[0]), (3, 0x88), ":status 200");
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn too_large_a_head_by_http_2_is_refused() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let mut frames = Frames::connect(Raw::connect(proxy.address()).await.0).await;
    let value = vec![b'a'; 4000];
    let mut fields = vec![METHOD, PATH, SCHEME, AUTHORITY, TYPE];
    fields.extend([(&b"x-a"[..], value.as_slice()); 4]);
    frames.send(HEADERS, 0, 1, &literals(&fields)).await;
    let more = literals(&[(&b"x-a"[..], value.as_slice()); 4]);
    for _ in 0..8 {
        frames.send(CONTINUATION, 0, 1, &more).await;
    }
    frames.send(CONTINUATION, END_HEADERS, 1, &more).await;
    let refused = frames.next().await;
    assert!(
        !matches!(&refused, Some(Frame { kind: HEADERS, payload, .. }) if payload.first() == Some(&0x88)),
        "{refused:?}"
    );
    assert_eq!(receiver.requests().len(), 0);
}
