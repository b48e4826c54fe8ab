//! The process is killed at a random moment, under load, while keys are exchanged. After each start everything that
//! was acknowledged is there, and what was under way happened as a whole or not at all.
//!
//! 20 times in `make test`, 200 times in `make soak`.

use std::collections::BTreeMap;
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
use serde_json::{Value, json};

use crate::support::admin::{new_key, pem};
use crate::support::eventually;
use crate::support::receiver::Receiver;
use crate::support::served::{Place, Served};
use crate::support::soak::{Seed, soak};

const ENVELOPE: &str =
    "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><a/></s:Body></s:Envelope>";

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

/// Keys and their states, in the order of the API.
type States = Vec<(String, String)>;

/// What an operator asks for.
#[derive(Debug, Clone)]
enum Command {
    Import { pem: Vec<u8>, fingerprint: String },
    Activate(String),
    Rollback,
    Revoke { key: String, successor: Option<String> },
    Discard(String),
    Purge(String),
}

impl Command {
    /// One that the states allow.
    fn any(random: &mut Random, states: &States) -> Self {
        let mut some = |wanted: &str| {
            let keys: Vec<_> = states.iter().filter(|(_, state)| state == wanted).collect();
            (!keys.is_empty()).then(|| random.pick(&keys).0.clone())
        };
        let (pending, active, retired, revoked) =
            (some("pending"), some("active"), some("retired"), some("revoked"));
        match (random.below(9), pending, active, retired, revoked) {
            (1 | 2, Some(key), ..) => Self::Activate(key),
            (3, _, Some(_), Some(_), _) => Self::Rollback,
            (4, Some(successor), Some(key), ..) => Self::Revoke {
                key,
                successor: Some(successor),
            },
            (5, _, _, Some(key), _) => Self::Revoke { key, successor: None },
            (6, Some(key), ..) => Self::Discard(key),
            (7 | 8, _, _, _, Some(key)) => Self::Purge(key),
            _ => {
                let key = new_key("Next");
                let material = countersign::keys::source::from_pem(&pem(&key), None).expect("a key");
                Self::Import {
                    pem: pem(&key),
                    fingerprint: material.certificate.fingerprint().to_string(),
                }
            }
        }
    }

    /// What becomes of the states when all of it happens.
    fn outcome(&self, states: &States) -> BTreeMap<String, String> {
        let mut after: BTreeMap<_, _> = states.iter().cloned().collect();
        let active = states.iter().find(|(_, state)| state == "active");
        let mut put = |key: &str, state: &str| after.insert(key.to_owned(), state.to_owned());
        match self {
            Self::Import { fingerprint, .. } => drop(put(fingerprint, "pending")),
            Self::Activate(key) => {
                active.map(|(displaced, _)| put(displaced, "retired"));
                put(key, "active");
            }
            Self::Rollback => {
                let last = states
                    .iter()
                    .find(|(_, state)| state == "retired")
                    .expect("chosen so");
                active.map(|(displaced, _)| put(displaced, "retired"));
                put(&last.0, "active");
            }
            Self::Revoke { key, successor } => {
                put(key, "revoked");
                successor.as_ref().map(|successor| put(successor, "active"));
            }
            Self::Discard(key) => drop(after.remove(key)),
            Self::Purge(key) => drop(put(key, "purged")),
        }
        after
    }

    fn request(&self) -> (String, &'static str, Vec<u8>) {
        let key = |key: &str, verb: &str| format!("/api/v1/aliases/orders/keys/{key}/{verb}");
        let json = |value: Value| value.to_string().into_bytes();
        let (path, body) = match self {
            Self::Import { pem, .. } => {
                let path = "/api/v1/aliases/orders/keys".to_owned();
                return (path, "application/x-pem-file", pem.clone());
            }
            Self::Activate(name) => (key(name, "activate"), Vec::new()),
            Self::Rollback => ("/api/v1/aliases/orders/rollback".to_owned(), Vec::new()),
            Self::Revoke { key: name, successor } => {
                let body = match successor {
                    Some(successor) => json!({"reason": "a test", "successor": successor}),
                    None => json!({"reason": "a test"}),
                };
                (key(name, "revoke"), json(body))
            }
            Self::Discard(name) => (key(name, "discard"), Vec::new()),
            Self::Purge(name) => (key(name, "purge"), json(json!({"compromised": true}))),
        };
        (path, "application/json", body)
    }
}

/// One who gives commands, and believes what is acknowledged.
struct Operator {
    address: SocketAddr,
    token: String,
    states: States,
    acknowledged: u64,
    /// For whoever waits for the right moment.
    given: Arc<AtomicU64>,
}

impl Operator {
    async fn of(served: &Served) -> Self {
        let mut operator = Self {
            address: served.admin,
            token: served.token(),
            states: Vec::new(),
            acknowledged: 0,
            given: Arc::default(),
        };
        operator.look().await.expect("it answers after its start");
        operator
    }

    async fn look(&mut self) -> Option<()> {
        let (_, alias) = self
            .ask(Method::GET, "/api/v1/aliases/orders", "text/plain", Vec::new())
            .await?;
        let keys = alias["keys"].as_array().expect("keys").iter();
        let text = |key: &Value, name: &str| key[name].as_str().expect("text").to_owned();
        self.states = keys
            .map(|key| (text(key, "fingerprint"), text(key, "state")))
            .collect();
        Some(())
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
            let command = Command::any(random, &self.states);
            let (path, media_type, body) = command.request();
            self.given.fetch_add(1, Ordering::Relaxed);
            let Some((status, answer)) = self.ask(Method::POST, &path, media_type, body).await else {
                return Some(command);
            };
            assert!(status == 200 || status == 201, "{command:?}: {answer}");
            self.acknowledged += 1;
            let expected = command.outcome(&self.states);
            if self.look().await.is_none() {
                // Acknowledged, and not seen any more: it must be there.
                self.states = expected.into_iter().collect();
                return None;
            }
            assert_eq!(
                self.states.iter().cloned().collect::<BTreeMap<_, _>>(),
                expected,
                "{command:?}"
            );
        }
    }
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
        "[proxy]\nlisten = \"127.0.0.1:0\"\n[[route]]\nname = \"orders\"\npath = \"/orders\"\nreceiver = \"{}\"\nalias = \"orders\"\n",
        receiver.url("/")
    );
    let mut served = Place::new().serve(&route).await;
    let answered = Arc::new(AtomicU64::new(0));
    let (mut acknowledged, mut kept) = (0, None);
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

        let before = operator.states.clone();
        served.start_again().await;
        let found = Operator::of(&served)
            .await
            .states
            .into_iter()
            .collect::<BTreeMap<_, _>>();
        let nothing: BTreeMap<_, _> = before.iter().cloned().collect();
        let everything = under_way.as_ref().map(|command| command.outcome(&before));
        assert!(
            found == nothing || Some(&found) == everything.as_ref(),
            "round {round}: {found:?} is neither {nothing:?} nor what {under_way:?} makes of it"
        );
        kept = Some(audit_is_whole(&served.file("state"), kept));
    }
    println!(
        "{rounds} kills; {acknowledged} commands acknowledged, {} messages answered",
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
