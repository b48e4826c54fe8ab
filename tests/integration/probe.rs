//! The probe: a receiver is asked how it refuses, and told apart from one that does not.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use countersign::clock::Clock;
use countersign::keys::Certificate;
use countersign::keys::generate::KeyAlgorithm;
use countersign::receiver::{Options, Receiver as DemoReceiver};
use countersign::wss::profile::KeyIdentifier;
use countersign::wss::verify::{Trust, VerifyError};
use countersign::wss::{Profile, Protection, SignedMessage};
use countersign::xml::Limits;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use memchr::memmem;
use serde_json::{Value, json};

use crate::support::client::Flow;
use crate::support::countersign::countersign;
use crate::support::receiver::{Receiver, Recorded, nobody};
use crate::support::served::{Place, Served};
use crate::support::signing::{NOW, key, trusting, verify_at};

const SOAP11: &str = include_str!("../messages/body-two-children.xml");
const SOAP12: &str = include_str!("../messages/no-header-soap12.xml");
const PROBE: &str = "/api/v1/routes/orders/probe";
const ALL: &str = "/api/v1/routes/orders/probe?attempts=unknown-key,altered,expired";

/// One route to this address, with further lines of its own.
async fn served(place: Place, receiver: &str, lines: &str) -> Served {
    let sections = format!(
        "[proxy]\nlisten = \"127.0.0.1:0\"\n[[route]]\nname = \"orders\"\npath = \"/orders\"\n\
         receiver = \"{receiver}\"\nalias = \"orders\"\n{lines}\n"
    );
    place.serve(&sections).await
}

async fn probe(served: &Served, path: &str, media_type: &str, sample: &str) -> Value {
    let (status, answer) = served
        .ask(Method::POST, path, media_type, sample.to_owned())
        .await;
    assert_eq!(status, StatusCode::OK, "{answer:?}");
    serde_json::from_slice(&answer).unwrap()
}

/// The sentence of a problem.
async fn refused(served: &Served, path: &str, sample: &str) -> (u16, String) {
    let (status, answer) = served
        .ask(Method::POST, path, "text/xml", sample.to_owned())
        .await;
    let problem: Value = serde_json::from_slice(&answer).unwrap();
    (status.as_u16(), problem["detail"].as_str().unwrap().to_owned())
}

