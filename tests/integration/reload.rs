//! The configuration read again while it runs: what is taken up, what is refused, and what a message under way sees of it.

use countersign::app::ReloadError;
use countersign::keys::AfterImport;
use countersign::keys::audit::Author;
use http::StatusCode;

use crate::support::authority::Authority;
use crate::support::client::{Flow, SOAP11};
use crate::support::clock::now;
use crate::support::proxy::{self, ALIAS, TestProxy};
use crate::support::raw::Raw;
use crate::support::receiver::Receiver;
use crate::support::served::Place;
use crate::support::{admin, eventually};

const MESSAGE: &str = include_str!("../messages/body-two-children.xml");

#[tokio::test]
async fn a_message_keeps_the_configuration_it_came_to_and_the_next_one_has_the_new() {
    let (old, new) = (Receiver::start().await, Receiver::start().await);
    let proxy = proxy::to(old.url("/")).start().await;
    let mut flow = half_sent(&proxy).await;

    proxy.reload(&proxy::to(new.url("/"))).await.unwrap();
    send_the_rest(&mut flow).await;
    assert_eq!((old.requests().len(), new.requests().len()), (1, 0));

    flow.send(head() + MESSAGE).await;
    assert!(flow.message().await.starts_with("HTTP/1.1 200"));
    assert_eq!((old.requests().len(), new.requests().len()), (1, 1));
}

#[tokio::test]
async fn what_is_wrong_changes_nothing_and_says_why() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let right = proxy::to(receiver.url("/elsewhere"));
    let missing = "receiver_tls = { ca = \"nowhere.pem\" }\nprofile = \"default\"";
    for (wrong, sentence) in [
        (right.text() + "\nnonsense = 1", "nonsense"),
        (String::new(), "there is no route"),
        (
            proxy::to(receiver.url("/")).route(missing).text()
                + "\n[alias.more]\n\
             source = { certificate = \"no.pem\", private_key = \"no.pem\" }",
            "nowhere.pem",
        ),
        (
            right.text().replacen("127.0.0.1:0", "127.0.0.1:1", 1),
            "[proxy] listen cannot change",
        ),
        (
            right.text() + "\n[public]\nlisten = \"127.0.0.1:0\"\nurl = \"https://keys.example.com\"",
            "[public] listen cannot change",
        ),
        (
            right.text() + "\n[state]\ndirectory = \"other\"",
            "[state] directory cannot change",
        ),
        (
            right.text() + "\n[log]\nformat = \"json\"",
            "[log] format cannot change",
        ),
    ] {
        let refused = proxy.reload_text(wrong).await.unwrap_err().to_string();
        assert!(refused.contains(sentence), "{refused}");
        let answer = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(receiver.take_request().target, "/");
        assert!(proxy.is_ready().await);
        assert!(
            proxy
                .metrics()
                .contains("countersign_config_last_reload_successful 0")
        );
    }
    assert!(proxy.keys().ring().alias("more").is_none());

    proxy.reload(&right).await.unwrap();
    proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!(receiver.take_request().target, "/elsewhere");
    for series in [
        r#"countersign_config_reloads_total{outcome="refused"} 7"#,
        r#"countersign_config_reloads_total{outcome="applied"} 1"#,
        "countersign_config_last_reload_successful 1",
    ] {
        assert!(proxy.metrics().contains(series), "{}", proxy.metrics());
    }
}

#[tokio::test]
async fn every_file_that_cannot_be_used_is_told_at_once() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let wrong = proxy::to(receiver.url("/"))
        .proxy("tls = { certificate = \"no.crt\", private_key = \"no.key\" }")
        .route("receiver_tls = { ca = \"no-ca.pem\" }");
    let source = "\n[alias.more]\nsource = { pkcs12 = \"no.p12\", password_file = \"no.password\" }";
    let Err(ReloadError::Unusable(parts)) = proxy.reload_text(wrong.text() + source).await else {
        panic!("it was taken");
    };
    let parts = parts.to_string();
    for place in ["alias more: ", "[proxy] tls: ", "route orders: "] {
        assert!(parts.lines().any(|line| line.starts_with(place)), "{parts}");
    }
}

