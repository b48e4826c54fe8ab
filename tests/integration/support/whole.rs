//! The whole application, seen from outside: a flow, an operator and a receiver's administrator, each at its listener. Its
//! clock can be put forward, and it can be started again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use countersign::app::{App, StartError};
use countersign::clock::Clock;
use countersign::config::Config;
use countersign::keys::store::StoreError;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::client::{Answer, Flow, SOAP11, request};
use super::clock::now;
use super::countersign::Run;
use super::signing::message;
use super::within;

/// A running application.
pub(crate) struct Whole {
    app: App,
    text: String,
    directory: TempDir,
    /// Seconds by which its clock is ahead.
    ahead: Arc<AtomicU64>,
}

/// Before what a test is about; where links lead is not where the listener is, as behind a proxy.
const LISTENERS: &str = "[proxy]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
    [public]\nlisten = \"127.0.0.1:0\"\nurl = \"https://keys.example.com\"\n";

impl Whole {
    /// With these lines after the listeners: first those of `[public]`, then further sections.
    pub(crate) async fn start(sections: &str) -> Self {
        let (text, directory) = (format!("{LISTENERS}{sections}"), tempfile::tempdir().unwrap());
        let ahead = Arc::default();
        Self {
            app: start(&text, &directory, &ahead).await,
            text,
            directory,
            ahead,
        }
    }

    /// Ends it, and starts it again, on other ports.
    pub(crate) async fn start_again(self) -> Self {
        within(self.app.shutdown()).await;
        Self {
            app: start(&self.text, &self.directory, &self.ahead).await,
            ..self
        }
    }

    /// Puts its clock forward.
    pub(crate) fn later(&self, by: Duration) {
        self.ahead.fetch_add(by.as_secs(), Ordering::Relaxed);
    }

    /// A message of a flow, sent to the path.
    pub(crate) async fn send(&self, path: &'static str) -> Answer {
        self.sending(path).await
    }

    /// The same, beside the test.
    pub(crate) fn sending(&self, path: &'static str) -> impl Future<Output = Answer> + Send + 'static {
        let proxy = self.app.proxy_address;
        async move {
            let mut flow = Flow::connect(proxy).await;
            flow.post(path, SOAP11, message("soap11")).await
        }
    }

    /// Asks the API as the operator; `path` follows `/api/v1/`.
    pub(crate) async fn operate(&self, method: Method, path: &str, body: Value) -> Answer {
        let json = if body.is_null() {
            Bytes::new()
        } else {
            body.to_string().into()
        };
        self.operate_with(method, path, "application/json", json).await
    }

    /// The same with another body than JSON.
    pub(crate) async fn operate_with(
        &self,
        method: Method,
        path: &str,
        media_type: &str,
        body: impl Into<Bytes>,
    ) -> Answer {
        let request = request(method, &format!("/api/v1/{path}"))
            .header("authorization", format!("Bearer {}", self.token()))
            .header("content-type", media_type);
        exchange(self.app.admin_address, request, body).await
    }

    /// Asks the listener for receivers.
    pub(crate) async fn visit(&self, method: Method, path: &str) -> Answer {
        self.visit_with(request(method, path), "").await
    }

    /// The same with header fields and a body.
    pub(crate) async fn visit_with(&self, request: http::request::Builder, body: impl Into<Bytes>) -> Answer {
        exchange(self.public(), request, body).await
    }

    /// Where receivers ask.
    pub(crate) fn public(&self) -> SocketAddr {
        self.app.public_address.expect("it is configured")
    }

    /// Runs `countersign` against it; arguments are separated by white space.
    pub(crate) async fn run(&self, arguments: &str) -> Run {
        let admin = format!("http://{}", self.app.admin_address);
        let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(arguments.split_whitespace())
            .args(["--admin", &admin])
            .current_dir(self.directory.path())
            .output();
        Run::of(within(output).await.expect("the program was built"))
    }

    /// A file in its directory, where commands run, too.
    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        std::fs::write(self.directory.path().join(name), contents).expect("a file");
    }

    fn token(&self) -> String {
        let file = self.directory.path().join("state/admin-token");
        let token = std::fs::read_to_string(file).expect("it was made");
        token.trim().to_owned()
    }
}

async fn start(text: &str, directory: &TempDir, ahead: &Arc<AtomicU64>) -> App {
    let config = Config::parse(text, &directory.path().join("test.toml"));
    let ahead = ahead.clone();
    let clock = Clock::from_fn(move || now() + Duration::from_secs(ahead.load(Ordering::Relaxed)));
    let config = config.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    // The one before may not have let go of the state directory yet.
    let started = async {
        loop {
            match App::start(config.clone(), clock.clone()).await {
                Err(StartError::Store(StoreError::Locked { .. })) => tokio::task::yield_now().await,
                started => return started,
            }
        }
    };
    within(started).await.expect("it starts")
}

async fn exchange(to: SocketAddr, request: http::request::Builder, body: impl Into<Bytes>) -> Answer {
    let request: Request<Full<Bytes>> = request.body(Full::new(body.into())).expect("a request");
    Flow::connect(to).await.send(request).await
}