fn warnings(report: &Value) -> String {
    let warnings = report["warnings"].as_array().unwrap().iter();
    warnings
        .map(|warning| warning.as_str().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Trusts the key of the place, and no other.
async fn demo_receiver(place: &Place) -> DemoReceiver {
    let certificate = openssl::x509::X509::from_pem(&place.certificate).unwrap();
    let certificate = Certificate::from_der(&certificate.to_der().unwrap()).unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let trust = Trust::new(vec![certificate]);
    DemoReceiver::bind(address, trust, Options::new(Clock::system()))
        .await
        .unwrap()
}

/// Answers every message with a fault of SOAP 1.1, in turn where there are several.
async fn faulty(faults: &[(&str, &str)], status: u16) -> Receiver {
    let envelope = |(code, text): &(&str, &str)| {
        format!(
            "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/' xmlns:b='urn:example:bank'><s:Body><s:Fault>\
             <faultcode>{code}</faultcode><faultstring>{text}</faultstring></s:Fault></s:Body></s:Envelope>"
        )
    };
    let faults: Vec<_> = faults.iter().map(envelope).collect();
    let turn = std::sync::atomic::AtomicUsize::new(0);
    Receiver::answering(move |_| {
        let turn = turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let answer = Response::builder()
            .status(status)
            .header("content-type", "text/xml");
        answer
            .body(Full::from(faults[turn % faults.len()].clone()))
            .unwrap()
    })
    .await
}

#[test]
fn what_is_signed_as_if_altered_is_right_but_for_one_digest() {
    let key = key(KeyAlgorithm::P256);
    for key_identifier in KeyIdentifier::ALL {
        let profile = Profile {
            key_identifier: *key_identifier,
            ..Profile::default()
        };
        let protection = Protection::new(profile, Limits::default());
        let mut reader = protection.read(None);
        reader.feed(SOAP11.into()).unwrap();
        let plain = reader.finish().unwrap();
        let verified = |signed: &SignedMessage| verify_at(&trusting(&key), &signed.segments().concat(), NOW);
        let signed = protection.sign_as_if_altered(&plain, &key, NOW).unwrap();
        let refused = verified(&signed).unwrap_err();
        assert!(
            matches!(refused, VerifyError::Digest { .. }),
            "{key_identifier}: {refused}"
        );
        let signed = protection.sign(&plain, &key, NOW).unwrap();
        assert!(verified(&signed).is_ok(), "{key_identifier}");
    }
}

#[tokio::test]
async fn the_demo_receiver_is_known_by_its_set_and_tells_the_attempts_apart() {
    for (media_type, sample) in [("text/xml", SOAP11), ("application/soap+xml", SOAP12)] {
        let place = Place::new();
        let receiver = demo_receiver(&place).await;
        let served = served(place, &format!("http://{}/", receiver.address()), "").await;
        let report = probe(&served, ALL, media_type, sample).await;
        assert_eq!(report["key_refused"], json!(["countersign"]), "{report:#}");
        let said = |number: usize| report["attempts"][number].clone();
        assert_eq!(said(0)["attempt"], "unknown-key");
        let wsse = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}";
        assert_eq!(said(0)["code"], format!("{wsse}FailedCheck"));
        assert!(
            said(0)["text"]
                .as_str()
                .unwrap()
                .starts_with("the signing key is not trusted"),
            "{report:#}"
        );
        assert_eq!(
            said(0)["status"],
            if media_type == "text/xml" { 500 } else { 400 }
        );
        assert_eq!(
            (&said(1)["attempt"], &said(1)["code"]),
            (&json!("altered"), &json!(format!("{wsse}FailedCheck")))
        );
        assert!(
            !said(1)["text"].as_str().unwrap().contains("not trusted"),
            "{report:#}"
        );
        assert_eq!(said(2)["code"], format!("{wsse}MessageExpired"), "{report:#}");
        assert_eq!(warnings(&report), "", "each says something else");
        let counts = receiver.counts();
        assert_eq!((counts.accepted, counts.refused, counts.unsigned), (0, 3, 0));
    }
}

#[tokio::test]
async fn what_the_probe_suggests_is_what_the_route_then_counts() {
    let place = Place::new();
    let receiver = demo_receiver(&place).await;
    let served = served(place, &format!("http://{}/", receiver.address()), "").await;
    let mut flow = Flow::connect(served.proxy).await;
    let answer = flow.post("/orders", "text/xml", SOAP11).await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "the probe is no reason to distrust the key: {}",
        answer.text()
    );
    probe(&served, ALL, "text/xml", SOAP11).await;
    let answer = flow.post("/orders", "text/xml", SOAP11).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let series = r#"countersign_receiver_faults_total{code="{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}FailedCheck",route="orders"}"#;
    assert_eq!(
        served.metric(series).await,
        2.0,
        "a probe's faults are counted as others are"
    );
}

#[tokio::test]
async fn a_receiver_that_verifies_nothing_is_told_as_such() {
    let receiver = Receiver::start().await;
    let served = served(Place::new(), &receiver.url("/"), "").await;
    let report = probe(&served, ALL, "text/xml", SOAP11).await;
    assert_eq!(report["key_refused"], Value::Null);
    assert_eq!(report["attempts"][0]["accepted"], true);
    let warnings = warnings(&report);
    for sentence in [
        "does not verify signatures: it accepted a message signed by a key that nobody trusts",
        "it accepted an altered message",
        "does not check Timestamps",
    ] {
        assert!(warnings.contains(sentence), "{warnings}");
    }
}

#[tokio::test]
async fn where_no_entry_is_safe_the_reason_is_told() {
    for (fault, reason) in [
        (("s:Server", ""), "a bare Server without a text"),
        (("b:Denied", ""), "a bare {urn:example:bank}Denied without a text"),
        (
            ("s:Server", "Internal Server Error"),
            "neither the code Server nor the text \"Internal Server Error\"",
        ),
        (
            ("b:Denied", "a replayed signature"),
            "names a replay, a nonce or a duplicate",
        ),
        (
            ("b:MessageExpired", "the signature is too old"),
            "the message has expired",
        ),
        (
            ("x:Denied", "the signature is wrong"),
            "no code that means anything outside",
        ),
    ] {
        let receiver = faulty(&[fault], 500).await;
        let served = served(Place::new(), &receiver.url("/"), "").await;
        let report = probe(&served, PROBE, "text/xml", SOAP11).await;
        assert_eq!(report["key_refused"], Value::Null, "{report:#}");
        assert!(warnings(&report).contains(reason), "{report:#}");
    }
}

