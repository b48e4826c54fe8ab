//! Step 2: which flow, which receiver, which profile, which alias; and what is asked of us.
//!
//! A route's path or url is matched exactly: the address of a SOAP service is one path, and a path below it is another
//! service. The query goes on to the receiver. A caller chooses nothing but the route, and only if it is one of the
//! route's clients.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderValue, Method, Uri, Version, request};

use super::answer::FaultLog;
use super::forward::{Receiver, challenge};
use super::gate::{Gate, Gates};
use super::headers::Pseudonym;
use super::room::{AliasRoom, Room};
use super::sign::Sampling;
use super::{UnusableTls, exchange};
use crate::config::{AliasConfig, Client, Config, FaultStatus, HoldBounds, RouteConfig, Url};
use crate::keys::Strategy;
use crate::listener::Peer;
use crate::logging::Seldom;
use crate::wss::Protection;
use crate::wss::key_refused::KeyRefused;
use crate::xml::Limits;

/// Lines a minute about what is odd with a route's messages.
const REMARKS: u32 = 5;

/// One integration flow to one receiver.
pub(super) struct Route {
    pub(super) name: String,
    pub(super) alias: String,
    pub(super) protection: Arc<Protection>,
    pub(super) sampling: Sampling,
    pub(super) receiver: Receiver,
    pub(super) fault_status: FaultStatus,
    /// By which its alias exchanges keys.
    pub(super) strategy: Strategy,
    /// The alias's. Messages are counted there whatever the strategy: a reload may bring another one, and then a hold.
    pub(super) gate: Arc<Gate>,
    /// What its messages may take, with those of the alias's other routes.
    pub(super) room: AliasRoom,
    pub(super) hold: HoldBounds,
    /// Which of the receiver's faults say that the key was not accepted.
    pub(super) key_refused: KeyRefused,
    /// Those that were logged.
    pub(super) faults: FaultLog,
    /// Those of its requests, in the log.
    pub(super) lines: Seldom,
    /// What is odd about its messages, likewise.
    pub(super) remarks: Seldom,
    /// The receiver sends faults with status 200 as well.
    pub(super) faults_with_200: bool,
    clients: Vec<Client>,
    /// For the exchange as a whole.
    pub(super) total: Duration,
}

/// What is asked of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// Sign the message and send it on.
    Sign,
    /// Pass on the receiver's WSDL or schema.
    Describe,
    /// Pass on that the sender authenticates its connection, before it sends a message.
    Authenticate,
}

/// Why a request is for nobody here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RouteError {
    /// A client that takes us for a tunnel.
    #[error("configure the client with the http:// address; the proxy speaks TLS to the receiver")]
    Tunnel,
    /// Never an open relay.
    #[error("no route has the url {0}; this proxy relays to nobody else")]
    Relay(String),
    /// RFC 9112, section 3.2: without exactly one Host a request is not HTTP/1.1, and by no version it has two.
    #[error("the request has no Host field, several, or one that is no host; send exactly one")]
    Host,
    /// It is not among the route's clients.
    #[error(
        "{0} is not among the clients of this route; whoever runs the proxy adds it there, if it should be"
    )]
    Stranger(String),
    /// No such route.
    #[error("no route has the path {0}; check the address, or add a [[route]] with this path")]
    Unknown(String),
    /// Neither a message nor a question for WSDL or schema.
    #[error("{0} is not served; POST a SOAP message, or GET with ?wsdl or ?xsd")]
    Method(Method),
    /// It comes from us.
    #[error("this request has passed through this proxy before; the route's receiver leads back here")]
    Loop,
}

/// All routes of one configuration.
pub(super) struct Routes {
    by_path: HashMap<String, Arc<Route>>,
    by_url: HashMap<Url, Arc<Route>>,
    own_name: Pseudonym,
    pub(super) gates: Arc<Gates>,
}

impl Routes {
    /// Before any configuration.
    pub(super) fn none(gates: Arc<Gates>) -> Self {
        Self {
            by_path: HashMap::new(),
            by_url: HashMap::new(),
            own_name: Pseudonym::random(),
            gates,
        }
    }

    /// The configuration's. Reads the certificates that its routes name. Our own name stays: what has passed the last
    /// one's routes has passed us.
    pub(super) fn successor(&self, config: &Config, room: &Room) -> Result<Self, Vec<UnusableTls>> {
        let (mut by_path, mut by_url) = (HashMap::new(), HashMap::new());
        let earlier = self.all().map(|route| (&*route.alias, &route.room));
        let mut rooms = room.of_aliases(config, earlier);
        let mut unusable = Vec::new();
        for settings in &config.routes {
            let earlier = self.all().map(|route| &route.receiver);
            match Receiver::new(settings, self.own_name.clone(), earlier) {
                Ok(receiver) => {
                    let alias = config.aliases.get(&settings.alias);
                    let route = Arc::new(Route::new(
                        settings,
                        alias,
                        receiver,
                        &self.gates,
                        rooms.of(&settings.alias),
                        config.log.receiver_text,
                    ));
                    by_path.extend(settings.path.clone().map(|path| (path, route.clone())));
                    by_url.extend(settings.url.clone().map(|url| (url, route)));
                }
                Err(problem) => unusable.push(UnusableTls {
                    place: format!("route {}", settings.name),
                    problem,
                }),
            }
        }
        if !unusable.is_empty() {
            return Err(unusable);
        }
        Ok(Self {
            by_path,
            by_url,
            own_name: self.own_name.clone(),
            gates: self.gates.clone(),
        })
    }

