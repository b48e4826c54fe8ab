//! What bad input gets: a clear sentence in a fault, nothing forwarded, and a connection that is usable afterwards. Each
//! row of the table is tried in SOAP 1.1 and 1.2, by HTTP/1.1 and HTTP/2, with faults by the rules of SOAP, of
//! HTTP, and of clients that know one status.

use countersign::clock::Clock;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{Method, StatusCode};

use crate::support::client::{Answer, Flow, SOAP11, SOAP12};
use crate::support::clock::now;
use crate::support::eventually;
use crate::support::proxy::{self, Setup, TestProxy};
use crate::support::raw::Raw;
use crate::support::receiver::{ACKNOWLEDGED, Receiver, nobody};

const MESSAGE: &[u8] = include_bytes!("../messages/body-two-children.xml");
const NAMESPACE11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const NAMESPACE12: &str = "http://www.w3.org/2003/05/soap-envelope";

/// Whose fault it is.
#[derive(Clone, Copy, PartialEq)]
enum Blame {
    Sender,
    Receiver,
}

/// One row.
struct Row {
    what: &'static str,
    path: &'static str,
    /// `SOAP` stands for the version's namespace name.
    message: String,
    /// By HTTP; `fault_status = "soap"` makes 500, or 400 for a SOAP 1.2 Sender, of it, and "500" the former, of a route's.
    status: u16,
    /// Whether `fault_status = "soap"` has no say.
    always: bool,
    blame: Blame,
    sentence: &'static str,
}

fn row(what: &'static str, message: impl Into<String>, status: u16, sentence: &'static str) -> Row {
    let message = message.into();
    let (path, always, blame) = ("/orders", false, Blame::Sender);
    Row {
        what,
        path,
        message,
        status,
        always,
        blame,
        sentence,
    }
}

/// A Body with this in it.
fn body(content: &str) -> String {
    format!("<s:Envelope xmlns:s=\"SOAP\"><s:Body>\n{content}</s:Body></s:Envelope>")
}

/// What is wrong with a message, whoever gets it.
fn bad_messages() -> Vec<Row> {
    let mut rows = vec![
        row("not well-formed", body("</s:Bodi>"), 400, "line 2, column"),
        row("no XML", "{\"json\": true}", 400, "line 1, column 1"),
        row("nothing", "", 400, "line 1, column 1"),
        row("an undeclared prefix", body("<p:a/>"), 400, "line 2, column"),
        row(
            "a relative namespace name",
            body("<a xmlns='a'/>"),
            400,
            "line 2, column",
        ),
        row(
            "a DOCTYPE",
            format!("<!DOCTYPE a>{}", body("")),
            400,
            "line 1, column 1",
        ),
        row("an entity", body("&a;"), 400, "line 2, column"),
    ];
    rows.extend(no_soap());
    rows.extend(too_much());
    rows
}

fn no_soap() -> Vec<Row> {
    vec![
        row("no envelope", "<a/>", 400, "line 1, column 1"),
        row(
            "an envelope of no SOAP",
            "<Envelope xmlns='urn:a'><Body/></Envelope>",
            400,
            "line 1, column 1",
        ),
        row(
            "no Body",
            "<s:Envelope xmlns:s=\"SOAP\"><s:Header/></s:Envelope>",
            400,
            "the Envelope has no Body",
        ),
        row(
            "two Bodies",
            "<s:Envelope xmlns:s=\"SOAP\"><s:Body/><s:Body/></s:Envelope>",
            400,
            "line 1, column",
        ),
    ]
}

fn too_much() -> Vec<Row> {
    let attributes: String = (0..600).map(|number| format!(" a{number}=\"\"")).collect();
    vec![
        row(
            "too deep",
            body(&("<a>".repeat(300) + &"</a>".repeat(300))),
            400,
            "256",
        ),
        row(
            "too many attributes",
            body(&format!("<a{attributes}/>")),
            400,
            "256",
        ),
        row(
            "too large",
            body(&" ".repeat(70_000)),
            413,
            "larger than 65536 bytes",
        ),
        Row {
            path: "/orders/1",
            always: true,
            ..row("no such route", body(""), 404, "no route has the path /orders/1;")
        },
    ]
}

