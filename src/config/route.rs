//! `[[route]]`: one integration flow to one receiver.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Uri;

use super::table::{Table, nearest};
use super::tls::ReceiverTls;
use super::value::Value;
use super::{AliasConfig, Client, Url, clients, defaults, key_refused, strategy, value};
use crate::spelling::vocabulary;
use crate::wss::Profile;
use crate::wss::key_refused::KeyRefused;

/// One integration flow to one receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteConfig {
    /// Unique; in logs, metrics and the admin API.
    pub name: String,
    /// Unique; the request path that leads here, exactly. `None`: there is a `url`.
    pub path: Option<String>,
    /// Unique; the address that leads here for clients that use us as their HTTP proxy. `None`: there is a `path`.
    pub url: Option<Url>,
    /// Who may use it; nobody is excluded if it is empty.
    pub clients: Vec<Client>,
    /// `http` or `https`.
    pub receiver: Uri,
    /// The signing identity; one of [`super::Config::aliases`].
    pub alias: String,
    /// Name of the profile.
    pub profile_name: String,
    /// The profile itself.
    pub profile: Profile,
    /// Trust and identity towards an `https` receiver.
    pub receiver_tls: ReceiverTls,
    /// How long the receiver may take.
    pub timeouts: Timeouts,
    /// Bytes of an answer's body.
    pub max_answer: usize,
    /// What becomes of a message that its receiver leads elsewhere.
    pub redirects: Redirects,
    /// Status of our own faults.
    pub fault_status: FaultStatus,
    /// Which of the receiver's faults say that the key was not accepted.
    pub key_refused: KeyRefused,
    /// The receiver sends faults with status 200 as well.
    pub faults_with_200: bool,
    /// Which signed messages the second engine looks at before they leave.
    pub self_check: SelfCheck,
    /// The line to name when it does not fit its alias's key.
    pub line: usize,
}

/// How long the receiver may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// From the last byte sent to the head of the response.
    pub response: Duration,
    /// Of the response's body, until some more of it comes.
    pub idle: Duration,
    /// For the exchange as a whole.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: defaults::CONNECT_TIMEOUT,
            response: defaults::RESPONSE_TIMEOUT,
            idle: defaults::IDLE_TIMEOUT,
            total: defaults::TOTAL_TIMEOUT,
        }
    }
}

/// Which signed messages the second engine looks at before they leave, besides the first of each key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SelfCheck {
    /// How many of all, from 0 to 1.
    pub share: f64,
    /// Bytes of the signed message above which none is looked at.
    pub max: usize,
    /// How long a look may take.
    pub timeout: Duration,
    /// What becomes of a message when it took longer.
    pub late: LateSelfCheck,
}

vocabulary! {
    /// What becomes of a signed message at which the second engine did not look in time.
    pub enum LateSelfCheck {
        /// It is sent, as one that was not due.
        Send = "send",
        /// It is refused.
        Refuse = "refuse",
    }
}

vocabulary! {
    /// What becomes of a message that its receiver leads elsewhere. The flow learns of it by a fault in any case.
    pub enum Redirects {
        /// It ends here.
        Refuse = "refuse",
        /// It follows 307 and 308 within the receiver's origin, signed anew.
        Follow = "follow",
    }
}

vocabulary! {
    /// Status of our own faults.
    pub enum FaultStatus {
        /// As the SOAP bindings say: 500, and 400 for a SOAP 1.2 Sender.
        Soap = "soap",
        /// As HTTP says: 404, 413, 502, ….
        Http = "http",
        /// 500 for all that was posted to the route: some clients parse no other status.
        Always500 = "500",
    }
}

/// Every route, or `None` if one was wrong.
pub(super) fn all(
    root: &mut Table<'_>,
    aliases: &BTreeMap<String, Option<AliasConfig>>,
    profiles: &BTreeMap<String, Option<Profile>>,
) -> Option<Vec<RouteConfig>> {
    let (mut names, mut paths, mut urls) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut receivers = BTreeMap::new();
    let read = |table: &mut Table<'_>| {
        let name = table.required("name", "\"orders\"", |value| {
            unique(value, value::name(value)?, &mut names)
        });
        let path = table.optional("path", |value| unique(value, path(value)?, &mut paths));
        let url = table.optional("url", |value| unique(value, url(value)?, &mut urls));
        if !table.has("path") && !table.has("url") {
            table.report(NO_ADDRESS.to_owned());
        }
        let clients = clients::all(table);
        let receiver = table.required("receiver", "\"https://erp.example.com/orders\"", receiver);
        let alias = table.required("alias", "\"orders\"", |value| one_of(value, "alias", aliases));
        let profile_name = table
            .optional("profile", |value| one_of(value, "profile", profiles))
            .unwrap_or_else(|| defaults::PROFILE.to_owned());
        let receiver_tls = table.section("receiver_tls", ReceiverTls::from_table);
        let timeouts = table.section("timeouts", Timeouts::from_table);
        let max_answer = table
            .optional("max_answer", value::size)
            .unwrap_or(defaults::MAX_ANSWER);
        let redirects = table
            .optional("redirects", value::word)
            .unwrap_or(Redirects::Refuse);
        let fault_status = table
            .optional("fault_status", value::word)
            .unwrap_or(FaultStatus::Soap);
        let key_refused = key_refused::list(table);
        let faults_with_200 = table.optional("faults_with_200", value::boolean).unwrap_or(false);
        let profile = profiles.get(&profile_name).cloned().flatten()?;
        let route = RouteConfig {
            name: name?,
            path,
            url,
            clients: clients?,
            receiver: receiver?,
            alias: alias?,
            profile_name,
            profile,
            receiver_tls,
            timeouts,
            max_answer,
            redirects,
            fault_status,
            key_refused,
            faults_with_200,
            self_check: SelfCheck::from_table(table),
            line: table.line_of("name"),
        };
        if let Some(Some(alias)) = aliases.get(&route.alias) {
            strategy::check(table, &route, alias, &mut receivers);
        }
        Some(route)
    };
    let routes = root.each("route", read);
    if routes.is_empty() && !root.has("route") {
        root.report("there is no route; write [[route]] with name, path, receiver and alias".to_owned());
    }
    routes.into_iter().collect()
}

