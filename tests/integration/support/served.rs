//! `countersign serve` as a process of its own: what its limits, its signals and its files do is seen only there.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tempfile::{TempDir, tempdir};

use super::admin::{new_key, pem};
use super::{eventually, within};

/// A running process; killed when dropped.
pub(crate) struct Served {
    child: Child,
    environment: Vec<(&'static str, PathBuf)>,
    directory: TempDir,
    /// Its state directory.
    state: PathBuf,
    pub(crate) proxy: SocketAddr,
    pub(crate) admin: SocketAddr,
}

/// What is needed before it can be started: a directory with the key of `[alias.orders]`.
pub(crate) struct Place {
    directory: TempDir,
    environment: Vec<(&'static str, PathBuf)>,
    /// Of that key.
    pub(crate) certificate: Vec<u8>,
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_countersign");

/// Before the sections that a test is about.
const COMMON: &str = "[admin]\nlisten = \"127.0.0.1:0\"\n\
    [alias.orders]\nsource = { certificate = \"orders.pem\", private_key = \"orders.pem\" }\n";

impl Place {
    pub(crate) fn new() -> Self {
        let key = new_key("Orders");
        let place = Self {
            environment: Vec::new(),
            certificate: key.certificate_pem().expect("a certificate"),
            directory: tempdir().expect("a directory"),
        };
        place.write("orders.pem", pem(&key));
        place
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.directory.path().join(name), contents).expect("a file");
    }

    /// A file or directory in the one in which it runs.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts it with this variable.
    pub(crate) fn environment(mut self, name: &'static str, value: PathBuf) -> Self {
        self.environment.push((name, value));
        self
    }

    /// Starts it with further sections.
    pub(crate) async fn serve(self, sections: &str) -> Served {
        let state = self.directory.path().join("state");
        self.run(Command::new(PROGRAM), sections, &state).await
    }

    /// The same where it may open so many files.
    pub(crate) async fn serve_with_files(self, limit: usize, sections: &str) -> Served {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\""), PROGRAM]);
        let state = self.directory.path().join("state");
        self.run(command, sections, &state).await
    }

    /// The same with sections that name this state directory.
    pub(crate) async fn serve_with_state(self, sections: &str, state: &Path) -> Served {
        self.run(Command::new(PROGRAM), sections, state).await
    }

    async fn run(self, command: Command, sections: &str, state: &Path) -> Served {
        self.write("countersign.toml", format!("{COMMON}{sections}"));
        let path = self.directory.path();
        let child = spawn(command, path, &self.environment);
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut served = Served {
            child,
            environment: self.environment,
            directory: self.directory,
            state: state.to_owned(),
            proxy: anywhere,
            admin: anywhere,
        };
        served.await_ports().await;
        served
    }
}

fn spawn(mut command: Command, directory: &Path, environment: &[(&str, PathBuf)]) -> Child {
    // A pipe that nobody reads would make it wait.
    let log = fs::File::create(directory.join("log")).expect("a file");
    command
        .args(["serve", "--config", "countersign.toml"])
        .current_dir(directory)
        // An arena a thread would hide what is leaked, or look like it.
        .env("MALLOC_ARENA_MAX", "1")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the program was built")
}

impl Served {
    async fn await_ports(&mut self) {
        eventually("it listens", || self.listens_at("[admin]").is_some()).await;
        self.proxy = self.listens_at("[proxy]").expect("bound first");
        self.admin = self.listens_at("[admin]").expect("bound");
        let token = self.state.join("admin-token");
        let whole = || fs::read_to_string(&token).is_ok_and(|token| token.ends_with('\n'));
        eventually("it has a token", whole).await;
    }

