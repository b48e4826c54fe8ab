//! `[public]`: the listener that receivers reach, for certificates and confirmations. There is none unless it is set.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use http::Uri;

use super::access::{self, Aliases};
use super::table::Table;
use super::tls::ListenerTls;
use super::value::Value;
use super::{AliasConfig, is_loopback, value};

/// What receivers may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicConfig {
    /// Port 0: the system picks one, and it is logged.
    pub listen: SocketAddr,
    /// Where receivers find it, without a slash at the end: what the links begin with that are handed out.
    pub url: String,
    /// `None`: something in front of it speaks TLS.
    pub tls: Option<ListenerTls>,
    /// Those that there are for receivers.
    pub aliases: Aliases,
}

impl PublicConfig {
    /// `None` if it was wrong, which must not read as "there is none".
    pub(super) fn from_table(
        table: &mut Table<'_>,
        aliases: &BTreeMap<String, Option<AliasConfig>>,
    ) -> Option<Self> {
        let listen = table.required("listen", "\"0.0.0.0:8443\"", value::address);
        let url = table.required("url", "\"https://keys.example.com\"", url);
        let described = table.has("tls");
        let tls = table.optional_section("tls", ListenerTls::from_table);
        if tls.as_ref().is_some_and(|tls| tls.client_ca.is_some()) {
            table.report_at("tls", NO_CLIENT_CA);
        }
        let aliases = access::narrowed(table, aliases);
        (tls.is_some() || !described).then_some(Self {
            listen: listen?,
            url: url?,
            tls,
            aliases: aliases?,
        })
    }

    /// Where one confirms who has this token.
    #[must_use]
    pub fn link(&self, token: &str) -> String {
        format!("{}/confirm/{token}", self.url)
    }
}

const NO_CLIENT_CA: &str = "nobody is asked for a certificate here: certificates are public, and a link says who confirms; remove client_ca";

/// Who reads a link on its way may confirm; so it is encrypted, or stays on this host.
fn url(value: &Value<'_>) -> Result<String, String> {
    let text = value::text(value)?;
    // A fragment would swallow what a link adds, and is no part of a `Uri`.
    let uri: Option<Uri> = text.parse().ok().filter(|_| !text.contains('#'));
    let plain_path =
        |uri: &Uri| uri.query().is_none() && uri.authority().is_some_and(|host| !host.as_str().contains('@'));
    let uri = uri.filter(plain_path).ok_or_else(|| {
        format!("{text:?} is not where receivers find this listener; write \"https://keys.example.com\"")
    })?;
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if is_loopback(uri.host()) => {}
        _ => {
            return Err(
                "whoever reads a link on its way could confirm in the receiver's name; write https://…"
                    .to_owned(),
            );
        }
    }
    Ok(text.trim_end_matches('/').to_owned())
}
