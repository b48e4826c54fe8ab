//! HTTP between flow and receiver: which requests are served, and what those are told that are not.

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, EXPECT};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;

use crate::support::authority::Authority;
use crate::support::client::{Flow, SOAP11, SOAP12, posted, request};
use crate::support::proxy::{self, TestProxy};
use crate::support::raw::Raw;
use crate::support::receiver::{ACKNOWLEDGED, Receiver, Recorded};

const MESSAGE: &str = include_str!("../messages/body-two-children.xml");

/// A receiver, and a proxy before it.
async fn running(fault_status: &str) -> (Receiver, TestProxy) {
    let receiver = Receiver::start().await;
    let setup = proxy::to(receiver.url("/")).route(&format!("fault_status = \"{fault_status}\""));
    (receiver, setup.start().await)
}

/// What is refused by the rules of HTTP: the request, the status, part of the sentence.
type Refused = (Request<Full<Bytes>>, u16, &'static str);

fn refused_methods(content_type: &'static str) -> Vec<Refused> {
    let ask = |method, path| {
        let request = request(method, path).header(CONTENT_TYPE, content_type);
        request.body(Full::default()).unwrap()
    };
    vec![
        (
            ask(Method::PUT, "/orders"),
            405,
            "PUT is not served; POST a SOAP message",
        ),
        (ask(Method::DELETE, "/orders?wsdl"), 405, "DELETE is not served"),
        (ask(Method::OPTIONS, "/orders"), 405, "OPTIONS is not served"),
        (ask(Method::TRACE, "/orders"), 405, "TRACE is not served"),
        (ask(Method::PATCH, "/orders"), 405, "PATCH is not served"),
        (ask(Method::GET, "/orders"), 405, "GET with ?wsdl or ?xsd"),
        (ask(Method::HEAD, "/orders?wsd"), 405, ""),
        (ask(Method::GET, "/orders?a=wsdl"), 405, "GET with ?wsdl or ?xsd"),
        (
            ask(Method::GET, "/order?wsdl"),
            404,
            "no route has the path /order;",
        ),
    ]
}

/// Likewise, of what is posted.
fn refused_types_and_codings(content_type: &'static str) -> Vec<Refused> {
    let with_type = |other: &str| posted(other, &[], MESSAGE);
    let with = |name, value| posted(content_type, &[(name, value)], MESSAGE);
    vec![
        (with_type("application/json"), 415, "send Content-Type text/xml"),
        (
            with_type("text/plain; charset=utf-8"),
            415,
            "send Content-Type text/xml",
        ),
        (
            with_type("application/xop+xml"),
            415,
            "send Content-Type text/xml",
        ),
        (with_type("xml"), 415, "xml is not a media type"),
        (
            with_type("multipart/related; type=\"text/xml\""),
            415,
            "attachments are not supported yet",
        ),
        (
            with("content-type", "text/xml"),
            415,
            "no Content-Type, or several",
        ),
        (
            with("content-encoding", "br"),
            415,
            "the content coding br is not supported",
        ),
        (
            with("content-encoding", "gzip, deflate"),
            415,
            "the content coding gzip, deflate is not",
        ),
        (
            with("content-encoding", "gzip"),
            400,
            "not what its Content-Encoding says",
        ),
        (
            with("content-encoding", "deflate"),
            400,
            "not what its Content-Encoding says",
        ),
        (
            with("expect", "200-ok"),
            417,
            "the expectation 200-ok cannot be met",
        ),
    ]
}

#[tokio::test]
async fn what_is_no_message_is_refused_by_http_in_the_version_of_its_content_type() {
    for fault_status in ["soap", "http", "500"] {
        let (receiver, proxy) = running(fault_status).await;
        for (content_type, namespace) in [
            (SOAP11, "http://schemas.xmlsoap.org/soap/envelope/"),
            (SOAP12, "http://www.w3.org/2003/05/soap-envelope"),
        ] {
            let of_messages = refused_types_and_codings(content_type).into_iter();
            let of_messages = of_messages.map(|(question, status, sentence)| {
                let status = if fault_status == "500" { 500 } else { status };
                (question, status, sentence)
            });
            let refused = refused_methods(content_type).into_iter().chain(of_messages);
            for (index, (question, status, sentence)) in refused.enumerate() {
                for mut flow in [proxy.flow().await, Flow::connect_h2c(proxy.address()).await] {
                    let (what, keeps_type) = (
                        format!("{index}: {question:?}"),
                        question.headers()[CONTENT_TYPE] == content_type,
                    );
                    let is_head = question.method() == Method::HEAD;
                    let waits = question.headers().contains_key(EXPECT);
                    let answer = flow.send(question.clone()).await;
                    assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.text());
                    if !is_head {
                        assert!(answer.sentence().contains(sentence), "{what}: {}", answer.text());
                        assert!(!keeps_type || answer.text().contains(namespace), "{what}");
                    }
                    assert_eq!(answer.headers.contains_key(ALLOW), status == 405, "{what}");
                    let about_codings = sentence.contains("oding");
                    assert_eq!(
                        answer.headers.contains_key(ACCEPT_ENCODING),
                        about_codings,
                        "{what}"
                    );
                    // Who waited for 100 Continue may send the body or not, so that connection ends.
                    if !waits || matches!(flow, Flow::Http2(_)) {
                        let good = flow.send(posted(SOAP11, &[], MESSAGE)).await;
                        assert_eq!(
                            (good.status, good.text()),
                            (StatusCode::OK, ACKNOWLEDGED),
                            "{what}"
                        );
                        receiver.take_request();
                    }
                }
            }
        }
        assert_eq!(receiver.requests().len(), 0);
    }
}

