//! Receivers that lead elsewhere. A flow never learns of it by a redirect, which common clients follow with the message as
//! they have it, unsigned, straight to the receiver.

use bytes::Bytes;
use countersign::keys::audit::Author;
use countersign::keys::lifecycle::Replacement;
use http::header::{IF_NONE_MATCH, LOCATION, RETRY_AFTER};
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use tempfile::tempdir;

use crate::support::client::{Flow, SOAP11, request};
use crate::support::clock::now;
use crate::support::eventually;
use crate::support::proxy::{self, ALIAS, Setup};
use crate::support::receiver::{Receiver, Recorded};
use crate::support::tool::run;

const MESSAGE: &str = include_str!("../messages/body-two-children.xml");

fn answer(status: u16, location: &str) -> Response<Full<Bytes>> {
    let answer = Response::builder().status(status).header(LOCATION, location);
    answer.body(Full::from("moved")).unwrap()
}

/// Leads from `/old` to this place, and takes everything elsewhere.
async fn leading(status: u16, location: &'static str) -> Receiver {
    Receiver::answering(move |came: &Recorded| {
        if came.target.starts_with("/old") {
            answer(status, location)
        } else {
            Response::new(Full::from("taken"))
        }
    })
    .await
}

fn to_old(receiver: &Receiver) -> Setup {
    proxy::to(receiver.url("/old")).route("fault_status = \"http\"")
}

fn following(receiver: &Receiver) -> Setup {
    to_old(receiver).also_route("redirects = \"follow\"")
}

fn signature(came: &Recorded) -> String {
    let body = String::from_utf8(came.body.to_vec()).unwrap();
    let value = body.split_once("<ds:SignatureValue>").expect("it is signed").1;
    value.split_once('<').unwrap().0.to_owned()
}

#[tokio::test]
async fn whatever_the_redirect_the_flow_gets_a_fault_that_names_the_place() {
    for status in [300, 301, 302, 303, 304, 305, 307, 308, 399] {
        let receiver = leading(status, "http://erp.internal/n\"e<w>").await;
        let proxy = to_old(&receiver).start().await;
        for mut flow in [proxy.flow().await, Flow::connect_h2c(proxy.address()).await] {
            let answer = flow.post("/orders", SOAP11, MESSAGE).await;
            assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{status}");
            assert!(!answer.headers.contains_key(LOCATION));
            let place = format!("{status}, a redirect to http://erp.internal/n\"e<w>,");
            assert!(answer.sentence().contains(&place), "{}", answer.sentence());
            assert!(answer.text().contains("n\"e&lt;w&gt;"), "it stays text");
            signature(&receiver.take_request());
        }
        let told = r#"countersign_requests_total{outcome="redirected",route="orders"} 2"#;
        assert!(proxy.metrics().contains(told), "{}", proxy.metrics());
    }
}

#[tokio::test]
async fn curl_that_follows_redirects_sends_nothing_unsigned() {
    let receiver = leading(307, "/new").await;
    let proxy = to_old(&receiver).start().await;
    let directory = tempdir().unwrap();
    std::fs::write(directory.path().join("message.xml"), MESSAGE).unwrap();
    let command = format!(
        "-u no_proxy -u NO_PROXY curl --silent --location --header Content-Type:text/xml --data-binary @message.xml \
         http://{}/orders",
        proxy.address()
    );
    let printed =
        tokio::task::spawn_blocking(move || run(directory.path(), "env", command.split_whitespace()));
    assert!(printed.await.unwrap().contains("a redirect to /new"));
    assert_eq!(receiver.only_request().target, "/old");
}

#[tokio::test]
async fn where_the_route_says_so_a_message_follows_within_its_origin_signed_anew() {
    for status in [307, 308] {
        let receiver = leading(status, "/new?a=b").await;
        let proxy = following(&receiver).start().await;
        let answer = proxy.flow().await.post("/orders?c=d", SOAP11, MESSAGE).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, "taken"));
        let came = receiver.requests();
        let targets: Vec<_> = came.iter().map(|came| came.target.as_str()).collect();
        assert_eq!(targets, ["/old?c=d", "/new?a=b"]);
        assert_ne!(
            signature(&came[0]),
            signature(&came[1]),
            "no receiver takes it for a replay"
        );
        let followed = r#"countersign_redirects_followed_total{route="orders"} 1"#;
        assert!(proxy.metrics().contains(followed), "{}", proxy.metrics());
    }
}

