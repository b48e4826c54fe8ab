//! More than it can take: what is accepted completes, the rest hears 503 at once, memory and files stay bounded, and
//! afterwards all is as before.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Response;
use http_body_util::Full;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::support::admin::{new_key, pem};
use crate::support::client::{Flow, SOAP11};
use crate::support::load::{Tally, message, percentiles};
use crate::support::raw::Raw;
use crate::support::receiver::Receiver;
use crate::support::served::{Place, Served};
use crate::support::soak::soak;
use crate::support::within;

/// Requests under way at most; the receiver takes this long for each. So it can take 128 a second, on any machine.
const MAX_REQUESTS: u32 = 32;
const ANSWER_TIME: Duration = Duration::from_millis(250);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_ten_times_its_load_what_is_accepted_completes_and_the_rest_is_put_off() {
    let receiver = Receiver::slow(ANSWER_TIME).await;
    let limits = format!("max_requests = {MAX_REQUESTS}");
    let served = Arc::new(Place::new().serve(&sections(&limits, &receiver)).await);
    let mut before = steady(&served, "before").await;

    let seconds = soak(3, 20);
    let capacity = MAX_REQUESTS * 1000 / u32::try_from(ANSWER_TIME.as_millis()).unwrap();
    let memory = served.metric(MEMORY).await;
    let mut flood = flood(&served, 10 * capacity, Duration::from_secs(seconds)).await;
    let grown = served.metric(MEMORY).await - memory;

    let offered = flood.accepted.len() + flood.put_off.len();
    println!("offered {offered} in {seconds} s at ten times {capacity} a second");
    println!("accepted {}", percentiles(&mut flood.accepted));
    println!("put off {}", percentiles(&mut flood.put_off));
    println!("memory grew by {grown} bytes");
    assert_eq!(flood.failed, Vec::<String>::new());
    assert!(flood.put_off.len() > flood.accepted.len(), "it was no overload");
    assert!(!flood.accepted.is_empty());
    assert!(grown < 64.0 * 1024.0 * 1024.0, "{grown}");

    let mut after = steady(&served, "after").await;
    println!(
        "before {}, after {}",
        percentiles(&mut before.accepted),
        percentiles(&mut after.accepted)
    );
    let accepted = before.accepted.len() + flood.accepted.len() + after.accepted.len();
    assert_eq!(
        receiver.requests().len(),
        accepted,
        "each accepted message came once"
    );
    let overloaded = r#"countersign_requests_total{outcome="overloaded",route="orders"}"#;
    served
        .until(overloaded, |requests| requests == flood.put_off.len() as f64)
        .await;
    served
        .until("countersign_requests_under_way", |requests| requests == 0.0)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aliases_whose_receivers_hang_leave_places_to_the_others() {
    let (hangs, well) = (
        Receiver::slow(Duration::from_secs(3600)).await,
        Receiver::start().await,
    );
    let other = |name: &str, receiver: &Receiver| {
        let receiver = receiver.url("/");
        format!(
            "[alias.{name}]\nsource = {{ certificate = \"own.pem\", private_key = \"own.pem\" }}\n\
             [[route]]\nname = \"{name}\"\npath = \"/{name}\"\nalias = \"{name}\"\nreceiver = \"{receiver}\"\n"
        )
    };
    let sections = [
        sections("max_requests = 8", &hangs),
        other("claims", &hangs),
        other("invoices", &well),
    ];
    let place = Place::new();
    place.write("own.pem", pem(&new_key("Invoices")));
    let served = place.serve(&sections.concat()).await;
    let mut waiting = JoinSet::new();
    // Three quarters of what the others leave: of eight places six, then one of two.
    for (alias, most) in [("orders", 6), ("claims", 1)] {
        for number in 0..20 {
            let proxy = served.proxy;
            waiting.spawn(async move {
                let mut flow = Flow::connect(proxy).await;
                let message = message(&format!("urn:example:{alias}:{number}"));
                flow.post(&format!("/{alias}"), SOAP11, message).await.status
            });
        }
        for _ in most..20 {
            assert_eq!(
                within(waiting.join_next()).await.unwrap().unwrap(),
                503,
                "{alias}"
            );
        }
    }
    served
        .until("countersign_requests_under_way", |requests| requests == 7.0)
        .await;
    let mut flow = Flow::connect(served.proxy).await;
    for number in 0..10 {
        let message = message(&format!("urn:example:other:{number}"));
        assert_eq!(flow.post("/invoices", SOAP11, message).await.status, 200);
    }
    assert_eq!((hangs.requests().len(), well.requests().len()), (7, 10));
}

#[tokio::test]
async fn connections_wait_where_files_are_few() {
    let receiver = Receiver::answering(|_| Response::new(Full::from("done"))).await;
    let served = Place::new().serve_with_files(100, &sections("", &receiver)).await;
    let mut flows = JoinSet::new();
    for number in 0..100 {
        let proxy = served.proxy;
        flows.spawn(async move {
            let (mut flow, mut tally) = (Flow::connect(proxy).await, Tally::default());
            tally.send(&mut flow, &format!("urn:example:{number}")).await;
            tally
        });
    }
    let mut all = Tally::default();
    while let Some(tally) = flows.join_next().await {
        all.merge(tally.unwrap());
    }
    assert_eq!((all.accepted.len(), all.failed), (100, Vec::new()));
    assert!(!served.log().contains("not accepted"), "{}", served.log());
}

/// Many more than it may keep open.
#[tokio::test]
async fn who_sends_nothing_keeps_no_flow_out_where_files_are_few() {
    let receiver = Receiver::answering(|_| Response::new(Full::from("done"))).await;
    let served = Place::new().serve_with_files(100, &sections("", &receiver)).await;
    let (mut silent, mut idle, mut tally) = (Vec::new(), Vec::new(), Tally::default());
    for number in 0..40 {
        silent.push(Raw::connect(served.proxy).await);
        let mut flow = Flow::connect(served.proxy).await;
        let begun = Instant::now();
        assert!(tally.send(&mut flow, &format!("urn:example:{number}")).await);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        idle.push(flow);
    }
    assert_eq!((tally.accepted.len(), tally.failed), (40, Vec::new()));
}

const MEMORY: &str = "process_resident_memory_bytes";

/// One message after the other: nothing is put off.
async fn steady(served: &Served, name: &str) -> Tally {
    let (mut flow, mut tally) = (Flow::connect(served.proxy).await, Tally::default());
    for number in 0..10 {
        assert!(
            tally
                .send(&mut flow, &format!("urn:example:{name}:{number}"))
                .await
        );
    }
    assert_eq!((tally.accepted.len(), tally.put_off.len()), (10, 0), "{tally:?}");
    tally
}

/// As many messages a second as it is told, whatever becomes of those before; on connections that are kept where the
/// proxy keeps them.
async fn flood(served: &Arc<Served>, per_second: u32, time: Duration) -> Tally {
    let (idle, all): (Arc<Mutex<Vec<Flow>>>, Arc<Mutex<Tally>>) = Default::default();
    let mut ticks = interval(Duration::from_secs(1) / per_second);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (begun, mut messages) = (Instant::now(), JoinSet::new());
    let mut number = 0;
    while begun.elapsed() < time {
        ticks.tick().await;
        number += 1;
        let (idle, all, proxy) = (idle.clone(), all.clone(), served.proxy);
        messages.spawn(async move {
            let kept = idle.lock().unwrap().pop();
            let mut flow = match kept {
                Some(flow) => flow,
                None => Flow::connect(proxy).await,
            };
            let mut tally = Tally::default();
            if tally
                .send(&mut flow, &format!("urn:example:flood:{number}"))
                .await
            {
                idle.lock().unwrap().push(flow);
            }
            all.lock().unwrap().merge(tally);
        });
        while let Some(ended) = messages.try_join_next() {
            ended.unwrap();
        }
    }
    while let Some(ended) = messages.join_next().await {
        ended.unwrap();
    }
    std::mem::take(&mut all.lock().unwrap())
}

fn sections(proxy: &str, receiver: &Receiver) -> String {
    format!(
        "[log]\nlevel = \"info\"\n[proxy]\nlisten = \"127.0.0.1:0\"\n{proxy}\n\
         [[route]]\nname = \"orders\"\npath = \"/orders\"\nreceiver = \"{}\"\nalias = \"orders\"\n",
        receiver.url("/")
    )
}
