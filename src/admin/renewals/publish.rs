//! Handing the new certificate over: to whom, and by which link each receiver's administrator says that it is there.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::super::access::By;
use super::super::commands::on_a_thread;
use super::super::json::OptionalJson;
use super::super::problem::{PROBLEM_JSON, Problem};
use super::super::view::{LinkView, ProblemView, PublishRequest, PublishedView, RenewalPath};
use super::super::{Admin, Caller};
use crate::clock::rfc3339;
use crate::config::PublicConfig;
use crate::keys::lifecycle::{Renewal, Step};
use crate::keys::{CommandError, Operator, Refusal};

/// Publishes the new certificate
///
/// Its receivers get it by this, or have got it in another way. Where the listener for receivers shows the alias, the answer
/// has a link for each receiver that has not confirmed: its administrator confirms there, once, within 14 days. Later calls
/// make no links unless `new_links` asks for them.
#[utoipa::path(post, path = "/api/v1/renewals/{renewal}/publish", operation_id = "publish_renewal", tag = "renewals",
    params(RenewalPath),
    request_body = Option<PublishRequest>,
    responses(
        (status = 200, description = "It is published", body = PublishedView),
        (status = 400, description = "No name of a renewal, or another JSON", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 404, description = "No such renewal", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 409, description = "It is over, or there is no listener that the links could lead to",
            body = ProblemView, content_type = PROBLEM_JSON),
        (status = 415, description = "Not JSON", body = ProblemView, content_type = PROBLEM_JSON),
        (status = 503, description = "It cannot be stored now", body = ProblemView, content_type = PROBLEM_JSON),
    ),
)]
pub(in crate::admin) async fn publish(
    State(admin): State<Admin>,
    caller: Caller,
    By(author): By,
    Path(RenewalPath { renewal }): Path<RenewalPath>,
    OptionalJson(PublishRequest { new_links }): OptionalJson<PublishRequest>,
) -> Result<Json<PublishedView>, Problem> {
    let (alias, renewal) = admin.seen_renewal(&caller, &renewal)?;
    let public = admin.config.public.clone();
    let public = public.filter(|public| public.aliases.contains(&alias));
    if new_links && public.is_none() {
        return Err(Problem::new(StatusCode::CONFLICT, NOWHERE));
    }
    on_a_thread(move || {
        let first = !renewal.has_taken(Step::Published);
        let operator = admin.keys.by(author);
        operator.publish(&alias, &renewal.id, admin.clock.now())?;
        let links = match public {
            Some(public) if first || new_links => admin.links(&operator, &alias, &renewal, &public)?,
            _ => Vec::new(),
        };
        Ok(Json(PublishedView {
            renewal: admin.renewal(&renewal.id)?,
            links,
        }))
    })
    .await
}

const NOWHERE: &str = "links lead to the listener for receivers, which does not show this alias: set [public], or name the \
    alias in its `aliases`";

impl Admin {
    /// One for each receiver that has not confirmed.
    fn links(
        &self,
        operator: &Operator<'_>,
        alias: &str,
        renewal: &Renewal,
        public: &PublicConfig,
    ) -> Result<Vec<LinkView>, CommandError> {
        let now = self.clock.now();
        let links = renewal.unconfirmed().into_iter().map(|receiver| {
            let token = operator.link(alias, &renewal.id, &receiver, now)?;
            let made = self.keys.find_link(token.secret(), now);
            let made = made.ok_or(CommandError::Refused(Refusal::LinkReplaced))?;
            Ok(LinkView {
                url: public.link(token.secret()),
                expires: rfc3339(made.expires),
                receiver,
            })
        });
        links.collect()
    }
}
