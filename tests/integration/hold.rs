//! `hold`: messages wait while the receiver exchanges its certificate. Those under way end first, those that wait go in the
//! order of their arrival, within bounds.

use countersign::keys::lifecycle::Gate;
use http::StatusCode;
use http::header::RETRY_AFTER;

use crate::support::client::Answer;
use crate::support::clock::now;
use crate::support::eventually;
use crate::support::exchange::Exchange;
use crate::support::partner::Said;
use crate::support::proxy::{self, ALIAS, Setup};

/// One after the other, so that their order shows.
pub(crate) fn held(setup: Setup) -> Setup {
    setup
        .alias("strategy = \"hold\"\nhold = { release = 1 }")
        .route("fault_status = \"http\"")
}

/// Where a refusal is known, so that a message can find out.
fn found_out(setup: Setup) -> Setup {
    held(setup).also_route("key_refused = [\"countersign\"]")
}

#[tokio::test]
async fn the_gate_is_closed_until_all_under_way_has_ended_and_then_all_go_in_order_with_the_new_key() {
    let exchange = Exchange::start(held).await;
    exchange.partner.receiver.pause();
    let under_way = exchange.sending("under way");
    eventually("it is under way", || exchange.came() == 1).await;
    exchange.begin_hold();
    let waiting = exchange.hold(&["a", "b", "c"]).await;
    assert!(matches!(exchange.gate(), Gate::Draining { .. }));
    assert_eq!((exchange.active(), exchange.came()), (exchange.old.clone(), 1));

    exchange.partner.receiver.go_on();
    assert_eq!(under_way.answer().await.status, StatusCode::OK);
    exchange.may_switch().await;
    assert_eq!(
        (exchange.active(), exchange.held(), exchange.came()),
        (exchange.new.clone(), 3, 1)
    );
    exchange.partner.trust(&[&exchange.new]);
    exchange.operator().resume(ALIAS, now()).unwrap();
    for one in waiting {
        assert_eq!(one.answer().await.status, StatusCode::OK);
    }
    assert_eq!(exchange.partner.ids(), ["under way", "a", "b", "c"]);
    assert_eq!(exchange.partner.processed().len(), 4);
    assert_eq!(exchange.switches("hold"), 1);
    assert_eq!(exchange.metric("countersign_held_bytes{alias=\"orders\"}"), 0);
}

