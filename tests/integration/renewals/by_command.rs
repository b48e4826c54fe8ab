//! A whole renewal by the command line alone, as an operator types it: what each command prints is what is typed next.

use http::Method;

use super::{Scene, path_of, signed_by};
use crate::support::admin::{new_key, pem};
use crate::support::authority::Authority;
use crate::support::client::request;

/// What the operator reads.
async fn types(scene: &Scene, arguments: &str) -> String {
    let run = scene.whole.run(arguments).await;
    assert_eq!(run.code, Some(0), "{arguments}: {run:?}");
    run.text().to_owned()
}

/// The sentence that it is refused with.
async fn is_refused(scene: &Scene, arguments: &str) -> String {
    let run = scene.whole.run(arguments).await;
    assert_eq!((run.code, run.stdout.len()), (Some(1), 0), "{arguments}: {run:?}");
    assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    run.stderr
}

/// The command that it is told to type next, without the program's name.
fn next(said: &str) -> &str {
    let command = said.lines().find_map(|line| line.strip_prefix("  countersign "));
    command.unwrap_or_else(|| panic!("no command: {said}"))
}

/// The word after these.
fn word_after<'t>(text: &'t str, words: &str) -> &'t str {
    let (_, rest) = text
        .split_once(words)
        .unwrap_or_else(|| panic!("no {words:?}: {text}"));
    rest.split_whitespace()
        .next()
        .unwrap()
        .trim_end_matches(['.', ';', ','])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pre_publish_from_the_request_to_the_end() {
    let scene = Scene::set("", "").await;
    let (new, said) = created(&scene).await;
    looked_at_before(&scene).await;
    let said = published(&scene, &new, &said).await;
    let said = confirmed(&scene, &new, &said).await;
    activated(&scene, &new, &said).await;
    completed(&scene, &new).await;
    is_kept(&scene).await;
}

/// The key is generated here, the request goes out, the certificate comes in.
async fn created(scene: &Scene) -> (String, String) {
    let authority = Authority::of(&[]);
    let said = types(scene, "keys generate orders --type p-256 --subject CN=Orders").await;
    scene.whole.write("answer.pem", authority.answer(&said));
    let said = types(scene, "keys import orders --certificate answer.pem").await;
    let new = word_after(&said, "orders has the new key ").to_owned();
    let said = types(scene, "renewal start orders").await;
    for part in [
        "is created.\norders: every new message is signed with ",
        ".\nIt waits for an operator, to hand the new certificate over.",
    ] {
        assert!(said.contains(part), "{said}");
    }
    (new, said)
}

/// What would break.
async fn looked_at_before(scene: &Scene) {
    let preflight = types(scene, "renewal preflight orders").await;
    for warning in [
        "warning: issuer (orders): it was issued by \"CN=Authority\"",
        "warning: subject (orders)",
    ] {
        assert!(preflight.contains(warning), "{preflight}");
    }
}

