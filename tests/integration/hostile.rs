//! Hostile clients of one alias or listener, and the messages of another alias: none is lost, and none waits for them. In
//! `make soak` a table tells how long those took, beside the same without anybody hostile.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::admin::{new_key, pem};
use crate::support::client::{Flow, SOAP11, request};
use crate::support::load::{Tally, message};
use crate::support::raw::Raw;
use crate::support::receiver::{Receiver, Recorded};
use crate::support::served::{Place, Served};
use crate::support::shim::Shim;
use crate::support::soak::soak;
use crate::support::softhsm::SoftHsm;
use crate::support::within;

/// What hostile clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nothing: there is nobody.
    None,
    /// Connect, to each listener, and say nothing.
    Silent,
    /// Send a message a few bytes at a time.
    Slow,
    /// Ask, and take nothing of the answer.
    Deaf,
    /// Send a small message that would be much work: many declarations, many elements.
    Square,
    /// Send one that is as much work as a message of its size may be.
    Heavy,
    /// Send messages whose key is on a token that hangs.
    Token,
    /// Send events as fast as they are answered.
    Events,
    /// Ask for what is not theirs.
    Strangers,
}

/// Nobody first, to have something to compare with.
const KINDS: [Kind; 9] = [
    Kind::None,
    Kind::Silent,
    Kind::Slow,
    Kind::Deaf,
    Kind::Token,
    Kind::Events,
    Kind::Strangers,
    Kind::Square,
    Kind::Heavy,
];

/// Of the sender of events.
const TOKEN: &str = "a-token-of-somebody-who-may-send-events-only";
/// Flows that send at the same time.
const FLOWS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_clients_of_one_alias_take_nothing_from_another() {
    let (clients, messages) = (soak(20, 200), soak(40, 1000));
    let (receiver, attacked) = (Receiver::start().await, Receiver::answering(at_length).await);
    let place = Place::new();
    place.write("attacked.pem", pem(&new_key("Attacked")));
    place.write("event.token", TOKEN);
    let (hsm, shim) = (SoftHsm::new(place.path("hsm")), Shim::new(&place.path("shim")));
    hsm.init("signing");
    hsm.add_key("signing", "key", "01", "EC -pkeyopt ec_paramgen_curve:P-256");
    let token = hsm.source_through(&shim.module(), "token=signing;object=key", "");
    let sections = sections(&token, &receiver, &attacked);
    let environment = shim.environment(&hsm).into_iter();
    let place = environment.fold(place, |place, (name, value)| place.environment(name, value));
    let served = Arc::new(place.serve(&sections).await);

    println!("{clients} clients of each kind, {messages} messages of another alias");
    println!(
        "{:10} {:>6} {:>10} {:>10} {:>7}",
        "kind", "lost", "p50", "p99", "factor"
    );
    // What is done once, as connections are made and the first messages checked, is not what is compared with.
    under(Kind::None, &served, 0, messages).await;
    receiver.forget();
    let mut alone = Duration::ZERO;
    for kind in KINDS {
        shim.rules(if kind == Kind::Token { "C_Sign hang" } else { "" });
        let mut tally = under(kind, &served, clients, messages).await;
        let lost = lost(kind, messages, &receiver);
        let (p50, p99) = percentiles(&mut tally.accepted);
        if kind == Kind::None {
            alone = p99;
        }
        let factor = p99.as_secs_f64() / alone.as_secs_f64();
        println!(
            "{:10} {lost:6} {p50:10.2?} {p99:10.2?} {factor:7.2}",
            format!("{kind:?}")
        );
        assert_eq!((lost, &tally.failed), (0, &Vec::new()), "{kind:?}");
        assert!(tally.put_off.is_empty(), "{kind:?}");
        // Messages that are worth their work share the cores with all others.
        let is_just = kind == Kind::Heavy;
        assert!(is_just || soak(true, factor <= 3.0), "{kind:?}: {factor}");
    }
}

/// The messages, while so many clients do what they do.
async fn under(kind: Kind, served: &Arc<Served>, clients: usize, messages: usize) -> Tally {
    let begun = Arc::new(Semaphore::new(0));
    let mut hostile = JoinSet::new();
    if kind != Kind::None {
        for client in 0..clients {
            let (proxy, admin, begun) = (served.proxy, served.admin, begun.clone());
            hostile.spawn(async move { attack(kind, client, proxy, admin, &begun).await });
        }
        // Each has begun, so the messages come in the midst of it.
        let all = u32::try_from(clients).unwrap();
        within(begun.acquire_many(all)).await.unwrap().forget();
    }
    let mut flows = JoinSet::new();
    for number in 0..FLOWS {
        let proxy = served.proxy;
        flows.spawn(async move {
            let (mut flow, mut tally) = (Flow::connect(proxy).await, Tally::default());
            for message in 0..messages / FLOWS {
                let id = format!("urn:example:{kind:?}:{number}:{message}");
                if !tally.send(&mut flow, &id).await {
                    flow = Flow::connect(proxy).await;
                }
            }
            tally
        });
    }
    let mut all = Tally::default();
    while let Some(tally) = flows.join_next().await {
        all.merge(tally.unwrap());
    }
    hostile.shutdown().await;
    all
}

