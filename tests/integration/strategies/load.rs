//! Flows under way without a pause, and what each of them was told of each of its messages.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::task::JoinHandle;

use crate::support::client::{Flow, SOAP11, SOAP12};
use crate::support::eventually;

/// Of the load: each has one message under way.
pub(crate) const CONNECTIONS: usize = 32;

/// Of SOAP 1.1 and 1.2.
pub(crate) const CONTENT_TYPES: [&str; 2] = [SOAP11, SOAP12];

/// A message, and its answer.
#[derive(Debug)]
pub(crate) struct Came {
    /// The number of its flow.
    pub(crate) flow: usize,
    pub(crate) status: u16,
    text: String,
}

/// Every second flow sends SOAP 1.2.
pub(crate) struct Load {
    proxy: SocketAddr,
    paths: [&'static str; 2],
    running: Arc<AtomicBool>,
    flows: Vec<Sending>,
}

/// One flow.
struct Sending {
    answered: Arc<AtomicUsize>,
    sending: JoinHandle<Vec<Came>>,
}

impl Load {
    /// Starts it, to a path for each SOAP version.
    pub(crate) fn start(proxy: SocketAddr, paths: [&'static str; 2]) -> Self {
        let mut load = Self {
            proxy,
            paths,
            running: Arc::new(AtomicBool::new(true)),
            flows: Vec::new(),
        };
        for _ in 0..CONNECTIONS {
            load.add(usize::MAX);
        }
        load
    }

    /// One message more, on a flow of its own, whose number it tells.
    pub(crate) fn one_more(&mut self) -> usize {
        self.add(1);
        self.flows.len() - 1
    }

    fn add(&mut self, messages: usize) {
        let (number, answered) = (self.flows.len(), Arc::<AtomicUsize>::default());
        let flow = Sender {
            proxy: self.proxy,
            number,
            path: self.paths[number % 2],
            running: self.running.clone(),
            answered: answered.clone(),
        };
        let sending = tokio::spawn(flow.send(messages));
        self.flows.push(Sending { answered, sending });
    }

    /// Waits until every message that is under way now has been answered.
    pub(crate) async fn round(&self) {
        let now = || {
            self.flows
                .iter()
                .map(|flow| flow.answered.load(Ordering::Relaxed))
        };
        let before: Vec<_> = now().collect();
        let further = || {
            let mut flows = self.flows.iter().zip(before.iter().zip(now()));
            flows.all(|(flow, (before, now))| now > *before || flow.sending.is_finished())
        };
        eventually("every flow is answered", further).await;
    }

    /// Ends it: every message, those of a flow in their order.
    pub(crate) async fn stop(self) -> Vec<Came> {
        self.running.store(false, Ordering::Relaxed);
        let mut came = Vec::new();
        for flow in self.flows {
            came.append(&mut flow.sending.await.expect("every message is answered"));
        }
        came
    }
}

struct Sender {
    proxy: SocketAddr,
    number: usize,
    path: &'static str,
    running: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
}

impl Sender {
    async fn send(self, messages: usize) -> Vec<Came> {
        let (mut flow, mut came) = (Flow::connect(self.proxy).await, Vec::new());
        let version = self.number % 2;
        while self.running.load(Ordering::Relaxed) && came.len() < messages {
            let id = format!("urn:example:{}:{}", self.number, came.len());
            let answer = flow
                .post(self.path, CONTENT_TYPES[version], message(version, &id))
                .await;
            self.answered.fetch_add(1, Ordering::Relaxed);
            came.push(Came {
                flow: self.number,
                status: answer.status.as_u16(),
                text: answer.text().to_owned(),
            });
        }
        came
    }
}

/// In SOAP 1.1, or else 1.2. Receivers tell them apart by `wsa:MessageID`.
pub(crate) fn message(version: usize, id: &str) -> String {
    let envelope = [
        "http://schemas.xmlsoap.org/soap/envelope/",
        "http://www.w3.org/2003/05/soap-envelope",
    ][version];
    format!(
        "<s:Envelope xmlns:s=\"{envelope}\">\
         <s:Header><a:MessageID xmlns:a=\"http://www.w3.org/2005/08/addressing\">{id}</a:MessageID></s:Header>\
         <s:Body><order xmlns=\"urn:example:orders\"><item>bolt</item></order></s:Body></s:Envelope>"
    )
}

impl Came {
    /// Whose signature the demo receiver found.
    pub(crate) fn key(&self) -> &str {
        self.told("key").expect("the demo receiver names the key")
    }

    /// Which one it was of all that the demo receiver has accepted.
    pub(crate) fn number(&self) -> u64 {
        self.told("number")
            .and_then(|number| number.parse().ok())
            .expect("the demo receiver counts")
    }

    fn told(&self, attribute: &str) -> Option<&str> {
        let (_, value) = self.text.split_once(&format!(" {attribute}=\""))?;
        Some(value.split_once('"')?.0)
    }
}
