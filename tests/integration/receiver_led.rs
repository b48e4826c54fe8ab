//! `receiver-led`: the receiver's refusal of one key leads to the other, once for everybody.

use http::StatusCode;

use crate::support::client::SOAP12;
use crate::support::clock::now;
use crate::support::eventually;
use crate::support::exchange::Exchange;
use crate::support::partner::NOT_TRUSTED;
use crate::support::proxy::{ALIAS, Setup, new_key};

/// What all of it needs.
pub(crate) fn led(setup: Setup) -> Setup {
    setup
        .alias("strategy = \"receiver-led\"")
        .route("key_refused = [\"countersign\"]\nfault_status = \"http\"")
}

#[tokio::test]
async fn the_first_refusal_leads_everybody_to_the_next_key() {
    let exchange = Exchange::start(led).await;
    let new = exchange.new.clone();
    assert_eq!(exchange.send("before").await.status, StatusCode::OK);
    assert_eq!(exchange.keys_of("before"), ["old"]);

    exchange.partner.trust(&[&new]);
    assert_eq!(exchange.send("at").await.status, StatusCode::OK);
    assert_eq!(exchange.keys_of("at"), ["old", "new"]);
    assert_eq!(exchange.active(), new);
    assert_eq!(exchange.send("after").await.status, StatusCode::OK);
    assert_eq!(exchange.keys_of("after"), ["new"]);

    assert_eq!(exchange.partner.processed(), ["after", "at", "before"]);
    assert_eq!(exchange.switches("receiver"), 1);
    let renewal = exchange.renewal().expect("it goes on, for the way back");
    assert!(
        renewal.unconfirmed().is_empty(),
        "the receiver has said so itself"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_meet_the_refusal_at_once_one_switches_for_all() {
    let exchange = Exchange::start(led).await;
    exchange.partner.receiver.pause();
    exchange.partner.trust(&[&exchange.new]);
    let ids: Vec<_> = (10..42).map(|number| number.to_string()).collect();
    let sending: Vec<_> = ids.iter().map(|id| exchange.sending(id)).collect();
    eventually("all are refused", || exchange.came() == 32).await;
    exchange.partner.receiver.go_on();
    for one in sending {
        assert_eq!(one.answer().await.status, StatusCode::OK);
    }
    assert_eq!(exchange.partner.processed(), ids);
    assert_eq!((exchange.came(), exchange.switches("receiver")), (64, 1));
}

#[tokio::test]
async fn a_subcode_of_soap_1_2_leads_on_as_well() {
    let exchange = Exchange::start(led).await;
    exchange.partner.trust(&[&exchange.new]);
    let message = crate::support::load::message("m").replace(
        "http://schemas.xmlsoap.org/soap/envelope/",
        "http://www.w3.org/2003/05/soap-envelope",
    );
    let answer = exchange.proxy.flow().await.post("/orders", SOAP12, message).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(exchange.came(), 2);
    assert_eq!(exchange.active(), exchange.new);
}

#[tokio::test]
async fn a_fault_with_status_200_leads_on_where_the_route_says_so() {
    let with_200 = |setup| led(setup).also_route("faults_with_200 = true");
    let exchange = Exchange::scripted(with_200, |_, _, seen| match seen.trusted {
        true => seen.processed(),
        false => seen.fault_with(StatusCode::OK, "wsse:FailedCheck", NOT_TRUSTED),
    })
    .await;
    exchange.partner.trust(&[&exchange.new]);
    let answer = exchange.send("m").await;
    assert!(answer.text().contains("acknowledged"), "{}", answer.text());
    assert_eq!(exchange.partner.processed(), ["m"]);
    assert_eq!(exchange.active(), exchange.new);
}

#[tokio::test]
async fn a_receiver_that_goes_back_is_followed_once_it_has_settled() {
    let brief = |setup| led(setup).alias("strategy = \"receiver-led\"\nsettle = \"1s\"");
    let exchange = Exchange::start(brief).await;
    exchange.partner.trust(&[&exchange.new]);
    assert_eq!(exchange.send("there").await.status, StatusCode::OK);
    exchange.partner.trust(&[&exchange.old]);
    let mut sent = 1;
    while exchange.active() != exchange.old {
        assert_eq!(
            exchange.send(&format!("back {sent}")).await.status,
            StatusCode::OK
        );
        sent += 1;
        assert!(sent < 10_000, "it never went back");
    }
    for number in 0..5 {
        assert_eq!(
            exchange.send(&format!("after {number}")).await.status,
            StatusCode::OK
        );
    }
    assert_eq!(exchange.partner.processed().len(), sent + 5);
    assert_eq!(exchange.switches("receiver"), 2, "there and back");
    // Until it had settled, the key accepted last was tried first.
    assert!(exchange.came() <= sent + 5 + 3, "{} of {sent}", exchange.came());
}

#[tokio::test]
async fn before_it_has_settled_the_key_accepted_last_is_tried_first_and_nothing_switches() {
    let exchange = Exchange::start(led).await;
    let (old, new) = (exchange.old.clone(), exchange.new.clone());
    exchange.partner.trust(&[&new]);
    exchange.send("there").await;
    exchange.partner.trust(&[&old]);
    assert_eq!(exchange.send("back").await.status, StatusCode::OK);
    assert_eq!(exchange.keys_of("back"), ["new", "old"]);
    assert_eq!(exchange.send("again").await.status, StatusCode::OK);
    assert_eq!(exchange.keys_of("again"), ["old"]);
    exchange.partner.trust(&[&new]);
    assert_eq!(exchange.send("forth").await.status, StatusCode::OK);
    assert_eq!((exchange.active(), exchange.switches("receiver")), (new, 1));
    assert_eq!(exchange.partner.processed().len(), 4);
}

#[tokio::test]
async fn of_two_pending_keys_none_is_tried_until_a_renewal_names_one() {
    let exchange = Exchange::start(led).await;
    exchange.import(new_key());
    exchange.partner.trust(&[&exchange.new]);
    let answer = exchange.send("refused").await;
    assert!(answer.text().contains(NOT_TRUSTED), "{}", answer.text());
    assert_eq!(exchange.keys_of("refused"), ["old"]);

    let named = Some(exchange.new.clone());
    let started = exchange.operator().start_renewal(ALIAS, named, Vec::new(), now());
    started.unwrap();
    assert_eq!(exchange.send("accepted").await.status, StatusCode::OK);
    assert_eq!(exchange.active(), exchange.new);
    assert_eq!(exchange.partner.processed(), ["accepted"]);
}

#[tokio::test]
async fn a_key_that_comes_while_a_message_is_under_way_is_tried_for_it_as_well() {
    let exchange = Exchange::start(led).await;
    exchange.import(new_key());
    exchange.partner.receiver.pause();
    exchange.partner.trust(&[&exchange.new]);
    let sending = exchange.sending("under way");
    eventually("the receiver has it", || exchange.came() == 1).await;

    let named = Some(exchange.new.clone());
    let started = exchange.operator().start_renewal(ALIAS, named, Vec::new(), now());
    started.unwrap();
    exchange.partner.receiver.go_on();

    assert_eq!(sending.answer().await.status, StatusCode::OK);
    assert_eq!(exchange.active(), exchange.new);
    assert_eq!(exchange.partner.processed(), ["under way"]);
}

#[tokio::test]
async fn a_restart_forgets_neither_the_next_key_nor_the_way_back() {
    let exchange = Exchange::start(led).await;
    assert_eq!(exchange.send("before").await.status, StatusCode::OK);
    let exchange = exchange.restart().await;
    exchange.partner.trust(&[&exchange.new]);
    assert_eq!(exchange.send("there").await.status, StatusCode::OK);
    assert_eq!(exchange.active(), exchange.new);
    let exchange = exchange.restart().await;
    exchange.partner.trust(&[&exchange.old]);
    assert_eq!(exchange.send("back").await.status, StatusCode::OK);
    assert_eq!(exchange.active(), exchange.old);
    assert_eq!(exchange.partner.processed(), ["back", "before", "there"]);
}