const NO_ADDRESS: &str = "path is missing; write path = \"/orders\", or url = \"http://…\" for clients that use us as \
    their HTTP proxy";

impl Timeouts {
    fn from_table(table: &mut Table<'_>) -> Self {
        let default = Self::default();
        Self {
            connect: table
                .optional("connect", value::duration)
                .unwrap_or(default.connect),
            response: table
                .optional("response", value::duration)
                .unwrap_or(default.response),
            idle: table.optional("idle", value::duration).unwrap_or(default.idle),
            total: table.optional("total", value::duration).unwrap_or(default.total),
        }
    }
}

impl SelfCheck {
    fn from_table(table: &mut Table<'_>) -> Self {
        Self {
            share: table
                .optional("self_check", value::share)
                .unwrap_or(defaults::SELF_CHECK),
            max: table
                .optional("self_check_max", value::size)
                .unwrap_or(defaults::SELF_CHECK_MAX),
            timeout: table
                .optional("self_check_timeout", value::duration)
                .unwrap_or(defaults::SELF_CHECK_TIMEOUT),
            late: table
                .optional("self_check_late", value::word)
                .unwrap_or(LateSelfCheck::Send),
        }
    }
}

fn path(value: &Value<'_>) -> Result<String, String> {
    let path = value::text(value)?;
    let is_path = |uri: Uri| uri.path() == path && uri.query().is_none() && uri.authority().is_none();
    if path.starts_with('/') && path.parse().is_ok_and(is_path) {
        return Ok(path.to_owned());
    }
    Err(format!(
        "{path:?} is not a path; write \"/orders\", percent-encoded, without query"
    ))
}

fn url(value: &Value<'_>) -> Result<Url, String> {
    let text = value::text(value)?;
    let without_query = |uri: &Uri| uri.query().is_none();
    let uri: Option<Uri> = text.parse().ok().filter(without_query);
    uri.as_ref().and_then(Url::of).ok_or_else(|| {
        format!("{text:?} is not what a client asks its HTTP proxy for; write \"http://host:port/path\", without query")
    })
}

fn receiver(value: &Value<'_>) -> Result<Uri, String> {
    let text = value::text(value)?;
    let served = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    let uri = text.parse().ok().filter(served).ok_or_else(|| {
        format!("{text:?} is not an address of a receiver; write http://host:port/path or https://…")
    })?;
    match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => {
            Err("user and password in the address are not used; remove them".to_owned())
        }
        _ => Ok(uri),
    }
}

/// Refuses a value that an earlier route has.
fn unique<T: Ord + Clone>(value: &Value<'_>, own: T, seen: &mut BTreeMap<T, usize>) -> Result<T, String> {
    unique_of("route", value, own, seen)
}

/// Refuses a value that an earlier thing of the kind has.
pub(super) fn unique_of<T: Ord + Clone>(
    kind: &str,
    value: &Value<'_>,
    own: T,
    seen: &mut BTreeMap<T, usize>,
) -> Result<T, String> {
    match seen.get(&own) {
        Some(line) => Err(format!(
            "{:?} is taken by the {kind} of line {line}; each {kind} needs its own",
            value::text(value)?
        )),
        None => {
            seen.insert(own.clone(), value.line());
            Ok(own)
        }
    }
}

/// A name that another section defines. One that is defined wrongly counts: its mistake has been
/// reported already.
pub(super) fn one_of<T>(
    value: &Value<'_>,
    kind: &str,
    defined: &BTreeMap<String, T>,
) -> Result<String, String> {
    let name = value::text(value)?;
    if defined.contains_key(name) {
        return Ok(name.to_owned());
    }
    let hint = match nearest(name, defined.keys().map(String::as_str)) {
        Some(known) => format!("did you mean {known:?}?"),
        None => format!("define it as [{kind}.{name}]"),
    };
    Err(format!("there is no {kind} {name:?}; {hint}"))
}