/// The versions: their namespace names and content types.
const VERSIONS: [(&str, &str); 2] = [(NAMESPACE11, SOAP11), (NAMESPACE12, SOAP12)];

fn expected_status(row: &Row, fault_status: &str, content_type: &str) -> u16 {
    match (fault_status, content_type, row.blame) {
        ("500", ..) if row.status != 404 => 500,
        _ if row.always => row.status,
        ("http", ..) => row.status,
        (_, SOAP12, Blame::Sender) => 400,
        _ => 500,
    }
}

/// The answer is the row's, in the version of the request.
fn is_as_the_row_says(answer: &Answer, row: &Row, fault_status: &str, content_type: &str) {
    let what = format!("{}, {fault_status}, {content_type}: {}", row.what, answer.text());
    assert_eq!(
        answer.status.as_u16(),
        expected_status(row, fault_status, content_type),
        "{what}"
    );
    assert_eq!(answer.headers[CONTENT_TYPE], content_type, "{what}");
    let code = match (content_type, row.blame) {
        (SOAP11, Blame::Sender) => "<faultcode>soap:Client</faultcode>",
        (SOAP11, Blame::Receiver) => "<faultcode>soap:Server</faultcode>",
        (_, Blame::Sender) => "<soap:Value>soap:Sender</soap:Value>",
        (_, Blame::Receiver) => "<soap:Value>soap:Receiver</soap:Value>",
    };
    assert!(answer.text().contains(code), "{what}");
    assert!(answer.sentence().contains(row.sentence), "{what}");
    assert_eq!(
        answer.headers.contains_key(RETRY_AFTER),
        row.status == 503,
        "{what}"
    );
}

/// Tries a row in every way before this proxy, and that the connection is usable after it.
async fn tried(row: &Row, setup: impl Fn() -> Setup) {
    for fault_status in ["soap", "http", "500"] {
        let setup = setup().also_route(&format!("fault_status = \"{fault_status}\""));
        let proxy = setup.start().await;
        for mut flow in [proxy.flow().await, Flow::connect_h2c(proxy.address()).await] {
            for (namespace, content_type) in VERSIONS {
                let message = row.message.replace("SOAP", namespace);
                let answer = flow.post(row.path, content_type, message).await;
                is_as_the_row_says(&answer, row, fault_status, content_type);
                let other = flow.ask(Method::GET, "/nowhere").await;
                assert_eq!(other.status, StatusCode::NOT_FOUND, "{}", row.what);
            }
        }
    }
}

#[tokio::test]
async fn a_bad_message_is_refused_with_its_reason_and_its_place() {
    let receiver = Receiver::start().await;
    let url = receiver.url("/");
    for row in bad_messages() {
        tried(&row, || proxy::to(&*url).proxy("max_message = \"64KiB\"")).await;
        assert_eq!(receiver.requests().len(), 0, "{}", row.what);
    }
}

#[tokio::test]
async fn after_a_bad_message_the_same_connection_carries_a_good_one() {
    let receiver = Receiver::start().await;
    let setup = proxy::to(receiver.url("/")).proxy("max_message = \"64KiB\"");
    let proxy = setup.start().await;
    for mut flow in [proxy.flow().await, Flow::connect_h2c(proxy.address()).await] {
        for row in bad_messages() {
            flow.post(row.path, SOAP11, row.message.replace("SOAP", NAMESPACE11))
                .await;
            let good = flow.post("/orders", SOAP11, MESSAGE).await;
            assert_eq!(
                (good.status, good.text()),
                (StatusCode::OK, ACKNOWLEDGED),
                "{}",
                row.what
            );
            receiver.take_request();
        }
    }
    assert_eq!(receiver.requests().len(), 0);
}

