//! When things cross: commands of an operator beat what goes on by itself, and no message waits in vain.

use countersign::keys::lifecycle::{Gate, Replacement};
use http::StatusCode;

use crate::hold::held;
use crate::receiver_led::led;
use crate::support::clock::now;
use crate::support::eventually;
use crate::support::exchange::Exchange;
use crate::support::partner::NOT_TRUSTED;
use crate::support::proxy::ALIAS;

#[tokio::test]
async fn an_operators_activation_is_not_taken_back_by_the_receivers_answers() {
    let exchange = Exchange::start(led).await;
    let new = exchange.new.clone();
    let operator = exchange.operator();
    operator.start_renewal(ALIAS, None, Vec::new(), now()).unwrap();
    operator
        .activate_unconfirmed(ALIAS, new.clone(), None, now())
        .unwrap();
    assert_eq!(exchange.send("a").await.status, StatusCode::OK);
    assert_eq!(exchange.keys_of("a"), ["new", "old"]);
    assert_eq!((exchange.active(), exchange.switches("receiver")), (new, 0));
}

#[tokio::test]
async fn an_operators_rollback_is_not_taken_back_by_the_receivers_answers() {
    let exchange = Exchange::start(led).await;
    let (old, new) = (exchange.old.clone(), exchange.new.clone());
    exchange.partner.trust(&[&new]);
    exchange.send("there").await;
    exchange.operator().rollback(ALIAS, now()).unwrap();
    assert_eq!(exchange.send("a").await.status, StatusCode::OK);
    assert_eq!(exchange.keys_of("a"), ["old", "new"]);
    assert_eq!((exchange.active(), exchange.switches("receiver")), (old, 1));
    assert_eq!(exchange.partner.processed(), ["a", "there"]);
}

#[tokio::test]
async fn a_renewal_given_up_while_both_keys_are_refused_gives_those_that_wait_their_own_fault() {
    let exchange = Exchange::start(led).await;
    let renewal = exchange.operator().start_renewal(ALIAS, None, Vec::new(), now());
    exchange.partner.trust(&[]);
    let waiting = exchange.hold(&["shown", "not shown"]).await;
    exchange
        .operator()
        .abort(ALIAS, &renewal.unwrap().id, now())
        .unwrap();
    for one in waiting {
        let answer = one.answer().await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(answer.text().contains(NOT_TRUSTED), "{}", answer.text());
    }
    let last = exchange.keys_of("not shown").pop();
    assert_eq!(last, Some("old"));
    assert_eq!((exchange.active(), exchange.held()), (exchange.old.clone(), 0));
}

#[tokio::test]
async fn an_operators_activation_while_both_keys_are_refused_is_what_those_that_wait_are_sent_with() {
    let exchange = Exchange::start(led).await;
    exchange.partner.trust(&[]);
    let waiting = exchange.hold(&["a"]).await.remove(0);
    exchange.partner.trust(&[&exchange.new]);
    let activated = exchange
        .operator()
        .activate_unconfirmed(ALIAS, exchange.new.clone(), None, now());
    activated.unwrap();
    assert_eq!(waiting.answer().await.status, StatusCode::OK);
    assert_eq!(exchange.keys_of("a").pop(), Some("new"));
    assert_eq!(exchange.switches("receiver"), 0);
}

#[tokio::test]
async fn a_key_that_is_discarded_while_both_are_refused_keeps_nobody_waiting() {
    let exchange = Exchange::start(led).await;
    exchange.partner.trust(&[]);
    let waiting = exchange.hold(&["a"]).await.remove(0);
    exchange
        .operator()
        .discard(ALIAS, exchange.new.clone(), now())
        .unwrap();
    assert!(waiting.answer().await.text().contains(NOT_TRUSTED));
}

#[tokio::test]
async fn a_message_keeps_the_keys_that_it_took_though_one_of_them_is_discarded_meanwhile() {
    let exchange = Exchange::start(led).await;
    exchange.partner.receiver.pause();
    exchange.partner.trust(&[&exchange.new]);
    let under_way = exchange.sending("a");
    eventually("it is under way", || exchange.came() == 1).await;
    exchange
        .operator()
        .discard(ALIAS, exchange.new.clone(), now())
        .unwrap();
    exchange.partner.receiver.go_on();
    assert_eq!(under_way.answer().await.status, StatusCode::OK);
    assert_eq!(
        (exchange.active(), exchange.switches("receiver")),
        (exchange.old.clone(), 0)
    );
}

#[tokio::test]
async fn a_revocation_with_a_successor_ends_a_hold_whether_it_drains_or_holds() {
    for drains in [true, false] {
        let exchange = Exchange::start(held).await;
        if drains {
            exchange.partner.receiver.pause();
            let under_way = exchange.sending("under way");
            eventually("it is under way", || exchange.came() == 1).await;
            exchange.begin_hold();
            let waiting = exchange.hold(&["a"]).await.remove(0);
            revoke(&exchange, Replacement::Successor(exchange.new.clone()));
            exchange.partner.trust(&[&exchange.new]);
            exchange.partner.receiver.go_on();
            assert_eq!(
                under_way.answer().await.status,
                StatusCode::OK,
                "signed before it was revoked"
            );
            assert_eq!(waiting.answer().await.status, StatusCode::OK);
            assert_eq!(exchange.keys_of("a"), ["new"]);
        } else {
            exchange.begin_hold();
            exchange.may_switch().await;
            let waiting = exchange.hold(&["a"]).await.remove(0);
            revoke(&exchange, Replacement::Successor(exchange.old.clone()));
            assert_eq!(waiting.answer().await.status, StatusCode::OK);
            assert_eq!(exchange.keys_of("a"), ["old"]);
        }
        assert_eq!(exchange.gate(), Gate::Open);
    }
}

#[tokio::test]
async fn a_revocation_that_stops_the_alias_answers_those_that_wait() {
    let exchange = Exchange::start(held).await;
    exchange.begin_hold();
    exchange.may_switch().await;
    let waiting = exchange.hold(&["a"]).await.remove(0);
    revoke(&exchange, Replacement::Stop);
    let answer = waiting.answer().await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        answer.sentence().contains("no active key"),
        "{}",
        answer.sentence()
    );
    assert_eq!(exchange.came(), 0);
}

fn revoke(exchange: &Exchange, replacement: Replacement) {
    let (active, reason) = (exchange.active(), "lost".parse().unwrap());
    let revoked = exchange
        .operator()
        .revoke(ALIAS, active, reason, Some(replacement), now());
    revoked.unwrap();
}
