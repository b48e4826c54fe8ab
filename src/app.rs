//! Wiring: every part is built once, here, and ends here. Sockets are bound first, so that a port
//! that is taken is told before any key is read; nothing is accepted before everything stands.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::admin::{self, Access, AccessErrors, Admin};
use crate::clock::Clock;
use crate::config::{Activation, Config};
use crate::event::{self, Event, Occurrence};
use crate::keys::source::LoadError;
use crate::keys::{AfterImport, Keys};
use crate::metrics::{KeyFact, Metrics};
use crate::proxy::{self, Drained, Proxy};
use crate::tls::{TlsError, server_config_asking};

/// How long exchanges under way may take to end when we stop; below the 30 s after which orchestrators kill.
const DRAIN: Duration = Duration::from_secs(25);

/// A running countersign. Several may run in one process.
pub struct App {
    /// Where flows send to: the port that it got.
    pub proxy_address: SocketAddr,
    /// Where operators send to, likewise.
    pub admin_address: SocketAddr,
    /// Its keys.
    pub keys: Keys,
    /// Its metrics.
    pub metrics: Arc<Metrics>,
    ready: Arc<AtomicBool>,
    stop: oneshot::Sender<()>,
    proxy: JoinHandle<Drained>,
    stop_admin: oneshot::Sender<()>,
    admin: JoinHandle<()>,
}

/// Why it did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("{section}: cannot listen on {address}: {problem}; free it, or change `listen`")]
    Listen {
        /// Of the configuration.
        section: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why not.
        problem: io::Error,
    },
    /// The key of an alias cannot be read.
    #[error("alias {alias}: {problem}")]
    Source {
        /// The alias.
        alias: String,
        /// Why not.
        problem: LoadError,
    },
    /// Nobody could be let in at the admin listener.
    #[error(transparent)]
    Access(#[from] AccessErrors),
    /// Certificates of a listener or towards a receiver cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There can be no metrics.
    #[error("metrics cannot be kept: {0}")]
    Metrics(#[from] prometheus::Error),
}

impl App {
    /// Starts everything that the configuration asks for.
    ///
    /// # Errors
    /// When a port is taken, or a file cannot be used. A key that may not sign (any more) is no error: its alias
    /// answers that it has none.
    pub async fn start(config: Config, clock: Clock) -> Result<Self, StartError> {
        let (proxy_listener, proxy_address) = listen("[proxy]", config.proxy.listen).await?;
        let (admin_listener, admin_address) = listen("[admin]", config.admin.listen).await?;

        let metrics = Arc::new(Metrics::new()?);
        let keys = keys(&config, &clock, &metrics)?;
        let proxy = Proxy::new(&config, keys.clone(), clock.clone(), metrics.clone())?;
        let ready = Arc::new(AtomicBool::new(true));
        let told = ready.clone();
        let admin = Admin {
            keys: keys.clone(),
            access: Access::load(&config.admin)?,
            tls: config
                .admin
                .tls
                .as_ref()
                .map(server_config_asking)
                .transpose()?
                .map(Arc::new),
            config: Arc::new(config),
            metrics: metrics.clone(),
            clock,
            ready: Arc::new(move || told.load(Ordering::Relaxed)),
        };

        let (stop, stopped) = until_dropped();
        let proxy = tokio::spawn(proxy::serve(proxy_listener, Arc::new(proxy), stopped, DRAIN));
        let (stop_admin, stopped) = until_dropped();
        let admin = tokio::spawn(admin::serve(admin_listener, admin, stopped));
        Ok(Self {
            proxy_address,
            admin_address,
            keys,
            metrics,
            ready,
            stop,
            proxy,
            stop_admin,
            admin,
        })
    }

    /// Accepts no more, and waits for what is under way, within bounds. The admin listener ends last.
    pub async fn shutdown(self) -> Drained {
        tracing::info!("stopping; exchanges under way may end");
        self.ready.store(false, Ordering::Relaxed);
        drop(self.stop);
        let drained = self.proxy.await.unwrap_or_else(|error| {
            tracing::error!(%error, "the proxy had stopped before");
            Drained::default()
        });
        match drained.cut {
            0 => tracing::info!("stopped; nothing was cut"),
            cut => tracing::warn!(
                connections = cut,
                "stopped; connections were cut before they were over"
            ),
        }
        drop(self.stop_admin);
        if let Err(error) = self.admin.await {
            tracing::error!(%error, "the admin listener had stopped before");
        }
        drained
    }
}

/// From now on, SIGTERM and SIGINT end the process no more; the future resolves with the first of them.
///
/// # Errors
/// When signals cannot be listened for.
pub fn termination() -> io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

async fn listen(section: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |problem| StartError::Listen {
        section,
        address,
        problem,
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    tracing::info!(%section, %address, "listening");
    Ok((listener, address))
}

/// The future resolves when the sender is dropped, with the application if not before.
fn until_dropped() -> (oneshot::Sender<()>, impl Future<Output = ()>) {
    let (stop, stopped) = oneshot::channel();
    (stop, async move { drop(stopped.await) })
}

/// The keys of all aliases, as their sources bring them now.
fn keys(config: &Config, clock: &Clock, metrics: &Arc<Metrics>) -> Result<Keys, StartError> {
    let counted = metrics.clone();
    let subscribers = vec![
        Box::new(event::log) as event::Subscriber,
        Box::new(move |occurrence: &Occurrence| count(&counted, occurrence)),
    ];
    let keys = Keys::new(config.aliases.keys().cloned(), subscribers);
    for (alias, settings) in &config.aliases {
        let Some(source) = &settings.source else { continue };
        let material = source.load().map_err(|problem| StartError::Source {
            alias: alias.clone(),
            problem,
        })?;
        let then = match settings.activate {
            Activation::Manual => AfterImport::ActivateIfNone,
            Activation::OnImport => AfterImport::Activate,
        };
        if let Err(problem) = keys.import(alias, material, then, clock.now()) {
            tracing::warn!(%alias, %problem, "the alias's source brings no key that may sign");
        }
    }
    let shown = keys.clone();
    metrics.watch_keys(move || facts(&shown))?;
    Ok(keys)
}

fn count(metrics: &Metrics, occurrence: &Occurrence) {
    match &occurrence.event {
        Event::KeyActivated { trigger, .. } => {
            metrics.key_switched(&occurrence.alias, *trigger, occurrence.took)
        }
        Event::KeyImported { .. } | Event::KeyRetired { .. } => {}
    }
}

fn facts(keys: &Keys) -> Vec<KeyFact> {
    let ring = keys.ring();
    let all = ring
        .aliases()
        .flat_map(|(alias, keys)| keys.keys().map(move |(key, state)| (alias, key, state)));
    all.map(|(alias, key, state)| KeyFact {
        alias: alias.to_owned(),
        key: key.fingerprint().clone(),
        state: state.name(),
        not_after: key.signer.certificate().not_after(),
    })
    .collect()
}
