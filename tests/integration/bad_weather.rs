//! `receiver-led` in bad weather: what looks like a refusal and is none, receivers that are between two certificates, and
//! nodes that do not agree. No message is processed twice, none is lost, and the receiver is not asked more than it must.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use countersign::keys::Fingerprint;
use http::StatusCode;
use http::header::RETRY_AFTER;

use crate::receiver_led::led;
use crate::support::client::{Flow, SOAP11};
use crate::support::eventually;
use crate::support::exchange::Exchange;
use crate::support::load::message;
use crate::support::partner::{NOT_TRUSTED, Said, Seen};
use crate::support::soak::Seed;

type Script = fn(&Seen) -> Said;

/// What a receiver may say, from which nothing follows.
const ANSWERS: &[(&str, Script)] = &[
    ("an outage", |_| Said::outage(StatusCode::INTERNAL_SERVER_ERROR)),
    ("an outage before the receiver", |_| {
        Said::outage(StatusCode::BAD_GATEWAY)
    }),
    ("an outage in SOAP", |seen| {
        seen.fault("soap:Server", "out of order")
    }),
    ("the right code, another text", |seen| {
        seen.fault("wsse:FailedCheck", "a digest is wrong")
    }),
    ("the right text, another code", |seen| {
        seen.fault("soap:Server", NOT_TRUSTED)
    }),
    ("another namespace", |seen| {
        seen.fault("soap:FailedCheck", NOT_TRUSTED)
    }),
    ("a replay", |seen| {
        seen.fault("wsse:FailedCheck", &format!("{NOT_TRUSTED}: replay of 1"))
    }),
    ("a nonce", |seen| {
        seen.fault("wsse:FailedCheck", &format!("{NOT_TRUSTED}: nonce 1"))
    }),
    ("an expired Timestamp", |seen| {
        seen.fault("wsse:MessageExpired", NOT_TRUSTED)
    }),
    ("a secured fault", |seen| seen.secured_refusal()),
    ("a fault with status 200", |seen| {
        seen.fault_with(StatusCode::OK, "wsse:FailedCheck", NOT_TRUSTED)
    }),
    ("a fault that is too long", |seen| {
        seen.fault(
            "wsse:FailedCheck",
            &format!("{NOT_TRUSTED} {}", "x".repeat(70_000)),
        )
    }),
    (
        "the application's own, after it has processed the message",
        |seen| seen.fault("soap:Server", "no such order").after_processing(),
    ),
    ("that of a service that the application calls", |seen| {
        seen.fault("wsse:FailedAuthentication", "Access is denied.")
            .after_processing()
    }),
];

#[tokio::test]
async fn what_is_not_named_as_a_refusal_is_the_answer_and_nothing_follows_from_it() {
    let exchange = Exchange::scripted(led, |_, _, seen| {
        let answer = ANSWERS.iter().find(|(what, _)| *what == seen.id);
        answer.expect("one of them").1(seen)
    })
    .await;
    for (what, _) in ANSWERS {
        let answer = exchange.send(what).await;
        assert!(!answer.text().contains("acknowledged"), "{what}");
        assert_eq!(exchange.keys_of(what), ["old"], "{what}");
        assert_eq!(exchange.active(), exchange.old, "{what}");
    }
    assert_eq!((exchange.came(), exchange.held()), (ANSWERS.len(), 0));
    exchange.partner.processed();
}

