//! Renewals: what goes on, and who takes the next step. Each command returns when it is done and durable; what was so already
//! is no mistake.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use time::OffsetDateTime;

use super::access::By;
use super::commands::on_a_thread;
use super::json::OptionalJson;
use super::problem::{PROBLEM_JSON, Problem};
use super::view::{
    AbortRequest, AliasPath, ConfirmRequest, GateView, OldKeyView, ProblemView, RenewalPath, RenewalView,
    StartRequest,
};
use super::{Admin, Caller};
use crate::keys::audit::Author;
use crate::keys::lifecycle::{Gate, Lifecycle, Renewal};
use crate::keys::{CommandError, Operator, Refusal, RenewalId};

pub(super) mod publish;

/// `?alias=orders&open=true`.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct RenewalQuery {
    /// Those of this alias alone.
    #[param(required = false)]
    alias: Option<String>,
    /// Those that go on, or those that are over.
    #[param(required = false)]
    open: Option<bool>,
}

/// Renewals
///
/// The exchanges of keys that the caller may see, by alias; of one alias, the latest first.
#[utoipa::path(get, path = "/api/v1/renewals", operation_id = "list_renewals", tag = "renewals", params(RenewalQuery), responses(
    (status = 200, description = "With what each waits for", body = Vec<RenewalView>),
    (status = 400, description = "Another question", body = ProblemView, content_type = PROBLEM_JSON),
))]
pub(super) async fn list(
    State(admin): State<Admin>,
    caller: Caller,
    Query(RenewalQuery { alias, open }): Query<RenewalQuery>,
) -> Json<Vec<RenewalView>> {
    let ring = admin.keys.ring();
    let asked = |name: &str| caller.sees(name) && alias.as_deref().is_none_or(|alias| alias == name);
    let aliases = ring.aliases().filter(|(name, _)| asked(name));
    let renewals = aliases.flat_map(|(name, keys)| {
        let latest_first = keys.renewals().iter().rev();
        latest_first.map(move |renewal| (name, keys, renewal))
    });
    let wanted = renewals.filter(|(.., renewal)| open.is_none_or(|open| renewal.is_open() == open));
    Json(
        wanted
            .map(|(name, keys, renewal)| admin.renewal_view(name, keys, renewal))
            .collect(),
    )
}

/// Starts a renewal
///
/// Of the active key to a pending one, or to one that was rolled back. One goes on for an alias at a time: if it goes on to the same key, nothing is
/// changed, and one whose key signs already is completed by it.
#[utoipa::path(post, path = "/api/v1/aliases/{alias}/renewals", operation_id = "start_renewal", tag = "renewals",
    params(AliasPath),
    request_body = Option<StartRequest>,
    responses(
        (status = 201, description = "It goes on", body = RenewalView),
        (status = 200, description = "It went on already; nothing was changed", body = RenewalView),
        (status = 400, description = "No fingerprint, or another JSON", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 404, description = "No such alias or key", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 409, description = "The key is not pending, several are, or another renewal goes on",
            body = ProblemView, content_type = PROBLEM_JSON),
        (status = 415, description = "Not JSON", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 503, description = "It cannot be stored now; nothing was changed", body = ProblemView, content_type = PROBLEM_JSON),
    ),
)]
pub(super) async fn start(
    State(admin): State<Admin>,
    By(author): By,
    Path(AliasPath { alias }): Path<AliasPath>,
    OptionalJson(StartRequest { key }): OptionalJson<StartRequest>,
) -> Result<(StatusCode, Json<RenewalView>), Problem> {
    let key = key.map(|key| key.parse()).transpose()?;
    on_a_thread(move || {
        let before = admin.open_renewal(&alias);
        let (receivers, now) = (admin.config.receivers_of(&alias), admin.clock.now());
        let started = admin.keys.by(author).start_renewal(&alias, key, receivers, now)?;
        let new = before.is_none_or(|before| before.id != started.id);
        let status = if new { StatusCode::CREATED } else { StatusCode::OK };
        Ok((status, Json(admin.renewal(&started.id)?)))
    })
    .await
}

/// One renewal
#[utoipa::path(get, path = "/api/v1/renewals/{renewal}", operation_id = "show_renewal", tag = "renewals", params(RenewalPath), responses(
    (status = 200, description = "How far it has come, and what it waits for", body = RenewalView),
    (status = 400, description = "No name of a renewal", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 404, description = "No such renewal", body = ProblemView, content_type = PROBLEM_JSON),
))]
pub(super) async fn show(
    State(admin): State<Admin>,
    caller: Caller,
    Path(RenewalPath { renewal }): Path<RenewalPath>,
) -> Result<Json<RenewalView>, Problem> {
    let (_, renewal) = admin.seen_renewal(&caller, &renewal)?;
    admin.renewal(&renewal.id).map(Json)
}

