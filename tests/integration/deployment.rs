//! What docker-compose.yml puts together, without containers: its script, its configuration, the real programs.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use http::Method;
use http_body_util::Full;
use tempfile::tempdir;

use crate::support::client::{Flow, SOAP11, request};
use crate::support::countersign::Running;
use crate::support::receiver::{ACKNOWLEDGED, Receiver};
use crate::support::tool::run;

const MESSAGE: &[u8] = include_bytes!("../messages/soap11.xml");

#[tokio::test]
async fn the_proxy_of_the_containers_signs_and_lets_prometheus_look() {
    let (directory, receiver) = (tempdir().unwrap(), Receiver::start().await);
    prepare(directory.path());
    let secrets = ["demo.pem", "demo-next.pem", "prometheus/token"].map(|file| read(directory.path(), file));
    prepare(directory.path());
    let kept = ["demo.pem", "demo-next.pem", "prometheus/token"].map(|file| read(directory.path(), file));
    assert_eq!(secrets, kept, "a second start keeps them");

    let mut proxy = serve(directory.path(), &receiver.url("/"));
    let [flows, admin] = ["[proxy]", "[admin]"].map(|section| listens(&mut proxy, section));
    let answer = Flow::connect(flows).await.post("/demo", SOAP11, MESSAGE).await;
    assert_eq!(answer.text(), ACKNOWLEDGED);

    let [.., token] = &secrets;
    let scrape = request(Method::GET, "/metrics").header("authorization", format!("Bearer {}", token.trim()));
    let metrics = Flow::connect(admin)
        .await
        .send(scrape.body(Full::default()).unwrap())
        .await;
    let signed = "countersign_messages_signed_total{alias=\"demo\"";
    assert!(metrics.text().contains(signed), "{}", metrics.text());
    assert!(proxy.terminate().success());
}

/// Runs the containers' script.
fn prepare(directory: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/compose/prepare");
    run(directory, "sh", [script]);
}

/// The containers' configuration, with another directory, receiver and ports.
fn serve(directory: &Path, receiver: &str) -> Running {
    let mut config = include_str!("../../config/compose/countersign.toml").to_owned();
    for (theirs, ours) in [
        ("/var/lib/countersign", &*directory.display().to_string()),
        ("http://receiver:8081/", receiver),
        ("0.0.0.0:8080", "127.0.0.1:0"),
        ("0.0.0.0:9090", "127.0.0.1:0"),
    ] {
        assert!(config.contains(theirs), "{theirs}");
        config = config.replace(theirs, ours);
    }
    fs::write(directory.join("countersign.toml"), config).unwrap();
    Running::start(directory, "serve --config countersign.toml")
}

/// The address in the log's JSON.
fn listens(proxy: &mut Running, section: &str) -> SocketAddr {
    let line = proxy.logs(&format!("\"section\":\"{section}\""));
    let address = line.split_once("\"address\":\"").unwrap().1.split('"').next();
    address.unwrap().parse().unwrap()
}

fn read(directory: &Path, file: &str) -> String {
    fs::read_to_string(directory.join(file)).unwrap()
}
