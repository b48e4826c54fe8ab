//! Wiring: every part is built once, here, and ends here. Sockets are bound first, so that a port
//! that is taken is told before any key is read; nothing is accepted before everything stands.
//!
//! What a configuration makes is `Running`, behind one atomic pointer: a reload builds the next one whole, and only
//! then exchanges it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::clock::Clock;
use crate::cloud_events::delivery::Sinks;
use crate::config::{Config, SinkConfig, StateConfig};
use crate::files::Files;
use crate::keys::lifecycle::Event;
use crate::keys::occurrence::{self, Occurrence};
use crate::keys::source::Source;
use crate::keys::store::{StateDirectory, Store, StoreError};
use crate::keys::upkeep::Upkeep;
use crate::keys::{Keys, pkcs11};
use crate::logging::Seldom;
use crate::metrics::{KeyFact, Metrics, OutboxFact, StoreFact};
use crate::proxy::{self, Drained, Gates, Proxy};

mod changes;
mod reload;
mod running;
mod side;
mod sources;

pub use reload::{Hangup, Origin, ReloadError};
pub use running::{Unusable, UnusableParts};

use running::{Checked, Running};
use side::Side;
use sources::Sources;

/// A running countersign. Several may run in one process.
pub struct App {
    /// Where flows send to: the port that it got.
    pub proxy_address: SocketAddr,
    /// Where operators send to, likewise.
    pub admin_address: SocketAddr,
    /// Where receivers ask, likewise; `None`: nowhere.
    pub public_address: Option<SocketAddr>,
    /// Its keys.
    pub keys: Keys,
    /// Its metrics.
    pub metrics: Arc<Metrics>,
    core: Arc<Core>,
    stop: oneshot::Sender<Duration>,
    proxy: JoinHandle<Drained>,
    admin: Side,
    public: Option<Side>,
    upkeep: JoinHandle<()>,
    delivery: JoinHandle<()>,
    sources: JoinHandle<()>,
    gates: JoinHandle<()>,
}

