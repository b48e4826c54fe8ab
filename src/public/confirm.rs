//! `/confirm/{token}`: GET shows what is to be done and changes nothing, for the scanners of mail programs follow links; POST
//! says that it was done.
//!
//! A form carries which button it was, so that a page from a while ago, or one sent twice, says nothing that was not meant.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use humantime::format_duration;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Public;
use super::page::{Ask, Page, Said, Shown, Task, moment};
use crate::keys::audit::Author;
use crate::keys::lifecycle::{Gate, Lifecycle, Step};
use crate::keys::{CommandError, FoundLink, Strategy};
use crate::listener::Peer;

/// Bytes of a form; ours has fifteen.
const MAX_FORM: usize = 1024;
/// For its arrival.
const FORM_TIME: Duration = Duration::from_secs(10);

/// What is to be done.
pub(super) async fn show(State(public): State<Public>, token: Result<Path<String>, PathRejection>) -> Page {
    public.page(&secret(token))
}

/// It was done.
pub(super) async fn act(
    State(public): State<Public>,
    token: Result<Path<String>, PathRejection>,
    peer: Option<Extension<Peer>>,
    body: Body,
) -> Response {
    let token = secret(token);
    // First, so that nobody's form is waited for who has no link.
    let page = public.page(&token);
    let Page::Task(task) = page else {
        return page.already();
    };
    let said = match form(body).await {
        Ok(said) => said,
        Err(status) => return Page::Refused(status, NOT_OURS).into_response(),
    };
    let Some(asked) = task.ask.takes(said) else {
        return see(&token);
    };
    let from = peer.map(|Extension(peer)| peer);
    let shown = token.clone();
    let done = spawn_blocking(move || public.take(&token, asked, from.as_ref())).await;
    match done {
        Ok(Ok(())) => see(&shown),
        Ok(Err(page)) => page.already(),
        Err(error) => {
            tracing::error!(%error, "a confirmation stopped midway");
            Page::Refused(StatusCode::INTERNAL_SERVER_ERROR, NOT_NOW).into_response()
        }
    }
}

const NOT_OURS: &str = "What was sent did not come from this page's button. Nothing was changed.";
const NOT_NOW: &str = "The sender's system could not do it now. Nothing was changed. Try again in a minute, or tell the sender.";

/// A token is ASCII; what is none is nobody's.
fn secret(token: Result<Path<String>, PathRejection>) -> String {
    token.map(|Path(token)| token).unwrap_or_default()
}

/// Which button it was. An empty form says what the page asks for, for those who confirm by program.
async fn form(body: Body) -> Result<Option<Said>, StatusCode> {
    let form = timeout(FORM_TIME, to_bytes(body, MAX_FORM)).await;
    let form = form.map_err(|_| StatusCode::REQUEST_TIMEOUT)?;
    let form = form.map_err(|_| StatusCode::BAD_REQUEST)?; // longer than any of ours, or cut off
    if form.is_empty() {
        return Ok(None);
    }
    let button = std::str::from_utf8(&form)
        .ok()
        .and_then(|form| form.strip_prefix("step="));
    let said = button.and_then(|button| button.parse().ok());
    said.map(Some).ok_or(StatusCode::BAD_REQUEST)
}

/// So that looking again sends nothing again. Relative, for there may be more before it in the address than we know.
fn see(token: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, token.to_owned())]).into_response()
}

impl Public {
    /// What there is to see for whoever has this token.
    fn page(&self, token: &str) -> Page {
        let now = self.clock.now();
        let link = self.keys.find_link(token, now);
        let Some(link) = link.filter(|link| self.shows(&link.alias)) else {
            return Page::Unknown;
        };
        let ring = self.keys.ring();
        ring.alias(&link.alias)
            .map_or(Page::Unknown, |keys| self.page_of(&link, keys))
    }

