//! What there is: aliases, their keys, and what uses them.

use axum::Json;
use axum::extract::{Path, State};

use super::problem::{PROBLEM_JSON, Problem};
use super::view::{AliasPath, AliasView, KeyView, ProblemView, RouteView, SigningKeyView, WaitingView};
use super::{Admin, Caller};
use crate::clock::rfc3339;
use crate::keys::lifecycle::Lifecycle;
use crate::keys::{CommandError, Fingerprint, Refusal, Strategy};

/// All aliases
///
/// With their keys and the routes that sign with them, by name.
#[utoipa::path(get, path = "/api/v1/aliases", tag = "aliases", responses(
    (status = 200, description = "Every alias that the caller may see", body = Vec<AliasView>),
))]
pub(super) async fn aliases(State(admin): State<Admin>, caller: Caller) -> Json<Vec<AliasView>> {
    let ring = admin.keys.ring();
    let seen = ring.aliases().filter(|(alias, _)| caller.sees(alias));
    Json(seen.map(|(alias, keys)| admin.describe(alias, keys)).collect())
}

/// One alias
#[utoipa::path(get, path = "/api/v1/aliases/{alias}", tag = "aliases", params(AliasPath), responses(
    (status = 200, description = "Its keys and the routes that sign with it", body = AliasView),
    (status = 404, description = "No such alias", body = ProblemView, content_type = PROBLEM_JSON),
))]
pub(super) async fn alias(
    State(admin): State<Admin>,
    Path(AliasPath { alias }): Path<AliasPath>,
) -> Result<Json<AliasView>, Problem> {
    admin.alias(&alias).map(Json)
}

impl Admin {
    /// The alias as it is now.
    pub(super) fn alias(&self, alias: &str) -> Result<AliasView, Problem> {
        match self.keys.ring().alias(alias) {
            Some(keys) => Ok(self.describe(alias, keys)),
            None => Err(CommandError::UnknownAlias(alias.to_owned()).into()),
        }
    }

    /// The key as it is now.
    pub(super) fn key(&self, alias: &str, fingerprint: &Fingerprint) -> Result<KeyView, Problem> {
        let ring = self.keys.ring();
        let key = ring.alias(alias).and_then(|keys| keys.key(fingerprint));
        key.map(|entry| KeyView::of(&entry))
            .ok_or_else(|| CommandError::from(Refusal::UnknownKey(fingerprint.clone())).into())
    }

    /// The alias that a route signs with.
    pub(super) fn alias_of(&self, route: &str) -> Option<&str> {
        let mut routes = self.config.routes.iter();
        routes
            .find(|known| known.name == route)
            .map(|route| route.alias.as_str())
    }

    /// Nothing while the alias waits to be looked at.
    pub(super) fn signs(&self, alias: &str, keys: &Lifecycle) -> Option<SigningKeyView> {
        let reviewed = self.keys.ring().unreviewed_since(alias).is_none();
        SigningKeyView::of(keys).filter(|_| reviewed)
    }

    fn describe(&self, alias: &str, keys: &Lifecycle) -> AliasView {
        let routes = self.config.routes.iter().filter(|route| route.alias == alias);
        let strategy = self.keys.strategy(alias);
        AliasView {
            alias: alias.to_owned(),
            strategy: strategy.to_string(),
            unreviewed_since: self.keys.ring().unreviewed_since(alias).map(rfc3339),
            signs: self.signs(alias, keys),
            gate: self.gate_view(alias, keys.gate()),
            renewal: keys
                .open_renewal()
                .map(|renewal| self.renewal_view(alias, keys, renewal)),
            ambiguous_candidates: candidates(strategy, keys.ambiguous_candidates()),
            given_up_candidates: candidates(strategy, keys.given_up_candidates()),
            waiting: self
                .keys
                .waiting(alias)
                .iter()
                .map(|waiting| WaitingView::of(waiting))
                .collect(),
            source_problem: self.problems.of(alias),
            keys: keys.keys().map(|entry| KeyView::of(&entry)).collect(),
            routes: routes
                .map(|route| RouteView {
                    name: route.name.clone(),
                    receiver: route.receiver.to_string(),
                })
                .collect(),
        }
    }
}

/// Only where the receiver decides which key signs does it matter what becomes of a pending one.
fn candidates(strategy: Strategy, keys: Vec<&Fingerprint>) -> Vec<String> {
    match strategy {
        Strategy::ReceiverLed => keys.into_iter().map(ToString::to_string).collect(),
        Strategy::PrePublish | Strategy::Hold => Vec::new(),
    }
}
