//! A message's way: `Proxy::carry` is the whole of it, a line a step. The last steps are `deliver`'s, for messages may have to
//! wait, or to be signed again.
//!
//! HTTP is known here and in the steps' files, XML is not: what a message says is the business of
//! [`crate::wss`]. The types leave no other order: only signing makes what forwarding takes.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Uri, request};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::config::Config;
use crate::keys::{Keys, Strategy};
use crate::listener::{self, Refused};
use crate::metrics::{HeldFact, Metrics, Phase};
use crate::tls::{TlsError, server_config};

mod accept;
mod answer;
mod clocks;
mod deliver;
mod exchange;
mod forward;
mod gate;
mod headers;
pub(crate) mod load;
pub(crate) mod media_type;
pub mod probe;
mod read;
mod reply;
mod room;
mod route;
mod sign;

pub use accept::{Drained, serve};
pub use clocks::ReceiverClock;
pub use gate::Gates;

use answer::{Judged, Judging};
use clocks::Clocks;
use deliver::Delivery;
use exchange::Exchange;
use forward::{ForwardError, Place};
use read::{Outlay, Reading, Received, RequestBody};
use reply::{Refusal, ReplyBody, UnverifiedResponse};
use room::Room;
use route::{Route, Routes, Task};
use sign::{Signing, With};

/// That is left, as we stop, to tell those that wait.
const TIME_TO_ANSWER: Duration = Duration::from_secs(1);

/// All that messages need on their way; one for each configuration, and immutable. A message keeps the one it came to.
pub struct Proxy {
    /// For connections that are accepted from now on.
    connections: listener::Settings,
    routes: Routes,
    room: Room,
    /// Requests that are for no route.
    lost: Arc<Refused>,
    reading: Reading,
    signing: Arc<Signing>,
    judging: Arc<Judging>,
    clocks: Arc<Clocks>,
    clock: Clock,
    metrics: Arc<Metrics>,
}

/// Certificates that the listener or a route names, and that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct UnusableTls {
    place: String,
    problem: TlsError,
}

impl Proxy {
    /// Before any configuration: it knows no route.
    #[must_use]
    pub fn new(keys: Keys, clock: Clock, metrics: Arc<Metrics>, gates: Arc<Gates>) -> Self {
        Self {
            connections: listener::Settings::default(),
            routes: Routes::none(gates),
            room: Room::none(),
            lost: Arc::default(),
            reading: Reading::nothing(),
            signing: Arc::new(Signing::new(keys, clock.clone(), metrics.clone())),
            clocks: Arc::default(),
            clock,
            judging: Arc::new(Judging::new(metrics.clone())),
            metrics,
        }
    }

    /// The configuration's. Reads the certificates that it names. What is taken of the limits counts on, and connections
    /// to receivers whose settings are the same are kept.
    ///
    /// # Errors
    /// With everything that cannot be used.
    pub fn successor(&self, config: &Config) -> Result<Self, Vec<UnusableTls>> {
        let tls = config.proxy.tls.as_ref().map(server_config).transpose();
        let room = self.room.successor(&config.proxy);
        let (tls, routes) = match (tls, self.routes.successor(config, &room)) {
            (Ok(tls), Ok(routes)) => (tls, routes),
            (tls, routes) => {
                let listener = tls.err().map(|problem| UnusableTls {
                    place: "[proxy] tls".to_owned(),
                    problem,
                });
                return Err(listener
                    .into_iter()
                    .chain(routes.err().into_iter().flatten())
                    .collect());
            }
        };
        Ok(Self {
            connections: listener::Settings {
                tls: tls.map(Arc::new),
                client_timeout: config.proxy.client_timeout,
                bounds: listener::Bounds::FLOWS,
            },
            routes,
            room,
            lost: self.lost.clone(),
            reading: Reading::within(&config.proxy),
            signing: self.signing.clone(),
            judging: self.judging.clone(),
            clocks: self.clocks.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
        })
    }

    /// Requests that are not answered to their end.
    #[must_use]
    pub fn requests_under_way(&self) -> usize {
        self.room.requests_under_way()
    }

    /// Bytes of messages that have not left.
    #[must_use]
    pub fn bytes_buffered(&self) -> usize {
        self.room.bytes_buffered()
    }

