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
    #[error("key {fingerprint} is {state}, but its private half is {}", if *.there { "still there" } else { "missing" })]
    Half {
        fingerprint: Fingerprint,
        state: &'static str,
        there: bool,
    },
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
        match (half, state) {
            (Half::Private(signer), KeyState::Pending { schedule }) => {
                let key = Key { signer, arrival };
                self.pending.push(Pending { key, schedule });
            }
            (Half::Private(signer), KeyState::Active { since, kept_until }) => {
                let key = Key { signer, arrival };
                let active = Active {
                    key,
                    since,
                    kept_until,
                };
                if self.active.replace(active).is_some() {
                    return Err(Inconsistent::TwoActive);
                }
            }
            (
                Half::Private(signer),
                KeyState::Retired {
                    since,
                    displacement,
                    kept_until,
                },
            ) => {
                let key = Key { signer, arrival };
                self.retired.push(Retired {
                    key,
                    since,
                    displacement,
                    kept_until,
                });
                self.retired.sort_by_key(|retired| retired.displacement);
            }
            (
                Half::Private(signer),
                KeyState::Revoked {
                    since,
                    displaced,
                    reason,
                    kept_until,
                },
            ) => self.revoked.push(Revoked {
                key: DecryptionKey::of(signer),
                arrival,
                since,
                displaced,
                reason,
                kept_until,
            }),
            (Half::Public(identity), KeyState::Purged { since }) => self.purged.push(Purged {
                identity,
                arrival,
                since,
            }),
            (Half::Public(identity), KeyState::Discarded { since }) => self.discarded.push(Discarded {
                identity,
                arrival,
                since,
            }),
            (half, state) => return Err(half.misplaced(&state)),
        }
        Ok(())
    }
}

impl Half {
    fn misplaced(&self, state: &KeyState) -> Inconsistent {
        let (fingerprint, there) = match self {
            Self::Private(signer) => (signer.certificate().fingerprint(), true),
            Self::Public(identity) => (identity.fingerprint(), false),
        };
        Inconsistent::Half {
            fingerprint: fingerprint.clone(),
            state: state.name(),
            there,
        }
    }
}
