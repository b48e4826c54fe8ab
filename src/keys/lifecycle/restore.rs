//! The keys of an alias as the store remembers them. What cannot have been stored is refused: then
//! somebody else wrote it.

use std::sync::Arc;

use super::state::{Active, Discarded, Pending, Purged, Retired, Revoked};
use super::{Arrival, Key, KeyState, Lifecycle};
use crate::keys::{DecryptionKey, Fingerprint, Identity, Signer};

/// What there is of a key in the store.
pub(in crate::keys) enum Half {
    /// The private half, and with it the other.
    Private(Arc<Signer>),
    /// The private half is gone.
    Public(Arc<Identity>),
}

/// A state that no sequence of commands leads to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::keys) enum Inconsistent {
    #[error("key {0} is {1}, but its private half is missing")]
    Missing(Fingerprint, &'static str),
    #[error("key {0} is {1}, but its private half is still there")]
    StillThere(Fingerprint, &'static str),
    #[error("there are two active keys")]
    TwoActive,
}

impl Lifecycle {
    /// Adds a remembered key; keys come in the order of their sequence.
    pub(in crate::keys) fn remember(
        &mut self,
        half: Half,
        arrival: Arrival,
        state: KeyState,
    ) -> Result<(), Inconsistent> {
        match half {
            Half::Private(signer) => self.remember_private(signer, arrival, state),
            Half::Public(identity) => self.remember_public(identity, arrival, &state),
        }
    }

    fn remember_private(
        &mut self,
        signer: Arc<Signer>,
        arrival: Arrival,
        state: KeyState,
    ) -> Result<(), Inconsistent> {
        let key = Key { signer, arrival };
        match state {
            KeyState::Pending { schedule } => self.pending.push(Pending { key, schedule }),
            KeyState::Active { since, kept_until } => {
                let active = Active {
                    key,
                    since,
                    kept_until,
                };
                if self.active.replace(active).is_some() {
                    return Err(Inconsistent::TwoActive);
                }
            }
            KeyState::Retired {
                since,
                displacement,
                kept_until,
            } => {
                self.retired.push(Retired {
                    key,
                    since,
                    displacement,
                    kept_until,
                });
                self.retired.sort_by_key(|retired| retired.displacement);
            }
            KeyState::Revoked {
                since,
                displaced,
                reason,
                kept_until,
            } => self.revoked.push(Revoked {
                key: DecryptionKey::of(key.signer),
                arrival,
                since,
                displaced,
                reason,
                kept_until,
            }),
            KeyState::Purged { .. } | KeyState::Discarded { .. } => {
                return Err(Inconsistent::StillThere(key.fingerprint().clone(), state.name()));
            }
        }
        Ok(())
    }

    fn remember_public(
        &mut self,
        identity: Arc<Identity>,
        arrival: Arrival,
        state: &KeyState,
    ) -> Result<(), Inconsistent> {
        match state {
            &KeyState::Purged { since } => self.purged.push(Purged {
                identity,
                arrival,
                since,
            }),
            &KeyState::Discarded { since } => self.discarded.push(Discarded {
                identity,
                arrival,
                since,
            }),
            KeyState::Pending { .. }
            | KeyState::Active { .. }
            | KeyState::Retired { .. }
            | KeyState::Revoked { .. } => {
                return Err(Inconsistent::Missing(
                    identity.fingerprint().clone(),
                    state.name(),
                ));
            }
        }
        Ok(())
    }
}
