//! `countersign serve` as a process of its own: what its limits, its signals and its files do is seen only there.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tempfile::{TempDir, tempdir};

use super::admin::{new_key, pem};
use super::{eventually, within};

/// A running process; killed when dropped.
pub(crate) struct Served {
    child: Child,
    directory: TempDir,
    pub(crate) proxy: SocketAddr,
    pub(crate) admin: SocketAddr,
}

/// What is needed before it can be started: a directory with the key of `[alias.orders]`.
pub(crate) struct Place {
    directory: TempDir,
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
            directory: tempdir().expect("a directory"),
            certificate: key.certificate_pem().expect("a certificate"),
        };
        place.write("orders.pem", pem(&key));
        place
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.directory.path().join(name), contents).expect("a file");
    }

    /// Starts it with further sections.
    pub(crate) async fn serve(self, sections: &str) -> Served {
        self.run(Command::new(PROGRAM), sections).await
    }

    /// The same where it may open so many files.
    pub(crate) async fn serve_with_files(self, limit: usize, sections: &str) -> Served {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\""), PROGRAM]);
        self.run(command, sections).await
    }

    async fn run(self, mut command: Command, sections: &str) -> Served {
        self.write("countersign.toml", format!("{COMMON}{sections}"));
        let path = self.directory.path();
        // A pipe that nobody reads would make it wait.
        let log = fs::File::create(path.join("log")).expect("a file");
        let child = command
            .args(["serve", "--config", "countersign.toml"])
            .current_dir(path)
            // An arena a thread would hide what is leaked, or look like it.
            .env("MALLOC_ARENA_MAX", "1")
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program was built");
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut served = Served {
            child,
            directory: self.directory,
            proxy: anywhere,
            admin: anywhere,
        };
        eventually("it listens", || served.listens_at("[admin]").is_some()).await;
        served.proxy = served.listens_at("[proxy]").expect("bound first");
        served.admin = served.listens_at("[admin]").expect("bound");
        let token = served.file("state/admin-token");
        let is_whole = || fs::read_to_string(&token).is_ok_and(|token| token.ends_with('\n'));
        eventually("it has a token", is_whole).await;
        served
    }
}

impl Served {
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
        line.split_once("address=")?.1.trim().parse().ok()
    }

    /// The metrics as text.
    pub(crate) async fn metrics(&self) -> String {
        let token = fs::read_to_string(self.file("state/admin-token")).expect("it was made");
        let request = Request::get(format!("http://{}/metrics", self.admin))
            .header("authorization", format!("Bearer {}", token.trim()));
        let client = Client::builder(TokioExecutor::new()).build_http();
        within(async {
            let request = request.body(Empty::<bytes::Bytes>::new()).expect("a request");
            let response = client.request(request).await.expect("an answer");
            assert_eq!(response.status(), StatusCode::OK);
            let text = response
                .into_body()
                .collect()
                .await
                .expect("an answer")
                .to_bytes();
            String::from_utf8(text.into()).expect("text")
        })
        .await
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
