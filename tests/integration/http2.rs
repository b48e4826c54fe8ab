//! HTTP/2 on both sides: flows that speak it from the first byte on, and receivers that choose it by ALPN.

use http::StatusCode;

use crate::support::client::{Flow, SOAP11};
use crate::support::proxy;
use crate::support::receiver::{ACKNOWLEDGED, Receiver};

const MESSAGE: &[u8] = include_bytes!("../messages/body-two-children.xml");

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
}