#[tokio::test]
async fn of_a_content_type_only_type_and_charset_matter_and_it_goes_on_as_it_was_written() {
    let (receiver, proxy) = running("soap").await;
    let mut flow = proxy.flow().await;
    for content_type in [
        "application/soap+xml; charset=utf-8; action=http://example.com/orders/place",
        "application/soap+xml;action=urn:a?b=\"c\";charset=utf-8",
        "application/soap+xml; action=\"",
        "text/xml; utf-8",
        "text/xml; charset = utf-8",
        "text/xml; charset='utf-8'",
        "text/xml charset=utf-8",
        "TEXT/XML; CHARSET=\"UTF-8\"; charset=utf-8;",
        "text/xml; charset=;;",
    ] {
        let answer = flow.send(posted(content_type, &[], MESSAGE)).await;
        assert_eq!(answer.status, StatusCode::OK, "{content_type}: {}", answer.text());
        assert_eq!(receiver.take_request().headers[CONTENT_TYPE], content_type);
    }
    let answer = flow
        .post("/orders", "text/xml; charset=utf-8; charset=utf-16", MESSAGE)
        .await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(
        answer.sentence().contains("names two charsets"),
        "{}",
        answer.sentence()
    );
}

#[tokio::test]
async fn a_request_without_content_type_is_refused() {
    let (receiver, proxy) = running("soap").await;
    let untyped = request(Method::POST, "/orders")
        .body(Full::from(MESSAGE))
        .unwrap();
    let answer = proxy.flow().await.send(untyped).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(receiver.requests().len(), 0);
}

#[tokio::test]
async fn a_sender_that_waits_gets_100_continue_and_its_expectation_ends_here() {
    let (receiver, proxy) = running("soap").await;
    let mut raw = Raw::connect(proxy.address()).await;
    let length = MESSAGE.len();
    raw.send(format!(
        "POST /orders HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Type: {SOAP11}\r\nContent-Length: {length}\r\n\r\n"
    ))
    .await;
    assert!(raw.message().await.starts_with("HTTP/1.1 100 Continue\r\n"));
    raw.send(MESSAGE).await;
    assert!(raw.message().await.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(!receiver.take_request().headers.contains_key(EXPECT));

    let mut flow = Flow::connect_h2c(proxy.address()).await;
    let answer = flow
        .send(posted(SOAP11, &[("expect", "100-continue")], MESSAGE))
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!receiver.take_request().headers.contains_key(EXPECT));
}

#[tokio::test]
async fn wsdl_and_schemas_are_passed_through_as_they_are_by_every_protocol() {
    let authority = Authority::of(&["receiver"]);
    let answer = |request: &Recorded| {
        let location = "<soap:address location=\"http://erp.internal/orders\"/>";
        let text = format!("{} {location}", request.method);
        Response::new(if request.method == Method::HEAD {
            Full::default()
        } else {
            Full::from(text)
        })
    };
    for protocol in ["h2", "http/1.1"] {
        let receiver = Receiver::answering_tls(authority.server(&[protocol], "receiver"), answer).await;
        let ca = authority.file("ca.pem");
        let setup = proxy::to(format!("https://{}/services", receiver.address))
            .route(&format!("receiver_tls = {{ ca = \"{}\" }}", ca.display()));
        let proxy = setup.without_key().start().await;
        for mut flow in [proxy.flow().await, Flow::connect_h2c(proxy.address()).await] {
            for query in ["wsdl", "WSDL", "xsd=1", "a=b&wsdl=orders", "singleWsdl"] {
                let answer = flow.ask(Method::GET, &format!("/orders?{query}")).await;
                assert_eq!(answer.status, StatusCode::OK);
                assert!(
                    answer
                        .text()
                        .starts_with("GET <soap:address location=\"http://erp.internal/")
                );
                let came = receiver.take_request();
                assert!(
                    came.target.ends_with(&format!("/services?{query}")),
                    "{}",
                    came.target
                );
                assert_eq!(came.body.len(), 0);
            }
            let answer = flow.ask(Method::HEAD, "/orders?wsdl").await;
            assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
            assert_eq!(receiver.take_request().method, Method::HEAD);
        }
    }
}
