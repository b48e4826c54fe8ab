//! `clients` of a route: who may use it, told by certificate or by network.

use http::StatusCode;

use crate::support::authority::Authority;
use crate::support::client::{Flow, SOAP11};
use crate::support::proxy::{self, TestProxy};
use crate::support::receiver::Receiver;

const MESSAGE: &[u8] = include_bytes!("../messages/body-two-children.xml");

/// A proxy that asks for client certificates.
async fn proxy(receiver: &Receiver, authority: &Authority, clients: &str) -> TestProxy {
    let [certificate, key, ca] =
        ["us.pem", "us.key", "ca.pem"].map(|name| authority.file(name).display().to_string());
    let tls =
        format!("tls = {{ certificate = \"{certificate}\", private_key = \"{key}\", client_ca = \"{ca}\" }}");
    let setup = proxy::to(receiver.url("/")).proxy(&tls);
    setup.route(&format!("clients = {clients}")).start().await
}

#[tokio::test]
async fn whoever_has_the_subject_may_use_the_route_and_nobody_else() {
    let receiver = Receiver::start().await;
    let authority = Authority::of(&["us", "flow", "other"]);
    let proxy = proxy(&receiver, &authority, r#"["CN=unused", "cn = FLOW, o=Example"]"#).await;
    for protocol in ["h2", "http/1.1"] {
        let connected = |name| Flow::connect_tls(proxy.address(), authority.client(&[protocol], Some(name)));
        let mut flow = connected("flow").await.unwrap();
        assert_eq!(flow.post("/orders", SOAP11, MESSAGE).await.status, StatusCode::OK);
        let mut other = connected("other").await.unwrap();
        for _ in 0..2 {
            let answer = other.post("/orders", SOAP11, MESSAGE).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
            let sentence = answer.sentence();
            assert!(
                sentence.starts_with("CN=other,O=Example at 127.0.0.1 is not among the clients"),
                "{sentence}"
            );
        }
    }
    assert_eq!(receiver.requests().len(), 2);
}

#[tokio::test]
async fn the_order_of_a_subjects_parts_matters() {
    let receiver = Receiver::start().await;
    let authority = Authority::of(&["us", "flow"]);
    let proxy = proxy(&receiver, &authority, r#"["O=Example,CN=flow"]"#).await;
    let tls = authority.client(&[], Some("flow"));
    let mut flow = Flow::connect_tls(proxy.address(), tls).await.unwrap();
    let answer = flow.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn whoever_comes_from_the_network_may_use_the_route_and_nobody_else() {
    let receiver = Receiver::start().await;
    for (clients, status) in [
        (r#"["127.0.0.0/8"]"#, StatusCode::OK),
        (r#"["10.0.0.0/8", "127.0.0.1"]"#, StatusCode::OK),
        (r#"["10.0.0.0/8", "::1", "127.0.0.2"]"#, StatusCode::FORBIDDEN),
    ] {
        let setup = proxy::to(receiver.url("/")).route(&format!("clients = {clients}"));
        let proxy = setup.start().await;
        let answer = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
        assert_eq!(answer.status, status, "{clients}");
        if status == StatusCode::FORBIDDEN {
            let sentence = answer.sentence();
            assert!(
                sentence.contains("127.0.0.1 without a client certificate"),
                "{sentence}"
            );
        }
    }
    assert_eq!(receiver.requests().len(), 2);
}

#[tokio::test]
async fn an_ipv4_client_of_an_ipv6_socket_has_its_ipv4_address() {
    let receiver = Receiver::start().await;
    let setup = proxy::to(receiver.url("/")).listen("[::]:0".parse().unwrap());
    let proxy = setup.route("clients = [\"127.0.0.1\"]").start().await;
    let address = ([127, 0, 0, 1], proxy.address().port()).into();
    let answer = Flow::connect(address)
        .await
        .post("/orders", SOAP11, MESSAGE)
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
}
