//! What can go wrong on both sides of the proxy, by a table: what the flow sees, and that nothing is sent twice, unsigned,
//! or leaks. Against the process, for its files and its memory are part of the question.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use http::Method;
use http::header::CONTENT_TYPE;
use http_body_util::Full;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::support::client::{Flow, SOAP11, request};
use crate::support::receiver::nobody;
use crate::support::served::{Place, Served};
use crate::support::soak::{Seed, soak};
use crate::support::{eventually, proxy, within};

mod client;
mod receiver;

use client::{Client, Seen};
use receiver::{BEHAVIOURS, FaultyReceiver, ORDERLY, SMUGGLED};

/// What a flow sees.
#[derive(Debug, Clone, Copy)]
enum Expected {
    /// The receiver's orderly answer.
    Answer,
    /// A fault of ours with one of these statuses.
    Fault(&'static [u16]),
    /// The receiver's status, and an answer that ends too early.
    Cut,
    /// The orderly answer, or a fault that says that the connection broke: by who was quicker.
    AnswerOrBroken,
    /// The connection ends; whatever was said before.
    Nothing,
}
use Expected::{Answer, AnswerOrBroken, Cut, Fault, Nothing};

/// The flow, the receiver, what the flow sees, and how often the message may have come to the receiver whole.
const TABLE: &[(Client, &str, Expected, &[usize])] = &[
    (Client::Sends, "acknowledges", Answer, &[1]),
    (Client::SendsMuch, "acknowledges", Answer, &[1]),
    (Client::Drips, "acknowledges", Answer, &[1]),
    (Client::StopsMidBody, "acknowledges", Fault(&[408]), &[0]),
    (Client::StopsMidHead, "acknowledges", Nothing, &[0]),
    (Client::ClosesMidBody, "acknowledges", Nothing, &[0]),
    (Client::ResetsMidBody, "acknowledges", Nothing, &[0]),
    (Client::ResetsBeforeTheAnswer, "acknowledges", Nothing, &[0, 1]),
    (Client::ResetsBeforeTheAnswer, "hangs", Nothing, &[0, 1]),
    (Client::ResetsMidAnswer, "sends-without-end", Nothing, &[1]),
    (Client::NeverReads, "floods", Nothing, &[1]),
    (Client::SendsGarbage, "acknowledges", Fault(&[400]), &[0]),
    (Client::Sends, "resets-at-the-head", Fault(&[502]), &[0]),
    (Client::SendsMuch, "resets-at-the-head", Fault(&[502]), &[0]),
    (Client::Sends, "resets-before-its-answer", Fault(&[502]), &[1]),
    (Client::Sends, "resets-in-its-head", Fault(&[502]), &[1]),
    (Client::Sends, "resets-in-its-body", Cut, &[1]),
    (Client::Sends, "hangs", Fault(&[504]), &[1]),
    (Client::Sends, "hangs-in-its-head", Fault(&[504]), &[1]),
    (Client::Sends, "stalls-in-its-body", Cut, &[1]),
    (Client::Sends, "answers-garbage", Fault(&[502]), &[1]),
    (Client::Sends, "answers-early", Answer, &[1]),
    (Client::SendsMuch, "answers-early", Answer, &[0, 1]),
    (
        Client::SendsMuch,
        "answers-early-and-closes",
        AnswerOrBroken,
        &[0],
    ),
    (
        Client::Sends,
        "closes-as-it-is-used-again",
        AnswerOrBroken,
        &[0, 1],
    ),
    (
        Client::Sends,
        "closes-as-it-is-used-again",
        AnswerOrBroken,
        &[0, 1],
    ),
    (Client::Sends, "sends-1xx", Answer, &[1]),
    (Client::Sends, "switches-protocols", Fault(&[502]), &[1]),
    (Client::Sends, "sends-trailers", Answer, &[1]),
    (Client::Sends, "sends-a-huge-head", Fault(&[502]), &[1]),
    (Client::Sends, "sends-many-fields", Fault(&[502]), &[1]),
    (Client::Sends, "sends-too-little", Cut, &[1]),
    (Client::Sends, "sends-too-much", Answer, &[1]),
    (Client::Sends, "sends-too-much", AnswerOrBroken, &[0, 1]),
    (Client::Sends, "sends-without-end", Cut, &[1]),
    (Client::Sends, "nobody", Fault(&[502]), &[0]),
];

#[tokio::test]
async fn each_fault_ends_as_the_table_says() {
    let receiver = FaultyReceiver::start().await;
    let served = start(&receiver).await;
    let mut behaviours = JoinSet::new();
    for behaviour in BEHAVIOURS.iter().copied().chain(["nobody"]) {
        behaviours.spawn(rows_of(behaviour, served.proxy));
    }
    while let Some(ended) = behaviours.join_next().await {
        ended.unwrap();
    }
    quiet(&served).await;
    for (number, (client, behaviour, _, times)) in TABLE.iter().enumerate() {
        let came = receiver.book(|book| book.came.get(&row(number)).copied().unwrap_or(0));
        assert!(
            times.contains(&came),
            "{client:?}, {behaviour}: it came {came} times, not {times:?}"
        );
    }
    assert_eq!(receiver.book(|book| book.unsigned), 0);
}

/// The rows of one behaviour, which share connections to the receiver, one after the other.
async fn rows_of(behaviour: &'static str, proxy: SocketAddr) {
    for (number, (client, of, expected, _)) in TABLE.iter().enumerate() {
        if *of == behaviour {
            let seen = client.run(proxy, &format!("/{behaviour}"), &row(number)).await;
            println!(
                "{client:?}, {behaviour}: {:?}, whole: {}",
                seen.status, seen.whole
            );
            assert!(
                expected.is(&seen),
                "{client:?}, {behaviour}: {seen:?} is not {expected:?}"
            );
            assert!(!seen.body.contains(SMUGGLED), "{client:?}, {behaviour}: {seen:?}");
        }
    }
}

/// The id of a row's message.
fn row(number: usize) -> String {
    format!("row-{number}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_thousands_of_faults_nothing_was_sent_twice_and_all_is_back_where_it_was() {
    let receiver = Arc::new(FaultyReceiver::start().await);
    let served = start(&receiver).await;
    let seed = Seed::new();
    let (round, rounds) = soak((150, 2), (2_500, 5));
    let (files, mut memory) = (served.metric(OPEN_FILES).await, Vec::new());
    for number in 0..rounds {
        mix(&served, &receiver, seed, number * round..(number + 1) * round).await;
        at_rest(&served, files).await;
        memory.push(served.metric(MEMORY).await);
        println!(
            "{} exchanges; {files} files; memory {memory:?}",
            (number + 1) * round
        );
    }
    // The first round warms up. In `make soak`, a leak of 2 KiB an exchange is more.
    let grown = memory[rounds - 1] - memory[0];
    assert!(grown < 16.0 * 1024.0 * 1024.0, "{memory:?}");
    receiver.book(|book| {
        assert_eq!(book.unsigned, 0);
        let twice: Vec<_> = book.came.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
    });
    assert!(!served.log().contains("panicked"), "{}", served.log());
}

#[tokio::test]
async fn a_stream_whose_flow_takes_nothing_ends_in_time_though_its_connection_lives() {
    let receiver = FaultyReceiver::start().await;
    let url = format!("http://{}/floods", receiver.address);
    let timeouts = "timeouts = { response = \"1s\", total = \"1s\" }";
    let proxy = proxy::to(url).route(timeouts).start().await;
    let mut flow = Flow::connect_h2c(proxy.address()).await;
    let post = request(Method::POST, "/orders").header(CONTENT_TYPE, SOAP11);
    let post = post.body(Full::from(client::message("untaken", 0))).unwrap();
    let untaken = within(flow.response(post)).await.unwrap();
    assert_eq!(untaken.status(), 200);
    let [begun, over] = [1, 0].map(|requests| format!("countersign_requests_under_way {requests}"));
    assert!(proxy.metrics().contains(&begun), "{}", proxy.metrics());
    eventually("it holds nothing any more", || proxy.metrics().contains(&over)).await;
    let told = r#"countersign_requests_total{outcome="timed-out",route="orders"} 1"#;
    assert!(proxy.metrics().contains(told), "{}", proxy.metrics());
    let answer = flow.ask(Method::GET, "/nowhere").await;
    assert_eq!(answer.status, 404, "the connection is usable");
    drop(untaken);
}

const OPEN_FILES: &str = "process_open_fds";
const MEMORY: &str = "process_resident_memory_bytes";

/// Every row's flow and receiver in random order, 64 at a time. Who is slow now may meet a time-out, so only what must
/// hold in any case is asked here: an orderly answer is the receiver's, and its message came.
async fn mix(served: &Served, receiver: &Arc<FaultyReceiver>, seed: Seed, numbers: Range<usize>) {
    let (proxy, side_by_side) = (served.proxy, Arc::new(Semaphore::new(64)));
    let mut flows = JoinSet::new();
    for number in numbers {
        let place = side_by_side.clone().acquire_owned().await.unwrap();
        let (client, behaviour, ..) = *seed.pick(TABLE, number);
        let receiver = receiver.clone();
        flows.spawn(async move {
            let id = format!("mixed-{number}");
            let seen = client.run(proxy, &format!("/{behaviour}"), &id).await;
            drop(place);
            let row = format!("{client:?}, {behaviour}: {seen:?}");
            assert!(!seen.body.contains(SMUGGLED), "{row}");
            let came = || receiver.book(|book| book.came.contains_key(&id));
            let early = behaviour.starts_with("answers-early");
            assert!(!Answer.is(&seen) || early || came(), "{row}");
        });
        while let Some(ended) = flows.try_join_next() {
            ended.unwrap();
        }
    }
    while let Some(ended) = flows.join_next().await {
        ended.unwrap();
    }
}

/// Nothing is under way, nothing reserved, and no more files are open than before.
async fn at_rest(served: &Served, files: f64) {
    quiet(served).await;
    served
        .until("countersign_buffered_bytes", |bytes| bytes == 0.0)
        .await;
    served.until(OPEN_FILES, |open| open <= files).await;
}

async fn quiet(served: &Served) {
    served
        .until("countersign_requests_under_way", |requests| requests == 0.0)
        .await;
}

/// A process with a route, and so with connections, for each behaviour.
async fn start(receiver: &FaultyReceiver) -> Served {
    let mut sections =
        "[log]\nlevel = \"info\"\n[proxy]\nlisten = \"127.0.0.1:0\"\nclient_timeout = \"1s\"\n".to_owned();
    let behaviours = BEHAVIOURS.iter().map(|name| (*name, receiver.address));
    for (name, address) in behaviours.chain([("nobody", nobody().await)]) {
        write!(
            sections,
            "[[route]]\nname = \"{name}\"\npath = \"/{name}\"\nreceiver = \"http://{address}/{name}\"\n\
             alias = \"orders\"\nfault_status = \"http\"\n\
             timeouts = {{ connect = \"1s\", response = \"1s\", total = \"3s\" }}\n"
        )
        .unwrap();
    }
    Place::new().serve(&sections).await
}

impl Expected {
    fn is(self, seen: &Seen) -> bool {
        let answered = seen.whole && seen.status == Some(200) && seen.body.contains(ORDERLY);
        match self {
            Answer => answered,
            Fault(statuses) => seen.whole && seen.status.is_some_and(|status| statuses.contains(&status)),
            Cut => !seen.whole && seen.status == Some(200),
            AnswerOrBroken => answered || (seen.whole && seen.status == Some(502)),
            Nothing => true,
        }
    }
}
