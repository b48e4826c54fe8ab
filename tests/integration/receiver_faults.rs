//! Receivers that are down, slow, or break off: the flow is told what is known, and a message is sent once at most.

use http::StatusCode;

use crate::support::client::{SOAP11, SOAP12};
use crate::support::raw::Raw;
use crate::support::receiver::{Receiver, nobody, scripted};
use crate::support::{eventually, proxy, within};

const MESSAGE: &[u8] = include_bytes!("../messages/body-two-children.xml");

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