/// A row that is not the sender's fault.
fn of_ours(what: &'static str, status: u16, sentence: &'static str) -> Row {
    let good = std::str::from_utf8(MESSAGE).unwrap().replace(NAMESPACE11, "SOAP");
    Row {
        blame: Blame::Receiver,
        ..row(what, good, status, sentence)
    }
}

#[tokio::test]
async fn an_alias_without_a_usable_key_says_which_way_it_has_none() {
    let receiver = Receiver::start().await;
    let url = receiver.url("/");
    let days = |days: i32| now() + time::Duration::days(days.into());
    tried(&of_ours("no key", 503, "key"), || proxy::to(&*url).without_key()).await;
    for (what, time, sentence) in [
        ("an expired key", days(2), "expired"),
        ("a key of the future", days(-2), "is not valid before"),
    ] {
        tried(&of_ours(what, 503, sentence), || {
            proxy::to(&*url).clock(Clock::from_fn(move || time))
        })
        .await;
    }
    assert_eq!(receiver.requests().len(), 0);
}

#[tokio::test]
async fn a_receiver_that_cannot_be_reached_or_is_too_slow_is_told_as_that() {
    let nobody = nobody().await;
    let unreachable = of_ours("a receiver that is down", 502, "cannot be reached");
    tried(&unreachable, || proxy::to(format!("http://{nobody}/"))).await;

    let silent = Receiver::silent().await;
    let slow = of_ours("a receiver that is too slow", 504, "did not answer in time");
    let timeouts = "timeouts = { connect = \"5s\", response = \"100ms\", total = \"10s\" }";
    tried(&slow, || proxy::to(silent.url("/")).route(timeouts)).await;
    assert_eq!(silent.requests().len(), 12, "each message once");
}

#[tokio::test]
async fn what_has_no_key_is_counted_as_that() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).without_key().start().await;
    let mut flow = proxy.flow().await;
    for _ in 0..2 {
        flow.post("/orders", SOAP11, MESSAGE).await;
    }
    let counted = r#"countersign_requests_total{outcome="no-key",route="orders"} 2"#;
    eventually(counted, || proxy.metrics().contains(counted)).await;
}

#[tokio::test]
async fn a_message_whose_version_cannot_be_told_is_answered_by_its_media_type() {
    let (_receiver, proxy) = running().await;
    let mut flow = proxy.flow().await;
    let answer = flow.post("/orders", SOAP12, "not xml").await;
    assert_eq!(
        (answer.status, &answer.headers[CONTENT_TYPE]),
        (StatusCode::BAD_REQUEST, &SOAP12.parse().unwrap())
    );
    let answer = flow.post("/orders", SOAP11, "not xml").await;
    assert_eq!(answer.headers[CONTENT_TYPE], SOAP11);
}

#[tokio::test]
async fn a_message_says_its_version_whatever_its_media_type_says() {
    let (_receiver, proxy) = running().await;
    let mut flow = proxy.flow().await;
    for ((namespace, _), (_, content_type)) in [(VERSIONS[0], VERSIONS[1]), (VERSIONS[1], VERSIONS[0])] {
        let malformed = body("</s:Bodi>").replace("SOAP", namespace);
        let answer = flow.post("/orders", content_type, malformed).await;
        let own = if namespace == NAMESPACE12 { SOAP12 } else { SOAP11 };
        assert_eq!(answer.headers[CONTENT_TYPE], own);
        assert!(answer.text().contains(namespace), "{}", answer.text());
    }
}

