//! The demo receiver: it accepts what those it trusts have signed, refuses the rest, and counts both.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use countersign::clock::Clock;
use countersign::keys::Signer;
use countersign::keys::generate::KeyAlgorithm;
use countersign::receiver::{Counts, KEY_NOT_TRUSTED, Options, Receiver};
use countersign::wss::Profile;
use countersign::wss::profile::KeyIdentifier;
use countersign::wss::verify::Trust;
use http::{Method, StatusCode};
use http_body_util::Full;
use openssl::x509::X509;

use crate::support::client::{Flow, SOAP11, SOAP12, request};
use crate::support::countersign::terminate;
use crate::support::signing::{NOW, key, message, new_key, sign};
use crate::support::within;

async fn start(trusted: &[&Signer], change: impl FnOnce(&mut Options)) -> (Receiver, Flow) {
    let mut options = Options::new(Clock::from_fn(|| NOW));
    change(&mut options);
    let certificates = trusted.iter().map(|key| key.certificate().clone()).collect();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let receiver = Receiver::bind(address, Trust::new(certificates), options)
        .await
        .unwrap();
    let flow = Flow::connect(receiver.address()).await;
    (receiver, flow)
}

fn signed(name: &str, key: &Arc<Signer>) -> Vec<u8> {
    sign(&message(name), Profile::default(), key)
}