    /// Starts it once more, on other ports, after it has ended.
    pub(crate) async fn start_again(&mut self) {
        self.child = spawn(Command::new(PROGRAM), self.directory.path(), &self.environment);
        self.await_ports().await;
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Exchanges a file as deployments do: the new one is complete before it has the name.
    pub(crate) fn exchange(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.file("unfinished"), contents).expect("a file");
        fs::rename(self.file("unfinished"), self.file(name)).expect("a file");
    }

    /// Exchanges the configuration's further sections.
    pub(crate) fn configure(&self, sections: &str) {
        self.exchange("countersign.toml", format!("{COMMON}{sections}"));
    }

    /// Everything it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.file("log")).expect("a log")
    }

    fn listens_at(&self, section: &str) -> Option<SocketAddr> {
        let log = self.log();
        let line = log
            .lines()
            .find(|line| line.contains("listening") && line.contains(section))?;
        let address = line.split_once("address")?.1.trim_start_matches(['=', '"', ':']);
        let end = address.find(|own: char| !matches!(own, '0'..='9' | '.' | ':'));
        address.get(..end.unwrap_or(address.len()))?.parse().ok()
    }

    /// The operator's.
    pub(crate) fn token(&self) -> String {
        let token = fs::read_to_string(self.state.join("admin-token")).expect("it was made");
        token.trim().to_owned()
    }

    /// The metrics as text.
    pub(crate) async fn metrics(&self) -> String {
        let (status, text) = self.ask(Method::GET, "/metrics", "text/plain", "").await;
        assert_eq!(status, StatusCode::OK);
        String::from_utf8(text.into()).expect("text")
    }

    /// Asks the admin API as the operator.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        media_type: &str,
        body: impl Into<Bytes>,
    ) -> (StatusCode, Bytes) {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.admin))
            .header("authorization", format!("Bearer {}", self.token()))
            .header("content-type", media_type);
        let client = Client::builder(TokioExecutor::new()).build_http();
        within(async {
            let request = request.body(Full::new(body.into())).expect("a request");
            let response = client.request(request).await.expect("an answer");
            let status = response.status();
            let body = response.into_body().collect().await.expect("an answer");
            (status, body.to_bytes())
        })
        .await
    }

    /// An alias, as the admin API shows it.
    pub(crate) async fn alias(&self, alias: &str) -> Value {
        let path = format!("/api/v1/aliases/{alias}");
        let (status, answer) = self.ask(Method::GET, &path, "text/plain", "").await;
        assert_eq!(status, StatusCode::OK, "{answer:?}");
        serde_json::from_slice(&answer).expect("JSON")
    }

    /// Waits until an alias satisfies.
    pub(crate) async fn until_alias(&self, alias: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let poll = async {
            loop {
                let shown = self.alias(alias).await;
                if holds(&shown) {
                    return shown;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(std::time::Duration::from_secs(60), poll).await {
            Ok(shown) => shown,
            Err(_) => panic!("never: {}\n{}", self.alias(alias).await, self.log()),
        }
    }

    /// Switches to a key.
    pub(crate) async fn activate(&self, alias: &str, fingerprint: &str) -> (StatusCode, Bytes) {
        let path = format!("/api/v1/aliases/{alias}/keys/{fingerprint}/activate");
        self.ask(Method::POST, &path, "application/json", "").await
    }

    /// The value of one series; 0 where there is none yet.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let metrics = self.metrics().await;
        let value = metrics
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().expect("a number"))
    }

    /// Waits until a series satisfies.
    pub(crate) async fn until(&self, series: &str, holds: impl Fn(f64) -> bool) {
        let poll = async {
            while !holds(self.metric(series).await) {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let patience = std::time::Duration::from_secs(60);
        if tokio::time::timeout(patience, poll).await.is_err() {
            panic!("{series}: never in\n{}\n{}", self.metrics().await, self.log());
        }
    }

    /// Sends a signal, by the shell's own `kill`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.expect("sh starts").success());
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        within(async {
            loop {
                if let Some(status) = self.child.try_wait().expect("a child") {
                    return status;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        })
        .await
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