/// Confirms for a receiver
///
/// That it has the new certificate. While messages are held, the last confirmation lets them go on their way.
#[utoipa::path(post, path = "/api/v1/renewals/{renewal}/confirm", operation_id = "confirm_renewal", tag = "renewals",
    params(RenewalPath),
    request_body = Option<ConfirmRequest>,
    responses(
        (status = 200, description = "It is confirmed", body = RenewalView),
        (status = 400, description = "No name of a renewal, or another JSON", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 404, description = "No such renewal", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 409, description = "It is over, does not concern the receiver, or that one cannot have exchanged its certificate yet",
            body = ProblemView, content_type = PROBLEM_JSON),
        (status = 415, description = "Not JSON", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 503, description = "It cannot be stored now; nothing was changed", body = ProblemView, content_type = PROBLEM_JSON),
    ),
)]
pub(super) async fn confirm(
    State(admin): State<Admin>,
    caller: Caller,
    By(author): By,
    Path(RenewalPath { renewal }): Path<RenewalPath>,
    OptionalJson(ConfirmRequest { receiver }): OptionalJson<ConfirmRequest>,
) -> Result<Json<RenewalView>, Problem> {
    let seen = admin.seen_renewal(&caller, &renewal)?;
    let receiver = receiver.map_or_else(|| only_receiver(&seen.1), Ok)?;
    let command =
        move |by: Operator<'_>, alias: &str, id: &RenewalId, now| by.confirm(alias, id, &receiver, now);
    admin.command(author, seen, command).await
}

/// Holds the alias's messages
///
/// New ones wait, those under way come to their end; then the new key is activated, and the receiver may switch. Returns at
/// once: the renewal's gate says how far that is.
#[utoipa::path(post, path = "/api/v1/renewals/{renewal}/hold", operation_id = "hold_messages", tag = "renewals", params(RenewalPath), responses(
    (status = 200, description = "Messages are held", body = RenewalView),
    (status = 400, description = "No name of a renewal", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 404, description = "No such renewal", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 409, description = "It is over, the alias's strategy is another one, or the key may not sign", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 503, description = "It cannot be stored now; nothing was changed", body = ProblemView, content_type = PROBLEM_JSON),
))]
pub(super) async fn hold(
    State(admin): State<Admin>,
    caller: Caller,
    By(author): By,
    Path(RenewalPath { renewal }): Path<RenewalPath>,
) -> Result<Json<RenewalView>, Problem> {
    let seen = admin.seen_renewal(&caller, &renewal)?;
    let command = |by: Operator<'_>, alias: &str, id: &RenewalId, now| by.hold_for(alias, id, now);
    admin.command(author, seen, command).await
}

/// Lets held messages go on their way
///
/// Signed with the new key. Where none are held, nothing is changed.
#[utoipa::path(post, path = "/api/v1/renewals/{renewal}/resume", operation_id = "resume_messages", tag = "renewals", params(RenewalPath), responses(
    (status = 200, description = "They go", body = RenewalView),
    (status = 400, description = "No name of a renewal", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 404, description = "No such renewal", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 409, description = "It is over, or messages under way have not come to their end", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 503, description = "It cannot be stored now; nothing was changed", body = ProblemView, content_type = PROBLEM_JSON),
))]
pub(super) async fn resume(
    State(admin): State<Admin>,
    caller: Caller,
    By(author): By,
    Path(RenewalPath { renewal }): Path<RenewalPath>,
) -> Result<Json<RenewalView>, Problem> {
    let seen = admin.seen_renewal(&caller, &renewal)?;
    let command = |by: Operator<'_>, alias: &str, id: &RenewalId, now| by.resume_for(alias, id, now);
    admin.command(author, seen, command).await
}

/// Completes a renewal
///
/// The receivers have removed the old certificate; the old key is kept to the end of its retention.
#[utoipa::path(post, path = "/api/v1/renewals/{renewal}/complete", operation_id = "complete_renewal", tag = "renewals", params(RenewalPath), responses(
    (status = 200, description = "It is over", body = RenewalView),
    (status = 400, description = "No name of a renewal", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 404, description = "No such renewal", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 409, description = "It was aborted, or its key does not sign", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 503, description = "It cannot be stored now; nothing was changed", body = ProblemView, content_type = PROBLEM_JSON),
))]
pub(super) async fn complete(
    State(admin): State<Admin>,
    caller: Caller,
    By(author): By,
    Path(RenewalPath { renewal }): Path<RenewalPath>,
) -> Result<Json<RenewalView>, Problem> {
    let seen = admin.seen_renewal(&caller, &renewal)?;
    let command = |by: Operator<'_>, alias: &str, id: &RenewalId, now| by.complete(alias, id, now);
    admin.command(author, seen, command).await
}

