//! The real application, on ports of its own, with one route `/orders` and one key.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use countersign::app::{App, ReloadError};
use countersign::clock::Clock;
use countersign::config::Config;
use countersign::keys::audit::Author;
use countersign::keys::generate::{KeyAlgorithm, SelfSigned};
use countersign::keys::store::StateDirectory;
use countersign::keys::{AfterImport, KeyMaterial, Keys};
use countersign::proxy::Drained;
use tempfile::TempDir;

use super::client::Flow;
use super::clock::now;
use super::{eventually, within};

/// The route's alias.
pub(crate) const ALIAS: &str = "orders";

/// A configuration in the making.
pub(crate) struct Setup {
    receiver: String,
    listen: SocketAddr,
    proxy: String,
    path: &'static str,
    alias: String,
    route: String,
    state: Option<TempDir>,
    key: Option<KeyMaterial>,
    clock: Clock,
    #[cfg(feature = "sabotage")]
    sabotage: Option<countersign::wss::sabotage::Sabotage>,
}

/// A running proxy.
pub(crate) struct TestProxy {
    app: App,
    state: TempDir,
}

/// A proxy whose route `/orders` leads to this address.
pub(crate) fn to(receiver: impl Into<String>) -> Setup {
    Setup {
        receiver: receiver.into(),
        listen: ([127, 0, 0, 1], 0).into(),
        proxy: String::new(),
        path: "path = \"/orders\"",
        alias: String::new(),
        route: String::new(),
        state: None,
        key: Some(new_key()),
        clock: Clock::system(),
        #[cfg(feature = "sabotage")]
        sabotage: None,
    }
}

/// A new P-256 key, valid for a day.
pub(crate) fn new_key() -> KeyMaterial {
    let day = Duration::from_secs(24 * 60 * 60);
    let key = SelfSigned::generate(KeyAlgorithm::P256, "Orders", now(), day).expect("a key");
    key.into_material().expect("a key")
}

impl Setup {
    /// Listens at this address.
    pub(crate) fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Adds lines to `[proxy]`.
    pub(crate) fn proxy(mut self, lines: &str) -> Self {
        self.proxy = lines.to_owned();
        self
    }

    /// The route has no path.
    pub(crate) fn without_path(mut self) -> Self {
        self.path = "";
        self
    }

    /// Adds lines to the alias.
    pub(crate) fn alias(mut self, lines: &str) -> Self {
        self.alias = lines.to_owned();
        self
    }

    /// Goes on with what another one has left.
    pub(crate) fn state(mut self, state: TempDir) -> Self {
        self.state = Some(state);
        self
    }

    /// Adds lines to the route.
    pub(crate) fn route(mut self, lines: &str) -> Self {
        self.route = lines.to_owned();
        self
    }

    /// Adds lines to the route, besides those that are there.
    pub(crate) fn also_route(mut self, lines: &str) -> Self {
        self.route = format!("{}\n{lines}", self.route);
        self
    }

    /// Lives by this clock.
    pub(crate) fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The alias gets this key.
    pub(crate) fn key(mut self, key: KeyMaterial) -> Self {
        self.key = Some(key);
        self
    }

    /// The alias gets no key.
    pub(crate) fn without_key(mut self) -> Self {
        self.key = None;
        self
    }

    /// The signer errs.
    #[cfg(feature = "sabotage")]
    pub(crate) fn sabotage(mut self, sabotage: countersign::wss::sabotage::Sabotage) -> Self {
        self.sabotage = Some(sabotage);
        self
    }

    pub(crate) async fn start(mut self) -> TestProxy {
        let state = self.state.take();
        let state = state.unwrap_or_else(|| tempfile::tempdir().expect("a directory"));
        let config = Config::parse(&self.text(), &state.path().join("test.toml")).expect("a configuration");
        #[cfg(feature = "sabotage")]
        let config = {
            let mut config = config;
            let routes = config.routes.iter_mut();
            routes.for_each(|route| route.profile.sabotage = self.sabotage);
            config
        };
        let app = App::start(config, self.clock).await.expect("it starts");
        if let Some(key) = self.key {
            let imported = app
                .keys
                .by(Author::cli())
                .import(ALIAS, key, AfterImport::ActivateIfNone, now());
            imported.expect("a key that may sign");
        }
        TestProxy { app, state }
    }

    /// The configuration.
    pub(crate) fn text(&self) -> String {
        let Self {
            receiver,
            listen,
            proxy,
            path,
            alias,
            route,
            ..
        } = self;
        format!(
            "[proxy]\nlisten = \"{listen}\"\n{proxy}\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n\
             [alias.{ALIAS}]\n{alias}\n\
             [[route]]\nname = \"orders\"\n{path}\nreceiver = \"{receiver}\"\nalias = \"{ALIAS}\"\n{route}\n"
        )
    }
}

impl TestProxy {
    /// Where flows send to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.app.proxy_address
    }

    /// A new connection of a flow.
    pub(crate) async fn flow(&self) -> Flow {
        Flow::connect(self.address()).await
    }

    /// The keys.
    pub(crate) fn keys(&self) -> &Keys {
        &self.app.keys
    }

    /// The metrics, as text.
    pub(crate) fn metrics(&self) -> String {
        String::from_utf8(self.app.metrics.render().expect("metrics")).expect("text")
    }

    /// Reads another configuration in the place of its own.
    pub(crate) async fn reload(&self, setup: &Setup) -> Result<(), ReloadError> {
        self.reload_text(setup.text()).await
    }

    /// The same, as it is written.
    pub(crate) async fn reload_text(&self, text: String) -> Result<(), ReloadError> {
        let file = self.state.path().join("test.toml");
        let origin: countersign::app::Origin = Arc::new(move || Config::parse(&text, &file));
        within(self.app.reload(&origin)).await
    }

    /// Whether it says that it is ready.
    pub(crate) async fn is_ready(&self) -> bool {
        let mut flow = Flow::connect(self.app.admin_address).await;
        flow.ask(http::Method::GET, "/readyz").await.status == http::StatusCode::OK
    }

    /// Stops it, and leaves what the next one goes on with.
    pub(crate) async fn leave(self) -> TempDir {
        within(self.app.shutdown()).await;
        let state = self.state.path().join("state");
        eventually("nobody holds it", || StateDirectory::lock(&state).is_ok()).await;
        self.state
    }

    /// Stops it, and tells how that went.
    pub(crate) async fn stop(self) -> Drained {
        within(self.app.shutdown()).await
    }
}