#[tokio::test]
async fn an_answer_without_a_fault_and_none_at_all_are_told_as_such() {
    let receiver = Receiver::answering(|_| {
        Response::builder()
            .status(401)
            .body(Full::from("who are you?"))
            .unwrap()
    })
    .await;
    let mut served = served(Place::new(), &receiver.url("/"), "").await;
    let report = probe(&served, PROBE, "text/xml", SOAP11).await;
    assert_eq!(report["attempts"][0]["status"], 401);
    assert!(
        warnings(&report).contains("401 Unauthorized without a SOAP fault"),
        "{report:#}"
    );
    drop(served);

    served = self::served(Place::new(), &format!("http://{}/", nobody().await), "").await;
    let report = probe(&served, PROBE, "text/xml", SOAP11).await;
    assert_eq!(
        (&report["attempts"][0]["status"], &report["key_refused"]),
        (&Value::Null, &Value::Null)
    );
    let error = report["attempts"][0]["error"].as_str().unwrap();
    assert!(error.contains("cannot be reached"), "{error}");
}

#[tokio::test]
async fn an_entry_of_its_own_is_suggested_with_what_speaks_against_it() {
    let refusal = ("b:Denied", "Order 4711: the\n signature cannot be verified [x17]");
    let receiver = faulty(&[refusal], 200).await;
    let served = served(Place::new(), &receiver.url("/"), "").await;
    let report = probe(&served, ALL, "text/xml", SOAP11).await;
    let entry = json!({ "code": "{urn:example:bank}Denied", "text": "the signature cannot be verified" });
    assert_eq!(report["key_refused"], json!([entry]), "{report:#}");
    let warnings = warnings(&report);
    for sentence in [
        "ask whoever runs the receiver",
        "the same of a message that is altered",
        "the same of a message that is expired",
        "write faults_with_200 = true",
    ] {
        assert!(warnings.contains(sentence), "{warnings}");
    }
    let told_apart = faulty(&[refusal, ("s:Client", "schema"), ("s:Client", "schema")], 500).await;
    let served = self::served(Place::new(), &told_apart.url("/"), "").await;
    let report = probe(&served, ALL, "text/xml", SOAP11).await;
    assert_eq!(report["key_refused"], json!([entry]));
    assert_eq!(report["warnings"].as_array().unwrap().len(), 1, "{report:#}");
}

#[tokio::test]
async fn each_attempt_is_sent_once_by_the_routes_own_way_without_the_operators_token() {
    let receiver = Receiver::start().await;
    let profile =
        "profile = \"ski\"\n[profile.ski]\nkey_identifier = \"subject-key-identifier\"\nsign = [\"body\"]\n";
    let served = served(Place::new(), &receiver.url("/in?a=b"), profile).await;
    let twice = format!("{ALL},altered,unknown-key");
    probe(&served, &twice, "text/xml; charset=utf-8", SOAP11).await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 3, "what is named twice is sent once");
    for Recorded {
        method,
        target,
        headers,
        body,
        ..
    } in &requests
    {
        assert_eq!((method, target.as_str()), (&Method::POST, "/in?a=b"));
        assert_eq!(headers["content-type"], "text/xml; charset=utf-8");
        assert!(!headers.contains_key("authorization"), "{headers:?}");
        assert!(headers.contains_key("via"));
        assert!(memmem::find(body, b"X509SubjectKeyIdentifier").is_some());
    }
    let created = |body: &Bytes| {
        let text = String::from_utf8_lossy(body).into_owned();
        text.split_once("<wsu:Created>")
            .unwrap()
            .1
            .split_once('T')
            .unwrap()
            .0
            .to_owned()
    };
    assert_eq!(created(&requests[0].body), created(&requests[1].body));
    assert!(
        created(&requests[2].body) < created(&requests[1].body),
        "yesterday's"
    );
}

