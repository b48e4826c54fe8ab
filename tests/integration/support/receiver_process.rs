//! A receiver as a process of its own: `countersign receiver`, or another one that is controlled like it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use countersign::receiver::Counts;
use http::{Method, StatusCode};
use http_body_util::Full;

use super::client::{Flow, request};

/// A running receiver; killed when dropped.
pub(crate) struct ReceiverProcess {
    child: Child,
    /// Where it takes messages.
    pub(crate) address: SocketAddr,
    /// Where it is asked and told, perhaps another port.
    control: SocketAddr,
}

impl ReceiverProcess {
    /// `countersign receiver` with further options; trusts this certificate first.
    pub(crate) fn start(directory: &Path, options: &str, trust: &[u8]) -> Self {
        std::fs::write(directory.join("trust.pem"), trust).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(["receiver", "--listen", "127.0.0.1:0", "--trust", "trust.pem"])
            .args(options.split_whitespace())
            .current_dir(directory);
        Self::run(command)
    }

    /// Any program that prints `listening on http://…`, and before it `controlled at http://…` where that is another port.
    pub(crate) fn run(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the receiver starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (mut control, mut address) = (None, None);
        while address.is_none() {
            let line = lines.next().expect("it listens before it ends").expect("text");
            let after = |words| line.strip_prefix(words).and_then(|address| address.parse().ok());
            control = control.or_else(|| after("controlled at http://"));
            address = after("listening on http://");
        }
        let address = address.expect("the loop's end");
        let control = control.unwrap_or(address);
        Self {
            child,
            address,
            control,
        }
    }

    /// Exchanges whom it trusts.
    pub(crate) async fn trust(&self, pem: impl Into<Bytes>) {
        let put = request(Method::PUT, "/trust").body(Full::new(pem.into()));
        let answer = self.asked().await.send(put.expect("a request")).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    }

    /// What it has counted so far.
    pub(crate) async fn counts(&self) -> Counts {
        let answer = self.asked().await.ask(Method::GET, "/").await;
        serde_json::from_slice(&answer.body).expect("counts")
    }

    async fn asked(&self) -> Flow {
        Flow::connect(self.control).await
    }
}

impl Drop for ReceiverProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