/// What outlives a configuration, and the configuration in force.
struct Core {
    running: ArcSwap<Running>,
    keys: Keys,
    sources: Sources,
    sinks: Arc<Sinks>,
    metrics: Arc<Metrics>,
    clock: Clock,
    ready: Arc<AtomicBool>,
    /// Those that the configuration read last names, in force or not.
    files: Mutex<Files>,
    /// Reloads in the audit.
    noted: Seldom,
    /// One reload at a time.
    reloading: tokio::sync::Mutex<()>,
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
    /// What outlives a start cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the configuration names cannot be used.
    #[error(transparent)]
    Unusable(#[from] UnusableParts),
    /// There can be no metrics.
    #[error("metrics cannot be kept: {0}")]
    Metrics(#[from] prometheus::Error),
}

impl App {
    /// Starts everything that the configuration asks for.
    ///
    /// # Errors
    /// When a port is taken, or with every file that cannot be used. A key that may not sign (any more) is no error: its
    /// alias answers that it has none. Nor is a source without a key, where the alias has an active one: it signs.
    pub async fn start(config: Config, clock: Clock) -> Result<Self, StartError> {
        let (proxy_listener, proxy_address) = listen("[proxy]", config.proxy.listen).await?;
        let (admin_listener, admin_address) = listen("[admin]", config.admin.listen).await?;
        let public = match &config.public {
            Some(public) => Some(listen("[public]", public.listen).await?),
            None => None,
        };

        let metrics = Arc::new(Metrics::new()?);
        let (tell, changes) = watch::channel(());
        let keys = keys(&config.state, &clock, &metrics, tell)?;
        let named: BTreeSet<_> = config.files().map(ToOwned::to_owned).collect();
        let mut files = Files::default();
        files.add(named.clone());
        let gates = Gates::new(keys.clone(), clock.clone(), changes);
        let held = gates.clone();
        metrics.watch_held(move || held.held())?;
        let proxy = Proxy::new(keys.clone(), clock.clone(), metrics.clone(), gates.clone());
        let checked = Checked::check(config, &proxy, &has_key(&keys), clock.now())?;
        files.keep_only(&named);
        let sources = Sources::new(keys.clone(), clock.clone());
        let core = Core::new(
            checked,
            keys.clone(),
            sources.clone(),
            metrics.clone(),
            clock,
            files,
        )?;
        watch_sources(&metrics, &core, &sources)?;
        watch_load(&metrics, &core)?;
        watch_outbox(&metrics, &core)?;
        let upkeep = tokio::spawn(Upkeep::new(keys.clone(), core.clock.clone()).run());

        let sources = tokio::spawn(sources.watch());
        let gates = tokio::spawn(gates.drive());
        let delivery = tokio::spawn(core.delivery().run());

        let (stop, stopped) = oneshot::channel();
        let served = core.clone();
        let current = move || served.running.load().proxy.clone();
        let proxy = tokio::spawn(proxy::serve(proxy_listener, current, stopped));
        let admin = Side::start("[admin]", admin_listener, &core, |running| running.admin.clone());
        let public_address = public.as_ref().map(|(_, address)| *address);
        let public = public
            .map(|(listener, _)| Side::start("[public]", listener, &core, |running| running.public.clone()));
        Ok(Self {
            proxy_address,
            admin_address,
            public_address,
            keys,
            metrics,
            core,
            stop,
            proxy,
            admin,
            public,
            upkeep,
            delivery,
            sources,
            gates,
        })
    }

    /// Accepts no more, and waits for what is under way, within bounds. The other listeners end last.
    pub async fn shutdown(self) -> Drained {
        self.core.ready.store(false, Ordering::Relaxed);
        let patience = self.core.running.load().config.proxy.drain;
        tracing::info!(patience = ?patience, "stopping; exchanges under way may end");
        // Who is gone has stopped already.
        let _ = self.stop.send(patience);
        let drained = self.proxy.await.unwrap_or_else(|error| {
            tracing::error!(%error, "the proxy had stopped before");
            Drained::default()
        });
        let Drained { ended, cut } = drained;
        if cut == 0 {
            tracing::info!(ended, "stopped; nothing was cut");
        } else {
            tracing::warn!(ended, cut, "stopped; exchanges were cut before they were over");
        }
        if let Some(public) = self.public {
            public.end().await;
        }
        self.admin.end().await;
        // Events on their way are sent once more at the next start.
        for task in [self.upkeep, self.delivery, self.sources, self.gates] {
            task.abort();
            // Its share of the state directory is free then.
            let _aborted = task.await;
        }
        let last = spawn_blocking(move || Upkeep::new(self.keys, self.core.clock.clone()).write_uses());
        if let Err(error) = last.await {
            tracing::error!(%error, "the last use counts were not stored");
        }
        drained
    }
}

/// From now on, SIGTERM and SIGINT end the process no more; they are counted here.
pub struct Termination {
    terminate: Signal,
    interrupt: Signal,
}

impl Termination {
    /// Listens.
    ///
    /// # Errors
    /// When signals cannot be listened for.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next one.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
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

/// Those that the store remembers; log and metrics are told of all that happens to them.
fn keys(
    state: &StateConfig,
    clock: &Clock,
    metrics: &Arc<Metrics>,
    tell: watch::Sender<()>,
) -> Result<Keys, StartError> {
    // Weakly: the metrics show the keys.
    let counted = Arc::downgrade(metrics);
    let subscribers = vec![
        Box::new(occurrence::log) as occurrence::Subscriber,
        Box::new(move |occurrence: &Occurrence| {
            if let Some(metrics) = counted.upgrade() {
                count(&metrics, occurrence);
            }
        }),
        Box::new(move |_: &Occurrence| tell.send_replace(())),
    ];
    let store = Store::open(StateDirectory::lock(&state.directory)?, &state.master_key())?;
    let keys = Keys::open(store, &BTreeMap::new(), subscribers, clock.now())?;
    let shown = keys.clone();
    metrics.watch_keys(move || facts(&shown))?;
    let shown = keys.clone();
    metrics.watch_store(move || store_fact(&shown))?;
    Ok(keys)
}

fn count(metrics: &Metrics, occurrence: &Occurrence) {
    match &occurrence.event {
        Event::KeyActivated { trigger, .. } => {
            metrics.key_switched(&occurrence.alias, *trigger, occurrence.took);
            metrics.keys_published(occurrence.publishing);
        }
        Event::KeyImported { .. }
        | Event::ActivationScheduled { .. }
        | Event::ActivationCancelled { .. }
        | Event::KeyRetired { .. }
        | Event::RetentionExtended { .. }
        | Event::KeyRevoked { .. }
        | Event::KeyDiscarded { .. }
        | Event::KeyPurged { .. }
        | Event::ActivatedUnconfirmed { .. }
        | Event::KeyExpiring { .. }
        | Event::KeyPurgeable { .. }
        | Event::Renewal { .. } => {}
    }
}

fn facts(keys: &Keys) -> Vec<KeyFact> {
    let ring = keys.ring();
    let all = ring
        .aliases()
        .flat_map(|(alias, keys)| keys.keys().map(move |entry| (alias, entry)));
    all.map(|(alias, entry)| KeyFact {
        alias: alias.to_owned(),
        key: entry.fingerprint().clone(),
        state: entry.state.name(),
        not_after: entry.identity.certificate().not_after(),
        activate_at: entry.state.schedule().map(|schedule| schedule.at),
    })
    .collect()
}

fn store_fact(keys: &Keys) -> StoreFact {
    let status = keys.store_status();
    let head = status.audit_head();
    StoreFact {
        writable: status.is_writable(),
        failures: status.failures(),
        records: head.records,
        head: head.to_string(),
    }
}

/// Whether each alias's source can be used, and the tokens that keys are on.
/// What was stored signs, whatever has become of the file that brought it.
fn has_key(keys: &Keys) -> impl Fn(&str, &Source) -> bool {
    |alias, _| {
        let ring = keys.ring();
        ring.alias(alias).is_some_and(|own| own.active().is_some())
    }
}

fn watch_sources(metrics: &Metrics, core: &Arc<Core>, sources: &Sources) -> Result<(), prometheus::Error> {
    metrics.watch_tokens(pkcs11::facts)?;
    let (core, problems) = (Arc::downgrade(core), sources.problems());
    metrics.watch_sources(move || {
        let config = core.upgrade().map(|core| core.running.load().config.clone());
        let config = config.iter().flat_map(|config| &config.aliases);
        let with_source = config.filter(|(_, settings)| settings.source.is_some());
        with_source
            .map(|(alias, _)| (alias.clone(), problems.of(alias).is_none()))
            .collect()
    })
}

/// What waits for each sink of the configuration.
fn watch_outbox(metrics: &Metrics, core: &Arc<Core>) -> Result<(), prometheus::Error> {
    let (core, outbox) = (Arc::downgrade(core), core.keys.outbox());
    metrics.watch_outbox(move || {
        let config = core.upgrade().map(|core| core.running.load().config.clone());
        let sinks = config.iter().flat_map(|config| &config.events.sinks);
        let fact = |sink: &SinkConfig| {
            let (events, oldest) = outbox.depth(sink.name());
            OutboxFact {
                sink: sink.name().to_owned(),
                events,
                oldest,
            }
        };
        sinks.map(fact).collect()
    })
}

/// The counts are the same in every configuration's proxy.
fn watch_load(metrics: &Metrics, core: &Arc<Core>) -> Result<(), prometheus::Error> {
    // Weakly: the metrics belong to the core.
    let (requests, bytes) = (Arc::downgrade(core), Arc::downgrade(core));
    let of = |core: &std::sync::Weak<Core>, taken: fn(&Proxy) -> usize| {
        core.upgrade()
            .map_or(0.0, |core| taken(&core.running.load().proxy) as f64)
    };
    metrics.watch_load(
        move || of(&requests, Proxy::requests_under_way),
        move || of(&bytes, Proxy::bytes_buffered),
    )
}
