//! Receivers that answer with a fault: it is read, counted and told, and the flow gets it as it came, whatever it is.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE};
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Full};

use crate::support::client::{Answer, Flow, SOAP11, posted, request};
use crate::support::coding::{gzip, zlib};
use crate::support::proxy::{self, TestProxy};
use crate::support::raw::Raw;
use crate::support::receiver::{Receiver, scripted};
use crate::support::served::Place;
use crate::support::{eventually, within};

const MESSAGE: &[u8] = include_bytes!("../messages/body-two-children.xml");
const FAULT: &str = include_str!("../vectors/receiver-faults/cxf.xml");
const SERIES: &str =
    r#"countersign_receiver_faults_total{code="{http://ws.apache.org/wss4j}SecurityError",route="orders"}"#;

/// Where somebody acts on a refusal of the key.
const HOLD: &str = "strategy = \"hold\"\nhold = { time = \"1s\" }";

/// Bytes.
const KIB: usize = 1024;

fn counted(proxy: &TestProxy, series: &str) -> u64 {
    let metrics = proxy.metrics();
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().unwrap())
}

/// Faults of any code that were read.
fn all_counted(proxy: &TestProxy) -> usize {
    let metrics = proxy.metrics();
    metrics
        .lines()
        .filter(|line| line.starts_with("countersign_receiver_faults_total{"))
        .count()
}

fn answering(status: u16, fields: &[(&str, &str)], body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut answer = Response::builder().status(status);
    for (name, value) in fields {
        answer = answer.header(*name, *value);
    }
    answer.body(Full::new(body.into())).unwrap()
}

/// What the flow gets of a receiver that answers so, and the proxy afterwards.
async fn through(lines: &str, status: u16, fields: &[(&str, &str)], body: &[u8]) -> (Answer, TestProxy) {
    let body = Bytes::copy_from_slice(body);
    let own: Vec<_> = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let receiver = Receiver::answering(move |_| {
        let fields: Vec<_> = own
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        answering(status, &fields, body.clone())
    })
    .await;
    let alias = if lines.contains("key_refused") { HOLD } else { "" };
    let setup = proxy::to(receiver.url("/")).route(lines).alias(alias);
    let proxy = setup.start().await;
    let answer = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
    (answer, proxy)
}

#[tokio::test]
async fn a_fault_is_counted_by_its_code_and_passed_on_as_it_came() {
    let utf16: Vec<u8> = format!("\u{feff}{FAULT}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for (media_type, coding, body) in [
        ("text/xml; charset=utf-8", None, FAULT.as_bytes().to_vec()),
        ("application/soap+xml", None, FAULT.into()),
        ("Application/XML", None, FAULT.into()),
        ("text/xml; charset=UTF-16", None, utf16),
        ("text/xml", Some("gzip"), gzip(FAULT.as_bytes())),
        ("text/xml", Some("deflate"), zlib(FAULT.as_bytes())),
    ] {
        let fields = [
            ("content-type", media_type),
            ("content-encoding", coding.unwrap_or("identity")),
        ];
        let (answer, proxy) = through("", 500, &fields, &body).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.headers[CONTENT_TYPE], media_type);
        assert_eq!(answer.headers[CONTENT_ENCODING], fields[1].1);
        assert_eq!(answer.headers[CONTENT_LENGTH], body.len().to_string());
        assert_eq!(answer.body, body, "{media_type} {coding:?}");
        assert_eq!(counted(&proxy, SERIES), 1, "{media_type} {coding:?}");
    }
}

#[tokio::test]
async fn what_is_no_fault_of_xml_is_passed_on_unread() {
    let large = format!("{FAULT}<!--{}-->", "x".repeat(64 * KIB)).into_bytes();
    let bomb = gzip(&[FAULT.as_bytes(), &vec![b' '; 1024 * KIB]].concat());
    assert!(bomb.len() < 4 * KIB);
    let xml = ("content-type", "text/xml");
    for (what, status, fields, body) in [
        (
            "a page",
            500,
            vec![("content-type", "text/html")],
            FAULT.as_bytes().to_vec(),
        ),
        ("no type", 500, vec![], FAULT.into()),
        ("two types", 500, vec![xml, xml], FAULT.into()),
        ("no media type", 500, vec![("content-type", "xml")], FAULT.into()),
        ("an answer", 200, vec![xml], FAULT.into()),
        ("accepted", 202, vec![xml], FAULT.into()),
        ("large", 500, vec![xml], large.clone()),
        ("a bomb", 500, vec![xml, ("content-encoding", "gzip")], bomb),
        (
            "not what it says",
            500,
            vec![xml, ("content-encoding", "gzip")],
            FAULT.into(),
        ),
        (
            "another coding",
            500,
            vec![xml, ("content-encoding", "br")],
            FAULT.into(),
        ),
        ("cut", 500, vec![xml], FAULT.as_bytes()[..FAULT.len() - 9].into()),
        ("no SOAP", 400, vec![xml], b"<error/>".into()),
        ("noise", 500, vec![xml], (0..=255).cycle().take(9 * KIB).collect()),
        ("nothing", 500, vec![xml], vec![]),
    ] {
        let (answer, proxy) = through("key_refused = [\"cxf\"]", status, &fields, &body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.as_ref()),
            (status, body.as_slice()),
            "{what}"
        );
        assert_eq!(answer.headers[CONTENT_LENGTH], body.len().to_string(), "{what}");
        assert_eq!(all_counted(&proxy), 0, "{what}");
    }
}

