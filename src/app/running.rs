//! What one configuration makes: first [`Checked`], which has read every file and changed nothing, then [`Running`].

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use time::OffsetDateTime;

use super::sources::Sources;
use super::{Core, reload};
use crate::admin::{Access, AccessErrors, Admin, Look};
use crate::clock::Clock;
use crate::cloud_events::delivery::{Delivery, Sink, SinkError, Sinks};
use crate::cloud_events::outgoing::Subscription;
use crate::config::Config;
use crate::files::Files;
use crate::keys::source::{LoadError, Source};
use crate::keys::{KeyMaterial, Keys, StillRenewing};
use crate::listener::Serving;
use crate::logging::Seldom;
use crate::metrics::Metrics;
use crate::proxy::{Proxy, UnusableTls};
use crate::public::Public;
use crate::tls::{TlsError, server_config, server_config_asking};

/// What one configuration makes; exchanged as a whole.
pub(super) struct Running {
    pub(super) config: Arc<Config>,
    pub(super) proxy: Arc<Proxy>,
    pub(super) admin: Serving,
    pub(super) public: Serving,
}

/// A configuration whose every file could be used; not in force yet.
pub(super) struct Checked {
    config: Arc<Config>,
    proxy: Proxy,
    access: Access,
    admin_tls: Option<Arc<ServerConfig>>,
    public_tls: Option<Arc<ServerConfig>>,
    sinks: Vec<Arc<Sink>>,
    /// By alias.
    keys: Vec<(String, Result<KeyMaterial, LoadError>)>,
}

/// Something that the configuration names and that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
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
    /// A sink of events.
    #[error("[events] {0}")]
    Sink(#[from] SinkError),
    /// Certificates of the admin listener.
    #[error("[admin] tls: {0}")]
    AdminTls(TlsError),
    /// Certificates of the listener for receivers.
    #[error("[public] tls: {0}")]
    PublicTls(TlsError),
    /// Certificates of the proxy's listener or towards a receiver.
    #[error(transparent)]
    ProxyTls(#[from] UnusableTls),
    /// An alias would go whose renewal goes on.
    #[error(transparent)]
    Renewing(#[from] StillRenewing),
}

/// All of it; never empty.
#[derive(Debug)]
pub struct UnusableParts(Vec<Unusable>);

impl fmt::Display for UnusableParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentences: Vec<_> = self.0.iter().map(Unusable::to_string).collect();
        f.write_str(&sentences.join("\n"))
    }
}

impl std::error::Error for UnusableParts {}

impl Checked {
    /// What it was made of.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Reads everything that the configuration names. A source that is wrong does not count where a token is away, or
    /// where the alias `goes_on` with the keys that it has.
    pub(super) fn check(
        config: Config,
        earlier: &Proxy,
        goes_on: &dyn Fn(&str, &Source) -> bool,
        now: OffsetDateTime,
    ) -> Result<Self, UnusableParts> {
        let (mut unusable, mut keys) = (Vec::new(), Vec::new());
        for (alias, settings) in &config.aliases {
            let Some(source) = &settings.source else { continue };
            match source.load(now) {
                Err(problem) if !problem.may_pass() && !goes_on(alias, source) => {
                    unusable.push(Unusable::Source {
                        alias: alias.clone(),
                        problem,
                    });
                }
                material => keys.push((alias.clone(), material)),
            }
        }
        let (sinks, no_sinks) = sinks(&config);
        unusable.extend(no_sinks.into_iter().map(Unusable::from));
        let proxy = earlier.successor(&config);
        let access = Access::load(&config.admin);
        let admin_tls = config.admin.tls.as_ref().map(server_config_asking).transpose();
        let public_tls = config.public.as_ref().and_then(|public| public.tls.as_ref());
        let public_tls = public_tls.map(server_config).transpose();
        match (proxy, access, admin_tls, public_tls) {
            (Ok(proxy), Ok(access), Ok(admin_tls), Ok(public_tls)) if unusable.is_empty() => Ok(Self {
                config: Arc::new(config),
                proxy,
                access,
                admin_tls: admin_tls.map(Arc::new),
                public_tls: public_tls.map(Arc::new),
                sinks,
                keys,
            }),
            (proxy, access, admin_tls, public_tls) => {
                unusable.extend(proxy.err().into_iter().flatten().map(Unusable::from));
                unusable.extend(access.err().map(Unusable::from));
                unusable.extend(admin_tls.err().map(Unusable::AdminTls));
                unusable.extend(public_tls.err().map(Unusable::PublicTls));
                Err(UnusableParts(unusable))
            }
        }
    }