async fn attack(kind: Kind, client: usize, proxy: SocketAddr, admin: SocketAddr, begun: &Semaphore) {
    match kind {
        Kind::None => {}
        Kind::Silent => {
            let mut both = [Raw::connect(proxy).await, Raw::connect(admin).await];
            begun.add_permits(1);
            loop {
                for (raw, address) in both.iter_mut().zip([proxy, admin]) {
                    let _ended = raw.0.read_u8().await;
                    *raw = Raw::connect(address).await;
                }
            }
        }
        Kind::Slow => loop {
            let mut raw = Raw::connect(proxy).await;
            raw.send(head("/attacked", 10_000)).await;
            begun.add_permits(1);
            while raw.send("  ").await {
                sleep(Duration::from_millis(200)).await;
            }
        },
        Kind::Deaf => loop {
            let mut raw = Raw::connect(proxy).await;
            let asked = "GET /attacked?wsdl HTTP/1.1\r\nHost: localhost\r\n\r\n";
            raw.send(asked).await;
            // Until every buffer on the way is full.
            sleep(Duration::from_secs(2)).await;
            begun.add_permits(1);
            sleep(Duration::from_secs(60)).await;
        },
        Kind::Square | Kind::Heavy | Kind::Token | Kind::Events | Kind::Strangers => {
            ask(kind, client, proxy, admin, begun).await;
        }
    }
}

/// Those who ask as others do, and again and again.
async fn ask(kind: Kind, client: usize, proxy: SocketAddr, admin: SocketAddr, begun: &Semaphore) {
    match kind {
        Kind::None | Kind::Silent | Kind::Slow | Kind::Deaf => {}
        Kind::Square | Kind::Heavy => {
            let message = declaring(if kind == Kind::Square { 500 } else { 120 });
            again(proxy, begun, || {
                let post = request(Method::POST, "/attacked").header("content-type", SOAP11);
                post.body(Full::from(message.clone())).unwrap()
            })
            .await;
        }
        Kind::Token => {
            again(proxy, begun, || {
                let post = request(Method::POST, "/token").header("content-type", SOAP11);
                post.body(Full::from(message("urn:example"))).unwrap()
            })
            .await;
        }
        Kind::Events => {
            let mut number = 0;
            again(admin, begun, || {
                number += 1;
                let event = format!(
                    "{{\"specversion\":\"1.0\",\"id\":\"{number}\",\"source\":\"/{client}\",\
                     \"type\":\"io.countersign.key.import\",\"subject\":\"attacked\"}}"
                );
                let post = request(Method::POST, "/events")
                    .header("content-type", "application/cloudevents+json")
                    .header("authorization", format!("Bearer {TOKEN}"));
                post.body(Full::from(event)).unwrap()
            })
            .await;
        }
        Kind::Strangers => {
            again(admin, begun, || {
                let ask = request(Method::GET, "/api/v1/aliases").header("authorization", "Bearer wrong");
                ask.body(Full::default()).unwrap()
            })
            .await;
        }
    }
}

type Request = http::Request<Full<Bytes>>;

/// One request after the other, whatever becomes of them.
async fn again(address: SocketAddr, begun: &Semaphore, mut make: impl FnMut() -> Request) {
    let mut flow = Flow::connect(address).await;
    begun.add_permits(1);
    loop {
        let answer = flow.try_send(make()).await;
        let is_gone = answer.is_err();
        if is_gone || answer.is_ok_and(|answer| answer.status == StatusCode::SERVICE_UNAVAILABLE) {
            // Told to come later, they come much sooner.
            sleep(Duration::from_millis(100)).await;
        }
        if is_gone {
            flow = Flow::connect(address).await;
        }
    }
}

/// More than sockets hold, to who asks for a description.
fn at_length(asked: &Recorded) -> Response<Full<Bytes>> {
    static MUCH: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(vec![b' '; 16 * 1024 * 1024]));
    let is_question = asked.method == Method::GET;
    Response::new(Full::new(if is_question { MUCH.clone() } else { Bytes::new() }))
}

fn head(path: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {SOAP11}\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// 3,000 elements, each of which drags so many declarations along. 128 are as many as may be.
fn declaring(count: usize) -> String {
    let declarations: String = (0..count)
        .map(|number| format!(" xmlns:p{number}=\"urn:{number}\""))
        .collect();
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"{declarations}><s:Body>{}</s:Body></s:Envelope>",
        "<a/>".repeat(3000)
    )
}

/// Messages of this kind that did not arrive exactly once.
fn lost(kind: Kind, messages: usize, receiver: &Receiver) -> usize {
    let mut arrived: HashMap<String, usize> = HashMap::new();
    for came in receiver.requests() {
        let text = String::from_utf8_lossy(&came.body).into_owned();
        let id = text
            .split_once("urn:example:")
            .and_then(|(_, rest)| rest.split_once('<'));
        if let Some((id, _)) = id.filter(|(id, _)| id.starts_with(&format!("{kind:?}:"))) {
            *arrived.entry(id.to_owned()).or_default() += 1;
        }
    }
    let once = arrived.values().filter(|times| **times == 1).count();
    messages - once
}

fn percentiles(times: &mut [Duration]) -> (Duration, Duration) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    (at(50), at(99))
}

fn sections(token: &str, receiver: &Receiver, attacked: &Receiver) -> String {
    let route = |name: &str, alias: &str, receiver: &Receiver| {
        format!(
            "[[route]]\nname = \"{name}\"\npath = \"/{name}\"\nreceiver = \"{}\"\nalias = \"{alias}\"\n",
            receiver.url("/")
        )
    };
    format!(
        "[[admin.access]]\nname = \"events\"\nrole = \"event\"\ntoken_file = \"event.token\"\naliases = [\"attacked\"]\n\
         [alias.attacked]\nsource = {{ certificate = \"attacked.pem\", private_key = \"attacked.pem\" }}\n\
         [alias.token]\n{token}\n[proxy]\nlisten = \"127.0.0.1:0\"\n{}{}{}",
        route("orders", "orders", receiver),
        route("attacked", "attacked", attacked),
        route("token", "token", attacked)
    )
}