/// Aborts a renewal
///
/// Where the old key signs, it goes on to; where messages are held for the new one, the old one signs again, and they go on
/// their way with it. Where the new key signs and nothing is held, or a receiver that trusts one key has confirmed it, nobody
/// but the caller can know which one is to sign: that is refused, unless `back` says that it is the old one.
#[utoipa::path(post, path = "/api/v1/renewals/{renewal}/abort", operation_id = "abort_renewal", tag = "renewals", params(RenewalPath), request_body = Option<AbortRequest>, responses(
    (status = 200, description = "It is over; `signs` tells which key signs", body = RenewalView),
    (status = 400, description = "No name of a renewal, or another JSON", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 404, description = "No such renewal", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 409, description = "It is completed, the old key may not sign, or it is not said which one is to",
        body = ProblemView, content_type = PROBLEM_JSON),
    (status = 415, description = "Not JSON", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 503, description = "It cannot be stored now; nothing was changed", body = ProblemView, content_type = PROBLEM_JSON),
))]
pub(super) async fn abort(
    State(admin): State<Admin>,
    caller: Caller,
    By(author): By,
    Path(RenewalPath { renewal }): Path<RenewalPath>,
    OptionalJson(AbortRequest { back }): OptionalJson<AbortRequest>,
) -> Result<Json<RenewalView>, Problem> {
    let seen = admin.seen_renewal(&caller, &renewal)?;
    let command = move |by: Operator<'_>, alias: &str, id: &RenewalId, now| match back {
        true => by.abort_back(alias, id, now),
        false => by.abort(alias, id, now),
    };
    admin.command(author, seen, command).await
}

impl Admin {
    /// What the command leaves of the renewal.
    async fn command(
        self,
        author: Author,
        (alias, renewal): (String, Arc<Renewal>),
        command: impl FnOnce(Operator<'_>, &str, &RenewalId, OffsetDateTime) -> Result<(), CommandError>
        + Send
        + 'static,
    ) -> Result<Json<RenewalView>, Problem> {
        on_a_thread(move || {
            command(self.keys.by(author), &alias, &renewal.id, self.clock.now())?;
            self.renewal(&renewal.id).map(Json)
        })
        .await
    }

    /// The renewal of this name, if its alias exists for the caller.
    fn seen_renewal(&self, caller: &Caller, name: &str) -> Result<(String, Arc<Renewal>), Problem> {
        let id: RenewalId = name.parse()?;
        let found = self.keys.renewal(&id);
        found
            .filter(|(alias, _)| caller.sees(alias))
            .ok_or_else(|| CommandError::from(Refusal::UnknownRenewal(id)).into())
    }

    /// As it is now.
    fn renewal(&self, id: &RenewalId) -> Result<RenewalView, Problem> {
        let unknown = || CommandError::from(Refusal::UnknownRenewal(id.clone()));
        let (alias, renewal) = self.keys.renewal(id).ok_or_else(unknown)?;
        let ring = self.keys.ring();
        let keys = ring.alias(&alias).ok_or_else(unknown)?;
        Ok(self.renewal_view(&alias, keys, &renewal))
    }

    fn open_renewal(&self, alias: &str) -> Option<Arc<Renewal>> {
        self.keys.ring().alias(alias)?.open_renewal().cloned()
    }

    pub(super) fn renewal_view(&self, alias: &str, keys: &Lifecycle, renewal: &Renewal) -> RenewalView {
        let old_key = renewal.displaced.as_ref().and_then(|old| keys.key(old));
        let now = self.clock.now();
        let old_key = old_key.map(|entry| OldKeyView::of(&entry, now));
        let gate = self.gate_view(alias, renewal.gate);
        RenewalView::of(alias, renewal, keys, self.signs(alias, keys), gate, old_key)
    }

    /// With what waits there now.
    pub(super) fn gate_view(&self, alias: &str, gate: Gate) -> GateView {
        GateView::of(gate, self.proxy.held(alias).as_ref())
    }
}

fn only_receiver(renewal: &Renewal) -> Result<String, Problem> {
    match renewal.receivers.as_slice() {
        [only] => Ok(only.receiver.clone()),
        several => {
            let known: Vec<_> = several.iter().map(|one| one.receiver.as_str()).collect();
            let sentence = format!(
                "it concerns {} receivers: name the one as `receiver`: {}",
                known.len(),
                known.join(", ")
            );
            Err(Problem::new(StatusCode::BAD_REQUEST, sentence))
        }
    }
}
