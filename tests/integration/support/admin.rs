//! The real admin listener, with the aliases `orders` and `invoices`, and one who asks it.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use countersign::admin::{Access, Admin};
use countersign::clock::Clock;
use countersign::config::Config;
use countersign::keys::Keys;
use countersign::keys::generate::{KeyAlgorithm, SelfSigned};
use countersign::keys::store::{MasterKeyFile, StateDirectory, Store};
use countersign::listener::serve_router;
use countersign::metrics::Metrics;
use countersign::proxy::{Gates, Proxy};
use countersign::tls::server_config_asking;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::client::Answer;
use super::clock::now;
use super::within;

/// A running admin listener.
pub(crate) struct TestAdmin {
    pub(crate) address: SocketAddr,
    pub(crate) keys: Keys,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) ready: Arc<AtomicBool>,
    pub(crate) directory: TempDir,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl TestAdmin {
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// With further lines in `[admin]`.
    pub(crate) async fn start_with(admin: &str) -> Self {
        Self::start_in(tempfile::tempdir().expect("a directory"), admin).await
    }

    /// With entries of `[[admin.access]]`: a name, and all but its name and token file.
    pub(crate) async fn start_for(entries: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut admin = String::new();
        for (name, lines) in entries {
            let file = format!("{name}.token");
            std::fs::write(directory.path().join(&file), token_of(name)).expect("a token file");
            admin += &format!("[[admin.access]]\nname = \"{name}\"\ntoken_file = \"{file}\"\n{lines}\n");
        }
        Self::start_in(directory, &admin).await
    }

    async fn start_in(directory: TempDir, admin: &str) -> Self {
        let text = format!(
            "[admin]\n{admin}\n[alias.orders]\n[alias.invoices]\nactivate = \"on-import\"\n\
             [[route]]\nname = \"eu\"\npath = \"/eu\"\nreceiver = \"https://eu.example.com/in\"\nalias = \"orders\"\n"
        );
        let config = Config::parse(&text, &directory.path().join("test.toml")).expect("a configuration");
        let state = &config.state.directory;
        let store = Store::open(
            StateDirectory::lock(state).expect("a state directory"),
            &MasterKeyFile::locate(None, None, state),
        );
        let policies = config.aliases.iter();
        let policies = policies.map(|(alias, settings)| (alias.clone(), settings.policy()));
        let keys = Keys::open(store.expect("a store"), &policies.collect(), Vec::new(), now()).expect("keys");
        let ready = Arc::new(AtomicBool::new(false));
        let shown = ready.clone();
        let tls = config.admin.tls.as_ref().map(server_config_asking);
        let metrics = Arc::new(Metrics::new().expect("metrics"));
        let (_, changes) = tokio::sync::watch::channel(());
        let gates = Gates::new(keys.clone(), Clock::system(), changes);
        let proxy = Proxy::new(keys.clone(), Clock::system(), metrics.clone(), gates);
        let admin = Admin {
            proxy: Arc::new(proxy.successor(&config).expect("a proxy")),
            keys: keys.clone(),
            access: Access::load(&config.admin).expect("tokens"),
            tls: tls.transpose().expect("certificates").map(Arc::new),
            config: Arc::new(config),
            metrics: metrics.clone(),
            problems: Arc::default(),
            clock: Clock::system(),
            look: Arc::new(|_, _| Ok(())),
            ready: Arc::new(move || shown.load(Ordering::Relaxed)),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("a port");
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move { drop(stopped.await) };
        let made = admin.serving();
        let serving = tokio::spawn(serve_router("[admin]", listener, move || made.clone(), stopped));
        Self {
            address,
            keys,
            metrics,
            ready,
            directory,
            stop,
            serving,
        }
    }

    /// Stops it; over when the last connection is.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        within(self.serving).await.expect("it ends");
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.directory.path().join("state/admin-token")
    }

    /// The operator's.
    pub(crate) fn token(&self) -> String {
        let token = std::fs::read_to_string(self.token_file()).expect("it was made");
        token.trim().to_owned()
    }

    /// The permissions of the token's file.
    pub(crate) fn token_mode(&self) -> u32 {
        std::fs::metadata(self.token_file())
            .expect("it was made")
            .permissions()
            .mode()
            & 0o777
    }

    /// The keys of an alias, in the order of the API.
    pub(crate) fn fingerprints(&self, alias: &str) -> Vec<String> {
        let ring = self.keys.ring();
        let keys = ring.alias(alias).expect("the alias").keys();
        keys.map(|entry| entry.fingerprint().to_string()).collect()
    }

    /// Asks as the operator.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path), "").await
    }

    /// Asks as the operator, without a body.
    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.send(self.request(Method::POST, path), "").await
    }

    /// Imports a PEM key for an alias.
    pub(crate) async fn import(&self, alias: &str, key: &SelfSigned) -> Answer {
        let request = self.request(Method::POST, &format!("/api/v1/aliases/{alias}/keys"));
        self.send(request.header("content-type", "application/x-pem-file"), pem(key))
            .await
    }

    /// Asks as an entry of `[[admin.access]]`.
    pub(crate) async fn ask_as(&self, name: &str, method: Method, path: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        self.send(
            request.header("authorization", format!("Bearer {}", token_of(name))),
            "",
        )
        .await
    }

    /// Asks as nobody in particular.
    pub(crate) async fn ask(&self, method: Method, path: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        self.send(request, "").await
    }

    /// A request of the operator's.
    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        request.header("authorization", format!("Bearer {}", self.token()))
    }

    pub(crate) async fn send(&self, request: http::request::Builder, body: impl Into<Bytes>) -> Answer {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = request.body(Full::new(body.into())).expect("a request");
        within(async {
            let response = client.request(request).await.expect("an answer");
            let (head, body) = response.into_parts();
            let body = body.collect().await.expect("a whole answer").to_bytes();
            Answer {
                status: head.status,
                headers: head.headers,
                body,
            }
        })
        .await
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// The sentence of a problem document of this status.
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.json()["status"], status);
        self.json()["detail"].as_str().expect("a sentence").to_owned()
    }
}

/// The token of an entry of `[[admin.access]]`.
fn token_of(name: &str) -> String {
    format!("{name:-<43}")
}

/// A new P-256 key, valid for a day.
pub(crate) fn new_key(name: &str) -> SelfSigned {
    let day = Duration::from_secs(24 * 60 * 60);
    SelfSigned::generate(KeyAlgorithm::P256, name, now(), day).expect("a key")
}

/// Private key and certificate.
pub(crate) fn pem(key: &SelfSigned) -> Vec<u8> {
    let private_key = key.private_key_pem().expect("a key");
    [
        private_key.as_slice(),
        &key.certificate_pem().expect("a certificate"),
    ]
    .concat()
}
