//! What there is: aliases, their keys, and what uses them.

use axum::Json;
use axum::extract::{Path, State};

use super::Admin;
use super::problem::Problem;
use super::view::{AliasView, KeyView, RouteView};
use crate::keys::lifecycle::Lifecycle;
use crate::keys::{CommandError, Fingerprint, Refusal};

/// The one strategy there is; the configuration refuses others.
const STRATEGY: &str = "pre-publish";

pub(super) async fn aliases(State(admin): State<Admin>) -> Json<Vec<AliasView>> {
    let ring = admin.keys.ring();
    Json(
        ring.aliases()
            .map(|(alias, keys)| admin.describe(alias, keys))
            .collect(),
    )
}

pub(super) async fn alias(
    State(admin): State<Admin>,
    Path(alias): Path<String>,
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
        key.map(|(key, state)| KeyView::of(key, state))
            .ok_or_else(|| CommandError::from(Refusal::UnknownKey(fingerprint.clone())).into())
    }

    fn describe(&self, alias: &str, keys: &Lifecycle) -> AliasView {
        let routes = self.config.routes.iter().filter(|route| route.alias == alias);
        AliasView {
            alias: alias.to_owned(),
            strategy: STRATEGY.to_owned(),
            keys: keys.keys().map(|(key, state)| KeyView::of(key, state)).collect(),
            routes: routes
                .map(|route| RouteView {
                    name: route.name.clone(),
                    receiver: route.receiver.to_string(),
                })
                .collect(),
        }
    }
}