    /// The route of this name.
    pub(super) fn named(&self, name: &str) -> Option<&Arc<Route>> {
        self.all().find(|route| route.name == name)
    }

    /// One that has a path and a url comes twice.
    fn all(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.by_path.values().chain(self.by_url.values())
    }

    /// Finds the route of a request whose sender may use it.
    pub(super) fn find(&self, head: &request::Parts) -> Result<Arc<Route>, RouteError> {
        if head.method == Method::CONNECT {
            return Err(RouteError::Tunnel);
        }
        if !names_its_host(head) {
            return Err(RouteError::Host);
        }
        if self.own_name.is_in(&head.headers) {
            return Err(RouteError::Loop);
        }
        let route = self.addressed(&head.uri, head.version)?;
        route.admit(head.extensions.get())?;
        Ok(route.clone())
    }

    /// By HTTP/1.1 an address with an authority is meant for a proxy, and its Host says nothing (RFC 9112, section
    /// 3.2.2). By HTTP/2 every address has one, so a path alone will do.
    fn addressed(&self, address: &Uri, version: Version) -> Result<&Arc<Route>, RouteError> {
        let by_url = Url::of(address).and_then(|url| self.by_url.get(&url));
        if let Some(route) = by_url {
            return Ok(route);
        }
        if address.authority().is_some() && version < Version::HTTP_2 {
            return Err(RouteError::Relay(without_query(address)));
        }
        let by_path = self.by_path.get(address.path());
        by_path.ok_or_else(|| RouteError::Unknown(address.path().to_owned()))
    }
}

/// Who stands before or behind us may go by another one of two.
fn names_its_host(head: &request::Parts) -> bool {
    let is_host = |host: &HeaderValue| host.is_empty() || Authority::try_from(host.as_bytes()).is_ok();
    let mut hosts = head.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(only), None) => is_host(only),
        (None, _) => head.version != Version::HTTP_11,
        (Some(_), Some(_)) => false,
    }
}

fn without_query(address: &Uri) -> String {
    let address = address.to_string();
    address
        .split_once('?')
        .map_or(address.as_str(), |(address, _)| address)
        .to_owned()
}

impl Route {
    fn new(
        config: &RouteConfig,
        alias: Option<&AliasConfig>,
        receiver: Receiver,
        gates: &Gates,
        room: AliasRoom,
        receiver_text: bool,
    ) -> Self {
        let strategy = alias.map_or(Strategy::PrePublish, |alias| alias.strategy);
        Self {
            strategy,
            gate: gates.of(&config.alias),
            room,
            hold: alias.map_or_else(HoldBounds::default, |alias| alias.hold),
            name: config.name.clone(),
            alias: config.alias.clone(),
            protection: Protection::new(config.profile.clone(), Limits::default()),
            sampling: Sampling::new(config.self_check),
            receiver,
            fault_status: config.fault_status,
            key_refused: config.key_refused.clone(),
            faults: FaultLog::new(receiver_text),
            lines: Seldom::new(exchange::LINES),
            remarks: Seldom::new(REMARKS),
            faults_with_200: config.faults_with_200,
            clients: config.clients.clone(),
            total: config.timeouts.total,
        }
    }

    fn admit(&self, peer: Option<&Peer>) -> Result<(), RouteError> {
        let is_client = |peer: &Peer| self.clients.iter().any(|client| peer.is(client));
        if self.clients.is_empty() || peer.is_some_and(is_client) {
            return Ok(());
        }
        Err(RouteError::Stranger(
            peer.map_or_else(|| "the sender".to_owned(), Peer::to_string),
        ))
    }

    /// Tells what a request asks of the route.
    pub(super) fn task(&self, head: &request::Parts, is_empty: bool) -> Result<Task, RouteError> {
        match head.method {
            // The message itself comes once the receiver has answered with its challenge.
            Method::POST if is_empty && challenge::is_answered(&head.headers) => Ok(Task::Authenticate),
            Method::POST => Ok(Task::Sign),
            Method::GET | Method::HEAD if asks_for_description(head.uri.query()) => Ok(Task::Describe),
            _ => Err(RouteError::Method(head.method.clone())),
        }
    }
}

/// Parameters by which servers are asked for a description of theirs: `?wsdl` and `?xsd=1` all of them, `?singleWsdl` WCF,
/// `?disco` ASP.NET, `?wsdl2` and `?policy` Axis2.
const DESCRIPTIONS: [&str; 6] = ["wsdl", "xsd", "singlewsdl", "wsdl2", "disco", "policy"];

/// Servers ignore the case.
fn asks_for_description(query: Option<&str>) -> bool {
    query.unwrap_or_default().split('&').any(|parameter| {
        let name = parameter.split_once('=').map_or(parameter, |(name, _)| name);
        DESCRIPTIONS.iter().any(|known| known.eq_ignore_ascii_case(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wsdl_and_xsd_are_descriptions_and_nothing_else_is() {
        for query in [
            "wsdl",
            "WSDL",
            "xsd=1",
            "wsdl=orders.wsdl",
            "a=b&wsdl",
            "singleWsdl",
            "singlewsdl=1",
            "WSDL2",
            "DISCO",
            "policy",
        ] {
            assert!(asks_for_description(Some(query)), "{query}");
        }
        for query in [None, Some(""), Some("a=wsdl"), Some("wsdls"), Some("method=wsdl")] {
            assert!(!asks_for_description(query), "{query:?}");
        }
    }
}
