//! A renewal that goes wrong and is put right, for each strategy: what the receiver refused, that nothing was lost, and which key
//! signs after each step.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign::keys::audit::Author;
use countersign::keys::lifecycle::{Gate, Step};
use countersign::keys::{AfterImport, CommandError, Refusal};
use http::StatusCode;
use http::header::RETRY_AFTER;

use crate::hold::held;
use crate::receiver_led::led;
use crate::support::clock::now;
use crate::support::exchange::Exchange;
use crate::support::proxy::{ALIAS, Setup};
use crate::support::{eventually, within};

/// Keys of the exchange, by their names here.
fn signs(exchange: &Exchange) -> &'static str {
    match exchange.active() {
        key if key == exchange.old => "old",
        key if key == exchange.new => "new",
        _ => "another",
    }
}

/// How many messages the receiver refused so far.
fn refused(exchange: &Exchange) -> usize {
    exchange
        .partner
        .seen()
        .iter()
        .filter(|seen| !seen.trusted)
        .count()
}

async fn is_accepted(exchange: &Exchange, id: &str) {
    let answer = exchange.send(id).await;
    assert_eq!(answer.status, StatusCode::OK, "{id}: {}", answer.text());
}

/// What the operator may not do now.
fn refusal(done: Result<(), CommandError>) -> String {
    match done {
        Err(CommandError::Refused(refusal)) => refusal.to_string(),
        other => panic!("{other:?}"),
    }
}

fn is_rolled_back(exchange: &Exchange) -> bool {
    let ring = exchange.proxy.keys().ring();
    let key = ring.alias(ALIAS).and_then(|keys| keys.key(&exchange.new));
    key.expect("it is there").state.is_rolled_back()
}

fn pre_published(setup: Setup) -> Setup {
    setup.route("fault_status = \"http\"")
}

#[tokio::test]
async fn pre_publish_activated_before_the_receiver_has_the_certificate_goes_back_and_on_again() {
    let exchange = Exchange::start(pre_published).await;
    let operator = exchange.operator();
    let receivers = || vec![exchange.partner.receiver.url("")];
    let renewal = operator.start_renewal(ALIAS, None, receivers(), now()).unwrap();
    operator
        .activate(ALIAS, exchange.new.clone(), None, now())
        .unwrap();
    assert_eq!(signs(&exchange), "new");
    let answer = exchange.send("too early").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(refused(&exchange), 1);

    // To give it up is no answer to the question which key is to sign.
    let both = refusal(operator.abort(ALIAS, &renewal.id, now()));
    assert!(
        both.contains("countersign renewal complete r-") && both.contains("--back"),
        "{both}"
    );
    assert_eq!(signs(&exchange), "new");
    operator.rollback(ALIAS, now()).unwrap();
    assert_eq!((signs(&exchange), is_rolled_back(&exchange)), ("old", true));
    is_accepted(&exchange, "too early").await;

    // Pressed once more it does not go forward.
    let forward = refusal(operator.rollback(ALIAS, now()));
    assert!(forward.contains("`replaces`"), "{forward}");
    assert_eq!(signs(&exchange), "old");
    is_accepted(&exchange, "after the second rollback").await;

    // The receiver adds it, and the same key is the next one's again.
    exchange.partner.trust(&[&exchange.old, &exchange.new]);
    let again = operator.start_renewal(ALIAS, None, receivers(), now()).unwrap();
    assert_eq!((again.key(), again.step()), (&exchange.new, Step::Created));
    is_accepted(&exchange, "before the second switch").await;
    operator
        .activate(ALIAS, exchange.new.clone(), None, now())
        .unwrap();
    operator.complete(ALIAS, &again.id, now()).unwrap();
    is_accepted(&exchange, "at last").await;
    assert_eq!(
        (signs(&exchange), exchange.keys_of("at last")),
        ("new", vec!["new"])
    );
    assert_eq!(refused(&exchange), 1);
    assert_eq!(
        exchange.partner.processed().len(),
        4,
        "nothing was lost or doubled"
    );
}

