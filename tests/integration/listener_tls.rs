//! TLS on the proxy's listener: HTTP/1.1 and HTTP/2 over it, who is let in, and what is said where it fails.

use std::io::ErrorKind;

use http::{Method, StatusCode};
use tokio::io::AsyncReadExt;

use crate::support::authority::Authority;
use crate::support::client::{Flow, SOAP11, request};
use crate::support::proxy::{self, TestProxy};
use crate::support::raw::Raw;
use crate::support::receiver::{ACKNOWLEDGED, Receiver};
use crate::support::within;

const MESSAGE: &[u8] = include_bytes!("../messages/body-two-children.xml");

/// A proxy whose listener speaks TLS; `lines` are added to the table.
async fn serving_tls(receiver: &Receiver, authority: &Authority, lines: &str) -> TestProxy {
    let [certificate, key] = ["us.pem", "us.key"].map(|name| authority.file(name).display().to_string());
    let tls = format!("tls = {{ certificate = \"{certificate}\", private_key = \"{key}\"{lines} }}");
    proxy::to(receiver.url("/")).proxy(&tls).start().await
}

fn client_ca(authority: &Authority) -> String {
    format!(", client_ca = \"{}\"", authority.file("ca.pem").display())
}

async fn acknowledged(flow: &mut Flow) {
    let answer = flow.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::OK, ACKNOWLEDGED));
}

#[tokio::test]
async fn messages_come_over_tls_by_the_protocol_that_is_agreed_on() {
    let (receiver, authority) = (Receiver::start().await, Authority::of(&["us"]));
    let proxy = serving_tls(&receiver, &authority, "").await;
    for (protocols, is_http2) in [
        (&["h2", "http/1.1"][..], true),
        (&["http/1.1"], false),
        (&[], false),
    ] {
        let tls = authority.client(protocols, None);
        let mut flow = Flow::connect_tls(proxy.address(), tls).await.unwrap();
        assert_eq!(matches!(flow, Flow::Http2(_)), is_http2, "{protocols:?}");
        acknowledged(&mut flow).await;
        acknowledged(&mut flow).await;
    }
    assert_eq!(receiver.requests().len(), 6);
}

#[tokio::test]
async fn with_client_ca_only_its_clients_are_let_in() {
    let receiver = Receiver::start().await;
    let (ours, others) = (Authority::of(&["us", "flow"]), Authority::of(&["flow"]));
    let proxy = serving_tls(&receiver, &ours, &client_ca(&ours)).await;
    let stranger = |mut tls: rustls::ClientConfig| {
        tls.alpn_protocols = Vec::new();
        let address = proxy.address();
        async move {
            let Ok(mut flow) = Flow::connect_tls(address, tls).await else {
                return false;
            };
            // By TLS 1.3 a client learns only afterwards that it was not let in.
            let question = request(Method::GET, "/orders?wsdl").body(Default::default());
            flow.try_send(question.unwrap()).await.is_ok()
        }
    };
    assert!(!stranger(ours.client(&[], None)).await, "without a certificate");
    let of_others = {
        let mut roots = ours.client(&[], None);
        let show = others.client(&[], Some("flow"));
        roots.client_auth_cert_resolver = show.client_auth_cert_resolver;
        roots
    };
    assert!(
        !stranger(of_others).await,
        "with a certificate of another authority"
    );
    assert_eq!(receiver.requests().len(), 0);
    let known = ours.client(&["h2"], Some("flow"));
    acknowledged(&mut Flow::connect_tls(proxy.address(), known).await.unwrap()).await;
}

#[tokio::test]
async fn plain_http_on_a_port_of_tls_is_told_so() {
    let (receiver, authority) = (Receiver::start().await, Authority::of(&["us"]));
    let proxy = serving_tls(&receiver, &authority, "").await;
    let mut raw = Raw::connect(proxy.address()).await;
    raw.send("POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nnot TLS!!")
        .await;
    let answer = raw.rest().await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 Bad Request\r\n") && answer.ends_with("instead of http://\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn who_never_ends_the_handshake_keeps_nobody_out() {
    let (receiver, authority) = (Receiver::start().await, Authority::of(&["us"]));
    let proxy = serving_tls(&receiver, &authority, "").await;
    let mut silent = Vec::new();
    for beginning in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01"] {
        let mut raw = Raw::connect(proxy.address()).await;
        raw.send(beginning).await;
        silent.push(raw);
    }
    let tls = authority.client(&["h2"], None);
    acknowledged(&mut Flow::connect_tls(proxy.address(), tls).await.unwrap()).await;
}

#[tokio::test]
async fn garbage_ends_its_connection() {
    let (receiver, authority) = (Receiver::start().await, Authority::of(&["us"]));
    let proxy = serving_tls(&receiver, &authority, "").await;
    for garbage in [
        &b"\0\0\0\0\0\0\0\0"[..],
        b"\x16\x03\x01\xff\xff\xff\xff\xff\xff",
        b"\xff",
    ] {
        let mut raw = Raw::connect(proxy.address()).await;
        raw.send(garbage).await;
        let mut answer = Vec::new();
        let ended = within(raw.0.read_to_end(&mut answer)).await;
        assert!(
            ended.is_ok() || ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset),
            "{garbage:?}"
        );
        assert!(!answer.starts_with(b"HTTP"), "{garbage:?}");
    }
}

#[tokio::test]
async fn connections_over_tls_end_when_the_proxy_stops() {
    let (receiver, authority) = (Receiver::start().await, Authority::of(&["us"]));
    let proxy = serving_tls(&receiver, &authority, "").await;
    let mut flows = Vec::new();
    for protocol in ["h2", "http/1.1"] {
        let tls = authority.client(&[protocol], None);
        let mut flow = Flow::connect_tls(proxy.address(), tls).await.unwrap();
        acknowledged(&mut flow).await;
        flows.push(flow);
    }
    assert_eq!(proxy.stop().await.cut, 0);
}
