//! `[events]`: who may announce events, and which sinks are told what happens here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use http::Uri;

use super::route::{one_of, unique_of};
use super::table::Table;
use super::tls::ReceiverTls;
use super::value::Value;
use super::{AliasConfig, value};
use crate::cloud_events::outgoing::Subscription;

/// Events in and out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventsConfig {
    /// Hosts, in lower case, that the webhook handshake lets announce events.
    pub allowed_origins: Vec<String>,
    /// In the order of the file.
    pub sinks: Vec<SinkConfig>,
}

/// Where events are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkConfig {
    /// Which events; with the sink's name.
    pub subscription: Subscription,
    /// `https`.
    pub url: Uri,
    /// Holds the bearer token that it asks for.
    pub token_file: Option<PathBuf>,
    /// Whom we trust to be it.
    pub tls: ReceiverTls,
    /// The line to name when one of its files is of no use.
    pub line: usize,
}

impl SinkConfig {
    /// Unique; in logs and metrics.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.subscription.sink
    }

    /// The files it names.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.token_file.as_deref().into_iter().chain(self.tls.files())
    }
}

impl EventsConfig {
    /// `None` if a sink was wrong.
    pub(super) fn from_table(
        table: &mut Table<'_>,
        aliases: &BTreeMap<String, Option<AliasConfig>>,
    ) -> Option<Self> {
        let allowed_origins = table.list("allowed_origins", origin).unwrap_or_default();
        let mut names = BTreeMap::new();
        let sinks = table.each("sink", |sink| self::sink(sink, aliases, &mut names));
        Some(Self {
            allowed_origins,
            sinks: sinks.into_iter().collect::<Option<_>>()?,
        })
    }
}

fn sink(
    table: &mut Table<'_>,
    aliases: &BTreeMap<String, Option<AliasConfig>>,
    names: &mut BTreeMap<String, usize>,
) -> Option<SinkConfig> {
    let name = table.required("name", "\"operations\"", |value| {
        unique_of("sink", value, value::name(value)?, names)
    });
    let url = table.required("url", "\"https://events.example.com/countersign\"", url);
    let token_file = table.optional("token_file", value::path);
    let ca = table.optional("ca", value::path);
    let types = some(table, "types", value::word);
    let aliases = some(table, "aliases", |value| one_of(value, "alias", aliases));
    Some(SinkConfig {
        subscription: Subscription {
            sink: name?,
            types: types?,
            aliases: aliases?,
        },
        url: url?,
        token_file,
        tls: ReceiverTls { ca, client: None },
        line: table.line_of("name"),
    })
}

/// Those that are listed; an absent list is all of them, an empty one a mistake.
fn some<T: Ord>(
    table: &mut Table<'_>,
    key: &'static str,
    read: impl Fn(&Value<'_>) -> Result<T, String>,
) -> Option<Option<BTreeSet<T>>> {
    let all = !table.has(key);
    let listed = table.list(key, read);
    if all {
        return Some(None);
    }
    let listed = listed?;
    if listed.is_empty() {
        table.report_at(key, "it names none; name some, or remove it for all");
    }
    Some(Some(listed.into_iter().collect()))
}

/// CloudEvents HTTP 1.1 Web Hooks, section 4.1.2: a DNS name.
fn origin(value: &Value<'_>) -> Result<String, String> {
    let text = value::text(value)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if text.chars().all(plain) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(format!(
            "{text:?} is not the DNS name of a sender; write \"events.example.com\""
        ))
    }
}

fn url(value: &Value<'_>) -> Result<Uri, String> {
    let text = value::text(value)?;
    let uri: Option<Uri> = text.parse().ok().filter(|_| !text.contains('#'));
    let uri = uri.filter(|uri| uri.scheme_str() == Some("https") && uri.host().is_some());
    let uri = uri.ok_or_else(|| {
        format!("{text:?} is not the address of a sink; write \"https://host:port/path\": events go out over TLS alone")
    })?;
    match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => {
            Err("user and password in the address are not used; write a token_file".to_owned())
        }
        _ => Ok(uri),
    }
}
