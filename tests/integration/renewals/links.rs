//! The page on which a receiver's administrator confirms: by whom, once, and not by looking.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::{Scene, text};
use crate::support::client::{Answer, request};
use crate::support::raw::Raw;

async fn renewal(scene: &Scene) -> (String, String) {
    let key = scene.import().await;
    let started = scene
        .operate(Method::POST, "aliases/orders/renewals", json!({"key": key}))
        .await;
    (text(&started["id"]), key)
}

async fn look(scene: &Scene, link: &str) -> Answer {
    scene.whole.visit(Method::GET, link).await
}

async fn post(scene: &Scene, link: &str, form: &str) -> Answer {
    scene
        .whole
        .visit_with(request(Method::POST, link), form.to_owned())
        .await
}

async fn confirmed(scene: &Scene, id: &str) -> Value {
    scene.get(&format!("renewals/{id}")).await["receivers"][0]["confirmed"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_only_looks_confirms_nothing_however_often_and_by_whatever_method() {
    let scene = Scene::set("", "").await;
    let (id, key) = renewal(&scene).await;
    let link = scene.link(&id).await;
    for method in [
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
    ] {
        for _ in 0..3 {
            let answer = scene.whole.visit(method.clone(), &link).await;
            let seen = matches!(method, Method::GET | Method::HEAD);
            assert_eq!(answer.status, if seen { 200 } else { 405 }, "{method}");
        }
    }
    assert_eq!(confirmed(&scene, &id).await, json!(null));

    let page = look(&scene, &link).await;
    let pairs: Vec<_> = key
        .as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap())
        .collect();
    let fingerprint = pairs.join(":").to_uppercase();
    for part in [
        "lang=\"en\"",
        "name=\"viewport\"",
        "name=\"robots\" content=\"noindex, nofollow\"",
        "CN=Next",
        &fingerprint,
        &format!("../certificates/orders?fingerprint={key}&amp;format=pem"),
        "<form method=\"post\">",
    ] {
        assert!(page.text().contains(part), "{part}: {}", page.text());
    }
    assert!(!page.text().contains("<script"), "{}", page.text());
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{policy}"
    );
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    for (name, value) in [("cache-control", "no-store"), ("referrer-policy", "no-referrer")] {
        assert_eq!(page.headers[name], value);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_confirms_once_and_tells_then_that_it_has() {
    let scene = Scene::set("", "").await;
    let (id, _) = renewal(&scene).await;
    let link = scene.link(&id).await;
    for form in ["step=switched", "step=ready"] {
        assert_eq!(
            post(&scene, &link, form).await.status,
            303,
            "a button of another page"
        );
    }
    for form in [
        "step=anything",
        "confirm",
        "step=confirmed&step=ready",
        "\u{fffd}",
        &"a".repeat(2000),
    ] {
        assert_eq!(post(&scene, &link, form).await.status, 400, "{form}");
    }
    assert_eq!(confirmed(&scene, &id).await, json!(null));

    let (one, other) = tokio::join!(post(&scene, &link, ""), post(&scene, &link, "step=confirmed"));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 409], "of two at once, one confirms");
    let when = confirmed(&scene, &id).await;
    assert!(when.is_string());
    assert_eq!(post(&scene, &link, "step=confirmed").await.status, 409);
    assert_eq!(confirmed(&scene, &id).await, when);
    let page = look(&scene, &link).await;
    assert!(
        page.status == 200 && page.text().contains("has confirmed on"),
        "{page:?}"
    );
    assert!(!page.text().contains("<form"), "{}", page.text());

    let audit = scene.get("audit").await;
    let records = audit["records"].as_array().unwrap().iter();
    let confirmations = records.filter(|record| record["what"] == "renewal-confirmed");
    let by: Vec<_> = confirmations.map(|record| record["author"].clone()).collect();
    assert_eq!(
        by,
        [json!({"who": "link", "name": scene.origin, "from": "127.0.0.1"})]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_is_good_for_fourteen_days_and_until_there_is_another() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let scene = Scene::set("", "").await;
    let (id, _) = renewal(&scene).await;
    let first = scene.link(&id).await;
    let link = scene.link(&id).await;
    assert_eq!(
        look(&scene, &first).await.status,
        404,
        "another one took its place"
    );
    scene.whole.later(14 * DAY - Duration::from_secs(60));
    assert_eq!(look(&scene, &link).await.status, 200);
    scene.whole.later(Duration::from_secs(60));
    let page = look(&scene, &link).await;
    assert!(
        page.status == 410 && page.text().contains("good for 14 days"),
        "{page:?}"
    );
    assert_eq!(post(&scene, &link, "step=confirmed").await.status, 410);
    assert_eq!(confirmed(&scene, &id).await, json!(null));
    let again = scene.link(&id).await;
    assert_eq!(post(&scene, &again, "").await.status, 303);
    assert!(confirmed(&scene, &id).await.is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_link_is_answered_alike_whatever_it_looks_like() {
    let scene = Scene::set("", "").await;
    let (id, _) = renewal(&scene).await;
    let link = scene.link(&id).await;
    let mut nearly = link.clone();
    nearly.pop();
    let unknown = [
        nearly.clone(),
        format!("{nearly}%00"),
        format!("{link}="),
        "/confirm/%ff%fe".to_owned(),
        "/confirm/%3Cscript%3Ealert(1)%3C%2Fscript%3E".to_owned(),
        format!("/confirm/{}", "a".repeat(43)),
        format!("/confirm/{}", "a".repeat(4000)),
    ];
    let expected = look(&scene, &unknown[0]).await;
    assert!(expected.text().contains("copy all of it"), "{}", expected.text());
    for link in &unknown {
        for answer in [look(&scene, link).await, post(&scene, link, "").await] {
            assert_eq!(
                (answer.status.as_u16(), answer.text()),
                (404, expected.text()),
                "{link}"
            );
        }
    }
    assert_eq!(confirmed(&scene, &id).await, json!(null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_between_publishing_and_confirming_loses_no_link_and_none_that_was_used() {
    let mut scene = Scene::set("", "").await;
    let (id, _) = renewal(&scene).await;
    let link = scene.link(&id).await;
    scene.whole = scene.whole.start_again().await;
    assert_eq!(look(&scene, &link).await.status, 200);
    assert_eq!(post(&scene, &link, "step=confirmed").await.status, 303);
    scene.whole = scene.whole.start_again().await;
    assert_eq!(post(&scene, &link, "step=confirmed").await.status, 409);
    assert!(confirmed(&scene, &id).await.is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_called_off_asks_for_nothing() {
    let scene = Scene::set("", "").await;
    let (id, _) = renewal(&scene).await;
    let link = scene.link(&id).await;
    scene.command(&id, "abort", json!(null)).await;
    for answer in [
        look(&scene, &link).await,
        post(&scene, &link, "step=confirmed").await,
    ] {
        assert!(
            answer.status == 410 && answer.text().contains("called this exchange off"),
            "{answer:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_rolled_back_says_so_and_shows_the_certificate_that_signs() {
    let scene = Scene::set("strategy = \"hold\"", "").await;
    let (id, _) = renewal(&scene).await;
    let link = scene.link(&id).await;
    scene.command(&id, "hold", json!(null)).await;
    scene.gate_becomes("holding").await;
    let page = scene.page(&link).await;
    assert!(page.contains("but no longer than to "), "{page}");
    assert!(
        page.contains("then the sender signs with the certificate in use before again"),
        "{page}"
    );
    let aborted = scene.command(&id, "abort", json!(null)).await;
    assert_eq!(aborted["signs"]["fingerprint"], json!(scene.first));
    for answer in [
        look(&scene, &link).await,
        post(&scene, &link, "step=switched").await,
    ] {
        let page = answer.text();
        assert!(
            answer.status == 410 && page.contains("rolled this exchange back"),
            "{page}"
        );
        assert!(page.contains("put the one in use now in its place"), "{page}");
        let shown: String = page.chars().filter(|character| *character != ':').collect();
        assert!(shown.contains(&scene.first.to_ascii_uppercase()), "{page}");
    }
    assert_eq!(confirmed(&scene, &id).await, json!(null));

    // A rollback by command while the renewal goes on says the same.
    let again = scene
        .operate(Method::POST, "aliases/orders/renewals", json!(null))
        .await;
    let id = text(&again["id"]);
    let link = scene.link(&id).await;
    scene.command(&id, "hold", json!(null)).await;
    scene.gate_becomes("holding").await;
    scene
        .operate(Method::POST, "aliases/orders/rollback", json!(null))
        .await;
    assert!(
        look(&scene, &link)
            .await
            .text()
            .contains("rolled this exchange back")
    );
    let shown = scene.get(&format!("renewals/{id}")).await;
    assert_eq!(
        (&shown["rolled_back"], &shown["waiting_for"]["to"]),
        (&json!(true), &json!("start-again"))
    );
}

#[tokio::test]
async fn a_form_that_does_not_come_is_waited_for_no_longer_than_ten_seconds() {
    let scene = Scene::set("", "").await;
    let (id, _) = renewal(&scene).await;
    let link = scene.link(&id).await;
    let mut raw = Raw::connect(scene.whole.public()).await;
    raw.send(format!(
        "POST {link} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nstep="
    ))
    .await;
    let (status, waited) = raw.status_after_silence().await;
    assert_eq!(status, "HTTP/1.1 408");
    assert!((9..=11).contains(&waited), "{waited}");
}
