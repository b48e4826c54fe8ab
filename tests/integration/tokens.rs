//! Keys on a PKCS#11 token (SoftHSM2), from import to signed messages to a switch; and a token that goes and comes.

use std::fs;
use std::path::Path;

use countersign::keys::Certificate;
use serde_json::Value;

use crate::support::client::{Flow, SOAP11};
use crate::support::countersign::countersign_with;
use crate::support::eventually;
use crate::support::judges::Judges;
use crate::support::receiver::Receiver;
use crate::support::served::{Place, Served};
use crate::support::softhsm::{PIN, SoftHsm};
use crate::support::steady::Steady;
use crate::support::tool::openssl;

const MESSAGE: &str = include_str!("../messages/body-two-children.xml");

/// `[[route]]` with the path `/NAME`, of the alias of that name.
fn route(receiver: &Receiver, name: &str, profile: &str) -> String {
    let url = receiver.url("/");
    format!(
        "[[route]]\nname = \"{name}\"\npath = \"/{name}\"\nreceiver = \"{url}\"\nalias = \"{name}\"\nfault_status = \"http\"\n{profile}"
    )
}

/// A process with one token, and an alias `hsm` whose source is a key of it.
async fn serve(receiver: &Receiver, prepare: impl FnOnce(&SoftHsm) -> String) -> (Served, SoftHsm) {
    let place = Place::new();
    let hsm = SoftHsm::new(place.path("hsm"));
    hsm.init("signing");
    let source = prepare(&hsm);
    let sections = sections(receiver, &source);
    let served = place
        .environment("SOFTHSM2_CONF", hsm.configuration())
        .serve(&sections)
        .await;
    (served, hsm)
}

fn sections(receiver: &Receiver, source: &str) -> String {
    format!(
        "[proxy]\nlisten = \"127.0.0.1:0\"\n[alias.hsm]\n{source}\n{}",
        route(receiver, "hsm", "")
    )
}

/// Sends one message and demands that it was signed with this certificate's key.
async fn signs(served: &Served, receiver: &Receiver, path: &str, certificate: &[u8]) {
    let mut flow = Flow::connect(served.proxy).await;
    let answer = flow.post(path, SOAP11, MESSAGE).await;
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), served.log());
    let mut judges = Judges::trusting(Certificate::from_der(certificate).unwrap());
    if path.contains("pss") {
        judges = judges.without_xmlsec1(); // it does not know it
    }
    judges.judge("message.xml", &receiver.take_request().body);
    judges.conclude();
}

fn fingerprint(certificate: &[u8]) -> String {
    Certificate::from_der(certificate)
        .unwrap()
        .fingerprint()
        .to_string()
}

fn states(alias: &Value) -> Vec<(String, String)> {
    let text = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
    let keys = alias["keys"].as_array().unwrap().iter();
    keys.map(|key| (text(key, "fingerprint"), text(key, "state")))
        .collect()
}

