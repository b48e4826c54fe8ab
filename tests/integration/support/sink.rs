//! Somebody who is told of events, over TLS.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use serde_json::Value;

use super::authority::Authority;
use super::eventually;
use super::receiver::{Receiver, Recorded};

/// A sink that answers with a status that the test sets, and remembers what it has acknowledged.
pub(crate) struct Sink {
    pub(crate) receiver: Receiver,
    pub(crate) authority: Authority,
    status: Arc<AtomicU16>,
    taken: Arc<Mutex<Vec<Value>>>,
}

impl Sink {
    pub(crate) async fn start() -> Self {
        Self::refusing(|_| false).await
    }

    /// That never takes some events.
    pub(crate) async fn refusing(refused: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Self {
        let authority = Authority::of(&["sink"]);
        let (status, taken) = (Arc::new(AtomicU16::new(204)), Arc::<Mutex<Vec<Value>>>::default());
        let (answered, kept) = (status.clone(), taken.clone());
        let answer = move |request: &Recorded| {
            let event: Value = serde_json::from_slice(&request.body).expect("JSON");
            let status = match answered.load(Ordering::SeqCst) {
                204 if refused(&event) => 422,
                204 => {
                    kept.lock().unwrap().push(event);
                    204
                }
                other => other,
            };
            let answer = Response::builder().status(status);
            let answer = answer.header("location", "https://127.0.0.1:1/elsewhere");
            answer.body(Full::<Bytes>::default()).unwrap()
        };
        let receiver = Receiver::answering_tls(authority.server(&["http/1.1"], "sink"), answer).await;
        Self {
            receiver,
            authority,
            status,
            taken,
        }
    }

    pub(crate) fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// As `[[events.sink]]`, with further lines.
    pub(crate) fn sections(&self, name: &str, lines: &str) -> String {
        let (port, ca) = (self.receiver.address.port(), self.authority.file("ca.pem"));
        format!(
            "[[events.sink]]\nname = \"{name}\"\nurl = \"https://127.0.0.1:{port}/in?a=b\"\nca = \"{}\"\n{lines}\n",
            ca.display()
        )
    }

    /// As whoever knows an event that comes again by its id, which may happen.
    pub(crate) fn taken(&self) -> Vec<Value> {
        let mut known = BTreeSet::new();
        let mut taken = self.taken.lock().unwrap().clone();
        taken.retain(|event| known.insert(event["id"].to_string()));
        taken
    }

    /// Type, subject and fingerprint of what it has acknowledged, without the namespace of types.
    pub(crate) fn told(&self) -> Vec<(String, String)> {
        let told = self.taken().into_iter().map(|event| {
            let kind = event["type"].as_str().unwrap().to_owned();
            (
                kind.trim_start_matches("io.countersign.").to_owned(),
                event["subject"].as_str().unwrap().to_owned(),
            )
        });
        told.collect()
    }

    /// The event of this type that it is told of next, after the first `seen` of all; and how many it has seen then.
    pub(crate) async fn next(&self, seen: &mut usize, kind: &str) -> Value {
        let kind = format!("io.countersign.{kind}");
        let position = || {
            let taken = self.taken();
            let later = taken.iter().skip(*seen);
            later
                .enumerate()
                .find(|(_, event)| event["type"] == *kind)
                .map(|(index, _)| index)
        };
        eventually(&kind, || position().is_some()).await;
        let position = *seen + position().expect("it came");
        *seen = position + 1;
        self.taken().swap_remove(position)
    }
}