    fn page_of(&self, link: &FoundLink, keys: &Lifecycle) -> Page {
        let renewal = &link.renewal;
        let signs = keys
            .active()
            .is_some_and(|key| key.fingerprint() == renewal.key());
        let (receiver, strategy) = (link.receiver.clone(), self.keys.strategy(&link.alias));
        let mut confirmations = renewal.receivers.iter();
        let confirmed = confirmations
            .find(|one| one.receiver == receiver)
            .and_then(|one| one.confirmed.as_ref());
        let in_use = || {
            let active = keys.active().filter(|_| !signs);
            active.map(|key| Shown::of(key.certificate()))
        };
        let left = renewal.has_taken(Step::Activated) && !signs;
        let finds_out = strategy == Strategy::ReceiverLed && renewal.is_open();
        if left && !finds_out && renewal.step() != Step::Completed {
            return Page::RolledBack(in_use().map(Box::new));
        }
        if renewal.step() == Step::Aborted {
            return Page::CalledOff(in_use().map(Box::new));
        }
        if let Some(confirmed) = confirmed {
            let at = moment(confirmed.at);
            return Page::Confirmed {
                receiver,
                at,
                signs,
                strategy,
            };
        }
        if !renewal.is_open() {
            return Page::CalledOff(in_use().map(Box::new));
        }
        if link.expired || link.spent {
            return Page::Expired;
        }
        let hold = self.config.aliases.get(&link.alias).map(|alias| alias.hold.time);
        Page::Task(Box::new(Task {
            alias: link.alias.clone(),
            receiver,
            ask: ask(strategy, renewal.gate, signs),
            patience: hold.map(|time| format_duration(time).to_string()),
            ends: self.ends(&link.alias, renewal.gate),
            limit: self.keys.hold_limit(&link.alias),
            refuses: renewal.gate.refuses(),
            new: Shown::of(&renewal.certificate),
            in_use: in_use(),
        }))
    }

    /// When the messages that wait now do no more.
    fn ends(&self, alias: &str, gate: Gate) -> Option<String> {
        let since = gate.since().filter(|_| !gate.refuses())?;
        Some(moment(since + self.keys.hold_limit(alias).most))
    }

    /// Waits for the disk.
    fn take(&self, token: &str, said: Said, peer: Option<&Peer>) -> Result<(), Page> {
        let now = self.clock.now();
        let link = self.keys.find_link(token, now).ok_or(Page::Unknown)?;
        let author = Author::link(&link.receiver);
        let author = match peer {
            Some(peer) => author.at(peer.address),
            None => author,
        };
        let operator = self.keys.by(author);
        let done = match said {
            Said::Ready => operator.hold_for(&link.alias, &link.renewal.id, now),
            Said::Switched | Said::Confirmed => operator.confirm_by_link(token, now),
        };
        done.map_err(|problem| self.refused(token, &link, &problem))
    }

    /// Others may have been faster; what else is wrong is the sender's business.
    fn refused(&self, token: &str, link: &FoundLink, problem: &CommandError) -> Page {
        let FoundLink {
            alias,
            renewal,
            receiver,
            ..
        } = link;
        tracing::warn!(%alias, renewal = %renewal.id, %receiver, %problem, "a receiver's confirmation was refused");
        match (problem, self.page(token)) {
            (
                CommandError::Refused(_),
                page @ (Page::Confirmed { .. } | Page::CalledOff(_) | Page::RolledBack(_) | Page::Expired),
            ) => page,
            (CommandError::Refused(_) | CommandError::Unsuitable(_), _) => {
                Page::Refused(StatusCode::CONFLICT, NOT_NOW)
            }
            _ => Page::Refused(StatusCode::SERVICE_UNAVAILABLE, NOT_NOW),
        }
    }
}

/// What comes next.
const fn ask(strategy: Strategy, gate: Gate, signs: bool) -> Ask {
    match (gate, strategy, signs) {
        (Gate::Draining { .. }, ..) => Ask::Wait,
        (Gate::Holding { .. }, ..) => Ask::Switch,
        (Gate::Open, _, true) => Ask::CatchUp,
        (Gate::Open, Strategy::PrePublish, false) => Ask::Add,
        (Gate::Open, Strategy::Hold, false) => Ask::Prepare,
        (Gate::Open, Strategy::ReceiverLed, false) => Ask::Exchange,
    }
}
