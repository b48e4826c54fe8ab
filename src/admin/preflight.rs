//! Preflight: what would break if an alias's messages were signed with another key, said before they are.

mod certificate;
mod findings;
mod surroundings;

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use time::OffsetDateTime;

use super::access::By;
use super::commands::on_a_thread;
use super::probe::for_receiver;
use super::problem::{PROBLEM_JSON, Problem};
use super::view::{ConcernedRouteView, KeyPath, OldKeyView, PreflightView, ProbeView, ProblemView};
use super::{Admin, view};
use crate::clock::rfc3339;
use crate::config::{RouteConfig, origin};
use crate::keys::lifecycle::{Entry, Key, KeyState, Lifecycle};
use crate::keys::{CommandError, Fingerprint, Refusal, Signer, Strategy};
use crate::proxy::probe::{Attempt, ProbeError, Sample};
use findings::Findings;

/// What would break
///
/// If this key signed: its certificate beside the active one's, each route's profile tried with it, the receivers' clocks, what
/// is not confirmed yet. Nothing is sent to a receiver.
#[utoipa::path(get, path = "/api/v1/aliases/{alias}/keys/{fingerprint}/preflight", operation_id = "preflight", tag = "renewals",
    params(KeyPath),
    responses(
        (status = 200, description = "What is to be expected", body = PreflightView),
        (status = 400, description = "No fingerprint", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 404, description = "No such alias or key", body = ProblemView, content_type = PROBLEM_JSON),
    ),
)]
pub(super) async fn look(
    State(admin): State<Admin>,
    Path(KeyPath { alias, fingerprint }): Path<KeyPath>,
) -> Result<Json<PreflightView>, Problem> {
    let fingerprint: Fingerprint = fingerprint.parse()?;
    on_a_thread(move || admin.preflight(&alias, &fingerprint).map(Json)).await
}

/// What would break, and how the receivers refuse
///
/// As without a body; and the body, a harmless message, is sent by each route of the alias once, signed by a key that nobody
/// trusts, as the probe of a route does it.
#[utoipa::path(post, path = "/api/v1/aliases/{alias}/keys/{fingerprint}/preflight", operation_id = "preflight_with_probes",
    tag = "renewals",
    params(KeyPath, ("SOAPAction" = Option<String>, Header, description = "For the receivers")),
    request_body(
        content((String = "text/xml"), (String = "application/soap+xml")),
        description = "A message that does no harm, not signed",
    ),
    responses(
        (status = 200, description = "What is to be expected, and what the receivers said", body = PreflightView),
        (status = 400, description = "No fingerprint", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 404, description = "No such alias or key", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 415, description = "Not a message of SOAP, by its type", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 422, description = "Not a message of SOAP", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 503, description = "It cannot be noted in the audit now, or too much is under way", body = ProblemView, content_type = PROBLEM_JSON),
    ),
)]
pub(super) async fn look_and_probe(
    State(admin): State<Admin>,
    By(author): By,
    Path(KeyPath { alias, fingerprint }): Path<KeyPath>,
    headers: HeaderMap,
    message: Bytes,
) -> Result<Json<PreflightView>, Problem> {
    let fingerprint: Fingerprint = fingerprint.parse()?;
    let sample = Sample {
        headers: for_receiver(&headers),
        message,
    };
    let looking = admin.clone();
    let mut view = on_a_thread(move || looking.preflight(&alias, &fingerprint)).await?;
    for route in &mut view.routes {
        let probed = admin.proxy.probe(
            &route.name,
            sample.clone(),
            &[Attempt::UnknownKey],
            author.clone(),
        );
        match probed.await {
            Ok(report) => route.probe = Some(ProbeView::of(&report)),
            Err(error @ (ProbeError::NoKey(_) | ProbeError::NotSigned(_) | ProbeError::NoTimestamp(_))) => {
                route.probe_error = Some(error.to_string());
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Json(view))
}

/// All that is looked at.
struct Subject<'a> {
    admin: &'a Admin,
    alias: &'a str,
    keys: &'a Lifecycle,
    new: Entry<'a>,
    /// What it would sign with; a revoked or purged key has none.
    signer: Option<Arc<Signer>>,
    active: Option<&'a Key>,
    strategy: Strategy,
    routes: Vec<&'a RouteConfig>,
    now: OffsetDateTime,
}

impl Admin {
    fn preflight(&self, alias: &str, fingerprint: &Fingerprint) -> Result<PreflightView, Problem> {
        let ring = self.keys.ring();
        let keys = ring
            .alias(alias)
            .ok_or_else(|| CommandError::UnknownAlias(alias.to_owned()))?;
        let new = keys
            .key(fingerprint)
            .ok_or_else(|| CommandError::from(Refusal::UnknownKey(fingerprint.clone())))?;
        let routes = self.config.routes.iter().filter(|route| route.alias == alias);
        let subject = Subject {
            admin: self,
            alias,
            keys,
            signer: keys.on_trial(fingerprint).cloned(),
            new,
            active: keys.active(),
            strategy: self.keys.strategy(alias),
            routes: routes.collect(),
            now: self.clock.now(),
        };
        Ok(subject.view())
    }

    fn concerned(&self, route: &RouteConfig, now: OffsetDateTime) -> ConcernedRouteView {
        let traffic = self.metrics.traffic(&route.name);
        ConcernedRouteView {
            name: route.name.clone(),
            receiver: origin(&route.receiver),
            profile: route.profile_name.clone(),
            requests: traffic.requests,
            last_request: traffic.since_last.map(|since| rfc3339(now - since)),
            probe: None,
            probe_error: None,
        }
    }
}

impl Subject<'_> {
    fn view(&self) -> PreflightView {
        let mut findings = Findings::default();
        self.look_at_certificate(&mut findings);
        self.look_around(&mut findings);
        let findings = findings.sorted();
        let signed = self
            .active
            .map(|key| key.signer().identity().uses().counts().signed);
        let old = self.keys.keys().filter(|entry| has_signed(&entry.state));
        PreflightView {
            alias: self.alias.to_owned(),
            key: self.new.fingerprint().to_string(),
            active: self.active.map(|key| key.fingerprint().to_string()),
            passed: findings
                .iter()
                .all(|finding| finding.severity != view::Severity::Error.name()),
            findings,
            routes: self
                .routes
                .iter()
                .map(|route| self.admin.concerned(route, self.now))
                .collect(),
            signed: signed.map_or(0, |signed| signed.times),
            last_use: signed.and_then(|signed| signed.last).map(rfc3339),
            old_keys: old.map(|entry| OldKeyView::of(&entry, self.now)).collect(),
        }
    }
}

const fn has_signed(state: &KeyState) -> bool {
    matches!(state, KeyState::Retired { .. } | KeyState::Revoked { .. })
}