#[tokio::test]
async fn a_fault_with_200_is_one_where_the_route_says_so() {
    let fields = [("content-type", "text/xml")];
    let (answer, proxy) = through("faults_with_200 = true", 200, &fields, FAULT.as_bytes()).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, FAULT));
    assert_eq!(counted(&proxy, SERIES), 1);
    let (answer, proxy) = through("faults_with_200 = true", 200, &fields, b"<a/>").await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "<a/>"));
    assert_eq!(all_counted(&proxy), 0);
}

#[tokio::test]
async fn an_answer_in_chunks_that_grows_too_large_is_passed_on_whole() {
    let chunk = "x".repeat(7 * KIB);
    for (chunks, read) in [(1, 1), (10, 1), (11, 0), (40, 0)] {
        let mut answer =
            "HTTP/1.1 500 No\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
        let comments = (1..chunks).map(|_| format!("<!--{chunk}-->"));
        let body: Vec<_> = std::iter::once(FAULT.to_owned()).chain(comments).collect();
        for part in &body {
            answer += &format!("{:x}\r\n{part}\r\n", part.len());
        }
        answer += "0\r\nExpires: never\r\n\r\n";
        let (receiver, _came) = scripted(vec![answer.leak()]).await;
        let proxy = proxy::to(format!("http://{receiver}/")).start().await;
        let answer = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
        assert_eq!(answer.text(), body.concat(), "{chunks}");
        assert_eq!(counted(&proxy, SERIES), read, "{chunks}");
    }
}

#[tokio::test]
async fn a_fault_that_breaks_off_breaks_off_for_the_flow_too_after_what_came() {
    let half = "HTTP/1.1 500 No\r\nContent-Type: text/xml\r\nContent-Length: 999\r\n\r\n<half";
    for (alias, lines) in [("", ""), (HOLD, "key_refused = [\"cxf\"]")] {
        let (receiver, _came) = scripted(vec![half]).await;
        let setup = proxy::to(format!("http://{receiver}/")).route(lines).alias(alias);
        let proxy = setup.start().await;
        let mut raw = Raw::connect(proxy.address()).await;
        let message = String::from_utf8(MESSAGE.to_vec()).unwrap();
        let length = message.len();
        raw.send(format!(
            "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n{message}"
        ))
        .await;
        let answer = raw.rest().await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        assert!(answer.ends_with("\r\n\r\n<half"), "{answer}");
        let ended = r#"countersign_requests_total{outcome="broken-off",route="orders"} 1"#;
        eventually(ended, || proxy.metrics().contains(ended)).await;
    }
}

#[tokio::test]
async fn an_error_that_comes_slowly_is_not_waited_for_where_nobody_acts_on_it() {
    let begin = "HTTP/1.1 500 No\r\nContent-Type: text/xml\r\nContent-Length: 12\r\n\r\n<slow>";
    let (receiver, release) = halting(begin, "</...>").await;
    let proxy = proxy::to(format!("http://{receiver}/")).start().await;
    let mut flow = proxy.flow().await;
    let sent = posted(SOAP11, &[], MESSAGE);
    // The receiver sends the rest only once the flow has the head.
    let answer = within(flow.response(sent)).await.unwrap();
    release.send(()).unwrap();
    let body = within(answer.into_body().collect()).await.unwrap().to_bytes();
    assert_eq!(body, "<slow></...>");
}

