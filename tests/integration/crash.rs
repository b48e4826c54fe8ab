//! The process is killed at a random moment, under load, while keys are exchanged. After each start everything that
//! was acknowledged is there, and what was under way happened as a whole or not at all.
//!
//! 20 times in `make test`, 200 times in `make soak`.

mod command;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use countersign::keys::audit::KeptHead;
use countersign::keys::store::AuditTrail;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::support::eventually;
use crate::support::receiver::Receiver;
use crate::support::served::{Place, Served};
use crate::support::soak::{Seed, soak};
use crate::support::within;

const ENVELOPE: &str =
    "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><a/></s:Body></s:Envelope>";

use command::{Command, Renewal, Seen};

/// One number after the other.
struct Random {
    seed: Seed,
    drawn: u64,
}

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.drawn += 1;
        let numbers: Vec<_> = (0..bound).collect();
        *self.seed.pick(&numbers, self.drawn)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        self.drawn += 1;
        self.seed.pick(from, self.drawn)
    }
}

/// One who gives commands, and believes what is acknowledged.
struct Operator {
    address: SocketAddr,
    token: String,
    seen: Seen,
    acknowledged: u64,
    /// For whoever waits for the right moment.
    given: Arc<AtomicU64>,
}

impl Operator {
    async fn of(served: &Served) -> Self {
        let mut operator = Self {
            address: served.admin,
            token: served.token(),
            seen: Seen::default(),
            acknowledged: 0,
            given: Arc::default(),
        };
        operator.look().await.expect("it answers after its start");
        operator
    }

    /// The renewal first: once its hold is through the drain, nothing changes by itself.
    async fn look(&mut self) -> Option<()> {
        let renewal = within(async {
            loop {
                let renewal = self.renewal().await?;
                if renewal.as_ref().is_none_or(|renewal| renewal.gate != "draining") {
                    return Some(renewal);
                }
                tokio::task::yield_now().await;
            }
        });
        let renewal = renewal.await?;
        let alias = self.get("/api/v1/aliases/orders").await?;
        let keys = alias["keys"].as_array().expect("keys").iter();
        let keys = keys.map(|key| (text(&key["fingerprint"]), text(&key["state"])));
        self.seen = Seen {
            keys: keys.collect(),
            renewal,
        };
        Some(())
    }

    async fn renewal(&self) -> Option<Option<Renewal>> {
        let open = self.get("/api/v1/renewals?alias=orders&open=true").await?;
        let renewal = open.as_array().expect("a list").first();
        Some(renewal.map(|renewal| Renewal {
            id: text(&renewal["id"]),
            key: text(&renewal["key"]),
            step: text(&renewal["step"]),
            gate: text(&renewal["gate"]["state"]),
        }))
    }

    async fn get(&self, path: &str) -> Option<Value> {
        let (_, answer) = self.ask(Method::GET, path, "text/plain", Vec::new()).await?;
        Some(answer)
    }

    /// `None` when the process is gone, whatever it has done.
    async fn ask(&self, method: Method, path: &str, media_type: &str, body: Vec<u8>) -> Option<(u16, Value)> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", media_type)
            .body(Full::new(Bytes::from(body)))
            .expect("a request");
        let response = client.request(request).await.ok()?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.ok()?.to_bytes();
        Some((status, serde_json::from_slice(&body).ok()?))
    }

    /// Until the process is gone; returns the command that nobody acknowledged.
    async fn operate(&mut self, random: &mut Random) -> Option<Command> {
        loop {
            let command = Command::any(random, &self.seen);
            let (path, media_type, body) = command.request();
            self.given.fetch_add(1, Ordering::Relaxed);
            let Some((status, answer)) = self.ask(Method::POST, &path, media_type, body).await else {
                return Some(command);
            };
            assert!(status == 200 || status == 201, "{command:?}: {answer}");
            self.acknowledged += 1;
            let expected = command.outcome(&self.seen);
            if self.look().await.is_none() {
                // Acknowledged, and not seen any more: it must be there.
                self.seen = expected;
                return None;
            }
            assert_eq!(self.seen.in_short(), expected.in_short(), "{command:?}");
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

/// Sends messages as long as it may; counts what was answered well.
async fn load(proxy: SocketAddr, running: Arc<AtomicBool>, answered: Arc<AtomicU64>) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    while running.load(Ordering::Relaxed) {
        let request = Request::post(format!("http://{proxy}/orders"))
            .header("content-type", "text/xml; charset=utf-8")
            .body(Full::new(Bytes::from_static(ENVELOPE.as_bytes())))
            .expect("a request");
        match client.request(request).await {
            Ok(response) => {
                assert_eq!(response.status(), 200, "there is an active key at all times");
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_kill_at_any_moment_and_nothing_is_half_done() {
    let rounds = soak(20, 200);
    let seed = Seed::new();
    let mut random = Random { seed, drawn: 0 };
    let receiver = Receiver::start().await;
    let route = format!(
        "strategy = \"hold\"\n[proxy]\nlisten = \"127.0.0.1:0\"\n[[route]]\nname = \"orders\"\npath = \"/orders\"\nreceiver = \"{}\"\nalias = \"orders\"\n",
        receiver.url("/")
    );
    let mut served = Place::new().serve(&route).await;
    let answered = Arc::new(AtomicU64::new(0));
    let (mut acknowledged, mut held, mut kept) = (0, 0, None);
    for round in 0..rounds {
        let mut operator = Operator::of(&served).await;
        let running = Arc::new(AtomicBool::new(true));
        let flow = tokio::spawn(load(served.proxy, running.clone(), answered.clone()));
        let (commands, later) = (1 + random.below(8), Duration::from_millis(random.below(40)));
        let given = operator.given.clone();
        let kill = async {
            eventually("enough is under way", || {
                given.load(Ordering::Relaxed) >= commands
            })
            .await;
            tokio::time::sleep(later).await;
            served.signal("KILL");
        };
        let (under_way, ()) = tokio::join!(operator.operate(&mut random), kill);
        running.store(false, Ordering::Relaxed);
        flow.await.expect("every answer was a good one");
        served.ended().await;
        acknowledged += operator.acknowledged;

        let before = operator.seen;
        served.start_again().await;
        let found = Operator::of(&served).await.seen;
        let everything = under_way.as_ref().map(|command| command.outcome(&before));
        let is_nothing = found.in_short() == before.in_short();
        let is_everything = everything
            .as_ref()
            .is_some_and(|all| found.in_short() == all.in_short());
        assert!(
            is_nothing || is_everything,
            "round {round}: {found:?} is neither {before:?} nor what {under_way:?} makes of it"
        );
        held += usize::from(found.is_held());
        kept = Some(audit_is_whole(&served.file("state"), kept));
    }
    println!(
        "{rounds} kills, {held} of them in a hold; {acknowledged} commands acknowledged, {} messages answered",
        answered.load(Ordering::Relaxed)
    );
    assert!(acknowledged > rounds, "hardly anything was done");
    let unsigned = receiver
        .requests()
        .iter()
        .filter(|request| !is_signed(&request.body))
        .count();
    assert_eq!(unsigned, 0, "none was ever sent unsigned");
}

/// The chain is unbroken, and what it held after the last start is still in it.
fn audit_is_whole(state: &Path, kept: Option<KeptHead>) -> KeptHead {
    let head = AuditTrail::of(state).verify(kept).expect("an unbroken audit");
    head.to_string().parse().expect("a head")
}

fn is_signed(message: &[u8]) -> bool {
    memchr::memmem::find(message, b"SignatureValue").is_some()
}