#[tokio::test]
async fn the_audit_has_it_and_a_viewer_may_not() {
    let receiver = Receiver::start().await;
    let place = Place::new();
    place.write("viewer", "0123456789abcdef0123456789abcdef0123456789a");
    let lines = "[[admin.access]]\nname = \"viewer\"\nrole = \"viewer\"\ntoken_file = \"viewer\"\n";
    let served = served(place, &receiver.url("/"), lines).await;
    probe(
        &served,
        "/api/v1/routes/orders/probe?attempts=altered,unknown-key",
        "text/xml",
        SOAP11,
    )
    .await;
    let (_, audit) = served.ask(Method::GET, "/api/v1/audit", "text/plain", "").await;
    let audit: Value = serde_json::from_slice(&audit).unwrap();
    let records = audit["records"].as_array().unwrap();
    let record = records.iter().find(|record| record["what"] == "receiver-probed");
    let record = record.unwrap_or_else(|| panic!("{audit:#}"));
    assert_eq!(record["alias"], "orders");
    assert_eq!(
        record["detail"],
        json!({ "attempts": "altered,unknown-key", "route": "orders" })
    );
    assert_eq!(record["author"]["name"], "operator");
    assert!(record.get("key").is_none_or(Value::is_null), "{record:#}");

    let mut flow = Flow::connect(served.admin).await;
    let request = http::Request::post(PROBE)
        .header("host", "localhost")
        .header(
            "authorization",
            "Bearer 0123456789abcdef0123456789abcdef0123456789a",
        )
        .body(Full::from(SOAP11))
        .unwrap();
    assert_eq!(flow.send(request).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        receiver.requests().len(),
        2,
        "nothing is sent that nobody may ask for"
    );
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_with_what_to_do_and_nothing_is_sent() {
    let receiver = Receiver::start().await;
    let profile = "profile = \"bare\"\n[profile.bare]\ntimestamp = \"off\"\nsign = [\"body\"]\n";
    let served = served(Place::new(), &receiver.url("/"), profile).await;
    for (path, sample, status, words) in [
        (
            "/api/v1/routes/nowhere/probe",
            SOAP11,
            404,
            "there is no route \"nowhere\"",
        ),
        (
            &format!("{PROBE}?attempts=tampered"),
            SOAP11,
            400,
            "use one of: unknown-key, altered, expired",
        ),
        (&format!("{PROBE}?attempts="), SOAP11, 400, "use one of"),
        (
            &format!("{PROBE}?attempts=expired"),
            SOAP11,
            422,
            "the route's profile has none; leave the attempt out",
        ),
        (PROBE, "<a>", 422, "the sample cannot be sent: line 1"),
        (PROBE, "", 422, "the sample cannot be sent"),
    ] {
        let (told, sentence) = refused(&served, path, sample).await;
        assert!(
            told == status && sentence.contains(words),
            "{path}: {told} {sentence}"
        );
    }
    let (status, _) = served.ask(Method::POST, PROBE, "application/json", SOAP11).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(receiver.requests().len(), 0);
}

#[tokio::test]
async fn the_command_prints_what_to_write_into_the_route() {
    let place = Place::new();
    let receiver = demo_receiver(&place).await;
    let known = served(place, &format!("http://{}/", receiver.address()), "").await;
    let bank = faulty(&[("b:Denied", "the \"signature\" is \u{9b}31m wrong")], 500).await;
    let other = served(Place::new(), &bank.url("/"), "").await;
    let command = |served: &Served, arguments: &str| {
        std::fs::write(served.file("sample.xml"), SOAP12).unwrap();
        let admin = format!("--admin http://{}", served.admin);
        countersign(
            &served.file("."),
            &format!("renewal probe {admin} --route orders {arguments} sample.xml"),
        )
    };
    let run = tokio::task::spawn_blocking(move || {
        let both = (
            command(&known, "--attempts unknown-key,expired"),
            command(&other, "--action urn:a"),
        );
        let wrong = command(&known, "--attempts tampered");
        (both, wrong, known, other)
    });
    let ((known, other), wrong, ..) = run.await.unwrap();
    assert_eq!(known.code, Some(0), "{}", known.stderr);
    let lines: Vec<_> = known.text().lines().collect();
    assert!(
        lines[0].starts_with("unknown-key  400  {http://docs.oasis-open.org/"),
        "{lines:#?}"
    );
    assert!(lines[1].starts_with("expired      400  "), "{lines:#?}");
    assert_eq!(
        lines[2..],
        ["write into the route: key_refused = [\"countersign\"]"]
    );

    assert_eq!(
        other.text().lines().nth(1).unwrap(),
        "write into the route: key_refused = [{ code = \"{urn:example:bank}Denied\", text = 'the \"signature\" is' }]"
    );
    assert!(!other.text().contains('\u{9b}'), "{}", other.text());
    assert!(
        other.text().contains("\nwarning: this entry is no known one"),
        "{}",
        other.text()
    );
    let request = bank.only_request();
    assert_eq!(
        request.headers["content-type"],
        "application/soap+xml; action=\"urn:a\""
    );

    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    assert!(
        wrong.stderr.contains("unknown-key, altered, expired"),
        "{}",
        wrong.stderr
    );
}
