//! The demo's receiver: `countersign receiver` in a process of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::cli::CliError;
use crate::receiver::Counts;

/// A start takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running receiver; its process ends when dropped.
pub(super) struct Receiver {
    /// The port that it got.
    pub(super) address: SocketAddr,
    process: Child,
}

impl Receiver {
    pub(super) async fn start(program: &Path, trust: &Path) -> Result<Self, CliError> {
        let mut process = Command::new(program)
            .args(["receiver", "--listen", "127.0.0.1:0", "--trust"])
            .arg(trust)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(CliError::failed)?;
        let silent = || CliError::Failed("the receiver did not start".to_owned());
        let stdout = process.stdout.take().ok_or_else(silent)?;
        let line = timeout(PATIENCE, BufReader::new(stdout).lines().next_line())
            .await
            .map_err(|_| silent())?;
        let line = line.map_err(CliError::failed)?.ok_or_else(silent)?;
        let address = line
            .split_whitespace()
            .find_map(|word| word.trim_start_matches("http://").parse().ok());
        Ok(Self {
            address: address.ok_or_else(silent)?,
            process,
        })
    }

    /// What it has counted; then it ends.
    pub(super) async fn finish(mut self) -> Result<Counts, CliError> {
        let counts = self.counts().await?;
        self.process.kill().await.map_err(CliError::failed)?;
        Ok(counts)
    }

    /// Makes it trust this certificate alone.
    pub(super) async fn trust(&self, pem: &[u8]) -> Result<(), CliError> {
        self.ask(Method::PUT, "/trust", Bytes::copy_from_slice(pem))
            .await
            .map(drop)
    }

    async fn counts(&self) -> Result<Counts, CliError> {
        let counts = self.ask(Method::GET, "/", Bytes::new()).await?;
        serde_json::from_slice(&counts).map_err(CliError::failed)
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes, CliError> {
        let stream = TcpStream::connect(self.address).await.map_err(CliError::failed)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(CliError::failed)?;
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path);
        let request = request.header(HOST, self.address.to_string());
        let request = request.body(Full::new(body)).map_err(CliError::failed)?;
        let answer = sender.send_request(request).await.map_err(CliError::failed)?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(CliError::failed)?;
        match status {
            StatusCode::OK | StatusCode::NO_CONTENT => Ok(body.to_bytes()),
            refused => Err(CliError::Failed(format!(
                "the receiver answered {refused} to {path}"
            ))),
        }
    }
}
