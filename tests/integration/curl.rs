//! curl through the running proxy: as HTTP proxy, with Expect, compressed, chunked, and by HTTP/2.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::{TempDir, tempdir};

use crate::support::authority::Authority;
use crate::support::insertion::is_all_that_changed;
use crate::support::proxy::{self, TestProxy};
use crate::support::receiver::{ACKNOWLEDGED, Receiver};
use crate::support::tool::{run, succeeds};

const MESSAGE: &str = include_str!("../messages/body-two-children.xml");
const POST: &str = "--silent --show-error --header Content-Type:text/xml --data-binary @message.xml";

/// A directory with the message in it.
fn directory() -> TempDir {
    let directory = tempdir().unwrap();
    std::fs::write(directory.path().join("message.xml"), MESSAGE).unwrap();
    directory
}

/// What curl prints; arguments are separated by white space.
async fn curl(directory: &Path, arguments: &str) -> String {
    let (directory, arguments) = (directory.to_owned(), arguments.to_owned());
    let curl = move || {
        run(
            &directory,
            "env",
            ["-u", "no_proxy", "-u", "NO_PROXY"]
                .into_iter()
                .chain(arguments.split_whitespace()),
        )
    };
    tokio::task::spawn_blocking(curl).await.unwrap()
}

fn got_the_message(receiver: &Receiver) {
    let came = receiver.take_request();
    assert!(is_all_that_changed(
        MESSAGE,
        std::str::from_utf8(&came.body).unwrap()
    ));
    assert_eq!(receiver.requests().len(), 0);
}

async fn with_url(receiver: &Receiver) -> TestProxy {
    let setup = proxy::to(receiver.url("/")).route("url = \"http://erp.example.com/orders\"");
    setup.start().await
}

#[tokio::test]
async fn curl_that_is_told_http_proxy_sends_to_the_receivers_own_address() {
    let (receiver, directory) = (Receiver::start().await, directory());
    let proxy = with_url(&receiver).await;
    let command = format!(
        "http_proxy=http://{} curl {POST} http://erp.example.com/orders",
        proxy.address()
    );
    assert_eq!(curl(directory.path(), &command).await, ACKNOWLEDGED);
    got_the_message(&receiver);
    let elsewhere = format!(
        "http_proxy=http://{} curl {POST} http://elsewhere.example/orders",
        proxy.address()
    );
    let answer = curl(directory.path(), &elsewhere).await;
    assert!(
        answer.contains("no route has the url http://elsewhere.example/orders"),
        "{answer}"
    );
}

#[tokio::test]
async fn curl_that_asks_for_a_tunnel_gets_none() {
    let (receiver, directory) = (Receiver::start().await, directory());
    let proxy = with_url(&receiver).await;
    let address = proxy.address();
    let tunnel = format!("--silent --proxy http://{address} https://erp.example.com/orders");
    let tunnelled = move || succeeds(directory.path(), "curl", tunnel.split_whitespace());
    assert!(!tokio::task::spawn_blocking(tunnelled).await.unwrap());
    assert_eq!(receiver.requests().len(), 0);
}

#[tokio::test]
async fn curl_gets_100_continue_before_it_sends() {
    let (receiver, directory) = (Receiver::start().await, directory());
    let proxy = proxy::to(receiver.url("/")).start().await;
    let command = format!(
        "curl {POST} --include --header Expect:100-continue --expect100-timeout 60 http://{}/orders",
        proxy.address()
    );
    let answer = curl(directory.path(), &command).await;
    assert!(answer.starts_with("HTTP/1.1 100 Continue\r\n"), "{answer}");
    assert!(answer.ends_with(ACKNOWLEDGED), "{answer}");
    got_the_message(&receiver);
}

#[tokio::test]
async fn curl_sends_gzip_and_chunks() {
    let (receiver, directory) = (Receiver::start().await, directory());
    let proxy = proxy::to(receiver.url("/")).start().await;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(MESSAGE.as_bytes()).unwrap();
    std::fs::write(directory.path().join("message.gz"), gzip.finish().unwrap()).unwrap();
    let (address, compressed) = (proxy.address(), POST.replace("message.xml", "message.gz"));
    for command in [
        format!("curl {compressed} --header Content-Encoding:gzip http://{address}/orders"),
        format!("curl {POST} --header Transfer-Encoding:chunked http://{address}/orders"),
        format!(
            "curl {compressed} --header Content-Encoding:gzip --header Transfer-Encoding:chunked http://{address}/orders"
        ),
        format!(
            "curl {compressed} --http2-prior-knowledge --header Content-Encoding:gzip http://{address}/orders"
        ),
    ] {
        assert_eq!(curl(directory.path(), &command).await, ACKNOWLEDGED, "{command}");
        got_the_message(&receiver);
    }
}

#[tokio::test]
async fn curl_speaks_http_2_with_and_without_tls() {
    let (receiver, directory) = (Receiver::start().await, directory());
    let authority = Authority::of(&["us", "flow"]);
    let plain = proxy::to(receiver.url("/")).start().await;
    let [certificate, key, ca, client, client_key] = ["us.pem", "us.key", "ca.pem", "flow.pem", "flow.key"]
        .map(|name| authority.file(name).display().to_string());
    let tls =
        format!("tls = {{ certificate = \"{certificate}\", private_key = \"{key}\", client_ca = \"{ca}\" }}");
    let encrypted = proxy::to(receiver.url("/")).proxy(&tls).start().await;
    let shown = format!("--cacert {ca} --cert {client} --key {client_key}");
    for (arguments, address, version) in [
        (
            "--http2-prior-knowledge".to_owned(),
            format!("http://{}", plain.address()),
            "2",
        ),
        // An upgrade to HTTP/2 is not taken up: RFC 9113 has taken it back.
        ("--http2".to_owned(), format!("http://{}", plain.address()), "1.1"),
        (
            format!("--http2 {shown}"),
            format!("https://{}", encrypted.address()),
            "2",
        ),
        (
            format!("--http1.1 {shown}"),
            format!("https://{}", encrypted.address()),
            "1.1",
        ),
        (
            format!("--http2 --tlsv1.2 --tls-max 1.2 {shown}"),
            format!("https://{}", encrypted.address()),
            "2",
        ),
    ] {
        let command = format!("curl {POST} --write-out %{{http_version}} {arguments} {address}/orders");
        let printed = curl(directory.path(), &command).await;
        assert_eq!(printed, format!("{ACKNOWLEDGED}{version}"), "{command}");
        got_the_message(&receiver);
    }
}