    /// Hands the keys over. What they stand against changes nothing; once they agree, it cannot fail.
    fn run(
        self,
        keys: &Keys,
        sources: &Sources,
        sinks: &Sinks,
        metrics: &Arc<Metrics>,
        clock: &Clock,
        ready: Arc<dyn Fn() -> bool + Send + Sync>,
    ) -> Result<Running, UnusableParts> {
        let policies = self.config.aliases.iter();
        let policies = policies.map(|(alias, settings)| (alias.clone(), settings.policy()));
        keys.configure(&policies.collect(), clock.now())
            .map_err(|renewing| UnusableParts(vec![renewing.into()]))?;
        keys.subscribe(subscriptions(&self.config));
        sinks.set(self.sinks);
        sources.configure(&self.config, self.keys);
        let proxy = Arc::new(self.proxy);
        let admin = Admin {
            keys: keys.clone(),
            config: self.config.clone(),
            proxy: proxy.clone(),
            metrics: metrics.clone(),
            clock: clock.clone(),
            access: self.access,
            problems: sources.problems(),
            look: look(sources, &self.config),
            tls: self.admin_tls,
            ready,
        };
        let public = Public {
            keys: keys.clone(),
            config: self.config.clone(),
            clock: clock.clone(),
            tls: self.public_tls,
        };
        Ok(Running {
            config: self.config,
            proxy,
            admin: admin.serving(),
            public: public.serving(),
        })
    }
}

impl Core {
    /// Puts the first configuration in force.
    pub(super) fn new(
        checked: Checked,
        keys: Keys,
        sources: Sources,
        metrics: Arc<Metrics>,
        clock: Clock,
        files: Files,
    ) -> Result<Arc<Self>, UnusableParts> {
        let ready = Arc::new(AtomicBool::new(true));
        let sinks = Arc::<Sinks>::default();
        // Before anything happens: nobody was told of what a restart brings.
        keys.subscribe(subscriptions(&checked.config));
        let running = checked.run(&keys, &sources, &sinks, &metrics, &clock, shown(&ready))?;
        metrics.config_in_force(clock.now());
        Ok(Arc::new(Self {
            running: ArcSwap::from_pointee(running),
            keys,
            sources,
            sinks,
            metrics,
            clock,
            ready,
            files: Mutex::new(files),
            noted: Seldom::new(reload::NOTES),
            reloading: tokio::sync::Mutex::default(),
        }))
    }

    /// Whoever empties the outbox.
    pub(super) fn delivery(&self) -> Delivery {
        Delivery::new(self.keys.clone(), self.sinks.clone(), self.metrics.clone())
    }

    /// Puts the next one in force, as one.
    pub(super) fn publish(&self, checked: Checked) -> Result<(), UnusableParts> {
        let ready = shown(&self.ready);
        let running = checked.run(
            &self.keys,
            &self.sources,
            &self.sinks,
            &self.metrics,
            &self.clock,
            ready,
        )?;
        let level = running.config.log.level;
        self.running.store(Arc::new(running));
        crate::logging::set_level(level);
        self.metrics.config_in_force(self.clock.now());
        Ok(())
    }
}

/// Those that can be used, and why others cannot.
fn sinks(config: &Config) -> (Vec<Arc<Sink>>, Vec<SinkError>) {
    let (mut sinks, mut errors) = (Vec::new(), Vec::new());
    for sink in &config.events.sinks {
        match Sink::new(sink) {
            Ok(sink) => sinks.push(Arc::new(sink)),
            Err(error) => errors.push(error),
        }
    }
    (sinks, errors)
}

fn subscriptions(config: &Config) -> Vec<Subscription> {
    let sinks = config.events.sinks.iter();
    sinks.map(|sink| sink.subscription.clone()).collect()
}

fn look(sources: &Sources, config: &Arc<Config>) -> Look {
    let (sources, config) = (sources.clone(), config.clone());
    Arc::new(move |alias, author| sources.look_at(alias, author, config.receivers_of(alias)))
}

fn shown(ready: &Arc<AtomicBool>) -> Arc<dyn Fn() -> bool + Send + Sync> {
    let ready = ready.clone();
    Arc::new(move || ready.load(Ordering::Relaxed))
}