#[tokio::test]
async fn a_refusal_may_be_slow_but_one_that_comes_too_late_is_none() {
    let late = |setup| {
        led(setup).also_route("timeouts = { connect = \"5s\", response = \"500ms\", total = \"90s\" }")
    };
    let exchange = Exchange::start(late).await;
    exchange.partner.trust(&[&exchange.new]);
    exchange.partner.receiver.pause();
    assert_eq!(exchange.send("late").await.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(exchange.keys_of("late"), ["old"], "it may have been processed");
    exchange.partner.receiver.go_on();

    let exchange = Exchange::start(led).await;
    exchange.partner.trust(&[&exchange.new]);
    exchange.partner.receiver.pause();
    let slow = exchange.sending("slow");
    eventually("it is refused", || exchange.came() == 1).await;
    exchange.partner.receiver.go_on();
    assert_eq!(slow.answer().await.status, StatusCode::OK);
    assert_eq!(exchange.partner.processed(), ["slow"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_drops_the_old_certificate_before_it_has_the_new_one_loses_no_message() {
    let exchange = Exchange::start(led).await;
    let (running, sent) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let flows = (0..8).map(|flow| {
        let (running, sent, proxy) = (running.clone(), sent.clone(), exchange.proxy.address());
        tokio::spawn(async move {
            let mut connection = Flow::connect(proxy).await;
            for number in 0.. {
                if !running.load(Ordering::Relaxed) {
                    break;
                }
                let id = format!("{flow}-{number}");
                let answer = connection.post("/orders", SOAP11, message(&id)).await;
                assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
                sent.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    let flows: Vec<_> = flows.collect();
    eventually("they send", || sent.load(Ordering::Relaxed) > 40).await;

    exchange.partner.trust(&[]);
    let before = exchange.came();
    eventually("all wait", || exchange.held() + 1 >= 8).await;
    tokio::time::sleep(Duration::from_secs(2)).await; // the receiver's own time, not ours
    let asked = exchange.came() - before;
    exchange.partner.trust(&[&exchange.new]);
    let refused = sent.load(Ordering::Relaxed);
    eventually("they send", || sent.load(Ordering::Relaxed) > refused + 40).await;
    running.store(false, Ordering::Relaxed);
    for flow in flows {
        flow.await.expect("no message failed");
    }
    // Each of the eight once with either key, and then one a second.
    assert!(asked <= 8 * 2 + 2 * 4, "{asked}");
    assert_eq!(exchange.partner.processed().len(), sent.load(Ordering::Relaxed));
    assert_eq!(exchange.switches("receiver"), 1);
}

#[tokio::test]
async fn two_nodes_in_turn_one_of_them_switched_get_each_message_once() {
    let exchange = Exchange::scripted(led, |old, new, seen| {
        let trusted = if seen.number % 2 == 0 { old } else { new };
        match seen.key == *trusted {
            true => seen.processed(),
            false => seen.refused(),
        }
    })
    .await;
    for id in ["a", "b", "c", "d"] {
        assert_eq!(exchange.send(id).await.status, StatusCode::OK, "{id}");
    }
    assert_eq!(exchange.partner.processed(), ["a", "b", "c", "d"]);
    assert!(exchange.switches("receiver") <= 1, "once in the time to settle");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_switched_nodes_at_random_keep_nobody_but_those_they_refuse() {
    let seed = Seed::new();
    let exchange = Exchange::scripted(led, move |old, new, seen| {
        match seen.key == **seed.pick(&[old, new], seen.number) {
            true => seen.processed(),
            false => seen.refused(),
        }
    })
    .await;
    let flows = (0..8).map(|flow| {
        let proxy = exchange.proxy.address();
        tokio::spawn(async move {
            let mut connection = Flow::connect(proxy).await;
            for number in 0..8 {
                let id = format!("{flow}-{number}");
                let answer = connection.post("/orders", SOAP11, message(&id)).await;
                assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
            }
        })
    });
    for flow in flows.collect::<Vec<_>>() {
        flow.await.expect("no message failed");
    }
    assert_eq!(exchange.partner.processed().len(), 64);
    assert!(exchange.switches("receiver") <= 1);
    assert!(exchange.came() <= 64 * 4, "{}", exchange.came());
}

#[tokio::test]
async fn past_the_bounds_a_message_gets_the_receivers_own_first_fault_and_one_that_was_never_shown_ours() {
    let short = |setup| led(setup).alias("strategy = \"receiver-led\"\nhold = { count = 1, time = \"4s\" }");
    let exchange = Exchange::scripted(short, |_, _, seen| {
        seen.fault(
            "wsse:FailedCheck",
            &format!("{NOT_TRUSTED}, number {}", seen.number),
        )
    })
    .await;
    let first = exchange.sending("first");
    eventually("it waits", || exchange.held() == 1).await;
    let full = exchange.send("second").await;
    assert_eq!(full.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(full.headers.contains_key(RETRY_AFTER));
    assert!(
        full.sentence().contains("1 messages wait already"),
        "{}",
        full.sentence()
    );
    assert!(exchange.keys_of("second").is_empty(), "it can be sent again");

    let answer = first.answer().await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.text().contains("number 0<"), "{}", answer.text());
    assert_eq!((exchange.held(), exchange.active()), (0, exchange.old.clone()));
    assert!(exchange.came() <= 2 + 2 * 4, "asked twice, and twice a second");
}

#[tokio::test]
async fn a_flow_that_goes_away_while_everything_is_refused_leaves_its_place_to_the_next_one() {
    let exchange = Exchange::start(led).await;
    exchange.partner.trust(&[]);
    let mut waiting = exchange.hold(&["gone", "stays"]).await;
    drop(waiting.remove(0));
    eventually("it has left", || exchange.held() == 1).await;
    exchange.partner.trust(&[&exchange.new]);
    assert_eq!(waiting.remove(0).answer().await.status, StatusCode::OK);
    assert_eq!(exchange.partner.processed(), ["stays"]);
}

#[tokio::test]
async fn a_proxy_that_stops_while_everything_is_refused_answers_first() {
    let brief = |setup| led(setup).proxy("drain = \"1s\"");
    let exchange = Exchange::start(brief).await;
    exchange.partner.trust(&[]);
    let waiting = exchange.hold(&["first"]).await.remove(0);
    let exchange = exchange.restart().await;
    assert!(waiting.answer().await.text().contains(NOT_TRUSTED));
    exchange.partner.trust(&[&exchange.new]);
    assert_eq!(exchange.send("second").await.status, StatusCode::OK);
    assert_eq!(exchange.partner.processed(), ["second"]);
}

#[tokio::test]
async fn a_message_that_is_refused_whatever_its_key_is_does_not_keep_the_others() {
    let exchange = Exchange::scripted(led, |_, _, seen| match seen.id.as_str() {
        "its own fault" => seen.refused(),
        _ => seen.usual(),
    })
    .await;
    let refused = exchange.hold(&["its own fault"]).await;
    for id in ["a", "b"] {
        assert_eq!(exchange.send(id).await.status, StatusCode::OK);
    }
    assert_eq!(exchange.partner.processed(), ["a", "b"]);
    assert_eq!(exchange.active(), exchange.old);
    drop(refused);
}

#[tokio::test]
async fn a_fault_that_is_kept_takes_memory_and_is_the_answer_where_there_is_none() {
    let long = |_: &Fingerprint, _: &Fingerprint, seen: &Seen| {
        seen.fault(
            "wsse:FailedCheck",
            &format!("{NOT_TRUSTED} {}", "x".repeat(40_000)),
        )
    };
    let exchange = Exchange::scripted(led, long).await;
    let waiting = exchange.hold(&["waits"]).await;
    assert!(exchange.metric("countersign_buffered_bytes") > 40_000);
    drop(waiting);
    eventually("it is given back", || {
        exchange.metric("countersign_buffered_bytes") == 0
    })
    .await;

    let little = |setup| led(setup).proxy("max_message = \"16KiB\"\nmax_buffered = \"32KiB\"");
    let exchange = Exchange::scripted(little, long).await;
    let answer = exchange.send("has no room").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(exchange.keys_of("has no room"), ["old", "new"]);
}