#[tokio::test]
async fn too_large_a_message_of_unknown_length_is_refused() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/"))
        .proxy("max_message = \"4KiB\"")
        .start()
        .await;
    let mut raw = Raw::connect(proxy.address()).await;
    raw.send(format!(
        "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: {SOAP11}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ))
    .await;
    raw.send(format!("{:x}\r\n{}\r\n0\r\n\r\n", too_large().len(), too_large()))
        .await;
    assert!(raw.message().await.contains("larger than 4096 bytes"));
    raw.send("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(
        raw.message().await.starts_with("HTTP/1.1 404"),
        "the connection is usable"
    );
    assert_eq!(receiver.requests().len(), 0);
}

#[tokio::test]
async fn a_message_too_large_to_be_drained_ends_its_connection_with_the_answer() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/"))
        .proxy("max_message = \"4KiB\"")
        .start()
        .await;
    let mut raw = Raw::connect(proxy.address()).await;
    let length = 64 * 1024 * 1024;
    raw.send(format!(
        "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: {SOAP11}\r\nContent-Length: {length}\r\n\r\n"
    ))
    .await;
    for _ in 0..length / 65536 / 2 {
        raw.send(vec![b' '; 65536]).await;
    }
    let answer = raw
        .rest()
        .await
        .expect("no reset before the answer has been read")
        .to_ascii_lowercase();
    assert!(answer.contains("larger than 4096 bytes"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_sender_that_waits_for_100_continue_is_refused_without_its_body() {
    let (receiver, proxy) = running().await;
    let mut raw = Raw::connect(proxy.address()).await;
    raw.send("POST /orders HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n").await;
    let answer = raw.rest().await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 415"), "{answer}");
    assert_eq!(receiver.requests().len(), 0);
}

#[tokio::test]
async fn over_max_buffered_is_an_overload_until_a_message_is_done() {
    let receiver = Receiver::start().await;
    for fault_status in ["soap", "http", "500"] {
        let setup = proxy::to(receiver.url("/"))
            .proxy("max_message = \"4KiB\"\nmax_buffered = \"4KiB\"")
            .route(&format!("fault_status = \"{fault_status}\""));
        let proxy = setup.start().await;
        let mut slow = Raw::connect(proxy.address()).await;
        slow.send(format!(
            "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: {SOAP11}\r\nContent-Length: 4096\r\n\r\n"
        ))
        .await;
        slow.send([b' '; 4095]).await;

        let row = Row {
            always: true,
            ..of_ours("an overload", 503, "send it again later")
        };
        for mut flow in [proxy.flow().await, Flow::connect_h2c(proxy.address()).await] {
            for (namespace, content_type) in VERSIONS {
                let message = row.message.replace("SOAP", namespace);
                let mut answer = flow.post("/orders", content_type, message.clone()).await;
                while answer.status == StatusCode::OK {
                    // The proxy has not read the slow one yet.
                    answer = flow.post("/orders", content_type, message.clone()).await;
                }
                is_as_the_row_says(&answer, &row, fault_status, content_type);
            }
        }

        slow.send(" ").await;
        slow.message().await;
        let good = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
        assert_eq!(good.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_flow_that_leaves_in_the_middle_of_its_message_is_counted_and_nothing_is_forwarded() {
    let (receiver, proxy) = running().await;
    let mut raw = Raw::connect(proxy.address()).await;
    raw.send(format!(
        "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: {SOAP11}\r\nContent-Length: 500\r\n\r\n<s:En"
    ))
    .await;
    tokio::task::yield_now().await;
    drop(raw);
    let counted = || {
        let metrics = proxy.metrics();
        ["refused", "abandoned"]
            .iter()
            .any(|outcome| metrics.contains(&format!("outcome=\"{outcome}\",route=\"orders\"}} 1")))
    };
    eventually("the request is counted", counted).await;
    assert_eq!(receiver.requests().len(), 0);
}

/// A receiver, and a proxy before it.
async fn running() -> (Receiver, TestProxy) {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    (receiver, proxy)
}

fn too_large() -> String {
    " ".repeat(5000)
}
