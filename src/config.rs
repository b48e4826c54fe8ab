//! The configuration: one TOML file in, a [`Config`] that cannot be wrong out.
//!
//! Parsed, not validated: a value that is not usable never reaches the rest. Every mistake is
//! reported at once, with its line and what to do, so one run shows them all. Reads no keys (that
//! is [`crate::keys`]' work, and `countersign check`'s) and opens no sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::files;
use crate::wss::Profile;

mod access;
mod alias;
mod clients;
mod defaults;
mod document;
mod embedded;
mod error;
mod events;
mod key_refused;
mod listeners;
mod log;
mod not_yet;
mod origin;
mod profile;
mod public;
mod route;
mod state;
mod strategy;
mod table;
mod tls;
mod url;
mod value;

pub use access::{AccessConfig, Aliases, Credential, OPERATOR, Role};
pub use alias::{Activation, AliasConfig, HoldBounds};
pub use clients::Client;
pub use embedded::{FirstStartError, make_demo_keys};
pub use error::{ConfigError, ConfigErrors};
pub use events::{EventsConfig, SinkConfig};
pub use listeners::{AdminConfig, ProxyConfig};
pub use log::{LogConfig, LogFormat, LogLevel};
pub use origin::origin;
pub use public::PublicConfig;
pub use route::{FaultStatus, LateSelfCheck, Redirects, RouteConfig, SelfCheck, Timeouts};
pub use state::StateConfig;
pub use tls::{ListenerTls, ReceiverTls, TlsIdentity};
pub use url::{Url, is_loopback};
pub use value::{actor, lifetime, parse_duration};

use document::Document;
use table::Table;

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it was read from.
    pub file: PathBuf,
    /// Where integration flows send to.
    pub proxy: ProxyConfig,
    /// API, metrics, health.
    pub admin: AdminConfig,
    /// What receivers may reach; `None`: nothing.
    pub public: Option<PublicConfig>,
    /// Everything that outlives a start.
    pub state: StateConfig,
    /// What is logged, and how.
    pub log: LogConfig,
    /// Signing identities by name.
    pub aliases: BTreeMap<String, AliasConfig>,
    /// Profiles by name; `default` is always there.
    pub profiles: BTreeMap<String, Profile>,
    /// Events in and out.
    pub events: EventsConfig,
    /// In the order of the file.
    pub routes: Vec<RouteConfig>,
}

impl Config {
    /// Reads the file. Relative paths in it are relative to it.
    ///
    /// # Errors
    /// When it cannot be read, and with every mistake in it.
    pub fn load(file: &Path) -> Result<Self, ConfigErrors> {
        let text = files::read_configuration(file).map_err(|error| ConfigErrors::unreadable(file, &error))?;
        Self::parse(&text, file)
    }

    /// Reads configuration text as if it stood in `file`.
    ///
    /// # Errors
    /// With every mistake in it.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigErrors> {
        let mut aliases = BTreeMap::new();
        Document::read(text, file, |root| {
            aliases = root.named("alias", AliasConfig::from_table);
            Self::from_table(root, file, &aliases)
        })
        .map_err(|mistakes| {
            let right = aliases
                .into_iter()
                .filter_map(|(name, alias)| Some((name, alias?)));
            ConfigErrors::new(mistakes, right.collect())
        })
    }

    /// Everything that it is made of but keys, whose sources are watched on their own: itself, tokens, certificates, and
    /// what belongs to them.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let routes = self.routes.iter().flat_map(|route| route.receiver_tls.files());
        let public = self.public.iter().flat_map(|public| &public.tls);
        let listeners = self.proxy.tls.iter().chain(&self.admin.tls).chain(public);
        let tokens = self.admin.access.iter().filter_map(AccessConfig::token_file);
        [self.file.as_path(), &self.admin.token_file]
            .into_iter()
            .chain(tokens)
            .chain(listeners.flat_map(ListenerTls::files))
            .chain(routes)
            .chain(self.events.sinks.iter().flat_map(SinkConfig::files))
    }

    /// All whom an alias's messages are sent to, by scheme, host and port.
    #[must_use]
    pub fn receivers_of(&self, alias: &str) -> Vec<String> {
        let routes = self.routes.iter().filter(|route| route.alias == alias);
        let receivers: BTreeSet<_> = routes.map(|route| origin(&route.receiver)).collect();
        receivers.into_iter().collect()
    }

    fn from_table(
        root: &mut Table<'_>,
        file: &Path,
        aliases: &BTreeMap<String, Option<AliasConfig>>,
    ) -> Option<Self> {
        alias::check_handling(root, aliases);
        let state = root.section("state", StateConfig::from_table);
        let admin = root.section("admin", |admin| {
            AdminConfig::from_table(admin, &state.directory, aliases)
        });
        let described = root.has("public");
        let public = root.optional_section("public", |public| PublicConfig::from_table(public, aliases));
        let log = root.section("log", LogConfig::from_table);
        let mut profiles = root.named("profile", profile::from_table);
        profiles
            .entry(defaults::PROFILE.to_owned())
            .or_insert_with(|| Some(Profile::default()));
        let routes = route::all(root, aliases, &profiles);
        let events = root.section("events", |events| EventsConfig::from_table(events, aliases));
        let proxy = root.section("proxy", |proxy| ProxyConfig::from_table(proxy, routes.as_deref()));
        Some(Self {
            file: file.to_owned(),
            proxy,
            admin: admin?,
            public: (public.is_some() || !described).then_some(public)?,
            state,
            log,
            aliases: complete(aliases.clone())?,
            profiles: complete(profiles)?,
            events: events?,
            routes: routes?,
        })
    }
}

/// All of them, or `None` if one was wrong (which has been reported).
fn complete<T>(tables: BTreeMap<String, Option<T>>) -> Option<BTreeMap<String, T>> {
    tables
        .into_iter()
        .map(|(name, table)| Some((name, table?)))
        .collect()
}
