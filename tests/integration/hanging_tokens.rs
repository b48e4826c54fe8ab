//! Tokens that hang, crash or lie, by a shim around SoftHSM2: what that does to their own messages, and to everything else.

use std::fs;
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::{Instant, sleep};

use crate::support::admin::{new_key, pem};
use crate::support::client::{Flow, SOAP11};
use crate::support::countersign::countersign_with;
use crate::support::eventually;
use crate::support::receiver::Receiver;
use crate::support::served::{Place, Served};
use crate::support::shim::Shim;
use crate::support::softhsm::{PIN, SoftHsm};
use crate::support::steady::Steady;

const MESSAGE: &str = include_str!("../messages/body-two-children.xml");
const P256: &str = "EC -pkeyopt ec_paramgen_curve:P-256";
/// What is not stopped by a token takes milliseconds; a machine that has much to do takes longer.
const SOON: Duration = Duration::from_secs(8);
/// A token that is well answers in less even then.
const ISOLATED: &str = "timeout = \"8s\"";
const IN_PROCESS: &str = "isolate = false, timeout = \"8s\"";

/// A process, the tokens of one module, and the module.
struct Stage {
    served: Served,
    hsm: SoftHsm,
    shim: Shim,
    receiver: Receiver,
}

impl Stage {
    /// With these aliases, each of one key on the token of the same name, and `orders` in memory.
    async fn new(tokens: &[&str], settings: &str) -> Self {
        Self::with_rules(tokens, settings, "").await
    }

    /// The same where these rules hold from the beginning.
    async fn with_rules(tokens: &[&str], settings: &str, rules: &str) -> Self {
        let receiver = Receiver::start().await;
        let place = Place::new();
        let (hsm, shim) = (SoftHsm::new(place.path("hsm")), Shim::new(&place.path("shim")));
        for token in tokens {
            hsm.init(token);
            hsm.add_key(token, "key", "01", P256);
        }
        shim.rules(rules);
        let sections = sections(&receiver, &hsm, &shim, tokens, settings);
        let environment = shim.environment(&hsm).into_iter();
        let place = environment.fold(place, |place, (name, value)| place.environment(name, value));
        let served = place.serve(&sections).await;
        Self {
            served,
            hsm,
            shim,
            receiver,
        }
    }

    /// One message.
    async fn post(&self, path: &str) -> (u16, String) {
        let answer = Flow::connect(self.served.proxy)
            .await
            .post(path, SOAP11, MESSAGE)
            .await;
        (answer.status.into(), answer.text().to_owned())
    }

    /// Demands that a message is signed now.
    async fn signs(&self, path: &str) {
        let (status, text) = self.post(path).await;
        assert_eq!(status, 200, "{text}\n{}", self.served.log());
    }

    /// Waits until messages are signed again.
    async fn heals(&self, path: &str) {
        let begun = Instant::now();
        let mut signed = 0;
        while signed < 10 {
            let (status, text) = self.post(path).await;
            signed += usize::from(status == 200);
            assert!(
                begun.elapsed() < Duration::from_secs(90),
                "{text}\n{}",
                self.served.log()
            );
        }
    }

    async fn pending(&self, alias: &str) -> String {
        let is_pending = |key: &&serde_json::Value| key["state"] == "pending";
        let has_one = |alias: &serde_json::Value| {
            alias["keys"]
                .as_array()
                .unwrap()
                .iter()
                .any(|key| is_pending(&key))
        };
        let shown = self.served.until_alias(alias, has_one).await;
        let pending = shown["keys"].as_array().unwrap().iter().find(is_pending).unwrap();
        pending["fingerprint"].as_str().unwrap().to_owned()
    }

    fn series(&self, name: &str, token: &str) -> String {
        format!(
            "countersign_token_{name}{{module=\"{}\",token=\"token={token}\"}}",
            self.shim.module()
        )
    }

    /// The process that a token's module was called in last.
    fn module_process(&self) -> String {
        let calls = fs::read_to_string(self.served.file("shim").join("calls")).unwrap();
        let last = calls.lines().last().unwrap();
        last.split(' ').next().unwrap().to_owned()
    }
}