    /// We stop within this time: messages that wait for their receiver to exchange a certificate get an answer before.
    fn end_waits(&self, patience: Duration) {
        let time_to_answer = (patience / 2).min(TIME_TO_ANSWER);
        self.routes
            .gates
            .end_at(Instant::now() + patience - time_to_answer);
    }

    /// What waits at this alias, if something may.
    #[must_use]
    pub fn held(&self, alias: &str) -> Option<HeldFact> {
        let mut held = self.routes.gates.held().into_iter();
        held.find(|held| held.alias == alias)
    }

    /// How this receiver's clock goes against ours, if it has answered since the start and said so.
    #[must_use]
    pub fn receiver_clock(&self, receiver: &Uri) -> Option<ReceiverClock> {
        self.clocks.of(receiver)
    }

    /// Answers one request, by its receiver's answer or by a fault.
    async fn answer(&self, request: Request<Incoming>) -> Response<ReplyBody> {
        let (head, body) = request.into_parts();
        let mut exchange = Exchange::begun(&head, self.metrics.clone());
        let mut body = RequestBody::new(&head, body, self.connections.client_timeout);
        match self.carry(head, &mut body, &mut exchange).await {
            Ok(response) => reply::pass_on(response, exchange),
            Err(refusal) => {
                let reusable = body.drain(refusal.is_urgent()).await;
                if refusal.is_of_the_sender() {
                    exchange.give_way();
                    self.refused(&exchange).turn().await;
                }
                reply::refuse(&refusal, exchange, reusable)
            }
        }
    }

    /// The line for a message that was refused: its alias's, if it has one.
    fn refused<'r>(&'r self, exchange: &'r Exchange) -> &'r Refused {
        exchange.route().map_or(&self.lost, |route| &route.room.refused)
    }

    /// A message's way.
    async fn carry(
        &self,
        mut head: request::Parts,
        body: &mut RequestBody,
        exchange: &mut Exchange,
    ) -> Result<UnverifiedResponse, Refusal> {
        let route = self.routes.find(&head)?;
        exchange.routed(&route);
        exchange.admitted(route.room.requests.take(1)?);
        let (receiver, deadline) = (&route.receiver, exchange.deadline());
        match route.task(&head, body.is_empty())? {
            Task::Describe => return Ok(receiver.describe(&head, deadline).await?),
            Task::Authenticate => return Ok(receiver.authenticate(&head, deadline).await?),
            Task::Sign => {}
        }

        let received = self.reading.message(&mut head, body, &route, exchange).await?;
        exchange.passed(Phase::Read);
        let delivery = Delivery {
            proxy: self,
            route: &route,
            head: &head,
            exchange,
        };
        match route.strategy {
            Strategy::PrePublish => delivery.once(received).await,
            Strategy::Hold | Strategy::ReceiverLed => delivery.through(received).await,
        }
    }

    /// One attempt: signed, sent, and its answer understood. Where the route follows redirects, it is signed anew for each.
    async fn send_signed(
        &self,
        route: &Arc<Route>,
        head: &request::Parts,
        mut received: Received,
        with: &With,
        exchange: &mut Exchange,
    ) -> Result<Judged, Refusal> {
        let mut place = route.receiver.place(head)?;
        let response = loop {
            let kept = place.may_lead_on().then(|| received.clone());
            let (signed, memory) = self.signing.sign(route, received, with, exchange).await?;
            exchange.passed(Phase::Sign);
            let memory = Outlay::of(&route.room.bytes, &signed, memory)?;
            let sent = route
                .receiver
                .send(head, &place, signed, memory, exchange.deadline())
                .await;
            exchange.forwarded(sent.as_ref().err());
            match (sent, kept) {
                (Err(ForwardError::Redirected(redirect)), Some(kept)) => {
                    let next = place.of_message(&redirect);
                    place = next.ok_or(ForwardError::Redirected(redirect))?;
                    self.redirected(route, &place);
                    received = kept;
                }
                (answered, _) => break answered?,
            }
        };
        exchange.passed(Phase::Receiver);
        self.clocks
            .observe(route.receiver.address(), response.headers(), self.clock.now());
        Ok(self.judging.judge(route, response, exchange.deadline()).await)
    }

    /// A signed message follows its receiver there.
    fn redirected(&self, route: &Route, place: &Place) {
        tracing::debug!(route = route.name, to = %place, "a message follows its receiver's redirect");
        self.metrics.redirect_followed(&route.name);
    }
}
