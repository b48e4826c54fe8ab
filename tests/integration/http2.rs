//! HTTP/2 on both sides: flows that speak it from the first byte on, and receivers that choose it by ALPN.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, COOKIE, VIA};
use http::{Method, Response, StatusCode, Version};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::support::authority::Authority;
use crate::support::client::{Flow, SOAP11, request};
use crate::support::frames::{DATA, END_STREAM, Frame, Frames, GOAWAY, HEADERS, RST_STREAM, SETTINGS};
use crate::support::proxy::{self, TestProxy};
use crate::support::raw::Raw;
use crate::support::receiver::{ACKNOWLEDGED, Receiver, scripted, scripted_frames};
use crate::support::{eventually, within};

const MESSAGE: &str = include_str!("../messages/body-two-children.xml");

/// A proxy before an https receiver at this port, which the authority knows.
async fn proxy_to(receiver: SocketAddr, authority: &Authority) -> TestProxy {
    let ca = authority.file("ca.pem");
    let route = format!(
        "fault_status = \"http\"\nreceiver_tls = {{ ca = \"{}\" }}",
        ca.display()
    );
    let setup = proxy::to(format!("https://{receiver}/services")).route(&route);
    setup.start().await
}

#[tokio::test]
async fn a_flow_may_speak_http_2_without_tls() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let mut flow = Flow::connect_h2c(proxy.address()).await;
    for _ in 0..2 {
        let answer = flow.post("/orders", SOAP11, MESSAGE).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, ACKNOWLEDGED));
    }
    assert_eq!(receiver.requests().len(), 2);
    assert_eq!(receiver.requests()[0].version, Version::HTTP_11);
    assert!(
        receiver.requests()[0].headers[VIA]
            .to_str()
            .unwrap()
            .starts_with("2.0 ")
    );
}

#[tokio::test]
async fn a_refusal_by_http_2_leaves_the_connection_usable() {
    let receiver = Receiver::start().await;
    let setup = proxy::to(receiver.url("/")).proxy("max_message = \"64KiB\"");
    let proxy = setup.start().await;
    let mut flow = Flow::connect_h2c(proxy.address()).await;
    for (path, message, sentence) in [
        ("/orders", " ".repeat(1 << 20), "larger than 65536 bytes"),
        ("/orders", "<a>".to_owned(), "line 1"),
        ("/nowhere", "x".repeat(60_000), "no route has the path"),
    ] {
        let answer = flow.post(path, SOAP11, message).await;
        assert!(answer.sentence().contains(sentence), "{}", answer.sentence());
        let good = flow.post("/orders", SOAP11, MESSAGE).await;
        assert_eq!((good.status, good.text()), (StatusCode::OK, ACKNOWLEDGED));
    }
    assert_eq!(receiver.requests().len(), 3);
}

#[tokio::test]
async fn a_flow_that_takes_nothing_of_its_answers_is_cut_off() {
    let receiver = Receiver::start().await;
    let setup = proxy::to(receiver.url("/")).proxy("client_timeout = \"1s\"");
    let proxy = setup.start().await;
    let mut frames = Frames::connect(TcpStream::connect(proxy.address()).await.unwrap()).await;
    // SETTINGS_INITIAL_WINDOW_SIZE of nought.
    frames.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]).await;
    let fields: [(&[u8], &[u8]); 5] = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":authority", b"localhost"),
        (b":path", b"/orders"),
        (b"content-type", b"image/png"),
    ];
    for stream in 0..4 {
        frames.request(2 * stream + 1, &fields, END_STREAM).await;
    }
    while frames.next().await.is_some() {}
    let none = "\ncountersign_requests_under_way 0\n";
    eventually("nothing is under way", || proxy.metrics().contains(none)).await;
}