#[tokio::test]
async fn hold_given_up_before_the_receiver_has_exchanged_sends_everything_with_the_old_key_and_is_tried_again()
 {
    let exchange = Exchange::start(held).await;
    let renewal = exchange.begin_hold();
    exchange.may_switch().await;
    let waiting = exchange.hold(&["a", "b", "c"]).await;
    assert_eq!(signs(&exchange), "new");
    exchange.operator().abort(ALIAS, &renewal.id, now()).unwrap();
    assert_eq!((signs(&exchange), exchange.gate()), ("old", Gate::Open));
    for one in waiting {
        assert_eq!(one.answer().await.status, StatusCode::OK);
    }
    assert_eq!(exchange.partner.ids(), ["a", "b", "c"]);
    assert_eq!((refused(&exchange), is_rolled_back(&exchange)), (0, true));

    // The next evening: the same key, and no new answer of an authority.
    exchange.begin_hold();
    exchange.may_switch().await;
    assert_eq!(signs(&exchange), "new");
    let waiting = exchange.hold(&["d"]).await.remove(0);
    exchange.partner.trust(&[&exchange.new]);
    let renewal = exchange.renewal().expect("it goes on");
    let receiver = exchange.partner.receiver.url("");
    exchange
        .operator()
        .confirm(ALIAS, &renewal.id, &receiver, now())
        .unwrap();
    assert_eq!(waiting.answer().await.status, StatusCode::OK);
    exchange.operator().complete(ALIAS, &renewal.id, now()).unwrap();
    assert_eq!((signs(&exchange), exchange.keys_of("d")), ("new", vec!["new"]));
    assert_eq!((refused(&exchange), exchange.partner.processed().len()), (0, 4));
}

#[tokio::test]
async fn hold_confirmed_and_then_given_up_asks_which_key_is_to_sign() {
    let exchange = Exchange::start(held).await;
    let renewal = exchange.begin_hold();
    exchange.may_switch().await;
    exchange.partner.trust(&[&exchange.new]);
    let receiver = exchange.partner.receiver.url("");
    let operator = exchange.operator();
    operator.confirm(ALIAS, &renewal.id, &receiver, now()).unwrap();
    is_accepted(&exchange, "a").await;
    let both = refusal(operator.abort(ALIAS, &renewal.id, now()));
    assert!(both.contains(&exchange.old.to_string()), "{both}");
    is_accepted(&exchange, "b").await;
    assert_eq!(signs(&exchange), "new");

    // The receiver had to go back, and says so on the telephone.
    exchange.partner.trust(&[&exchange.old]);
    operator.abort_back(ALIAS, &renewal.id, now()).unwrap();
    is_accepted(&exchange, "c").await;
    assert_eq!((signs(&exchange), refused(&exchange)), ("old", 0));
}

#[tokio::test]
async fn hold_activated_by_hand_is_refused_before_the_receiver_refuses_a_single_message() {
    let exchange = Exchange::start(held).await;
    let operator = exchange.operator();
    for begun in [false, true] {
        if begun {
            let receivers = vec![exchange.partner.receiver.url("")];
            operator.start_renewal(ALIAS, None, receivers, now()).unwrap();
        }
        let sentence = refusal(operator.activate(ALIAS, exchange.new.clone(), None, now()));
        assert!(sentence.contains("countersign renewal hold"), "{sentence}");
        for number in 0..10 {
            is_accepted(&exchange, &format!("{begun} {number}")).await;
        }
    }
    assert_eq!((signs(&exchange), refused(&exchange)), ("old", 0));

    // Who insists is obeyed, and goes back.
    operator
        .activate_unconfirmed(ALIAS, exchange.new.clone(), None, now())
        .unwrap();
    let answer = exchange.send("insisted").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    operator.rollback(ALIAS, now()).unwrap();
    is_accepted(&exchange, "insisted").await;
    assert_eq!((signs(&exchange), refused(&exchange)), ("old", 1));
    assert_eq!(exchange.partner.processed().len(), 21);
}