#[tokio::test]
async fn a_new_alias_has_its_sources_key_and_one_that_went_keeps_its_keys() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let sources = tempfile::tempdir().unwrap();
    let file = sources.path().join("other.pem");
    std::fs::write(&file, admin::pem(&admin::new_key("Other"))).unwrap();
    let file = file.display();
    let other = |text: String| {
        text.replace("[alias.orders]", "[alias.other]")
            .replace("alias = \"orders\"", "alias = \"other\"")
            .replace(
                "[alias.other]",
                &format!("[alias.other]\nsource = {{ certificate = \"{file}\", private_key = \"{file}\" }}"),
            )
    };
    let setup = proxy::to(receiver.url("/"));
    proxy.reload_text(other(setup.text())).await.unwrap();
    let answer = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let active = |alias: &str| {
        let ring = proxy.keys().ring();
        ring.alias(alias)
            .and_then(|keys| keys.active().map(|key| key.fingerprint().clone()))
    };
    assert!(active("orders").is_some() && active("other").is_some());

    let before = active("other");
    std::fs::write(
        sources.path().join("other.pem"),
        admin::pem(&admin::new_key("Newer")),
    )
    .unwrap();
    proxy.reload_text(other(setup.text())).await.unwrap();
    assert_eq!(active("other"), before, "a new key of the source waits");
    assert_eq!(proxy.keys().ring().alias("other").unwrap().keys().count(), 2);
}

#[tokio::test]
async fn an_alias_whose_renewal_goes_on_does_not_go() {
    let receiver = Receiver::start().await;
    let setup = proxy::to(receiver.url("/"));
    let without = setup.text().replace("alias = \"orders\"", "alias = \"other\"");
    let without = without.replace("[alias.orders]", "[alias.other]");
    let proxy = setup.start().await;
    let operator = proxy.keys().by(Author::cli());
    let import = operator.import(ALIAS, proxy::new_key(), AfterImport::StayPending, now());
    import.unwrap();
    let renewal = operator.start_renewal(ALIAS, None, Vec::new(), now()).unwrap();

    let refused = proxy.reload_text(without.clone()).await.unwrap_err().to_string();
    let sentence = format!("alias orders cannot go while its renewal {} goes on", renewal.id);
    assert!(refused.contains(&sentence), "{refused}");
    let answer = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!(answer.status, StatusCode::OK, "all of it stays as it was");

    operator.abort(ALIAS, &renewal.id, now()).unwrap();
    proxy.reload_text(without).await.unwrap();
    let answer = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
    let said = answer.text();
    assert!(said.contains("alias \"other\" has no active key"), "{said}");
}

#[tokio::test]
async fn connections_to_a_receiver_outlive_a_reload_that_does_not_concern_them() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let mut flow = proxy.flow().await;
    for route in ["", "fault_status = \"http\"", "timeouts = { response = \"9s\" }"] {
        proxy
            .reload(&proxy::to(receiver.url("/")).route(route))
            .await
            .unwrap();
        flow.post("/orders", SOAP11, MESSAGE).await;
        assert_eq!(receiver.connections(), 1, "{route}");
    }
    let others = proxy::to(receiver.url("/")).route("timeouts = { connect = \"9s\" }");
    proxy.reload(&others).await.unwrap();
    flow.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!(receiver.connections(), 2);
}