#[tokio::test]
async fn a_message_follows_nowhere_else() {
    let elsewhere = Receiver::start().await;
    let other = elsewhere.url("/new").leak();
    for (status, location) in [
        (307, &*other),
        (308, "//localhost/new"),
        (302, "/new"),
        (301, "/new"),
        (303, "/new"),
    ] {
        let receiver = leading(status, location).await;
        let proxy = following(&receiver).start().await;
        let answer = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{status} {location}");
        assert_eq!(receiver.only_request().target, "/old");
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn a_receiver_that_leads_in_circles_gets_a_message_six_times_at_most() {
    let receiver = leading(307, "/old").await;
    let proxy = following(&receiver).start().await;
    let answer = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(receiver.requests().len(), 6);
}

#[tokio::test]
async fn a_message_that_cannot_be_signed_again_on_its_way_is_never_answered_503() {
    let receiver = leading(307, "/new").await;
    let proxy = following(&receiver).start().await;
    receiver.pause();
    let mut flow = proxy.flow().await;
    let sending = tokio::spawn(async move { flow.post("/orders", SOAP11, MESSAGE).await });
    eventually("it is under way", || receiver.requests().len() == 1).await;
    let key = {
        let ring = proxy.keys().ring();
        let active = ring.alias(ALIAS).and_then(|keys| keys.active()).unwrap();
        active.fingerprint().clone()
    };
    let operator = proxy.keys().by(Author::cli());
    let (reason, stop) = ("stolen".parse().unwrap(), Some(Replacement::Stop));
    operator.revoke(ALIAS, key, reason, stop, now()).unwrap();
    receiver.go_on();
    let answer = sending.await.unwrap();
    assert_eq!(
        answer.status,
        StatusCode::BAD_GATEWAY,
        "some send again by themselves after 503"
    );
    assert!(!answer.headers.contains_key(RETRY_AFTER));
    let sentence = answer.sentence();
    assert!(
        sentence.contains("no active key") && sentence.contains("shown this message before"),
        "{sentence}"
    );
    assert_eq!(receiver.requests().len(), 1);
    let unsent = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!(
        unsent.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "which was not sent on"
    );
}

#[tokio::test]
async fn a_question_for_a_description_follows_within_the_origin_and_learns_of_no_other() {
    for status in [301, 302, 303, 307, 308] {
        let receiver = leading(status, "/new?wsdl").await;
        let proxy = to_old(&receiver).start().await;
        let answer = proxy.flow().await.ask(Method::GET, "/orders?wsdl").await;
        assert_eq!(
            (answer.status, answer.text()),
            (StatusCode::OK, "taken"),
            "{status}"
        );
        let came = receiver.requests();
        assert_eq!(
            (came.len(), &*came[1].target, &came[1].method),
            (2, "/new?wsdl", &Method::GET)
        );
    }
    for (status, location) in [
        (301, "https://erp.internal/old?wsdl"),
        (300, "/new"),
        (302, "/old?wsdl"),
    ] {
        let receiver = leading(status, location).await;
        let proxy = to_old(&receiver).start().await;
        let answer = proxy.flow().await.ask(Method::GET, "/orders?wsdl").await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{status} {location}");
        assert!(!answer.headers.contains_key(LOCATION) && answer.sentence().contains(location));
    }
}

#[tokio::test]
async fn a_description_that_has_not_changed_is_an_answer() {
    let receiver = leading(304, "/new").await;
    let proxy = to_old(&receiver).start().await;
    let question = request(Method::GET, "/orders?wsdl").header(IF_NONE_MATCH, "\"1\"");
    let answer = proxy
        .flow()
        .await
        .send(question.body(Full::default()).unwrap())
        .await;
    assert_eq!(answer.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn a_receiver_that_asks_flows_for_a_proxys_credentials_gets_none() {
    let receiver = Receiver::answering(|_| {
        let answer = Response::builder()
            .status(407)
            .header("proxy-authenticate", "NTLM");
        answer.body(Full::default()).unwrap()
    })
    .await;
    let proxy = to_old(&receiver).start().await;
    let answer = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert!(answer.sentence().contains("status 407"), "{}", answer.sentence());
}