/// Like nothing that a log has in it by chance.
const WRONG_PIN: &str = "no-such-pin";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_on_a_token_signs_is_found_again_after_a_restart_and_is_exchanged() {
    let receiver = Receiver::start().await;
    let mut first = Vec::new();
    let (mut served, hsm) = serve(&receiver, |hsm| {
        first = hsm.add_key("signing", "orders", "01", "RSA");
        hsm.source("token=signing;object=orders")
    })
    .await;
    signs(&served, &receiver, "/hsm", &first).await;

    served.signal("TERM");
    served.ended().await;
    served.start_again().await;
    signs(&served, &receiver, "/hsm", &first).await;

    // The next one: the configuration names it, and is read again by itself.
    let second = hsm.add_key("signing", "orders", "02", "EC -pkeyopt ec_paramgen_curve:P-256");
    served.configure(&sections(&receiver, &hsm.source("token=signing;id=%02")));
    let alias = served
        .until_alias("hsm", |alias| alias["keys"].as_array().unwrap().len() == 2)
        .await;
    let (first_name, second_name) = (fingerprint(&first), fingerprint(&second));
    let expected = [(first_name.as_str(), "active"), (&second_name, "pending")];
    assert_eq!(
        states(&alias),
        expected.map(|(key, state)| (key.to_owned(), state.to_owned()))
    );
    signs(&served, &receiver, "/hsm", &first).await;

    let load = Steady::start(served.proxy, "/hsm");
    load.further(200, 20).await;
    let (status, answer) = served.activate("hsm", &second_name).await;
    assert_eq!(status, 200, "{answer:?}");
    load.further(200, 20).await;
    let came = load.stop().await;
    assert!(came.iter().all(|(status, _)| *status == 200), "{came:?}");
    signs(&served, &receiver, "/hsm", &second).await;
    assert!(!served.log().contains(PIN), "a PIN is never logged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_algorithm_of_a_key_on_a_token_is_one_that_receivers_verify() {
    let receiver = Receiver::start().await;
    let place = Place::new();
    let hsm = SoftHsm::new(place.path("hsm"));
    hsm.init("signing");
    let mut sections = "[proxy]\nlisten = \"127.0.0.1:0\"\n".to_owned();
    let mut cases = Vec::new();
    for (id, (key, algorithms)) in [
        (
            "RSA",
            &[
                "rsa-sha1",
                "rsa-sha256",
                "rsa-sha384",
                "rsa-sha512",
                "rsa-pss-sha256",
                "rsa-pss-sha384",
                "rsa-pss-sha512",
            ][..],
        ),
        (
            "EC -pkeyopt ec_paramgen_curve:P-256",
            &["ecdsa-sha256", "ecdsa-sha512"],
        ),
        (
            "EC -pkeyopt ec_paramgen_curve:P-384",
            &["ecdsa-sha384", "ecdsa-sha256"],
        ),
        (
            "EC -pkeyopt ec_paramgen_curve:P-521",
            &["ecdsa-sha512", "ecdsa-sha384"],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let certificate = hsm.add_key("signing", "some", &format!("0{id}"), key);
        let source = hsm.source(&format!("token=signing;id=%0{id};type=private"));
        sections += &format!("[alias.k{id}]\n{source}\n");
        for algorithm in algorithms {
            let name = format!("k{id}-{algorithm}");
            sections += &format!(
                "[profile.{name}]\nsignature_algorithm = \"{algorithm}\"\n[[route]]\nname = \"{name}\"\npath = \"/{name}\"\n\
                 receiver = \"{}\"\nalias = \"k{id}\"\nprofile = \"{name}\"\n",
                receiver.url("/")
            );
            cases.push((format!("/{name}"), certificate.clone()));
        }
    }
    let served = place
        .environment("SOFTHSM2_CONF", hsm.configuration())
        .serve(&sections)
        .await;
    for (path, certificate) in cases {
        signs(&served, &receiver, &path, &certificate).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_certificates_that_share_a_key_on_a_token_the_newest_is_taken() {
    let receiver = Receiver::start().await;
    let mut certificates = Vec::new();
    let (served, _hsm) = serve(&receiver, |hsm| {
        certificates = hsm.add_key_certified("signing", "orders", "01", &[20, 30, 90, 40, 50]);
        hsm.source("token=signing;object=orders")
    })
    .await;
    signs(&served, &receiver, "/hsm", &certificates[2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_pulled_under_load_is_a_clear_503_and_heals_by_itself() {
    let receiver = Receiver::start().await;
    let mut certificate = Vec::new();
    let (served, hsm) = serve(&receiver, |hsm| {
        certificate = hsm.add_key("signing", "orders", "01", "EC -pkeyopt ec_paramgen_curve:P-256");
        hsm.source("token=signing;object=orders")
    })
    .await;
    let load = Steady::start(served.proxy, "/hsm");
    load.further(200, 20).await;
    for _ in 0..2 {
        fs::rename(hsm.tokens(), hsm.tokens().with_extension("away")).unwrap();
        load.further(503, 20).await;
        fs::rename(hsm.tokens().with_extension("away"), hsm.tokens()).unwrap();
        load.further(200, 20).await;
    }
    let came = load.stop().await;
    for (status, text) in &came {
        match status {
            200 => {}
            503 => assert!(text.contains("is on a token that cannot sign now"), "{text}"),
            _ => panic!("{status}: {text}"),
        }
    }
    signs(&served, &receiver, "/hsm", &certificate).await;
    eventually("it is told", || served.log().contains("the token is back")).await;
    let lost = served.log().matches("a token is lost").count();
    assert!(
        (1..=4).contains(&lost),
        "told when it happens, not for each message: {lost}"
    );
    assert!(
        receiver
            .requests()
            .iter()
            .all(|request| { memchr::memmem::find(&request.body, b"SignatureValue").is_some() })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_deleted_from_a_token_takes_no_other_key_with_it() {
    const P256: &str = "EC -pkeyopt ec_paramgen_curve:P-256";
    let receiver = Receiver::start().await;
    let (served, hsm) = serve(&receiver, |hsm| {
        hsm.add_key("signing", "orders", "01", P256);
        hsm.add_key("signing", "other", "02", P256);
        let other = format!("[alias.other]\n{}", hsm.source("token=signing;object=other"));
        let route = route(&receiver, "other", "");
        format!("{}\n{other}\n{route}", hsm.source("token=signing;object=orders"))
    })
    .await;
    let (load, other) = (
        Steady::start(served.proxy, "/hsm"),
        Steady::start(served.proxy, "/other"),
    );
    other.further(200, 10).await;
    hsm.delete_key("signing", "02");
    other.further(503, 50).await;
    load.further(200, 50).await;
    let came = load.stop().await;
    assert!(came.iter().all(|(status, _)| *status == 200), "{came:?}");
    let came = other.stop().await;
    let (status, text) = came.last().unwrap();
    assert_eq!(*status, 503);
    assert!(text.contains("has no private key that is object=other"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_pin_is_tried_once_and_the_right_one_heals_without_a_restart() {
    let receiver = Receiver::start().await;
    let place = Place::new();
    let hsm = SoftHsm::new(place.path("hsm"));
    hsm.init("signing");
    let certificate = hsm.add_key("signing", "orders", "01", "EC -pkeyopt ec_paramgen_curve:P-256");
    fs::write(hsm.pin_file(), format!("{WRONG_PIN}\n")).unwrap();
    let (spy, calls) = (hsm.spy(), place.path("calls"));
    let source = hsm
        .source("token=signing;object=orders")
        .replace(&hsm.module(), &spy);
    let served = place
        .environment("SOFTHSM2_CONF", hsm.configuration())
        .environment("PKCS11SPY", hsm.module().into())
        .environment("PKCS11SPY_OUTPUT", calls.clone())
        .serve(&sections(&receiver, &source))
        .await;
    let logins = || {
        fs::read_to_string(&calls)
            .unwrap_or_default()
            .matches("C_Login\n")
            .count()
    };
    let alias = served
        .until_alias("hsm", |alias| !alias["source_problem"].is_null())
        .await;
    let problem = alias["source_problem"].as_str().unwrap();
    assert!(
        problem.contains("refused the PIN in") && !problem.contains(WRONG_PIN),
        "{problem}"
    );
    let mut flow = Flow::connect(served.proxy).await;
    assert_eq!(flow.post("/hsm", SOAP11, MESSAGE).await.status, 503);
    eventually("it is looked at again, more than once", || {
        fs::read_to_string(&calls)
            .unwrap_or_default()
            .matches("C_OpenSession\n")
            .count()
            >= 3
    })
    .await;
    assert_eq!(logins(), 1, "a wrong PIN is never tried again by itself");

    fs::write(hsm.pin_file(), "\n").unwrap();
    eventually("it is told that none is there", || {
        served.log().contains("is empty; put the PIN there")
    })
    .await;
    assert_eq!(logins(), 1, "an empty PIN is never tried");

    fs::write(hsm.pin_file(), format!("{PIN}\n")).unwrap();
    served
        .until_alias("hsm", |alias| alias["keys"][0]["state"] == "active")
        .await;
    assert!(served.alias("hsm").await["source_problem"].is_null());
    signs(&served, &receiver, "/hsm", &certificate).await;
    assert_eq!(logins(), 2);
    assert!(!served.log().contains(PIN) && !served.log().contains(WRONG_PIN));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_without_the_token_starts_and_signs_as_soon_as_it_is_there() {
    let receiver = Receiver::start().await;
    let mut certificate = Vec::new();
    let (mut served, hsm) = serve(&receiver, |hsm| {
        certificate = hsm.add_key("signing", "orders", "01", "RSA");
        hsm.source("token=signing;object=orders")
    })
    .await;
    signs(&served, &receiver, "/hsm", &certificate).await;
    served.signal("TERM");
    served.ended().await;
    let away = hsm.tokens().with_extension("away");
    fs::rename(hsm.tokens(), &away).unwrap();
    served.start_again().await;
    let alias = served
        .until_alias("hsm", |alias| !alias["source_problem"].is_null())
        .await;
    assert_eq!(states(&alias), [(fingerprint(&certificate), "active".to_owned())]);
    let load = Steady::start(served.proxy, "/hsm");
    load.further(503, 5).await;
    fs::rename(&away, hsm.tokens()).unwrap();
    load.further(200, 5).await;
    load.stop().await;
    served
        .until_alias("hsm", |alias| alias["source_problem"].is_null())
        .await;
    signs(&served, &receiver, "/hsm", &certificate).await;
}

/// A token with keys of every kind of trouble.
fn troubled(directory: &Path) -> SoftHsm {
    let hsm = SoftHsm::new(directory.join("hsm"));
    hsm.init("signing");
    hsm.add_key("signing", "orders", "01", "RSA");
    for id in ["02", "03"] {
        hsm.add_key("signing", "twice", id, "EC -pkeyopt ec_paramgen_curve:P-256");
    }
    let weak = "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out hsm/weak.key";
    openssl(directory, weak);
    let certificate = "req -x509 -new -days 9 -key hsm/weak.key -subj /CN=weak -out weak.pem";
    openssl(directory, certificate);
    hsm.import("signing", "weak", "04", "weak.key", None);
    hsm
}

#[test]
fn check_opens_the_token_and_says_what_is_wrong_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let hsm = troubled(at);
    let named = |object: &str| hsm.source(&format!("token=signing;object={object}"));
    let beside = |object: &str| {
        let uri = format!("token=signing;object={object}");
        hsm.source_with(&uri, ", certificate = \"weak.pem\"")
    };
    let check = |source: &str| {
        let route = "name = \"hsm\"\npath = \"/hsm\"\nreceiver = \"http://127.0.0.1:9/\"\nalias = \"hsm\"\n";
        fs::write(
            at.join("c.toml"),
            format!("[alias.hsm]\n{source}\n[[route]]\n{route}"),
        )
        .unwrap();
        let environment = [("SOFTHSM2_CONF", hsm.configuration())];
        countersign_with(at, "check --config c.toml", &environment)
    };
    let right = check(&named("orders"));
    assert_eq!(right.code, Some(0), "{}", right.stderr);
    assert!(right.text().contains("on a token"), "{}", right.text());
    for (source, sentence) in [
        (
            hsm.source("token=other;object=orders"),
            "there is no token token=other, only: signing",
        ),
        (named("nothing"), "has no private key that is object=nothing"),
        (
            named("twice"),
            "2 private keys on token token=signing are object=twice",
        ),
        (named("weak"), "no certificate on token token=signing belongs to"),
        (beside("weak"), "RSA-1024 is too weak to sign"),
        (beside("orders"), "no certificate in"),
        (
            named("orders").replace(&hsm.module(), "/nowhere.so"),
            "cannot be used",
        ),
        (named("a b"), "write %20"),
    ] {
        let wrong = check(&source);
        assert_eq!(wrong.code, Some(1), "{source}");
        assert!(wrong.stderr.contains(sentence), "{source}: {}", wrong.stderr);
    }
}