#[tokio::test]
async fn an_accepted_message_is_answered_with_its_key_in_its_soap_version() {
    let key = key(KeyAlgorithm::P256);
    let (receiver, mut flow) = start(&[&key], |_| ()).await;
    for (number, (name, content_type)) in (1..).zip([("soap11", SOAP11), ("soap12", SOAP12)]) {
        let answer = flow.post("/orders", content_type, signed(name, &key)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        assert_eq!(answer.headers["content-type"], content_type);
        let accepted = format!(
            "<Accepted xmlns=\"urn:countersign:receiver\" key=\"{}\"",
            key.certificate().fingerprint()
        );
        assert!(answer.text().contains(&accepted), "{}", answer.text());
        let number = format!("number=\"{number}\"");
        assert!(answer.text().contains(&number), "{}", answer.text());
    }
    let counts = within(receiver.shut_down()).await.unwrap();
    assert_eq!((counts.accepted, counts.refused), (2, 0));
    assert_eq!(
        counts.keys,
        [(key.certificate().fingerprint().to_string(), 2)].into()
    );
}

#[tokio::test]
async fn the_charset_of_the_media_type_says_what_a_message_is_in() {
    let key = key(KeyAlgorithm::P256);
    let (_receiver, mut flow) = start(&[&key], |_| ()).await;
    let plain = String::from_utf8(message("soap11"))
        .unwrap()
        .replace("bolt", "B\u{f6}lt");
    let signed = String::from_utf8(sign(plain.as_bytes(), Profile::default(), &key)).unwrap();
    let latin1: Vec<u8> = signed
        .chars()
        .map(|character| u8::try_from(character).unwrap())
        .collect();
    for (content_type, status) in [
        ("text/xml; charset=iso-8859-1", StatusCode::OK),
        ("text/xml; charset=\"utf-8\"", StatusCode::INTERNAL_SERVER_ERROR),
        ("text/xml", StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        let answer = flow.post("/", content_type, latin1.clone()).await;
        assert_eq!(answer.status, status, "{content_type}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_refusal_is_a_fault_with_the_code_of_the_standard() {
    let (key, stranger) = (key(KeyAlgorithm::P256), new_key(KeyAlgorithm::P256, "Stranger"));
    let (receiver, mut flow) = start(&[&key], |_| ()).await;
    let changed = String::from_utf8(signed("soap11", &key))
        .unwrap()
        .replace("bolt", "nut")
        .into_bytes();
    let referring = Profile {
        key_identifier: KeyIdentifier::Thumbprint,
        ..Profile::default()
    };
    let by_thumbprint = sign(&message("soap11"), referring, &stranger);
    for (message, content_type, code, reason) in [
        (changed, SOAP11, "FailedCheck", "the Body was changed"),
        (
            signed("soap11", &stranger),
            SOAP11,
            "FailedCheck",
            KEY_NOT_TRUSTED,
        ),
        (
            signed("soap12", &stranger),
            SOAP12,
            "FailedCheck",
            KEY_NOT_TRUSTED,
        ),
        (by_thumbprint, SOAP11, "FailedCheck", KEY_NOT_TRUSTED),
        (
            message("soap12"),
            SOAP12,
            "InvalidSecurity",
            "the message is not signed",
        ),
        (b"<a>".to_vec(), SOAP12, "InvalidSecurity", "line 1, column 4"),
        (Vec::new(), SOAP11, "InvalidSecurity", "Document is empty"),
    ] {
        let answer = flow.post("/", content_type, message).await;
        assert_eq!(
            answer.status.as_u16(),
            if content_type == SOAP12 { 400 } else { 500 }
        );
        assert_eq!(answer.headers["content-type"], content_type);
        assert!(
            answer.text().contains(&format!(">wsse:{code}<")),
            "{}",
            answer.text()
        );
        assert!(answer.sentence().contains(reason), "{}", answer.sentence());
    }
    let counts = receiver.counts();
    assert_eq!((counts.accepted, counts.refused, counts.unsigned), (0, 6, 1));
    assert_eq!(
        counts.last_refusal.as_deref(),
        Some("line 1, column 1: Document is empty")
    );
}

#[tokio::test]
async fn a_message_that_comes_twice_is_noticed_by_what_identifies_it() {
    let key = key(KeyAlgorithm::P256);
    // Two transmissions of one message have different signatures, but the same number, or MessageID
    for (name, message_id, duplicates) in [
        ("soap11", None, 1),
        ("soap11", Some("number"), 2),
        ("soap11", Some("Item"), 2),
        ("ws-addressing", None, 2),
    ] {
        let (receiver, mut flow) = start(&[&key], |options| {
            options.message_id = message_id.map(str::to_owned)
        })
        .await;
        let first = signed(name, &key);
        for message in [first.clone(), first, signed(name, &key)] {
            assert_eq!(flow.post("/", SOAP11, message).await.status, StatusCode::OK);
        }
        let counts = receiver.counts();
        assert_eq!(
            (counts.accepted, counts.duplicates),
            (3, duplicates),
            "{name} {message_id:?}"
        );
    }
}

#[tokio::test]
async fn trust_is_exchanged_under_way_and_is_in_one_key_at_a_time_where_that_is_asked_for() {
    let (old, new) = (
        new_key(KeyAlgorithm::P256, "Old"),
        new_key(KeyAlgorithm::P256, "New"),
    );
    let (_receiver, mut flow) = start(&[&old, &new], |options| options.strict_one_key = true).await;
    let status = async |flow: &mut Flow, key| {
        flow.post("/", SOAP11, signed("soap11", key))
            .await
            .status
            .as_u16()
    };
    assert_eq!(
        (status(&mut flow, &old).await, status(&mut flow, &new).await),
        (500, 200)
    );
    let pem = |key: &Signer| X509::from_der(key.certificate().der()).unwrap().to_pem().unwrap();
    let exchange = |body: Vec<u8>| {
        request(Method::PUT, "/trust")
            .body(Full::new(Bytes::from(body)))
            .unwrap()
    };
    assert_eq!(
        flow.send(exchange(b"nothing".to_vec())).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        flow.send(exchange(pem(&old))).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        (status(&mut flow, &old).await, status(&mut flow, &new).await),
        (200, 500)
    );

    let (_receiver, mut flow) = start(&[&new], |_| ()).await;
    let both = [&old, &new].map(|key| pem(key)).concat();
    assert_eq!(flow.send(exchange(both)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(
        (status(&mut flow, &old).await, status(&mut flow, &new).await),
        (200, 200)
    );
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_unread() {
    let (receiver, mut flow) = start(&[], |options| options.max_message = 1000).await;
    assert_eq!(
        flow.post("/", SOAP11, vec![b' '; 1001]).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    assert_eq!(receiver.counts().refused, 0);
}

#[tokio::test]
async fn as_a_process_it_prints_its_port_and_in_the_end_its_counts() {
    let folder = tempfile::tempdir().unwrap();
    let key = key(KeyAlgorithm::P256);
    let pem = X509::from_der(key.certificate().der()).unwrap().to_pem().unwrap();
    std::fs::write(folder.path().join("trust.pem"), pem).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command
        .args(["receiver", "--listen", "127.0.0.1:0", "--trust", "trust.pem"])
        .current_dir(folder.path());
    let mut process = Process(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut output = BufReader::new(process.0.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let address = line
        .trim()
        .strip_prefix("listening on http://")
        .unwrap()
        .parse()
        .unwrap();

    let mut flow = Flow::connect(address).await;
    let answer = flow.post("/", SOAP11, message("soap11")).await;
    assert_eq!(
        answer.sentence(),
        "the message is not signed: it has no Security header for this receiver"
    );
    let shown: Counts = serde_json::from_str(flow.ask(Method::GET, "/").await.text()).unwrap();
    assert_eq!(shown.unsigned, 1);

    terminate(&process.0);
    assert!(process.0.wait().unwrap().success());
    let mut counts = String::new();
    output.read_to_string(&mut counts).unwrap();
    assert_eq!(serde_json::from_str::<Counts>(&counts).unwrap(), shown);
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
