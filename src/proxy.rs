//! A message's way: `Proxy::carry` is the whole of it, a line a step.
//!
//! HTTP is known here and in the steps' files, XML is not: what a message says is the business of
//! [`crate::wss`]. The types leave no other order: only signing makes what forwarding takes.

use std::sync::Arc;

use http::{Request, Response, request};
use hyper::body::Incoming;

use crate::clock::Clock;
use crate::config::Config;
use crate::keys::Keys;
use crate::metrics::{Metrics, Phase};

mod accept;
mod exchange;
mod forward;
mod headers;
pub(crate) mod media_type;
mod read;
mod reply;
mod route;
mod sign;

pub use accept::{Drained, serve};
pub use forward::{ReceiverError, tls_config};

use exchange::Exchange;
use read::{Reading, RequestBody};
use reply::{Refusal, ReplyBody, UnverifiedResponse};
use route::{Routes, Task};
use sign::Signing;

/// All that messages need on their way; one for each configuration.
pub struct Proxy {
    routes: Routes,
    reading: Reading,
    signing: Signing,
    metrics: Arc<Metrics>,
}

impl Proxy {
    /// For the configuration's routes. Reads the certificates that they name.
    ///
    /// # Errors
    /// When one of these cannot be used.
    pub fn new(
        config: &Config,
        keys: Keys,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ReceiverError> {
        Ok(Self {
            routes: Routes::new(config)?,
            reading: Reading::new(config.proxy.max_message, config.proxy.max_buffered),
            signing: Signing::new(keys, clock, metrics.clone()),
            metrics,
        })
    }

    /// Answers one request, by its receiver's answer or by a fault.
    async fn answer(&self, request: Request<Incoming>) -> Response<ReplyBody> {
        let (head, body) = request.into_parts();
        let mut exchange = Exchange::begun(&head, self.metrics.clone());
        let mut body = RequestBody::new(&head, body);
        match self.carry(head, &mut body, &mut exchange).await {
            Ok(response) => reply::pass_on(response, exchange),
            Err(refusal) => {
                let reusable = body.drain().await;
                reply::refuse(&refusal, exchange, reusable)
            }
        }
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
        if route.task(&head)? == Task::Describe {
            return Ok(route.receiver.describe(head, exchange.deadline()).await?);
        }

        let received = self.reading.message(&mut head, body, &route, exchange).await?;
        exchange.passed(Phase::Read);
        let (signed, memory) = self.signing.sign(&route, received, exchange).await?;
        exchange.passed(Phase::Sign);
        let response = route
            .receiver
            .send(head, signed, memory, exchange.deadline())
            .await?;
        exchange.passed(Phase::Receiver);
        Ok(response)
    }
}
