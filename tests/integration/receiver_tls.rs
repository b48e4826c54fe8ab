//! HTTPS towards receivers: whom we trust, who we are, and what is said where that fails. WSDL
//! requests show it as well as messages do.

use std::sync::Arc;

use http::{Method, StatusCode};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::WebPkiClientVerifier;

use crate::support::authority::Authority;
use crate::support::client::Answer;
use crate::support::proxy;
use crate::support::receiver::Receiver;

/// An HTTPS receiver; with `demanding`, one that lets in only clients that its authority knows.
async fn receiver(authority: &Authority, demanding: bool) -> Receiver {
    let provider = Arc::new(default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = if demanding {
        let roots = Arc::new(authority.roots());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
        config.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        config.with_no_client_auth()
    };
    let certificates = vec![authority.certificate("receiver")];
    Receiver::start_tls(
        config
            .with_single_cert(certificates, authority.key("receiver"))
            .unwrap(),
    )
    .await
}

/// What a flow is told that asks through a route with this `receiver_tls`.
async fn asked(receiver: &Receiver, receiver_tls: &str) -> Answer {
    let url = format!("https://{}/", receiver.address);
    let route = format!("fault_status = \"http\"\nreceiver_tls = {{ {receiver_tls} }}");
    let proxy = proxy::to(url).route(&route).start().await;
    proxy.flow().await.ask(Method::GET, "/orders?wsdl").await
}

#[tokio::test]
async fn a_receiver_of_the_routes_authority_is_trusted() {
    let authority = Authority::of(&["receiver", "us"]);
    let receiver = receiver(&authority, false).await;
    let ca = format!("ca = \"{}\"", authority.file("ca.pem").display());
    assert_eq!(asked(&receiver, &ca).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_receiver_of_an_unknown_authority_is_not_reached() {
    let authority = Authority::of(&["receiver", "us"]);
    let receiver = receiver(&authority, false).await;
    let ca = format!("ca = \"{}\"", authority.file("us.pem").display());
    let answer = asked(&receiver, &ca).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert!(answer.sentence().contains("certificate"), "{}", answer.sentence());
    assert_eq!(receiver.requests().len(), 0);
}

#[tokio::test]
async fn a_receiver_that_demands_a_client_certificate_gets_ours() {
    let authority = Authority::of(&["receiver", "us"]);
    let receiver = receiver(&authority, true).await;
    let file = |name: &str| authority.file(name).display().to_string();
    let ca = format!("ca = \"{}\"", file("ca.pem"));
    assert_eq!(asked(&receiver, &ca).await.status, StatusCode::BAD_GATEWAY);
    let both = format!(
        "{ca}, certificate = \"{}\", private_key = \"{}\"",
        file("us.pem"),
        file("us.key")
    );
    assert_eq!(asked(&receiver, &both).await.status, StatusCode::OK);
}