/// The certificate is handed over, and a link.
async fn published(scene: &Scene, new: &str, said: &str) -> String {
    let said = types(scene, next(said)).await;
    let link = path_of(word_after(&said, "\n    "));
    assert!(said.contains(&format!("  {}, until ", scene.origin)), "{said}");
    assert!(scene.page(&link).await.contains("I have added it"));
    let exported = types(scene, &format!("keys export orders {new}")).await;
    assert!(exported.contains("BEGIN CERTIFICATE"), "{exported}");
    let shown = types(scene, "renewal show orders").await;
    for part in [
        &format!(
            "waits for {}, to confirm having the new certificate",
            scene.origin
        ),
        &format!(
            "receiver  {} has not confirmed; its link is good until ",
            scene.origin
        ),
        "step      published since ",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    shown
}

/// As the receiver's administrator said on the telephone.
async fn confirmed(scene: &Scene, new: &str, said: &str) -> String {
    scene.receiver_trusts(&[&scene.first, new]).await;
    let said = types(scene, next(said)).await;
    assert!(said.contains("is confirmed."), "{said}");
    assert_eq!(scene.message_signed_by().await, scene.first);
    said
}

/// Every new message is signed with it.
async fn activated(scene: &Scene, new: &str, said: &str) {
    assert_eq!(next(said), format!("keys activate orders {new}"));
    types(scene, next(said)).await;
    assert_eq!(scene.message_signed_by().await, new);
    let list = types(scene, "renewal show").await;
    assert!(
        list.contains("  orders: activated, waits for an operator"),
        "{list}"
    );
    let list = types(scene, "keys list").await;
    assert!(list.contains(" is activated; it waits for an operator"), "{list}");
}

/// The receiver has removed the old certificate.
async fn completed(scene: &Scene, new: &str) {
    scene.receiver_trusts(&[new]).await;
    let shown = types(scene, "renewal show orders").await;
    let said = types(scene, next(&shown)).await;
    assert!(said.contains("is completed."), "{said}");
    assert_eq!(scene.message_signed_by().await, new);
}

/// The old key's retention runs.
async fn is_kept(scene: &Scene) {
    let shown = types(scene, "renewal show orders").await;
    for part in [
        "completed  ",
        "by token operator",
        "is retired; it is kept until ",
        "nobody; it is over",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let list = types(scene, "keys list").await;
    assert!(list.contains(&format!("retired {}", scene.first)), "{list}");
    let refused = is_refused(scene, &format!("keys purge orders {}", scene.first)).await;
    assert!(refused.contains("kept until"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_until_the_receiver_may_switch_and_has() {
    let scene = Scene::set("strategy = \"hold\"", "").await;
    let new = scene.import().await;

    // one command begins it, and returns when nothing is under way any more
    let said = types(&scene, "renewal hold orders --wait").await;
    assert!(said.starts_with("You may switch now"), "{said}");
    let waiting = scene.send_aside();
    scene.held_become(1).await;
    let shown = types(&scene, "renewal show orders").await;
    assert!(
        shown.contains("messages  holding since ") && shown.contains(", 1 wait, "),
        "{shown}"
    );
    let later = is_refused(&scene, "renewal start orders").await;
    assert!(later.contains("resume first"), "{later}");

    // the receiver switches, its administrator calls, the operator confirms
    scene.receiver_trusts(&[&new]).await;
    let said = types(&scene, next(&shown)).await;
    assert!(said.contains("is activated."), "{said}");
    assert_eq!(signed_by(&waiting.await.unwrap()), new);
    let said = types(&scene, next(&said)).await;
    assert!(said.contains("is completed."), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receiver_led_asks_for_nothing_in_between() {
    let scene = Scene::set(
        "strategy = \"receiver-led\"\nsettle = \"1ms\"",
        "key_refused = [\"countersign\"]",
    )
    .await;
    let new = scene.import().await;
    let said = types(&scene, "renewal start orders").await;
    assert!(said.contains("Nothing is to be typed"), "{said}");
    scene.receiver_trusts(&[&new]).await;
    assert_eq!(scene.message_signed_by().await, new);
    let shown = types(&scene, "renewal show orders").await;
    assert!(
        shown.contains(&format!("by receiver {}", scene.origin)),
        "{shown}"
    );
    let said = types(&scene, next(&shown)).await;
    assert!(said.contains("is completed."), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_says_what_can() {
    let scene = Scene::set("", "").await;
    for (arguments, sentence) in [
        (
            "renewal start orders",
            "no key is pending under this alias: import or generate the new one first",
        ),
        ("renewal start nobody", "there is no alias \"nobody\""),
        (
            "renewal publish orders",
            "start one with `countersign renewal start orders`",
        ),
        (
            "renewal show r-0123456789abcdef",
            "there is no renewal r-0123456789abcdef",
        ),
        ("renewal preflight orders", "no key is pending under orders"),
        (
            "renewal hold orders",
            "the alias's strategy is pre-publish, which holds no messages",
        ),
    ] {
        let refused = is_refused(&scene, arguments).await;
        assert!(refused.contains(sentence), "{arguments}: {refused}");
    }
    assert_eq!(
        scene.whole.run("renewal show r-0123456789ABCDEF/").await.code,
        Some(2)
    );
    scene.import().await;
    types(&scene, "renewal start orders").await;
    for (arguments, sentence) in [
        (
            "renewal hold orders",
            "the alias's strategy is pre-publish, which holds no messages",
        ),
        ("renewal complete orders", "its key "),
        (
            "renewal confirm orders --receiver https://elsewhere:443",
            "it concerns http://127.0.0.1:",
        ),
    ] {
        let refused = is_refused(&scene, arguments).await;
        assert!(refused.contains(sentence), "{arguments}: {refused}");
    }
    let json = types(&scene, "renewal show orders --json").await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["step"], "created");
    let said = types(&scene, "renewal abort orders").await;
    assert!(said.contains("is aborted."), "{said}");
    // The listener for receivers is told to whoever asks it, and not here.
    let elsewhere = scene
        .whole
        .visit_with(request(Method::GET, "/api/v1/renewals"), "")
        .await;
    assert_eq!(elsewhere.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_that_the_strategy_does_not_have_begins_no_renewal() {
    let scene = Scene::set("strategy = \"receiver-led\"", "key_refused = [\"countersign\"]").await;
    scene.import().await;
    let refused = is_refused(&scene, "renewal hold orders").await;
    assert!(
        refused.contains("the alias's strategy is receiver-led, which holds no messages"),
        "{refused}"
    );
    let shown = types(&scene, "renewal show").await;
    assert!(shown.starts_with("No renewal goes on."), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_whose_renewal_was_aborted_is_told_to_need_another_one() {
    let scene = Scene::set("strategy = \"receiver-led\"", "key_refused = [\"countersign\"]").await;
    let (said, new) = imported(&scene, "next.pem").await;
    assert!(said.contains("Nothing is to be typed"), "{said}");
    types(&scene, "renewal start orders").await;
    types(&scene, "renewal abort orders").await;
    let said = types(&scene, "keys import orders --key next.pem").await;
    assert!(
        said.contains("Its renewal was aborted, so nothing switches to it"),
        "{said}"
    );
    assert_eq!(next(&said), format!("renewal start orders --key {new}"));
    types(&scene, next(&said)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_is_in_the_list_and_once_it_was_resumed_a_start_names_the_renewal_that_goes_on() {
    let scene = Scene::set("strategy = \"hold\"", "").await;
    scene.import().await;
    types(&scene, "renewal hold orders --wait").await;
    for list in ["keys list", "keys show orders"] {
        let said = types(&scene, list).await;
        assert!(said.contains("\n  messages  holding since "), "{said}");
    }
    types(&scene, "renewal resume orders").await;
    let said = types(&scene, "keys list").await;
    assert!(!said.contains("\n  messages  "), "{said}");
    for again in ["renewal start orders", "renewal hold orders"] {
        let refused = is_refused(&scene, again).await;
        assert!(refused.contains("goes on under this alias"), "{again}: {refused}");
        let renewal = word_after(&refused, "countersign renewal show ").trim_end_matches('`');
        let shown = types(&scene, &format!("renewal show {renewal}")).await;
        assert_eq!(next(&shown), format!("renewal confirm {renewal}"));
    }
    let said = types(&scene, "renewal confirm orders").await;
    let said = types(&scene, next(&said)).await;
    assert!(said.contains(" is completed."), "{said}");
}

/// What is said of a new key, and its name.
async fn imported(scene: &Scene, file: &str) -> (String, String) {
    scene.whole.write(file, pem(&new_key("Next")));
    let said = types(scene, &format!("keys import orders --key {file}")).await;
    let key = word_after(&said, "orders has the new key ").to_owned();
    (said, key)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_tells_the_step_that_fits_and_obeyed_no_message_is_refused() {
    let led = "key_refused = [\"countersign\"]";
    for (strategy, route) in [("pre-publish", ""), ("hold", ""), ("receiver-led", led)] {
        let scene = Scene::set(&format!("strategy = \"{strategy}\""), route).await;
        let (said, new) = imported(&scene, "next.pem").await;
        match strategy {
            "pre-publish" => assert_eq!(next(&said), format!("renewal start orders --key {new}")),
            "hold" => assert_eq!(next(&said), "renewal hold orders --wait"),
            _ => assert!(said.contains("Nothing is to be typed"), "{said}"),
        }
        if strategy == "receiver-led" {
            assert!(!said.contains("countersign keys activate"), "{said}");
        } else {
            types(&scene, next(&said)).await;
        }
        if strategy == "hold" {
            types(&scene, "renewal abort orders").await;
        }
        for _ in 0..20 {
            assert_eq!(scene.message_signed_by().await, scene.first);
        }
        assert_eq!(scene.receiver.counts().refused, 0, "{strategy}");
        // With another one there, it is said which.
        let (said, other) = imported(&scene, "other.pem").await;
        let expected = match strategy {
            "hold" => "renewal hold orders --wait".to_owned(), // the first one was rolled back
            _ => format!("renewal start orders --key {other}"),
        };
        assert_eq!(next(&said), expected, "{strategy}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_that_is_given_up_says_which_key_signs_and_how_to_begin_again() {
    let scene = Scene::set("strategy = \"hold\"", "").await;
    let new = scene.import().await;
    let said = types(&scene, "renewal hold orders --wait").await;
    let signs = |key: &str| format!("orders: every new message is signed with {key} (CN=");
    assert!(said.contains(&signs(&new)) && said.contains(", since "), "{said}");
    assert!(
        said.contains("To go back to the old key, type\n  countersign renewal abort r-"),
        "{said}"
    );
    let said = types(&scene, "renewal abort orders").await;
    assert!(
        said.contains("is aborted.") && said.contains(&signs(&scene.first)),
        "{said}"
    );
    assert_eq!(scene.message_signed_by().await, scene.first);
    let shown = types(&scene, "renewal show orders").await;
    assert!(shown.contains("step      aborted, rolled back since "), "{shown}");
    let list = types(&scene, "keys show orders").await;
    assert!(list.contains(", rolled back, kept until "), "{list}");
    let said = types(&scene, "renewal start orders").await;
    assert!(said.contains("is created."), "{said}");

    // Activated by hand it would be refused, and so it is here.
    let refused = is_refused(&scene, &format!("keys activate orders {new}")).await;
    assert!(refused.contains("countersign renewal hold r-"), "{refused}");
    let past = is_refused(
        &scene,
        &format!("keys activate orders {new} --unconfirmed --at 2020-01-01T00:00:00Z"),
    )
    .await;
    assert!(past.contains("2020-01-01T00:00:00Z has passed: it is "), "{past}");
    let said = types(&scene, &format!("keys activate orders {new} --unconfirmed")).await;
    assert!(said.starts_with(&signs(&new)), "{said}");
    let said = types(&scene, "keys rollback orders").await;
    assert!(said.starts_with(&signs(&scene.first)), "{said}");
    let refused = is_refused(&scene, "keys rollback orders").await;
    assert!(
        refused.contains("(`replaces`, `--replaces` on the command line: "),
        "{refused}"
    );
    let said = types(
        &scene,
        &format!("keys rollback orders --replaces {}", scene.first),
    )
    .await;
    assert!(said.starts_with(&signs(&new)), "{said}");
}
