//! What bad input gets: a clear sentence in a fault, nothing forwarded, and a connection that is
//! usable afterwards.

use std::time::Duration;

use countersign::clock::Clock;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{Method, StatusCode};
use http_body_util::Full;

use crate::support::client::{Answer, Flow, SOAP11, SOAP12, request};
use crate::support::clock::now;
use crate::support::proxy::{self, TestProxy};
use crate::support::raw::Raw;
use crate::support::receiver::{ACKNOWLEDGED, Receiver, nobody, scripted};
use crate::support::{eventually, within};

const MESSAGE: &[u8] = include_bytes!("../messages/body-two-children.xml");
const MALFORMED: &str =
    "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\n</s:Bodi>";
const MALFORMED12: &str =
    "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body>\n</s:Bodi>";

/// A receiver, a proxy before it, and a flow that is connected.
async fn connected() -> (Receiver, TestProxy, Flow) {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/services/orders")).start().await;
    let flow = proxy.flow().await;
    (receiver, proxy, flow)
}

/// The fault said this, nothing was forwarded, and the same connection carries a good message.
async fn refused(answer: &Answer, status: StatusCode, sentence: &str, flow: &mut Flow, receiver: &Receiver) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(answer.sentence().contains(sentence), "{}", answer.sentence());
    assert_eq!(receiver.requests().len(), 0);
    let good = flow.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!((good.status, good.text()), (StatusCode::OK, ACKNOWLEDGED));
}

#[tokio::test]
async fn malformed_xml_is_refused_with_its_place() {
    let (receiver, _proxy, mut flow) = connected().await;
    let answer = flow.post("/orders", SOAP11, MALFORMED).await;
    assert!(
        answer.text().contains("<faultcode>soap:Client</faultcode>"),
        "{}",
        answer.text()
    );
    refused(
        &answer,
        StatusCode::INTERNAL_SERVER_ERROR,
        "line 2",
        &mut flow,
        &receiver,
    )
    .await;
}

#[tokio::test]
async fn a_soap_1_2_fault_answers_a_soap_1_2_message_whatever_its_media_type_says() {
    let (receiver, _proxy, mut flow) = connected().await;
    let answer = flow.post("/orders", SOAP11, MALFORMED12).await;
    assert!(
        answer.text().contains("<soap:Value>soap:Sender</soap:Value>"),
        "{}",
        answer.text()
    );
    assert_eq!(answer.headers[CONTENT_TYPE], SOAP12);
    refused(&answer, StatusCode::BAD_REQUEST, "line 2", &mut flow, &receiver).await;
}

#[tokio::test]
async fn a_message_whose_version_cannot_be_told_is_answered_by_its_media_type() {
    let (_receiver, _proxy, mut flow) = connected().await;
    let answer = flow.post("/orders", SOAP12, "not xml").await;
    assert_eq!(
        (answer.status, &answer.headers[CONTENT_TYPE]),
        (StatusCode::BAD_REQUEST, &SOAP12.parse().unwrap())
    );
    let answer = flow.post("/orders", SOAP11, "not xml").await;
    assert_eq!(answer.headers[CONTENT_TYPE], SOAP11);
}