#[tokio::test]
async fn a_cookie_in_crumbs_reaches_a_receiver_of_http_1_in_one_piece() {
    let (receiver, came) = scripted(vec!["HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"]).await;
    let proxy = proxy::to(format!("http://{receiver}/")).start().await;
    let mut flow = Flow::connect_h2c(proxy.address()).await;
    let crumbs = request(Method::POST, "/orders")
        .header("content-type", SOAP11)
        .header(COOKIE, "a=1")
        .header(COOKIE, "b=2");
    flow.send(crumbs.body(Full::from(MESSAGE)).unwrap()).await;
    let came = within(came).await.unwrap().remove(0);
    assert!(came.contains("\r\ncookie: a=1; b=2\r\n"), "{came}");
}

#[tokio::test]
async fn a_receiver_that_chooses_http_2_gets_it_whatever_the_flow_speaks() {
    let authority = Authority::of(&["receiver"]);
    for (protocols, version) in [
        (&["h2", "http/1.1"][..], Version::HTTP_2),
        (&["http/1.1"], Version::HTTP_11),
        (&[], Version::HTTP_11),
    ] {
        let tls = authority.server(protocols, "receiver");
        let receiver = Receiver::answering_tls(tls, |_| {
            let answer = Response::builder().header("x-trace", "7");
            answer.body(Full::from(ACKNOWLEDGED)).unwrap()
        });
        let receiver = receiver.await;
        let proxy = proxy_to(receiver.address, &authority).await;
        for mut flow in [proxy.flow().await, Flow::connect_h2c(proxy.address()).await] {
            let message = request(Method::POST, "/orders?a=b")
                .header("content-type", SOAP11)
                .header("soapaction", "\"urn:place\"")
                .header("connection", "close, x-hop")
                .header("x-hop", "1")
                .header("te", "trailers");
            let message = match flow {
                Flow::Http1(_) => message,
                Flow::Http2(_) => request(Method::POST, "/orders?a=b")
                    .header("content-type", SOAP11)
                    .header("soapaction", "\"urn:place\""),
            };
            let answer = flow.send(message.body(Full::from(MESSAGE)).unwrap()).await;
            assert_eq!((answer.status, answer.text()), (StatusCode::OK, ACKNOWLEDGED));
            assert_eq!(answer.headers["x-trace"], "7");

            let came = receiver.take_request();
            assert_eq!(came.version, version, "{protocols:?}");
            assert!(came.target.ends_with("/services?a=b"), "{}", came.target);
            assert_eq!(came.headers["soapaction"], "\"urn:place\"");
            assert_eq!(came.headers[CONTENT_LENGTH], came.body.len().to_string());
            for name in ["connection", "x-hop", "te"] {
                assert!(!came.headers.contains_key(name), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn messages_side_by_side_share_one_connection_to_a_receiver_of_http_2() {
    let authority = Authority::of(&["receiver"]);
    let receiver = Receiver::start_tls(authority.server(&["h2"], "receiver")).await;
    let proxy = proxy_to(receiver.address, &authority).await;
    let mut flow = proxy.flow().await;
    assert_eq!(flow.post("/orders", SOAP11, MESSAGE).await.status, StatusCode::OK);
    let mut under_way = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let mut flow = proxy.flow().await;
        under_way.spawn(async move { flow.post("/orders", SOAP11, MESSAGE).await.status });
    }
    let statuses = within(under_way.join_all()).await;
    assert!(
        statuses.iter().all(|status| *status == StatusCode::OK),
        "{statuses:?}"
    );
    assert_eq!((receiver.requests().len(), receiver.connections()), (21, 1));
}

type End = fn(u32) -> Vec<Frame>;

/// What a receiver does with a request instead of answering it.
fn ends() -> Vec<(&'static str, End)> {
    const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];
    const CANCEL: [u8; 4] = [0, 0, 0, 8];
    // The last stream that was processed: none; no error.
    const GONE: [u8; 8] = [0; 8];
    fn frame(kind: u8, stream: u32, payload: &[u8]) -> Frame {
        let payload = payload.to_vec();
        Frame {
            kind,
            flags: 0,
            stream,
            payload,
        }
    }
    vec![
        ("REFUSED_STREAM", |stream| {
            vec![frame(RST_STREAM, stream, &REFUSED_STREAM)]
        }),
        ("CANCEL", |stream| vec![frame(RST_STREAM, stream, &CANCEL)]),
        ("GOAWAY that excludes it", |_| vec![frame(GOAWAY, 0, &GONE)]),
        ("both", |stream| {
            vec![
                frame(GOAWAY, 0, &GONE),
                frame(RST_STREAM, stream, &REFUSED_STREAM),
            ]
        }),
        ("the end of the connection", |_| Vec::new()),
        ("garbage", |stream| {
            vec![frame(HEADERS, stream, b"\xff\xff\xff\xff")]
        }),
        ("an answer that is none", |stream| {
            vec![frame(DATA, stream, b"no head")]
        }),
    ]
}

#[tokio::test]
async fn whatever_a_receiver_of_http_2_does_with_a_message_it_gets_it_once() {
    let authority = Authority::of(&["receiver"]);
    for (what, end) in ends() {
        let (receiver, requests) = scripted_frames(authority.server(&["h2"], "receiver"), end).await;
        let proxy = proxy_to(receiver, &authority).await;
        let answer = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_GATEWAY,
            "{what}: {}",
            answer.text()
        );
        assert!(
            answer.sentence().contains("it may have got the message"),
            "{what}"
        );
        assert_eq!(requests.load(Ordering::Relaxed), 1, "{what}");
    }
}

#[tokio::test]
async fn a_message_after_one_that_was_refused_goes_out_by_a_new_connection_once() {
    let authority = Authority::of(&["receiver"]);
    let (_, goaway) = ends().remove(2);
    let (receiver, requests) = scripted_frames(authority.server(&["h2"], "receiver"), goaway).await;
    let proxy = proxy_to(receiver, &authority).await;
    let mut flow = proxy.flow().await;
    for count in 1..4 {
        let answer = flow.post("/orders", SOAP11, MESSAGE).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
        assert_eq!(requests.load(Ordering::Relaxed), count);
    }
}

/// A receiver that chooses HTTP/2 and asks for HTTP/1.1 then; with the requests that came by either.
async fn only_by_http1(authority: &Authority) -> (SocketAddr, [Arc<AtomicUsize>; 2]) {
    const HTTP_1_1_REQUIRED: [u8; 4] = [0, 0, 0, 13];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(authority.server(&["h2", "http/1.1"], "receiver")));
    let counts: [Arc<AtomicUsize>; 2] = Default::default();
    let [by_http2, by_http1] = counts.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let stream = acceptor.accept(stream).await.unwrap();
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                let mut frames = Frames::accept(stream).await;
                let request = frames.next_of(HEADERS).await.unwrap();
                by_http2.fetch_add(1, Ordering::Relaxed);
                frames
                    .send(RST_STREAM, 0, request.stream, &HTTP_1_1_REQUIRED)
                    .await;
                continue;
            }
            let count = by_http1.clone();
            let service = service_fn(move |_| {
                count.fetch_add(1, Ordering::Relaxed);
                async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(ACKNOWLEDGED))) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, counts)
}

