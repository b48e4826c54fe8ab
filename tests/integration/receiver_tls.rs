//! HTTPS towards receivers: whom we trust, who we are, and what is said where that fails. WSDL
//! requests show it as well as messages do.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use http::{Method, StatusCode};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tempfile::{TempDir, tempdir};

use crate::support::client::Answer;
use crate::support::proxy;
use crate::support::receiver::Receiver;
use crate::support::tool::openssl;

/// An authority, and a certificate it issued to a receiver on 127.0.0.1 and to us.
fn certificates() -> TempDir {
    let directory = tempdir().unwrap();
    let dir = directory.path();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(
        dir,
        &format!("req -x509 {key} -subj /CN=Authority -keyout ca.key -out ca.pem"),
    );
    fs::write(
        dir.join("extensions"),
        "subjectAltName = IP:127.0.0.1\nbasicConstraints = CA:FALSE\n",
    )
    .unwrap();
    for name in ["receiver", "us"] {
        openssl(
            dir,
            &format!("req {key} -subj /CN={name} -keyout {name}.key -out {name}.csr"),
        );
        openssl(
            dir,
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile extensions -out {name}.pem"
            ),
        );
    }
    directory
}

/// An HTTPS receiver; with `demanding`, one that lets in only clients that its authority knows.
async fn receiver(dir: &Path, demanding: bool) -> Receiver {
    let certificate = CertificateDer::from_pem_file(dir.join("receiver.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(dir.join("receiver.key")).unwrap();
    let provider = Arc::new(default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = if demanding {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(dir.join("ca.pem")).unwrap())
            .unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .unwrap();
        config.with_client_cert_verifier(verifier)
    } else {
        config.with_no_client_auth()
    };
    Receiver::start_tls(config.with_single_cert(vec![certificate], key).unwrap()).await
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
    let dir = certificates();
    let receiver = receiver(dir.path(), false).await;
    let ca = format!("ca = \"{}\"", dir.path().join("ca.pem").display());
    assert_eq!(asked(&receiver, &ca).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_receiver_of_an_unknown_authority_is_not_reached() {
    let dir = certificates();
    let receiver = receiver(dir.path(), false).await;
    let ca = format!("ca = \"{}\"", dir.path().join("us.pem").display());
    let answer = asked(&receiver, &ca).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert!(answer.sentence().contains("certificate"), "{}", answer.sentence());
    assert_eq!(receiver.requests().len(), 0);
}

#[tokio::test]
async fn a_receiver_that_demands_a_client_certificate_gets_ours() {
    let dir = certificates();
    let receiver = receiver(dir.path(), true).await;
    let file = |name: &str| dir.path().join(name).display().to_string();
    let ca = format!("ca = \"{}\"", file("ca.pem"));
    assert_eq!(asked(&receiver, &ca).await.status, StatusCode::BAD_GATEWAY);
    let both = format!(
        "{ca}, certificate = \"{}\", private_key = \"{}\"",
        file("us.pem"),
        file("us.key")
    );
    assert_eq!(asked(&receiver, &both).await.status, StatusCode::OK);
}