#[tokio::test]
async fn those_that_come_while_others_are_released_queue_behind_them() {
    let exchange = Exchange::start(held).await;
    exchange.begin_hold();
    exchange.may_switch().await;
    let mut waiting = exchange.hold(&["a", "b", "c"]).await;
    exchange.partner.trust(&[&exchange.new]);
    exchange.partner.receiver.pause();
    exchange.operator().resume(ALIAS, now()).unwrap();
    eventually("the first one is under way", || {
        exchange.came() == 1 && exchange.held() == 2
    })
    .await;
    waiting.extend(exchange.hold(&["d"]).await);
    exchange.partner.receiver.go_on();
    for one in waiting {
        assert_eq!(one.answer().await.status, StatusCode::OK);
    }
    assert_eq!(exchange.partner.ids(), ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn no_more_are_released_at_a_time_than_the_alias_says() {
    let three = |setup| held(setup).alias("strategy = \"hold\"\nhold = { release = 3 }");
    let exchange = Exchange::start(three).await;
    exchange.begin_hold();
    exchange.may_switch().await;
    let waiting = exchange.hold(&["a", "b", "c", "d", "e"]).await;
    exchange.partner.trust(&[&exchange.new]);
    exchange.partner.receiver.pause();
    exchange.operator().resume(ALIAS, now()).unwrap();
    eventually("three are under way", || exchange.came() == 3).await;
    assert_eq!(exchange.held(), 2);
    exchange.partner.receiver.go_on();
    for one in waiting {
        assert_eq!(one.answer().await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn the_receivers_confirmation_resumes() {
    let exchange = Exchange::start(held).await;
    let renewal = exchange.begin_hold();
    exchange.may_switch().await;
    let waiting = exchange.hold(&["a"]).await.remove(0);
    exchange.partner.trust(&[&exchange.new]);
    let receiver = exchange.partner.receiver.url("");
    exchange
        .operator()
        .confirm(ALIAS, &renewal.id, &receiver, now())
        .unwrap();
    assert_eq!(waiting.answer().await.status, StatusCode::OK);
    assert_eq!((exchange.gate(), exchange.held()), (Gate::Open, 0));
}

#[tokio::test]
async fn the_oldest_message_finds_out_once_a_second_and_resumes_when_it_is_accepted() {
    let exchange = Exchange::start(found_out).await;
    exchange.begin_hold();
    exchange.may_switch().await;
    let waiting = exchange.hold(&["a", "b"]).await;
    eventually("it is refused twice", || exchange.came() == 2).await;
    assert_eq!(exchange.keys_of("a"), ["new", "new"]);
    eventually("it waits again", || exchange.held() == 2).await;
    exchange.partner.trust(&[&exchange.new]);
    for one in waiting {
        assert_eq!(one.answer().await.status, StatusCode::OK);
    }
    assert_eq!(exchange.partner.ids(), ["a", "a", "a", "b"]);
    assert_eq!(exchange.partner.processed(), ["a", "b"]);
    assert_eq!(exchange.gate(), Gate::Open);
    let renewal = exchange.renewal().expect("it goes on");
    assert!(
        renewal.unconfirmed().is_empty(),
        "the receiver has said so itself"
    );
}

#[tokio::test]
async fn another_answer_to_who_finds_out_is_his_own_and_proves_nothing() {
    let exchange = Exchange::scripted(found_out, |_, _, seen| match seen.id.as_str() {
        "a" => Said::outage(StatusCode::INTERNAL_SERVER_ERROR),
        _ => seen.usual(),
    })
    .await;
    exchange.begin_hold();
    exchange.may_switch().await;
    let mut waiting = exchange.hold(&["a", "b"]).await;
    let first = waiting.remove(0).answer().await;
    assert_eq!(first.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(matches!(exchange.gate(), Gate::Holding { .. }));
    exchange.partner.trust(&[&exchange.new]);
    assert_eq!(waiting.remove(0).answer().await.status, StatusCode::OK);
    assert_eq!(exchange.gate(), Gate::Open);
}

#[tokio::test]
async fn a_receiver_that_is_away_to_exchange_its_certificate_costs_no_message() {
    let exchange = Exchange::start(found_out).await;
    exchange.begin_hold();
    exchange.may_switch().await;
    exchange.partner.receiver.go_away();
    let address = exchange.partner.receiver.address;
    while tokio::net::TcpStream::connect(address).await.is_ok() {}
    let waiting = exchange.hold(&["a"]).await.remove(0);
    let connects =
        || exchange.metric("countersign_request_duration_seconds_count{phase=\"held\",route=\"orders\"}");
    eventually("it has found nobody, twice", || connects() >= 2).await;
    exchange.partner.trust(&[&exchange.new]);
    exchange.partner.receiver.come_back();
    assert_eq!(waiting.answer().await.status, StatusCode::OK);
    assert_eq!(exchange.partner.processed(), ["a"]);
}

#[tokio::test]
async fn a_flow_that_goes_away_leaves_the_queue_at_once() {
    let exchange = Exchange::start(held).await;
    exchange.begin_hold();
    exchange.may_switch().await;
    let mut waiting = exchange.hold(&["a", "gone", "c"]).await;
    let bytes = || exchange.metric("countersign_held_bytes{alias=\"orders\"}");
    let before = bytes();
    drop(waiting.remove(1));
    eventually("it has left", || exchange.held() == 2).await;
    assert!(bytes() < before);
    exchange.partner.trust(&[&exchange.new]);
    exchange.operator().resume(ALIAS, now()).unwrap();
    for one in waiting {
        assert_eq!(one.answer().await.status, StatusCode::OK);
    }
    assert_eq!(exchange.partner.processed(), ["a", "c"]);
    assert_eq!(exchange.metric("countersign_buffered_bytes"), 0);
}

#[tokio::test]
async fn each_bound_puts_off_whom_it_has_no_room_for() {
    for (bound, sentence) in [
        ("count = 1", "1 messages wait already"),
        ("bytes = \"400B\"", "messages of 400 bytes may wait"),
    ] {
        let alias = format!("strategy = \"hold\"\nhold = {{ {bound} }}");
        let exchange = Exchange::start(move |setup| held(setup).alias(&alias)).await;
        exchange.begin_hold();
        exchange.may_switch().await;
        let waiting = exchange.hold(&["a"]).await.remove(0);
        put_off(&exchange.send("b").await, sentence);
        exchange.partner.trust(&[&exchange.new]);
        exchange.operator().resume(ALIAS, now()).unwrap();
        assert_eq!(waiting.answer().await.status, StatusCode::OK);
        assert_eq!(exchange.partner.processed(), ["a"], "{bound}");
    }
}

#[tokio::test]
async fn after_its_time_a_message_gets_a_fault_and_no_503_if_it_was_shown_and_the_hold_goes_on() {
    let brief = |setup| found_out(setup).alias("strategy = \"hold\"\nhold = { time = \"1500ms\" }");
    let exchange = Exchange::start(brief).await;
    exchange.begin_hold();
    exchange.may_switch().await;
    let answer = exchange.send("a").await;
    assert!(exchange.came() >= 1, "it has found out, too");
    assert_eq!(
        answer.status,
        StatusCode::BAD_GATEWAY,
        "some send again by themselves after 503"
    );
    assert!(!answer.headers.contains_key(RETRY_AFTER));
    for words in ["takes too long", "has been shown this message before"] {
        assert!(answer.sentence().contains(words), "{}", answer.sentence());
    }
    assert!(matches!(exchange.gate(), Gate::Holding { .. }));
    assert_eq!(exchange.held(), 0);
    assert!(exchange.partner.processed().is_empty());
}

#[tokio::test]
async fn a_proxy_that_was_restarted_goes_on_to_hold() {
    let exchange = Exchange::start(held).await;
    exchange.begin_hold();
    exchange.may_switch().await;
    let exchange = exchange.restart().await;
    let waiting = exchange.hold(&["a", "b"]).await;
    assert_eq!(exchange.came(), 0);
    exchange.partner.trust(&[&exchange.new]);
    exchange.operator().resume(ALIAS, now()).unwrap();
    for one in waiting {
        assert_eq!(one.answer().await.status, StatusCode::OK);
    }
    assert_eq!(exchange.keys_of("a"), ["new"]);
}

#[tokio::test]
async fn a_drain_that_a_restart_interrupts_ends_with_it() {
    let brief = |setup| held(setup).proxy("drain = \"200ms\"");
    let exchange = Exchange::start(brief).await;
    exchange.partner.receiver.pause();
    let _cut = exchange.sending("under way");
    eventually("it is under way", || exchange.came() == 1).await;
    exchange.begin_hold();
    let waiting = exchange.hold(&["a"]).await.remove(0);
    let exchange = exchange.restart().await;
    put_off(&waiting.answer().await, "the proxy stops");
    exchange.may_switch().await;
    assert_eq!(exchange.active(), exchange.new);
}

#[tokio::test]
async fn a_hold_that_is_given_up_lets_messages_go_with_the_old_key() {
    let exchange = Exchange::start(held).await;
    exchange.partner.receiver.pause();
    let under_way = exchange.sending("under way");
    eventually("it is under way", || exchange.came() == 1).await;
    let renewal = exchange.begin_hold();
    let draining = exchange.hold(&["a"]).await.remove(0);
    exchange.operator().abort(ALIAS, &renewal.id, now()).unwrap();
    exchange.partner.receiver.go_on();
    for one in [under_way, draining] {
        assert_eq!(one.answer().await.status, StatusCode::OK);
    }
    assert_eq!(exchange.keys_of("a"), ["old"]);

    let renewal = exchange.begin_hold();
    exchange.may_switch().await;
    let holding = exchange.hold(&["b"]).await.remove(0);
    exchange.operator().abort(ALIAS, &renewal.id, now()).unwrap();
    assert_eq!(holding.answer().await.status, StatusCode::OK);
    assert_eq!(exchange.keys_of("b"), ["old"]);
}

#[tokio::test]
async fn a_proxy_that_stops_puts_off_those_that_wait_and_cuts_nobody() {
    let brief = |setup| held(setup).proxy("drain = \"2s\"");
    let exchange = Exchange::start(brief).await;
    exchange.begin_hold();
    exchange.may_switch().await;
    let waiting = exchange.hold(&["a", "b"]).await;
    let drained = exchange.proxy.stop().await;
    assert_eq!((drained.ended, drained.cut), (2, 0));
    for one in waiting {
        put_off(&one.answer().await, "the proxy stops");
    }
}

#[tokio::test]
async fn who_waits_is_not_concerned_by_a_reload() {
    let exchange = Exchange::start(held).await;
    exchange.begin_hold();
    exchange.may_switch().await;
    let before = exchange.hold(&["a"]).await.remove(0);
    exchange.reload().await;
    let after = exchange.hold(&["b"]).await.remove(0);
    exchange.partner.trust(&[&exchange.new]);
    exchange.operator().resume(ALIAS, now()).unwrap();
    for one in [before, after] {
        assert_eq!(one.answer().await.status, StatusCode::OK);
    }
    assert_eq!(exchange.partner.ids(), ["a", "b"]);
}

#[tokio::test]
async fn a_hold_right_after_the_reload_that_brings_it_waits_for_what_came_before() {
    let exchange = Exchange::start(|setup| setup).await;
    exchange.partner.receiver.pause();
    let under_way = exchange.sending("under way");
    eventually("it is under way", || exchange.came() == 1).await;
    let setup = held(proxy::to(exchange.partner.receiver.url("/")));
    exchange.proxy.reload(&setup).await.expect("it holds now");
    exchange.begin_hold();
    let waiting = exchange.hold(&["a"]).await.remove(0);
    assert!(matches!(exchange.gate(), Gate::Draining { .. }));

    exchange.partner.receiver.go_on();
    assert_eq!(under_way.answer().await.status, StatusCode::OK);
    exchange.may_switch().await;
    exchange.partner.trust(&[&exchange.new]);
    exchange.operator().resume(ALIAS, now()).unwrap();
    assert_eq!(waiting.answer().await.status, StatusCode::OK);
    assert_eq!(
        (exchange.keys_of("under way"), exchange.keys_of("a")),
        (vec!["old"], vec!["new"])
    );
}

fn put_off(answer: &Answer, sentence: &str) {
    assert_eq!(
        answer.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "{}",
        answer.text()
    );
    assert!(answer.headers.contains_key(RETRY_AFTER));
    assert!(answer.sentence().contains(sentence), "{}", answer.sentence());
}
