//! Who did what: the audit, for reading. Read beside the one who writes, on a connection of its own.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;

use super::commands::on_a_thread;
use super::problem::{PROBLEM_JSON, Problem};
use super::view::{AuditView, ProblemView, VerificationView};
use super::{Admin, Caller};
use crate::keys::audit::KeptHead;
use crate::keys::store::AuditError;

/// Records of one answer.
const MOST: u32 = 1_000;

/// Which records.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    /// Those after this number.
    #[param(required = false)]
    #[serde(default)]
    after: u64,
    /// At most so many.
    #[param(required = false, minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Against what to verify.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct VerificationQuery {
    /// A head that was kept: it must still be there.
    #[param(required = false, pattern = "^[0-9A-Fa-f]{64}$")]
    head: Option<String>,
}

/// The audit
///
/// Everything that was done to keys, by whom, from where; without what was done to aliases that the caller may not
/// see.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AuditQuery), responses(
    (status = 200, description = "Records in the order in which they were written", body = AuditView),
    (status = 400, description = "No such range", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 503, description = "It cannot be read now", body = ProblemView, content_type = PROBLEM_JSON),
))]
pub(super) async fn records(
    State(admin): State<Admin>,
    caller: Caller,
    Query(AuditQuery { after, limit }): Query<AuditQuery>,
) -> Result<Json<AuditView>, Problem> {
    let limit = limit.unwrap_or(MOST);
    if !(1..=MOST).contains(&limit) || i64::try_from(after).is_err() {
        let sentence =
            format!("limit is from 1 to {MOST}, and after the number of a record, not {limit} and {after}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, sentence));
    }
    on_a_thread(move || {
        let mut records = admin.keys.audit_trail().read(after, limit)?;
        let whole = u32::try_from(records.len()).is_ok_and(|read| read == limit);
        let next = records.last().filter(|_| whole).map(|last| last.sequence);
        records.retain(|record| record.alias.as_ref().is_none_or(|alias| caller.sees(alias)));
        Ok(Json(AuditView { records, next }))
    })
    .await
}

/// Verifies the audit
///
/// Every record is held against the one before it. That records were cut off at the end shows only against a head
/// that was kept elsewhere.
#[utoipa::path(get, path = "/api/v1/audit/verification", tag = "audit", params(VerificationQuery), responses(
    (status = 200, description = "Whether it is as it was written", body = VerificationView),
    (status = 400, description = "Not a head", body = ProblemView, content_type = PROBLEM_JSON),
    (status = 503, description = "It cannot be read now", body = ProblemView, content_type = PROBLEM_JSON),
))]
pub(super) async fn verification(
    State(admin): State<Admin>,
    Query(VerificationQuery { head }): Query<VerificationQuery>,
) -> Result<Json<VerificationView>, Problem> {
    let kept = head.map(|head| head.parse::<KeptHead>()).transpose();
    let kept = kept.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    on_a_thread(move || match admin.keys.audit_trail().verify(kept) {
        Ok(head) => Ok(Json(VerificationView::intact(&head))),
        Err(broken @ AuditError::Broken { .. }) => Ok(Json(VerificationView::broken(broken.to_string()))),
        Err(AuditError::Store(error)) => Err(error.into()),
    })
    .await
}
