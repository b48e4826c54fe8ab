//! Step 2: which flow, which receiver, which profile, which alias; and what is asked of us.
//!
//! A route's path is matched exactly: the address of a SOAP service is one path, and a path below it is another
//! service. The query goes on to the receiver. A caller chooses nothing but the route.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Version, request};

use super::UnusableTls;
use super::forward::Receiver;
use super::headers::Pseudonym;
use super::sign::Sampling;
use crate::config::{Config, FaultStatus, RouteConfig};
use crate::wss::Protection;
use crate::xml::Limits;

/// One integration flow to one receiver.
pub(super) struct Route {
    pub(super) name: String,
    pub(super) alias: String,
    pub(super) protection: Arc<Protection>,
    pub(super) sampling: Sampling,
    pub(super) receiver: Receiver,
    pub(super) fault_status: FaultStatus,
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
}

/// Why a request is for nobody here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RouteError {
    /// A client that takes us for a tunnel.
    #[error("configure the client with the http:// address; the proxy speaks TLS to the receiver")]
    Tunnel,
    /// Never an open relay.
    #[error("this proxy does not relay to {0}; send to the path of one of its routes")]
    Relay(String),
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
    own_name: Pseudonym,
}

impl Routes {
    /// Before any configuration.
    pub(super) fn none() -> Self {
        Self {
            by_path: HashMap::new(),
            own_name: Pseudonym::random(),
        }
    }

    /// The configuration's. Reads the certificates that its routes name. Our own name stays: what has passed the last
    /// one's routes has passed us.
    pub(super) fn successor(&self, config: &Config) -> Result<Self, Vec<UnusableTls>> {
        let (mut by_path, mut unusable) = (HashMap::new(), Vec::new());
        for route in &config.routes {
            let earlier = self.by_path.values().map(|route| &route.receiver);
            match Receiver::new(route, self.own_name.clone(), earlier) {
                Ok(receiver) => {
                    drop(by_path.insert(route.path.clone(), Arc::new(Route::new(route, receiver))))
                }
                Err(problem) => unusable.push(UnusableTls {
                    place: format!("route {}", route.name),
                    problem,
                }),
            }
        }
        if !unusable.is_empty() {
            return Err(unusable);
        }
        Ok(Self {
            by_path,
            own_name: self.own_name.clone(),
        })
    }

    /// Finds the route of a request.
    pub(super) fn find(&self, head: &request::Parts) -> Result<Arc<Route>, RouteError> {
        if head.method == Method::CONNECT {
            return Err(RouteError::Tunnel);
        }
        // By HTTP/2 every request has an authority, as by HTTP/1.1 it has a Host.
        if let Some(authority) = head.uri.authority()
            && head.version < Version::HTTP_2
        {
            return Err(RouteError::Relay(authority.to_string()));
        }
        if self.own_name.is_in(&head.headers) {
            return Err(RouteError::Loop);
        }
        let path = head.uri.path();
        self.by_path
            .get(path)
            .cloned()
            .ok_or_else(|| RouteError::Unknown(path.to_owned()))
    }
}

impl Route {
    fn new(config: &RouteConfig, receiver: Receiver) -> Self {
        Self {
            name: config.name.clone(),
            alias: config.alias.clone(),
            protection: Protection::new(config.profile.clone(), Limits::default()),
            sampling: Sampling::new(config.self_check),
            receiver,
            fault_status: config.fault_status,
            total: config.timeouts.total,
        }
    }

    /// Tells what a request asks of the route.
    pub(super) fn task(&self, head: &request::Parts) -> Result<Task, RouteError> {
        match head.method {
            Method::POST => Ok(Task::Sign),
            Method::GET | Method::HEAD if asks_for_description(head.uri.query()) => Ok(Task::Describe),
            _ => Err(RouteError::Method(head.method.clone())),
        }
    }
}

/// `?wsdl`, `?xsd=1`, …: servers ignore the case.
fn asks_for_description(query: Option<&str>) -> bool {
    query.unwrap_or_default().split('&').any(|parameter| {
        let name = parameter.split_once('=').map_or(parameter, |(name, _)| name);
        name.eq_ignore_ascii_case("wsdl") || name.eq_ignore_ascii_case("xsd")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wsdl_and_xsd_are_descriptions_and_nothing_else_is() {
        for query in ["wsdl", "WSDL", "xsd=1", "wsdl=orders.wsdl", "a=b&wsdl"] {
            assert!(asks_for_description(Some(query)), "{query}");
        }
        for query in [None, Some(""), Some("a=wsdl"), Some("wsdls")] {
            assert!(!asks_for_description(query), "{query:?}");
        }
    }
}