#[tokio::test]
async fn what_is_reserved_counts_under_the_new_bounds() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    let mut under_way = half_sent(&proxy).await;
    let bounded = proxy::to(receiver.url("/")).proxy("max_requests = 1");
    proxy.reload(&bounded).await.unwrap();

    let mut flow = proxy.flow().await;
    let answer = flow.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers.contains_key("retry-after"));
    send_the_rest(&mut under_way).await;
    eventually("there is room again", || {
        proxy.metrics().contains("countersign_requests_under_way 0")
    })
    .await;
    assert_eq!(flow.post("/orders", SOAP11, MESSAGE).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_changed_file_is_taken_up_by_itself_and_at_once_with_sighup() {
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    let served = Place::new().serve(&sections("", &first)).await;
    Flow::connect(served.proxy)
        .await
        .post("/orders", SOAP11, MESSAGE)
        .await;
    first.only_request();

    let applied = r#"countersign_config_reloads_total{outcome="applied"}"#;
    served.configure(&sections("", &second));
    served.until(applied, |reloads| reloads == 1.0).await;
    Flow::connect(served.proxy)
        .await
        .post("/orders", SOAP11, MESSAGE)
        .await;
    second.only_request();

    served.configure("nonsense");
    served.signal("HUP");
    let refused = r#"countersign_config_reloads_total{outcome="refused"}"#;
    served.until(refused, |reloads| reloads == 1.0).await;
    assert!(served.log().contains("countersign.toml:5: "), "{}", served.log());
    served.configure(&sections("", &first));
    served.signal("HUP");
    served.until(applied, |reloads| reloads == 2.0).await;
}

#[tokio::test]
async fn half_of_a_certificate_and_key_is_waited_for() {
    let receiver = Receiver::start().await;
    let (old, new) = (Authority::of(&["us"]), Authority::of(&["us"]));
    let place = Place::new();
    let read = |authority: &Authority, name: &str| std::fs::read(authority.file(name)).unwrap();
    place.write("us.pem", read(&old, "us.pem"));
    place.write("us.key", read(&old, "us.key"));
    let tls = "tls = { certificate = \"us.pem\", private_key = \"us.key\" }";
    let served = place.serve(&sections(tls, &receiver)).await;
    let mut kept = Flow::connect_tls(served.proxy, old.client(&[], None))
        .await
        .unwrap();

    served.exchange("us.pem", read(&new, "us.pem"));
    let half = "files have changed, perhaps not all yet";
    eventually("half of it was looked at", || served.log().contains(half)).await;
    served.exchange("us.key", read(&new, "us.key"));
    served
        .until(
            r#"countersign_config_reloads_total{outcome="applied"}"#,
            |reloads| reloads == 1.0,
        )
        .await;
    assert_eq!(
        served
            .metric(r#"countersign_config_reloads_total{outcome="refused"}"#)
            .await,
        0.0
    );

    assert!(
        Flow::connect_tls(served.proxy, old.client(&[], None))
            .await
            .is_err()
    );
    let mut flow = Flow::connect_tls(served.proxy, new.client(&[], None))
        .await
        .unwrap();
    for flow in [&mut flow, &mut kept] {
        assert_eq!(flow.post("/orders", SOAP11, MESSAGE).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_new_key_in_a_source_is_imported_by_itself_and_waits() {
    let receiver = Receiver::start().await;
    let served = Place::new().serve(&sections("", &receiver)).await;
    served.exchange("orders.pem", admin::pem(&admin::new_key("Newer")));
    served
        .until_alias("orders", |alias| {
            alias["keys"].as_array().is_some_and(|keys| keys.len() == 2)
        })
        .await;
    let metrics = served.metrics().await;
    let states = metrics
        .lines()
        .filter(|line| line.starts_with("countersign_key_info{"));
    let states: Vec<_> = states
        .filter_map(|line| line.split("state=\"").nth(1)?.split('"').next())
        .collect();
    assert_eq!(
        (
            states.len(),
            states.contains(&"active"),
            states.contains(&"pending")
        ),
        (2, true, true)
    );
}

#[tokio::test]
async fn the_log_level_is_taken_up() {
    let receiver = Receiver::start().await;
    let served = Place::new().serve(&sections("", &receiver)).await;
    let mut flow = Flow::connect(served.proxy).await;
    let told = |served: &crate::support::served::Served| served.log().contains("outcome=\"answered\"");
    flow.post("/orders", SOAP11, MESSAGE).await;
    assert!(!told(&served));
    served.configure(&(sections("", &receiver) + "[log]\nlevel = \"debug\"\n"));
    served.signal("HUP");
    served
        .until(
            "countersign_config_reloads_total{outcome=\"applied\"}",
            |reloads| reloads == 1.0,
        )
        .await;
    flow.post("/orders", SOAP11, MESSAGE).await;
    eventually("the request is told", || told(&served)).await;
}

fn sections(proxy: &str, receiver: &Receiver) -> String {
    format!(
        "[proxy]\nlisten = \"127.0.0.1:0\"\n{proxy}\n\
         [[route]]\nname = \"orders\"\npath = \"/orders\"\nreceiver = \"{}\"\nalias = \"orders\"\n",
        receiver.url("/")
    )
}

fn head() -> String {
    let length = MESSAGE.len();
    format!("POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: {SOAP11}\r\nContent-Length: {length}\r\n\r\n")
}

/// A connection on which half a message was sent, and has come.
async fn half_sent(proxy: &TestProxy) -> Raw {
    let mut flow = Raw::connect(proxy.address()).await;
    flow.send(head() + MESSAGE.split_at(40).0).await;
    let reserved = "countersign_buffered_bytes 40";
    eventually("half of it has come", || proxy.metrics().contains(reserved)).await;
    flow
}

async fn send_the_rest(flow: &mut Raw) {
    flow.send(MESSAGE.split_at(40).1).await;
    assert!(flow.message().await.starts_with("HTTP/1.1 200"));
}
