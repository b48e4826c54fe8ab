//! One moment's keys of all aliases: an immutable snapshot. A message takes its key from one and
//! keeps it to its end, whatever is switched meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use time::OffsetDateTime;

use super::Signer;
use super::lifecycle::Lifecycle;
use super::material::NotValid;

/// The keys of all aliases.
#[derive(Clone, Default)]
pub struct KeyRing(BTreeMap<Arc<str>, Arc<Lifecycle>>);

/// Why an alias has no key that may sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoUsableKey {
    /// No such alias.
    #[error("there is no alias {0:?}")]
    UnknownAlias(String),
    /// No key is active.
    #[error("alias {0:?} has no active key: import one and activate it")]
    NoActiveKey(String),
    /// The active key's certificate says no. Receivers would refuse what it signs.
    #[error("the certificate of the active key of alias {alias:?} {reason}: activate another key")]
    NotValid {
        /// The alias.
        alias: String,
        /// Why.
        reason: NotValid,
    },
}

impl KeyRing {
    /// Aliases without keys.
    pub(super) fn of(aliases: impl IntoIterator<Item = String>) -> Self {
        Self(
            aliases
                .into_iter()
                .map(|alias| (alias.into(), Arc::default()))
                .collect(),
        )
    }

    /// Another moment's ring.
    pub(super) fn with(&self, alias: &str, keys: Lifecycle) -> Self {
        let mut ring = self.clone();
        ring.0.insert(alias.into(), Arc::new(keys));
        ring
    }

    /// With further aliases, without keys.
    pub(super) fn with_aliases(&self, aliases: impl IntoIterator<Item = String>) -> Self {
        let mut ring = Self::of(aliases);
        ring.0.extend(self.0.clone());
        ring
    }

    /// The key that signs for the alias.
    ///
    /// # Errors
    /// When there is none that may.
    pub fn signer(&self, alias: &str, now: OffsetDateTime) -> Result<Arc<Signer>, NoUsableKey> {
        let keys = self
            .alias(alias)
            .ok_or_else(|| NoUsableKey::UnknownAlias(alias.to_owned()))?;
        let active = keys
            .active()
            .ok_or_else(|| NoUsableKey::NoActiveKey(alias.to_owned()))?;
        match active.signer.certificate().check_validity(now) {
            Ok(()) => Ok(active.signer.clone()),
            Err(reason) => Err(NoUsableKey::NotValid {
                alias: alias.to_owned(),
                reason,
            }),
        }
    }

    /// The keys of one alias.
    #[must_use]
    pub fn alias(&self, alias: &str) -> Option<&Lifecycle> {
        self.0.get(alias).map(Arc::as_ref)
    }

    /// Every alias with its keys, by name.
    pub fn aliases(&self) -> impl Iterator<Item = (&str, &Lifecycle)> {
        self.0.iter().map(|(alias, keys)| (alias.as_ref(), keys.as_ref()))
    }
}