fn sections(receiver: &Receiver, hsm: &SoftHsm, shim: &Shim, tokens: &[&str], settings: &str) -> String {
    let url = receiver.url("/");
    let mut sections = "[proxy]\nlisten = \"127.0.0.1:0\"\ndrain = \"3s\"\n".to_owned();
    for token in tokens {
        let source = hsm.source_through(&shim.module(), &format!("token={token};object=key"), settings);
        sections += &format!("[alias.{token}]\n{source}\n");
    }
    for alias in tokens.iter().chain([&"orders"]) {
        sections += &format!(
            "[[route]]\nname = \"{alias}\"\npath = \"/{alias}\"\nreceiver = \"{url}\"\nalias = \"{alias}\"\nfault_status = \"http\"\n"
        );
    }
    sections
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_token_is_asked_for_a_trial_signature_every_other_command_is_carried_out() {
    let stage = Stage::new(&["one"], "timeout = \"1m\"").await;
    let (served, hsm) = (&stage.served, &stage.hsm);
    hsm.add_key("one", "next", "02", P256);
    let sections = sections(&stage.receiver, hsm, &stage.shim, &["one"], "timeout = \"1m\"");
    served.configure(&sections.replace("object=key", "object=next"));
    served.exchange("orders.pem", pem(&new_key("Orders")));
    let (on_token, in_memory) = (stage.pending("one").await, stage.pending("orders").await);

    stage.shim.rules("C_Sign hang");
    let signatures = stage.shim.calls("C_Sign", "one");
    let hangs = served.activate("one", &on_token);
    let others = async {
        eventually("the token hangs", || {
            stage.shim.calls("C_Sign", "one") > signatures
        })
        .await;
        let begun = Instant::now();
        let (status, answer) = served.activate("orders", &in_memory).await;
        assert_eq!(status, StatusCode::OK, "{answer:?}");
        let stop = format!("/api/v1/aliases/orders/keys/{in_memory}/revoke");
        let stop = served.ask(
            Method::POST,
            &stop,
            "application/json",
            r#"{"stop": true, "reason": "test"}"#,
        );
        let (status, answer) = stop.await;
        assert_eq!(status, StatusCode::OK, "{answer:?}");
        let (status, audit) = served.ask(Method::GET, "/api/v1/audit", "text/plain", "").await;
        assert_eq!(status, StatusCode::OK, "{audit:?}");
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
        stage.shim.rules("");
    };
    let ((status, answer), ()) = tokio::join!(hangs, others);
    assert_eq!(status, StatusCode::OK, "{answer:?}");
}

/// By the metrics.
async fn tells_that_one_hangs(stage: &Stage) {
    stage
        .served
        .until(&stage.series("usable", "one"), |usable| usable == 0.0)
        .await;
    assert_eq!(stage.served.metric(&stage.series("usable", "two")).await, 1.0);
    assert_eq!(
        stage
            .served
            .metric(&stage.series("hung_calls_total", "two"))
            .await,
        0.0
    );
    assert!(
        stage
            .served
            .metric(&stage.series("hung_calls_total", "one"))
            .await
            >= 1.0
    );
}

/// One token hangs, under 120 clients: the other one of the module, and a key in memory, sign every message.
async fn one_token_hangs(settings: &str) -> Stage {
    let stage = Stage::new(&["one", "two"], settings).await;
    stage.heals("/one").await;
    stage.heals("/two").await;
    let [two, orders] = ["/two", "/orders"].map(|path| Steady::start(stage.served.proxy, path));
    stage.shim.rules("C_Sign token=one hang");
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..120 {
        let mut flow = Flow::connect(stage.served.proxy).await;
        clients.spawn(async move { flow.post("/one", SOAP11, MESSAGE).await });
    }
    while let Some(answer) = clients.join_next().await {
        let answer = answer.unwrap();
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(
            answer.text().contains("hangs: it did not answer in time"),
            "{}",
            answer.text()
        );
    }
    two.further(200, 20).await;
    orders.further(200, 20).await;
    for load in [two, orders] {
        let came = load.stop().await;
        assert!(came.iter().all(|(status, _)| *status == 200), "{came:?}");
    }
    tells_that_one_hangs(&stage).await;
    stage
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_hangs_takes_nothing_from_another_one_of_its_module_and_is_back_when_it_is_well() {
    let stage = one_token_hangs(ISOLATED).await;
    stage.shim.rules("");
    stage.heals("/one").await;
    assert!(stage.served.metric(&stage.series("restarts_total", "one")).await >= 1.0);
    assert_eq!(
        stage.served.metric(&stage.series("restarts_total", "two")).await,
        0.0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_one_of_a_module_in_our_process() {
    let stage = one_token_hangs(IN_PROCESS).await;
    stage.shim.rules("");
    stage.heals("/one").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_ends_within_its_time_whatever_a_module_does() {
    for settings in [ISOLATED, IN_PROCESS] {
        let settings = settings.replace("8s", "1m");
        let mut stage = Stage::new(&["one"], &settings).await;
        stage.heals("/one").await;
        stage.shim.rules("C_Sign hang\nC_Finalize hang");
        let signatures = stage.shim.calls("C_Sign", "one");
        let mut flow = Flow::connect(stage.served.proxy).await;
        let waits = tokio::spawn(async move { flow.post("/one", SOAP11, MESSAGE).await });
        eventually("the token hangs", || {
            stage.shim.calls("C_Sign", "one") > signatures
        })
        .await;
        let module = stage.module_process();
        let begun = Instant::now();
        stage.served.signal("TERM");
        stage.served.ended().await;
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        waits.abort();
        eventually("nothing of it is left", || {
            !fs::exists(format!("/proc/{module}/exe")).unwrap_or(false)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_signature_of_a_token_does_not_leave() {
    let stage = Stage::new(&["one"], "").await;
    stage.heals("/one").await;
    let came = stage.receiver.requests().len();
    stage.shim.rules("C_Sign wrong");
    for _ in 0..5 {
        let (status, text) = stage.post("/one").await;
        assert_eq!(status, 503, "{text}");
        assert!(text.contains("does not verify"), "{text}");
    }
    assert_eq!(stage.receiver.requests().len(), came, "none of them was sent");
    let wrong = stage.series("wrong_signatures_total", "one");
    assert_eq!(stage.served.metric(&wrong).await, 5.0);
    stage.shim.rules("");
    stage.signs("/one").await;
    // Nor one of a length that none has.
    stage.shim.rules("C_Sign long");
    assert_ne!(stage.post("/one").await.0, 200);
    stage.shim.rules("");
    stage.heals("/one").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_module_that_crashes_takes_its_own_process_with_it() {
    let stage = Stage::new(&["one", "two"], "").await;
    stage.heals("/one").await;
    stage.heals("/two").await;
    let two = Steady::start(stage.served.proxy, "/two");
    stage.shim.rules("C_Sign token=one abort");
    let (status, text) = stage.post("/one").await;
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("its process ended (signal: 6"), "{text}");
    stage.shim.rules("");
    stage.heals("/one").await;
    let came = two.stop().await;
    assert!(came.iter().all(|(status, _)| *status == 200), "{came:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_was_lost_is_replaced_and_no_message_is_refused() {
    for settings in ["", "isolate = false"] {
        let stage = Stage::new(&["one"], settings).await;
        stage.heals("/one").await;
        // Session closed, session unknown, operation active, device error, user not logged in, a maker's own code.
        for code in ["b0", "b3", "90", "30", "101", "80000042"] {
            stage.shim.rules(&format!("C_SignInit idle=1000 fail={code}"));
            sleep(Duration::from_millis(1300)).await;
            stage.signs("/one").await;
        }
        // And where the module says the same of every session, it is told, and heals.
        stage.shim.rules("C_SignInit fail=80000042\nC_Finalize fail=30");
        let (status, text) = stage.post("/one").await;
        assert_eq!(status, 503, "{text}");
        stage.shim.rules("C_Finalize fail=30");
        stage.heals("/one").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_and_a_reload_go_on_while_a_module_hangs() {
    for call in ["C_Initialize", "C_Login", "C_GetSlotList"] {
        let stage = Stage::with_rules(&["one"], ISOLATED, &format!("{call} hang")).await;
        stage.signs("/orders").await;
        let (status, text) = stage.post("/one").await;
        assert_eq!(status, 503, "{text}");
        stage.served.exchange("orders.pem", pem(&new_key("Orders")));
        stage.pending("orders").await;
        let mut sections = sections(&stage.receiver, &stage.hsm, &stage.shim, &["one"], ISOLATED);
        sections +=
            "[alias.further]\nsource = { certificate = \"orders.pem\", private_key = \"orders.pem\" }\n";
        stage.served.configure(&sections);
        eventually("it is in force", || {
            stage.served.log().contains("read again and is in force")
        })
        .await;
        stage.shim.rules("");
        stage
            .served
            .until_alias("one", |alias| alias["keys"][0]["state"] == "active")
            .await;
        stage.heals("/one").await;
        assert!(!stage.served.log().contains(PIN));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_module_writes_is_bounded_in_the_log_and_the_pin_is_not_in_it() {
    let stage = Stage::with_rules(&["one"], "", "C_Login tell\nC_Sign say").await;
    stage.heals("/one").await;
    let log = stage.served.log();
    let lines = log.matches("the token's module wrote").count();
    assert!((1..=40).contains(&lines), "{lines}");
    assert!(log.contains("wrote the PIN; that line is left out"), "{log}");
    assert!(!log.contains(PIN) && !log.contains('\u{1b}'), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_modules_process_outlives_what_ends_us_politely_and_not_our_end() {
    let mut stage = Stage::new(&["one"], "").await;
    stage.heals("/one").await;
    let module = stage.module_process();
    let shown = fs::read(format!("/proc/{module}/cmdline")).unwrap();
    let shown = String::from_utf8_lossy(&shown);
    assert!(
        shown.contains("pkcs11-module") && shown.contains("token=one"),
        "{shown}"
    );
    assert!(!shown.contains(PIN));
    for signal in ["TERM", "INT", "HUP"] {
        let kill = format!("kill -{signal} {module}");
        assert!(
            std::process::Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        stage.signs("/one").await;
        assert_eq!(stage.module_process(), module);
    }
    // It is what a container's memory limit ends first, for one: the next message has a new one.
    let kill = format!("kill -KILL {module}");
    assert!(
        std::process::Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
    stage.signs("/one").await;
    let module = stage.module_process();
    stage.served.signal("KILL");
    stage.served.ended().await;
    eventually("nothing of it is left", || {
        !fs::exists(format!("/proc/{module}/exe")).unwrap_or(false)
    })
    .await;
}

const ROUTE: &str =
    "[[route]]\nname = \"one\"\npath = \"/one\"\nreceiver = \"http://127.0.0.1:9/\"\nalias = \"one\"\n";

#[test]
fn aliases_that_share_a_module_agree_on_how_it_is_asked() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let (hsm, shim) = (SoftHsm::new(at.join("hsm")), Shim::new(&at.join("shim")));
    let check = |settings: [&str; 2]| {
        let alias = |name: &str, settings: &str| {
            let source = hsm.source_through(&shim.module(), &format!("token={name};object=key"), settings);
            format!("[alias.{name}]\n{source}\n")
        };
        let text = alias("one", settings[0]) + &alias("two", settings[1]);
        fs::write(at.join("c.toml"), text).unwrap();
        countersign_with(at, "check --config c.toml", &shim.environment(&hsm)).stderr
    };
    let differ = "the aliases one and two have keys of the module";
    assert!(check([ISOLATED, IN_PROCESS]).contains(differ));
    assert!(!check([ISOLATED, ISOLATED]).contains(differ));
    hsm.init("one");
    hsm.add_key("one", "key", "01", P256);
    let warned = |settings: &str| {
        let source = hsm.source_through(&shim.module(), "token=one;object=key", settings);
        fs::write(at.join("c.toml"), format!("[alias.one]\n{source}\n{ROUTE}")).unwrap();
        let checked = countersign_with(at, "check --config c.toml", &shim.environment(&hsm));
        assert_eq!(checked.code, Some(0), "{}", checked.stderr);
        checked.text().contains("runs in the proxy's own process")
    };
    assert!(!warned("") && warned(IN_PROCESS));
    let short = check(["timeout = \"1ms\"", ISOLATED]);
    assert!(short.contains("between 100ms and 1m"), "{short}");
}
