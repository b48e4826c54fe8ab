//! Each strategy under load, against a receiver process that exchanges whom it trusts at a random moment: no message fails at
//! its client, and the receiver processes each of them exactly once.

use countersign::keys::generate::KeyAlgorithm;
use tokio::time::sleep;

use crate::support::receiver_process::ReceiverProcess;
use crate::support::soak::{Seed, soak};

mod cxf;
pub(crate) mod load;
pub(crate) mod stage;

use load::{CONNECTIONS, Came};
use stage::{Key, Setting, Stage};

/// The demo receiver, with these options, of an alias with these settings.
async fn stage(options: &str, alias: &str, route: &str) -> Stage {
    let setting = Setting {
        keys: KeyAlgorithm::P256,
        alias,
        route,
        paths: ["", ""],
    };
    Stage::set(&setting, |place, old| {
        ReceiverProcess::start(&place.path(""), options, &old.certificate)
    })
    .await
}

fn seeds() -> impl Iterator<Item = Seed> {
    Seed::several(soak(3, 20))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pre_publish_loses_nothing_where_the_receiver_trusts_both_keys_for_a_while() {
    for seed in seeds() {
        let stage = stage("", "strategy = \"pre-publish\"", "").await;
        let (load, both) = (
            stage.load(),
            [&stage.old, &stage.new].map(|key| key.certificate.clone()),
        );
        stage.import_new().await;
        sleep(seed.moment("the receiver adds the new key")).await;
        stage.receiver.trust(both.concat()).await;
        sleep(seed.moment("the operator activates it")).await;
        stage.activate_new().await;
        load.round().await;
        stage.receiver.trust(stage.new.certificate.clone()).await;
        sleep(seed.moment("the end")).await;

        let came = load.stop().await;

        assert_eq!(stage.nothing_was_lost(&came).await, 0, "refused");
    }
}

/// An alias that is left alone for a second after its key was exchanged.
const RECEIVER_LED: &str = "strategy = \"receiver-led\"\nsettle = \"1s\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receiver_led_follows_a_receiver_that_trusts_one_key_and_changes_it_when_it_likes() {
    for seed in seeds() {
        let stage = stage(
            "--strict-one-key",
            RECEIVER_LED,
            "key_refused = [\"countersign\"]",
        )
        .await;
        there_and_back(&stage, seed).await;
    }
}

/// The receiver trusts the new key alone from one moment on, from another the old one again.
async fn there_and_back(stage: &Stage, seed: Seed) {
    let load = stage.load();
    stage.import_new().await;
    load.round().await;
    assert_eq!(stage.receiver.counts().await.refused, 0);
    let mut refused = 0;
    for (key, purpose) in [(&stage.new, "there"), (&stage.old, "back")] {
        sleep(seed.moment(purpose)).await;
        stage.receiver.trust(key.certificate.clone()).await;
        stage.until_active(key).await;
        load.round().await;
        let before = std::mem::replace(&mut refused, stage.receiver.counts().await.refused);
        assert!(refused > before, "it found out by a refusal");
        sleep(seed.moment((purpose, "settled"))).await;
        let after = stage.receiver.counts().await.refused;
        assert_eq!(
            after, refused,
            "one round trip more, for those under way then and for no others"
        );
    }
    let came = load.stop().await;
    assert_eq!(stage.nothing_was_lost(&came).await, refused);
}

/// So many held messages are started at a time.
const RELEASE: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_lets_nothing_pass_before_the_receiver_has_changed_the_key_and_then_everything_in_its_order() {
    for seed in seeds() {
        let alias = format!("strategy = \"hold\"\nhold = {{ release = {RELEASE} }}");
        let stage = stage("--strict-one-key", &alias, "").await;
        let mut load = stage.load();
        stage.import_new().await;
        sleep(seed.moment("the operator holds")).await;
        let renewal = stage.hold().await;
        stage.until_may_switch(&renewal).await;
        let drained = stage.receiver.counts().await;
        stage.until_held(CONNECTIONS).await;
        let mut queued = Vec::new();
        for number in 1..=8 {
            queued.push(load.one_more());
            stage.until_held(CONNECTIONS + number).await;
        }
        sleep(seed.moment("the receiver changes the key")).await;
        assert_eq!(stage.receiver.counts().await, drained, "the gate is closed");
        stage.receiver.trust(stage.new.certificate.clone()).await;
        stage.confirm(&renewal).await;
        load.round().await;
        sleep(seed.moment("the end")).await;

        let came = load.stop().await;

        assert_eq!(stage.nothing_was_lost(&came).await, 0, "refused");
        in_order(&came, &stage.new, &queued);
    }
}

/// Held messages are started in the order of their arrival, `RELEASE` at a time, and those that come meanwhile after them: so
/// where one is accepted, fewer than that may still be missing of those that came before it.
fn in_order(came: &[Came], new: &Key, queued: &[usize]) {
    let (after, before): (Vec<_>, Vec<_>) = came.iter().partition(|message| message.key() == new.fingerprint);
    let drained = before.iter().map(|message| message.number()).max();
    assert!(
        after.iter().all(|message| Some(message.number()) > drained),
        "both keys at once"
    );
    let mut held: Vec<&Came> = Vec::new();
    for flow in (0..CONNECTIONS).chain(queued.iter().copied()) {
        let first = after
            .iter()
            .find(|message| message.flow == flow)
            .expect("each flow had one held");
        held.push(first);
    }
    let missing = |message: &Came, earlier: &[&Came]| {
        earlier
            .iter()
            .filter(|earlier| earlier.number() > message.number())
            .count()
    };
    for (place, message) in held.iter().enumerate().skip(CONNECTIONS) {
        assert!(missing(message, &held[..place]) < RELEASE, "{message:?} overtook");
    }
    for message in after
        .iter()
        .filter(|message| !held.iter().any(|held| std::ptr::eq(*held, **message)))
    {
        assert!(missing(message, &held) <= RELEASE, "{message:?} did not queue");
    }
}