/// Holds that last for so long, which a reload may change.
#[derive(Clone)]
struct Lasting(Arc<Mutex<&'static str>>);

impl Lasting {
    fn long() -> Self {
        Self(Arc::new(Mutex::new("1h")))
    }

    fn then(&self, then: &'static str) -> impl Fn(Setup) -> Setup + 'static {
        let most = self.0.clone();
        move |setup| {
            let most = *most.lock().unwrap();
            let hold = format!("hold = {{ release = 1, most = \"{most}\", then = \"{then}\" }}");
            held(setup).alias(&format!("strategy = \"hold\"\n{hold}"))
        }
    }

    /// From the next reading of the configuration on.
    fn is_over(&self) {
        *self.0.lock().unwrap() = "1ms";
    }
}

#[tokio::test]
async fn hold_that_the_receiver_never_ends_goes_back_by_itself_and_every_message_is_processed() {
    let lasting = Lasting::long();
    let exchange = Exchange::start(lasting.then("back")).await;
    exchange.begin_hold();
    exchange.may_switch().await;
    let waiting = exchange.hold(&["a", "b"]).await;
    assert_eq!((exchange.came(), signs(&exchange)), (0, "new"));
    lasting.is_over();
    exchange.reload().await;
    for one in waiting {
        assert_eq!(one.answer().await.status, StatusCode::OK);
    }
    assert_eq!((signs(&exchange), exchange.gate()), ("old", Gate::Open));
    is_accepted(&exchange, "c").await;
    assert_eq!(exchange.partner.processed(), ["a", "b", "c"]);
    assert_eq!((refused(&exchange), exchange.switches("back")), (0, 1));
    assert!(exchange.renewal().is_none() && is_rolled_back(&exchange));
}

#[tokio::test]
async fn or_it_refuses_at_once_also_after_a_restart_until_somebody_acts() {
    let lasting = Lasting::long();
    let exchange = Exchange::start(lasting.then("refuse")).await;
    exchange.begin_hold();
    exchange.may_switch().await;
    let waiting = exchange.hold(&["a", "b"]).await;
    lasting.is_over();
    exchange.reload().await;
    for one in waiting {
        let answer = one.answer().await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(
            answer
                .text()
                .contains("has not exchanged its certificate in time")
        );
    }
    let exchange = exchange.restart().await;
    assert!(exchange.gate().refuses());
    for id in ["c", "d", "e"] {
        let answer = exchange.send(id).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(
            answer
                .text()
                .contains("has not exchanged its certificate in time"),
            "it does not wait"
        );
        assert!(answer.headers.contains_key(RETRY_AFTER));
    }
    assert_eq!((exchange.came(), exchange.held()), (0, 0));
    assert_eq!(exchange.metric("countersign_hold_refuses{alias=\"orders\"}"), 1);
    let renewal = exchange.renewal().expect("it goes on");
    exchange.operator().abort(ALIAS, &renewal.id, now()).unwrap();
    is_accepted(&exchange, "f").await;
    assert_eq!((signs(&exchange), refused(&exchange)), ("old", 0));
    assert_eq!(exchange.partner.processed(), ["f"]);
    assert_eq!(exchange.metric("countersign_hold_refuses{alias=\"orders\"}"), 0);
}

#[tokio::test]
async fn hold_whose_time_is_over_while_the_proxy_is_down_goes_back_as_it_starts() {
    let lasting = Lasting::long();
    let exchange = Exchange::start(lasting.then("back")).await;
    exchange.begin_hold();
    exchange.may_switch().await;
    lasting.is_over();
    let exchange = exchange.restart().await;
    is_accepted(&exchange, "a").await;
    assert_eq!((exchange.keys_of("a"), refused(&exchange)), (vec!["old"], 0));
    assert_eq!(signs(&exchange), "old");
}

/// Left alone for no time.
fn led_at_once(setup: Setup) -> Setup {
    led(setup).alias("strategy = \"receiver-led\"\nsettle = \"1ms\"")
}

#[tokio::test]
async fn receiver_led_given_up_after_the_switch_asks_which_key_is_to_sign_and_goes_back_with_the_receiver() {
    let exchange = Exchange::start(led_at_once).await;
    let operator = exchange.operator();
    exchange.partner.trust(&[&exchange.new]);
    is_accepted(&exchange, "a").await;
    assert_eq!((signs(&exchange), refused(&exchange)), ("new", 1));
    let renewal = exchange.renewal().expect("begun by the receiver");
    let both = refusal(operator.abort(ALIAS, &renewal.id, now()));
    assert!(both.contains("countersign renewal complete"), "{both}");
    is_accepted(&exchange, "b").await;
    assert_eq!((signs(&exchange), refused(&exchange)), ("new", 1));

    exchange.partner.trust(&[&exchange.old]);
    operator.abort_back(ALIAS, &renewal.id, now()).unwrap();
    is_accepted(&exchange, "c").await;
    assert_eq!((signs(&exchange), refused(&exchange)), ("old", 1));
    assert!(is_rolled_back(&exchange));

    // The same key once more, and the receiver leads again.
    operator.start_renewal(ALIAS, None, Vec::new(), now()).unwrap();
    is_accepted(&exchange, "d").await;
    assert_eq!(signs(&exchange), "old");
    exchange.partner.trust(&[&exchange.new]);
    is_accepted(&exchange, "e").await;
    assert_eq!(
        (signs(&exchange), exchange.keys_of("e")),
        ("new", vec!["old", "new"])
    );
    assert_eq!((refused(&exchange), exchange.partner.processed().len()), (2, 5));
}

#[tokio::test]
async fn receiver_led_activated_by_hand_is_refused_and_nothing_is_refused_there() {
    let exchange = Exchange::start(led_at_once).await;
    let sentence = refusal(
        exchange
            .operator()
            .activate(ALIAS, exchange.new.clone(), None, now()),
    );
    assert!(
        sentence.contains("when the receiver refuses the key that signs now"),
        "{sentence}"
    );
    is_accepted(&exchange, "a").await;
    assert_eq!((signs(&exchange), refused(&exchange)), ("old", 0));
}

#[tokio::test]
async fn a_source_that_is_read_again_and_a_restart_undo_no_way_back() {
    let exchange = Exchange::start(held).await;
    let renewal = exchange.begin_hold();
    exchange.may_switch().await;
    exchange.operator().abort(ALIAS, &renewal.id, now()).unwrap();
    let (exchange, kept) = {
        let kept = kept_until(&exchange);
        (exchange.restart().await, kept)
    };
    exchange.reload().await;
    assert_eq!((signs(&exchange), is_rolled_back(&exchange)), ("old", true));
    assert_eq!(kept_until(&exchange), kept);
    let discarded = exchange.operator().discard(ALIAS, exchange.new.clone(), now());
    assert!(matches!(
        discarded,
        Err(CommandError::Refused(Refusal::NotDiscardable { .. }))
    ));
    is_accepted(&exchange, "a").await;
}

fn kept_until(exchange: &Exchange) -> Option<time::OffsetDateTime> {
    let ring = exchange.proxy.keys().ring();
    let key = ring.alias(ALIAS).and_then(|keys| keys.key(&exchange.new));
    key.and_then(|key| key.state.kept_until())
}

mod not_valid_yet {
    //! A certificate that becomes valid later.

    use std::sync::atomic::{AtomicI64, Ordering};

    use countersign::clock::Clock;
    use countersign::keys::generate::{KeyAlgorithm, SelfSigned};
    use countersign::keys::{Fingerprint, KeyMaterial};

    use super::*;
    use crate::support::partner::Partner;
    use crate::support::proxy::{self, TestProxy};

    const HOUR: Duration = Duration::from_secs(60 * 60);

    /// Valid in one hour by a clock that is two hours behind, and so for the receiver already.
    fn key() -> KeyMaterial {
        let key = SelfSigned::generate(KeyAlgorithm::P256, "Orders", now() - HOUR, 24 * HOUR);
        key.unwrap().into_material().unwrap()
    }

    fn active(proxy: &TestProxy) -> Option<Fingerprint> {
        let ring = proxy.keys().ring();
        let active = ring.alias(ALIAS)?.active()?;
        Some(active.fingerprint().clone())
    }

    #[tokio::test]
    async fn an_aliass_first_key_signs_when_its_certificate_is_valid_and_its_route_says_so_until_then() {
        let hours = Arc::new(AtomicI64::new(-2));
        let shown = hours.clone();
        let clock = Clock::from_fn(move || now() + time::Duration::hours(shown.load(Ordering::Relaxed)));
        let key = key();
        let (certificate, name) = (key.certificate.clone(), key.certificate.fingerprint().clone());
        let partner = Partner::scripted(&[certificate], |seen| seen.usual()).await;
        let setup = || {
            let setup = proxy::to(partner.receiver.url("/"))
                .without_key()
                .clock(clock.clone());
            setup.route("fault_status = \"http\"")
        };
        let proxy = setup().start().await;
        let operator = proxy.keys().by(Author::cli());
        operator
            .import(ALIAS, key, AfterImport::ActivateIfNone, clock.now())
            .unwrap();
        for _ in 0..2 {
            let mut flow = proxy.flow().await;
            let answer = flow
                .post("/orders", crate::support::client::SOAP11, message())
                .await;
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
            assert!(answer.headers.contains_key(RETRY_AFTER));
            assert!(answer.text().contains("signs yet"), "{}", answer.text());
        }
        assert!(
            proxy
                .metrics()
                .contains("countersign_key_activate_at_timestamp_seconds{alias=\"orders\"")
        );

        // A restart meanwhile does not forget it, nor does a clock that goes on for a while.
        let state = proxy.leave().await;
        let proxy = setup().state(state).start().await;
        hours.store(-1, Ordering::Relaxed);
        assert_eq!(active(&proxy), None);
        hours.store(0, Ordering::Relaxed);
        eventually("it is active", || active(&proxy).as_ref() == Some(&name)).await;
        let mut flow = proxy.flow().await;
        let answer = within(flow.post("/orders", crate::support::client::SOAP11, message())).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(partner.processed().len(), 1);
    }

    fn message() -> String {
        crate::support::load::message("a")
    }
}