#[tokio::test]
async fn a_receiver_that_asks_for_http_1_gets_it_from_then_on_and_no_message_twice() {
    let authority = Authority::of(&["receiver"]);
    let (receiver, [by_http2, by_http1]) = only_by_http1(&authority).await;
    let proxy = proxy_to(receiver, &authority).await;
    let mut flow = proxy.flow().await;
    let answer = flow.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    let sentence = answer.sentence();
    assert!(
        sentence.contains("asks for HTTP/1.1 instead of HTTP/2, and gets it from now on"),
        "{sentence}"
    );
    for _ in 0..3 {
        let answer = flow.post("/orders", SOAP11, MESSAGE).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, ACKNOWLEDGED));
    }
    let came = [by_http2, by_http1].map(|count| count.load(Ordering::Relaxed));
    assert_eq!(came, [1, 3]);
}

#[tokio::test]
async fn trailers_of_a_receiver_of_http_2_end_here() {
    let authority = Authority::of(&["receiver"]);
    let answer = |stream| {
        let frame = |kind, flags, payload: &[u8]| Frame {
            kind,
            flags,
            stream,
            payload: payload.to_vec(),
        };
        let trailers = crate::support::frames::literals(&[(b"x-trailer", b"1")]);
        vec![
            frame(HEADERS, 4, &[0x88]), // :status 200
            frame(DATA, 0, b"<answer/>"),
            frame(HEADERS, 4 | END_STREAM, &trailers),
        ]
    };
    let (receiver, _) = scripted_frames(authority.server(&["h2"], "receiver"), answer).await;
    let proxy = proxy_to(receiver, &authority).await;
    let mut frames = Frames::connect(Raw::connect(proxy.address()).await.0).await;
    let fields: [(&[u8], &[u8]); 4] = [
        (b":method", b"GET"),
        (b":path", b"/orders?wsdl"),
        (b":scheme", b"http"),
        (b":authority", b"a"),
    ];
    frames.request(1, &fields, END_STREAM).await;
    assert_eq!(frames.next().await.unwrap().kind, HEADERS);
    let mut last = frames.next().await.unwrap();
    while last.flags & END_STREAM == 0 {
        last = frames.next().await.unwrap();
    }
    assert_eq!(last.kind, DATA, "and no trailers: {last:?}");
}

