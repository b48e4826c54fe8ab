//! A flow that sends one message after the other, and remembers what became of each.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinHandle;

use super::eventually;

const ENVELOPE: &str =
    "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><a/></s:Body></s:Envelope>";

/// Status and text of an answer.
pub(crate) type Came = (u16, String);

/// A steady load.
pub(crate) struct Steady {
    running: Arc<AtomicBool>,
    came: Arc<Mutex<Vec<Came>>>,
    flows: Vec<JoinHandle<()>>,
}

impl Steady {
    /// Some flows at once, to this path.
    pub(crate) fn start(proxy: SocketAddr, path: &str) -> Self {
        let (running, came) = (
            Arc::new(AtomicBool::new(true)),
            Arc::<Mutex<Vec<Came>>>::default(),
        );
        let flows = (0..4).map(|_| {
            let flow = send(format!("http://{proxy}{path}"), running.clone(), came.clone());
            tokio::spawn(flow)
        });
        let flows = flows.collect();
        Self { running, came, flows }
    }

    /// How many answers came.
    pub(crate) fn count(&self) -> usize {
        self.came.lock().expect("no flow panicked").len()
    }

    /// Waits for further answers of this status.
    pub(crate) async fn further(&self, status: u16, count: usize) {
        let from = self.count();
        eventually(&format!("{count} answers of {status}"), || {
            let came = self.came.lock().expect("no flow panicked");
            let of_status = came.iter().skip(from).filter(|(came, _)| *came == status);
            of_status.count() >= count
        })
        .await;
    }

    /// Ends it: every answer, in the order in which they came.
    pub(crate) async fn stop(self) -> Vec<Came> {
        self.running.store(false, Ordering::Relaxed);
        for flow in self.flows {
            flow.await.expect("the proxy answers every message");
        }
        std::mem::take(&mut *self.came.lock().expect("no flow panicked"))
    }
}

async fn send(url: String, running: Arc<AtomicBool>, came: Arc<Mutex<Vec<Came>>>) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    while running.load(Ordering::Relaxed) {
        let request = Request::post(&url)
            .header("content-type", "text/xml; charset=utf-8")
            .body(Full::new(Bytes::from_static(ENVELOPE.as_bytes())))
            .expect("a request");
        let response = client.request(request).await.expect("an answer");
        let status = response.status().as_u16();
        let text = response
            .into_body()
            .collect()
            .await
            .expect("an answer")
            .to_bytes();
        let text = String::from_utf8_lossy(&text).into_owned();
        came.lock().expect("no flow panicked").push((status, text));
        // Others need the machine, too.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}