#[tokio::test]
async fn fault_status_http_answers_by_http() {
    let receiver = Receiver::start().await;
    let setup = proxy::to(receiver.url("/"))
        .proxy("max_message = \"4KiB\"")
        .route("fault_status = \"http\"");
    let proxy = setup.start().await;
    let mut flow = proxy.flow().await;
    assert_eq!(
        flow.post("/orders", SOAP11, MALFORMED).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        flow.post("/orders", SOAP11, too_large()).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[tokio::test]
async fn an_unknown_path_is_refused_even_below_a_routes() {
    let (receiver, _proxy, mut flow) = connected().await;
    for path in ["/order", "/orders/1", "/orders/", "/"] {
        let answer = flow.post(path, SOAP11, MESSAGE).await;
        assert!(
            answer
                .sentence()
                .contains(&format!("no route has the path {path};")),
            "{}",
            answer.sentence()
        );
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    let answer = flow.post("/%3Cno&more", SOAP11, MESSAGE).await;
    refused(
        &answer,
        StatusCode::NOT_FOUND,
        "/%3Cno&more",
        &mut flow,
        &receiver,
    )
    .await;
}

#[tokio::test]
async fn an_alias_without_a_key_answers_that_it_has_none() {
    let receiver = Receiver::start().await;
    for (fault_status, status) in [
        ("soap", StatusCode::INTERNAL_SERVER_ERROR),
        ("http", StatusCode::SERVICE_UNAVAILABLE),
    ] {
        let setup = proxy::to(receiver.url("/"))
            .without_key()
            .route(&format!("fault_status = \"{fault_status}\""));
        let proxy = setup.start().await;
        let mut flow = proxy.flow().await;
        for _ in 0..2 {
            let answer = flow.post("/orders", SOAP11, MESSAGE).await;
            assert_eq!(answer.status, status);
            assert!(answer.headers.contains_key(RETRY_AFTER));
            assert!(answer.sentence().contains("key"), "{}", answer.sentence());
            assert!(answer.text().contains("soap:Server"));
        }
        let counted = r#"countersign_requests_total{outcome="no-key",route="orders"} 2"#;
        eventually(counted, || proxy.metrics().contains(counted)).await;
    }
    assert_eq!(receiver.requests().len(), 0);
}

#[tokio::test]
async fn a_key_that_has_expired_signs_no_more() {
    let receiver = Receiver::start().await;
    let later = now() + Duration::from_secs(2 * 24 * 60 * 60);
    let setup = proxy::to(receiver.url("/")).clock(Clock::from_fn(move || later));
    let proxy = setup.start().await;
    let answer = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.sentence().contains("expired"), "{}", answer.sentence());
    assert_eq!(receiver.requests().len(), 0);
}

#[tokio::test]
async fn a_receiver_that_is_down_answers_502_that_says_so() {
    let setup = proxy::to(format!("http://{}/", nobody().await)).route("fault_status = \"http\"");
    let proxy = setup.start().await;
    let mut flow = proxy.flow().await;
    for _ in 0..2 {
        let answer = flow.post("/orders", SOAP12, MESSAGE).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
        assert!(
            answer.sentence().contains("cannot be reached"),
            "{}",
            answer.sentence()
        );
        assert!(
            answer.sentence().contains("was not sent"),
            "{}",
            answer.sentence()
        );
    }
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_in_time_gets_the_message_once() {
    let receiver = Receiver::silent().await;
    let setup = proxy::to(receiver.url("/")).route(
        "fault_status = \"http\"\ntimeouts = { connect = \"5s\", response = \"1s\", total = \"10s\" }",
    );
    let proxy = setup.start().await;
    let mut flow = proxy.flow().await;
    let answer = flow.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    assert!(
        answer.sentence().contains("did not answer in time"),
        "{}",
        answer.sentence()
    );
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_answers_garbage_or_breaks_off_is_a_bad_gateway_and_gets_the_message_once() {
    for garbage in [
        "",
        "no HTTP\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ] {
        let (receiver, came) = scripted(vec![garbage]).await;
        let proxy = proxy::to(format!("http://{receiver}/"))
            .route("fault_status = \"http\"")
            .start()
            .await;
        let answer = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{garbage:?}");
        assert!(within(came).await.unwrap()[0].starts_with("POST / HTTP/1.1\r\n"));
    }
}

#[tokio::test]
async fn a_message_that_was_written_is_never_sent_again() {
    let (receiver, came) = scripted(vec!["HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", ""]).await;
    let proxy = proxy::to(format!("http://{receiver}/")).start().await;
    let mut flow = proxy.flow().await;
    assert_eq!(
        flow.post("/orders", SOAP11, MESSAGE).await.status,
        StatusCode::ACCEPTED
    );
    // It goes out on the same connection, which the receiver closes without an answer.
    let answer = flow.post("/orders", SOAP11, MESSAGE).await;
    assert!(
        answer.sentence().contains("it may have got the message"),
        "{}",
        answer.sentence()
    );
    assert_eq!(within(came).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_for_the_flow_too() {
    let half = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 99\r\n\r\n<half";
    let (receiver, _came) = scripted(vec![half]).await;
    let proxy = proxy::to(format!("http://{receiver}/")).start().await;
    let mut raw = Raw::connect(proxy.address()).await;
    raw.send("GET /orders?wsdl HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let answer = raw.rest().await.unwrap_or_default();
    assert!(!answer.contains("Fault"), "{answer}");
    let counted = r#"countersign_requests_total{outcome="broken-off",route="orders"} 1"#;
    eventually(counted, || proxy.metrics().contains(counted)).await;
}

#[tokio::test]
async fn too_large_a_message_is_refused_whether_its_length_is_declared_or_not() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/"))
        .proxy("max_message = \"4KiB\"")
        .start()
        .await;
    let mut flow = proxy.flow().await;
    let answer = flow.post("/orders", SOAP11, too_large()).await;
    refused(
        &answer,
        StatusCode::INTERNAL_SERVER_ERROR,
        "larger than 4096 bytes",
        &mut flow,
        &receiver,
    )
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
    assert_eq!(receiver.requests().len(), 1);
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
    let (receiver, proxy, _) = connected().await;
    let mut raw = Raw::connect(proxy.address()).await;
    raw.send("POST /orders HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n").await;
    let answer = raw.rest().await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 415"), "{answer}");
    assert_eq!(receiver.requests().len(), 0);
}

#[tokio::test]
async fn over_max_buffered_is_an_overload_until_a_message_is_done() {
    let receiver = Receiver::start().await;
    let setup = proxy::to(receiver.url("/")).proxy("max_message = \"4KiB\"\nmax_buffered = \"4KiB\"");
    let proxy = setup.start().await;
    let mut slow = Raw::connect(proxy.address()).await;
    let declared = 4096;
    slow.send(format!(
        "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: {SOAP11}\r\nContent-Length: {declared}\r\n\r\n"
    ))
    .await;
    slow.send([b' '; 4095]).await;

    let mut flow = proxy.flow().await;
    let mut answer = flow.post("/orders", SOAP11, MESSAGE).await;
    while answer.status == StatusCode::OK {
        answer = flow.post("/orders", SOAP11, MESSAGE).await; // the proxy has not read the slow one yet
    }
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers.contains_key(RETRY_AFTER));
    assert!(
        answer.sentence().contains("send it again later"),
        "{}",
        answer.sentence()
    );

    slow.send(" ").await;
    slow.message().await;
    assert_eq!(flow.post("/orders", SOAP11, MESSAGE).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_no_soap_message_by_its_type_is_refused() {
    let (receiver, _proxy, mut flow) = connected().await;
    for content_type in [
        "application/json",
        "text/plain; charset=utf-8",
        "xml",
        "application/xop+xml",
    ] {
        let answer = flow.post("/orders", content_type, MESSAGE).await;
        assert_eq!(
            answer.status,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "{content_type}"
        );
        assert!(
            answer.sentence().contains("send Content-Type text/xml"),
            "{}",
            answer.sentence()
        );
    }
    let untyped = request(Method::POST, "/orders")
        .body(Full::from(MESSAGE))
        .unwrap();
    assert_eq!(
        flow.send(untyped).await.status,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let coded = request(Method::POST, "/orders")
        .header(CONTENT_TYPE, SOAP11)
        .header("content-encoding", "gzip");
    let answer = flow.send(coded.body(Full::from(MESSAGE)).unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let answer = flow
        .post("/orders", "multipart/related; type=\"text/xml\"", MESSAGE)
        .await;
    let attachments = "attachments are not supported yet";
    refused(
        &answer,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        attachments,
        &mut flow,
        &receiver,
    )
    .await;
}

#[tokio::test]
async fn a_method_other_than_post_is_refused() {
    let (receiver, _proxy, mut flow) = connected().await;
    for (method, path) in [
        (Method::PUT, "/orders"),
        (Method::GET, "/orders"),
        (Method::GET, "/orders?wsd"),
        (Method::OPTIONS, "/orders"),
    ] {
        let answer = flow.ask(method, path).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert!(answer.headers.contains_key(ALLOW));
    }
    let answer = flow.ask(Method::DELETE, "/orders").await;
    refused(
        &answer,
        StatusCode::METHOD_NOT_ALLOWED,
        "DELETE is not served",
        &mut flow,
        &receiver,
    )
    .await;
}

#[tokio::test]
async fn the_proxy_is_neither_tunnel_nor_relay() {
    let (receiver, proxy, _) = connected().await;
    let mut raw = Raw::connect(proxy.address()).await;
    raw.send(format!(
        "CONNECT {} HTTP/1.1\r\nHost: a\r\n\r\n",
        receiver.address
    ))
    .await;
    let answer = raw.message().await;
    assert!(
        answer.starts_with("HTTP/1.1 405")
            && answer.contains("configure the client with the http:// address"),
        "{answer}"
    );
    raw.send(format!(
        "GET {} HTTP/1.1\r\nHost: a\r\n\r\n",
        receiver.url("/?wsdl")
    ))
    .await;
    assert!(raw.message().await.starts_with("HTTP/1.1 403"));
    assert_eq!(receiver.requests().len(), 0);
}

#[tokio::test]
async fn a_flow_that_leaves_in_the_middle_of_its_message_is_counted_and_nothing_is_forwarded() {
    let (receiver, proxy, _) = connected().await;
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

fn too_large() -> String {
    " ".repeat(5000)
}
