//! Configuration and certificates exchanged again and again under steady load, every second time by something broken:
//! no message fails, and none comes twice or unsigned.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign::clock::Clock;
use countersign::receiver::{Counts, Options, Receiver};
use countersign::wss::verify::Trust;
use rustls::ClientConfig;
use tokio::task::JoinSet;

use crate::support::authority::Authority;
use crate::support::client::Flow;
use crate::support::load::{Tally, percentiles};
use crate::support::served::{Place, Served};
use crate::support::soak::soak;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_reloads_half_of_them_broken_fail_no_message() {
    let authority = Authority::of(&["a", "b"]);
    let place = Place::new();
    let trust = Trust::read(&place.certificate).unwrap();
    let receivers = [receiver(&trust).await, receiver(&trust).await];
    let variants = receivers.each_ref().map(|receiver| sections(receiver, "us.key"));
    for (file, of) in [("us.pem", "a.pem"), ("us.key", "a.key")] {
        place.write(file, std::fs::read(authority.file(of)).unwrap());
    }
    let served = Arc::new(place.serve(&variants[0]).await);

    let over = Arc::new(AtomicBool::new(false));
    let mut flows = JoinSet::new();
    for number in 0..soak(4, 16) {
        let tls = authority.client(&[["h2"], ["http/1.1"]][number % 2], None);
        flows.spawn(flow(number, served.clone(), tls, over.clone()));
    }
    for number in 0..25 {
        break_it(&served, &authority, &variants, number).await;
        mend_it(&served, &authority, &variants[(number + 1) % 2], number).await;
    }
    over.store(true, Ordering::Relaxed);
    let mut all = Tally::default();
    while let Some(tally) = flows.join_next().await {
        all.merge(tally.unwrap());
    }

    println!("{} under 50 reloads", percentiles(&mut all.accepted));
    assert_eq!((all.failed, all.put_off.len()), (Vec::new(), 0));
    let mut came = Vec::new();
    for receiver in receivers {
        came.push(receiver.shut_down().await.unwrap());
    }
    let sum = |count: fn(&Counts) -> u64| came.iter().map(count).sum::<u64>();
    assert_eq!(sum(|counts| counts.accepted), all.accepted.len() as u64);
    let wrong = |counts: &Counts| counts.duplicates + counts.unsigned + counts.refused;
    assert_eq!(sum(wrong), 0, "{came:?}");
    assert!(
        came.iter().all(|counts| counts.accepted > 0),
        "each configuration was in force: {came:?}"
    );
}

const APPLIED: &str = r#"countersign_config_reloads_total{outcome="applied"}"#;
const REFUSED: &str = r#"countersign_config_reloads_total{outcome="refused"}"#;

/// Exchanges something that cannot be used, in one way after the other.
async fn break_it(served: &Served, authority: &Authority, variants: &[String; 2], number: usize) {
    let right = &variants[number % 2];
    match number % 5 {
        0 => served.configure("no TOML"),
        1 => served.configure(&right.replace("us.key", "missing.key")),
        2 => served.configure(&right.replace("alias = \"orders\"", "alias = \"others\"")),
        3 => served.configure(&right.replace("127.0.0.1:0", "127.0.0.1:1")),
        _ => served.exchange("us.key", std::fs::read(authority.file("ca.key")).unwrap()),
    }
    reload(served, REFUSED).await;
}

/// The other configuration with the other certificate.
async fn mend_it(served: &Served, authority: &Authority, right: &str, number: usize) {
    let name = ["b", "a"][number % 2];
    for (file, ending) in [("us.pem", "pem"), ("us.key", "key")] {
        served.exchange(
            file,
            std::fs::read(authority.file(&format!("{name}.{ending}"))).unwrap(),
        );
    }
    served.configure(right);
    reload(served, APPLIED).await;
}

async fn reload(served: &Served, outcome: &str) {
    let before = served.metric(outcome).await;
    served.signal("HUP");
    served.until(outcome, |reloads| reloads > before).await;
}

/// Sends one message after the other, on one connection or on a new one each time.
async fn flow(number: usize, served: Arc<Served>, tls: ClientConfig, over: Arc<AtomicBool>) -> Tally {
    let keeps = number % 4 < 2;
    let mut tally = Tally::default();
    let mut connection = None;
    for message in 0.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let mut flow = match connection.take() {
            Some(flow) => flow,
            None => match Flow::connect_tls(served.proxy, tls.clone()).await {
                Ok(flow) => flow,
                Err(error) => {
                    tally.failed.push(error.to_string());
                    break;
                }
            },
        };
        let usable = tally
            .send(&mut flow, &format!("urn:example:{number}:{message}"))
            .await;
        connection = (usable && keeps).then_some(flow);
    }
    tally
}

async fn receiver(trust: &Trust) -> Receiver {
    let options = Options::new(Clock::system());
    let trust = Trust::new(trust.certificates().to_vec());
    Receiver::bind(([127, 0, 0, 1], 0).into(), trust, options)
        .await
        .unwrap()
}

fn sections(receiver: &Receiver, key: &str) -> String {
    format!(
        "[proxy]\nlisten = \"127.0.0.1:0\"\ntls = {{ certificate = \"us.pem\", private_key = \"{key}\" }}\n\
         [[route]]\nname = \"orders\"\npath = \"/orders\"\nreceiver = \"http://{}/\"\nalias = \"orders\"\n\
         self_check = 0\n",
        receiver.address()
    )
}