#[tokio::test]
async fn a_stopped_proxy_finishes_what_is_under_way_by_http_2() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let address = proxy.address();
    let mut frames = Frames::connect(Raw::connect(address).await.0).await;
    let fields: [(&[u8], &[u8]); 5] = [
        (b":method", b"POST"),
        (b":path", b"/orders"),
        (b":scheme", b"http"),
        (b":authority", b"a"),
        (b"content-type", b"text/xml"),
    ];
    frames.request(1, &fields, 0).await;
    let (head, tail) = MESSAGE.as_bytes().split_at(10);
    frames.send(DATA, 0, 1, head).await;
    let mut idle = Flow::connect_h2c(address).await;
    idle.post("/orders", SOAP11, MESSAGE).await;

    let stopped = tokio::spawn(proxy.stop());
    assert_eq!(frames.next().await.unwrap().kind, GOAWAY);
    frames.send(DATA, END_STREAM, 1, tail).await;
    let answer = frames.next_of(HEADERS).await.unwrap();
    assert_eq!((answer.stream, answer.payload[0]), (1, 0x88), ":status 200");
    assert_eq!(within(stopped).await.unwrap().cut, 0);
    assert_eq!(receiver.requests().len(), 2);
}

#[tokio::test]
async fn a_client_that_opens_and_resets_streams_without_end_loses_its_connection() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let mut frames = Frames::connect(Raw::connect(proxy.address()).await.0).await;
    let fields: [(&[u8], &[u8]); 4] = [
        (b":method", b"POST"),
        (b":path", b"/orders"),
        (b":scheme", b"http"),
        (b":authority", b"a"),
    ];
    for stream in (1..10_000).step_by(2) {
        frames.request(stream, &fields, 0).await;
        frames.send(RST_STREAM, 0, stream, &[0, 0, 0, 8]).await;
    }
    let mut last = frames.next().await;
    while let Some(Frame { kind, .. }) = last
        && kind != GOAWAY
    {
        last = frames.next().await;
    }
    let mut flow = Flow::connect_h2c(proxy.address()).await;
    assert_eq!(flow.post("/orders", SOAP11, MESSAGE).await.status, StatusCode::OK);
}
