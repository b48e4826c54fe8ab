//! `[proxy]` and `[admin]`: who may reach what.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::access::{self, AccessConfig};
use super::table::Table;
use super::tls::ListenerTls;
use super::value::Value;
use super::{AliasConfig, Client, RouteConfig, defaults, value};

/// Where integration flows send to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyConfig {
    /// Port 0: the system picks one, and it is logged.
    pub listen: SocketAddr,
    /// `None`: flows send in plain text.
    pub tls: Option<ListenerTls>,
    /// Bytes of one message.
    pub max_message: usize,
    /// Bytes of all messages together.
    pub max_buffered: usize,
    /// Requests under way.
    pub max_requests: usize,
    /// How long a flow may take for a head, and let us wait for the next bytes of a body or to take those of an answer.
    pub client_timeout: Duration,
    /// How long exchanges under way may take to end when we stop.
    pub drain: Duration,
    /// Listening beyond loopback was asked for in so many words.
    pub open: bool,
}

impl ProxyConfig {
    /// `routes` are all there are; `None` if one is wrong.
    pub(super) fn from_table(table: &mut Table<'_>, routes: Option<&[RouteConfig]>) -> Self {
        let proxy = Self {
            listen: table
                .optional("listen", value::address)
                .unwrap_or(defaults::PROXY_LISTEN),
            tls: table.optional_section("tls", ListenerTls::from_table),
            max_message: table
                .optional("max_message", value::size)
                .unwrap_or(defaults::MAX_MESSAGE),
            max_buffered: table
                .optional("max_buffered", value::size)
                .unwrap_or(defaults::MAX_BUFFERED),
            max_requests: table
                .optional("max_requests", value::count)
                .unwrap_or(defaults::MAX_REQUESTS),
            client_timeout: table
                .optional("client_timeout", value::duration)
                .unwrap_or(defaults::CLIENT_TIMEOUT),
            drain: table
                .optional("drain", value::duration)
                .unwrap_or(defaults::DRAIN),
            open: table.optional("open", value::boolean).unwrap_or(false),
        };
        // Of routes that are wrong nothing is said that may be wrong, too.
        if routes.is_some_and(|routes| proxy.is_open(routes)) && !proxy.open {
            table.report_at("listen", OPEN_PROXY);
        }
        if routes.is_some_and(|routes| !proxy.knows_clients() && routes.iter().any(names_subjects)) {
            table.report_at("tls", NO_SUBJECTS);
        }
        if proxy.max_buffered < proxy.max_message {
            table.report_at(
                "max_buffered",
                "it is smaller than max_message, so the largest messages never fit",
            );
        }
        proxy
    }

    /// Whether somebody beyond this host gets messages signed without having been named.
    pub fn is_open(&self, routes: &[RouteConfig]) -> bool {
        let named = self.knows_clients() || routes.iter().all(|route| !route.clients.is_empty());
        !self.listen.ip().is_loopback() && !named
    }

    /// Every client shows a certificate.
    fn knows_clients(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some())
    }
}

fn names_subjects(route: &RouteConfig) -> bool {
    route
        .clients
        .iter()
        .any(|client| matches!(client, Client::Subject(_)))
}

const OPEN_PROXY: &str = "whoever reaches this address gets messages signed; listen on 127.0.0.1, demand certificates \
    with tls.client_ca, name the clients of every route, or write open = true if that is meant";

const NO_SUBJECTS: &str = "a route's clients name a certificate's subject, and nobody is asked for a certificate; \
    write tls = { certificate = \"…\", private_key = \"…\", client_ca = \"…\" }";

/// API, metrics, health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminConfig {
    /// Port 0: the system picks one, and it is logged.
    pub listen: SocketAddr,
    /// `None`: it speaks plain HTTP.
    pub tls: Option<ListenerTls>,
    /// The operator's bearer token; made on first start, mode 0600.
    pub token_file: PathBuf,
    /// Listening beyond loopback without TLS was asked for in so many words.
    pub plaintext: bool,
    /// `/metrics` needs no token.
    pub metrics_open: bool,
    /// Names, in lower case, by which it is reached, beside addresses and `localhost`; none: over TLS any.
    pub hosts: Vec<String>,
    /// Further ones who may reach it, in the order of the file.
    pub access: Vec<AccessConfig>,
}

impl AdminConfig {
    /// `None` if an entry of `access` was wrong.
    pub(super) fn from_table(
        table: &mut Table<'_>,
        state: &Path,
        aliases: &BTreeMap<String, Option<AliasConfig>>,
    ) -> Option<Self> {
        let tls = table.optional_section("tls", ListenerTls::from_table);
        // Of a `tls` that is wrong that has been said already.
        let certificates = tls
            .as_ref()
            .map_or_else(|| table.has("tls"), |tls| tls.client_ca.is_some());
        let access = access::all(table, certificates, aliases);
        let listen = table
            .optional("listen", value::address)
            .unwrap_or(defaults::ADMIN_LISTEN);
        let plaintext = table.optional("plaintext", value::boolean).unwrap_or(false);
        if !listen.ip().is_loopback() && !table.has("tls") && !plaintext {
            table.report_at("listen", PLAINTEXT_ADMIN);
        }
        let hosts = table.list("hosts", host);
        let (token_file, metrics) = (
            table.optional("token_file", value::path),
            table.optional("metrics", metrics),
        );
        Some(Self {
            listen,
            tls,
            token_file: token_file.unwrap_or_else(|| state.join(defaults::ADMIN_TOKEN_FILE)),
            plaintext,
            metrics_open: metrics.unwrap_or(false),
            hosts: hosts.unwrap_or_default(),
            access: access?,
        })
    }
}

fn host(value: &Value<'_>) -> Result<String, String> {
    let text = value::text(value)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!(
        "{text:?} is not a DNS name; write it without scheme and port, as in \"proxy.example.com\""
    ))
}

const PLAINTEXT_ADMIN: &str = "tokens would cross the network unencrypted; \
    listen on 127.0.0.1, set tls, or write plaintext = true if that is meant";

fn metrics(value: &Value<'_>) -> Result<bool, String> {
    match value::text(value)? {
        "open" => Ok(true),
        other => Err(format!(
            "{other:?} is not known here; write \"open\", or remove it to demand a token"
        )),
    }
}