#[tokio::test]
async fn a_fault_that_does_not_come_in_time_is_cut_off_at_the_routes_deadline() {
    let begin = "HTTP/1.1 500 No\r\nContent-Type: text/xml\r\nContent-Length: 12\r\n\r\n<slow>";
    let (receiver, _never) = halting(begin, "").await;
    let lines = "key_refused = [\"cxf\"]\ntimeouts = { connect = \"5s\", response = \"2s\", total = \"2s\" }";
    let setup = proxy::to(format!("http://{receiver}/")).route(lines).alias(HOLD);
    let proxy = setup.start().await;
    let mut flow = proxy.flow().await;
    let answer = within(flow.response(posted(SOAP11, &[], MESSAGE))).await.unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let mut body = answer.into_body();
    let first = within(body.frame()).await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "<slow>");
    assert!(within(body.frame()).await.unwrap().is_err());
    let ended = r#"countersign_requests_total{outcome="timed-out",route="orders"} 1"#;
    eventually(ended, || proxy.metrics().contains(ended)).await;
}

/// A receiver that sends the beginning of an answer, and the end when it is told.
async fn halting(
    begin: &'static str,
    end: &'static str,
) -> (std::net::SocketAddr, tokio::sync::oneshot::Sender<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (release, released) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut connection = Raw(listener.accept().await.unwrap().0);
        connection.message().await;
        connection.send(begin).await;
        released.await.unwrap_or_default();
        connection.send(end).await;
        connection.rest().await.unwrap_or_default();
    });
    (address, release)
}

#[tokio::test]
async fn a_connection_whose_fault_was_read_is_used_again() {
    let receiver = Receiver::answering(|_| answering(500, &[("content-type", "text/xml")], FAULT)).await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let mut flow = proxy.flow().await;
    for _ in 0..5 {
        flow.post("/orders", SOAP11, MESSAGE).await;
    }
    assert_eq!((receiver.requests().len(), receiver.connections()), (5, 1));
    assert_eq!(counted(&proxy, SERIES), 5);
}

#[tokio::test]
async fn a_question_for_the_wsdl_is_answered_unread() {
    let receiver = Receiver::answering(|_| answering(500, &[("content-type", "text/xml")], FAULT)).await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let wsdl = request(Method::GET, "/orders?wsdl")
        .body(Full::default())
        .unwrap();
    assert_eq!(proxy.flow().await.send(wsdl).await.text(), FAULT);
    assert_eq!(all_counted(&proxy), 0);
}

fn sections(receiver: &Receiver) -> String {
    format!(
        "[proxy]\nlisten = \"127.0.0.1:0\"\n\
         [[route]]\nname = \"orders\"\npath = \"/orders\"\nreceiver = \"{}\"\nalias = \"orders\"\n",
        receiver.url("/")
    )
}

#[tokio::test]
async fn the_log_tells_an_operator_what_to_write_once_and_no_detail() {
    let fault = FAULT
        .replace("when verifying", "\n\t  when \u{202e}verifying")
        .replace(
            "</soap:Fault>",
            "<detail><secret>4711</secret></detail></soap:Fault>",
        );
    let receiver =
        Receiver::answering(move |_| answering(500, &[("content-type", "text/xml")], fault.clone())).await;
    let served = Place::new().serve(&sections(&receiver)).await;
    let mut flow = Flow::connect(served.proxy).await;
    for _ in 0..20 {
        flow.post("/orders", SOAP11, MESSAGE).await;
    }
    assert!(served.metric(SERIES).await >= 20.0);
    let log = served.log();
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("answered with a fault"))
        .collect();
    assert_eq!(lines.len(), 1, "{log}");
    for part in [
        "code={http://ws.apache.org/wss4j}SecurityError",
        "text=A security error was encountered when \\u{202e}verifying the message",
        "status=500",
        "route=\"orders\"",
        "key_refused=false",
    ] {
        assert!(lines[0].contains(part), "{part}: {}", lines[0]);
    }
    assert!(!log.contains("4711"), "{log}");
}

#[tokio::test]
async fn the_clock_of_a_receiver_is_known_and_told_of_when_it_is_wrong() {
    let receiver =
        Receiver::answering(|_| answering(200, &[(DATE.as_str(), "Sun, 06 Nov 1994 08:49:37 GMT")], ""))
            .await;
    let served = Place::new().serve(&sections(&receiver)).await;
    let mut flow = Flow::connect(served.proxy).await;
    for _ in 0..3 {
        flow.post("/orders", SOAP11, MESSAGE).await;
    }
    let log = served.log();
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("clock differs from ours"))
        .collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(
        lines[0].contains("its_date=\"1994-11-06T08:49:37Z\""),
        "{}",
        lines[0]
    );
    assert!(lines[0].contains(&receiver.address.to_string()), "{}", lines[0]);
}
