//! The keys of an alias as the store remembers them. What cannot have been stored is refused: then
//! somebody else wrote it.

use std::sync::Arc;

use super::state::{Active, Discarded, Pending, Purged, Retired, Revoked};
use super::{
    Arrival, Confirmation, Gate, Key, KeyState, Lifecycle, Notice, Renewal, RenewalId, Step, Strategy, Taken,
};
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
    #[error("renewal {0} exchanges a key that is not there")]
    NoKey(RenewalId),
    #[error("renewal {0} goes on, and another one after it")]
    TwoRenewals(RenewalId),
    #[error("renewal {0} holds messages before or after its time")]
    HoldsInVain(RenewalId),
}

/// A renewal as the store has it: of the key only its name.
pub(in crate::keys) struct StoredRenewal {
    pub(in crate::keys) id: RenewalId,
    pub(in crate::keys) key: Fingerprint,
    pub(in crate::keys) displaced: Option<Fingerprint>,
    pub(in crate::keys) strategy: Strategy,
    pub(in crate::keys) gate: Gate,
    pub(in crate::keys) steps: Vec<Taken>,
    pub(in crate::keys) receivers: Vec<Confirmation>,
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

    /// Adds a remembered renewal, after all keys; they come in the order of their start.
    pub(in crate::keys) fn remember_renewal(&mut self, stored: StoredRenewal) -> Result<(), Inconsistent> {
        let known = self.remembered().find(|entry| *entry.fingerprint() == stored.key);
        let Some(certificate) = known.map(|entry| entry.identity.certificate().clone()) else {
            return Err(Inconsistent::NoKey(stored.id));
        };
        if let Some(open) = self.open_renewal() {
            return Err(Inconsistent::TwoRenewals(open.id.clone()));
        }
        let renewal = Renewal {
            id: stored.id,
            certificate,
            displaced: stored.displaced,
            strategy: stored.strategy,
            gate: stored.gate,
            steps: stored.steps,
            receivers: stored.receivers,
        };
        let in_time = match renewal.gate {
            Gate::Open => true,
            Gate::Draining { .. } => renewal.step() < Step::Activated,
            Gate::Holding { .. } => renewal.step() == Step::Activated,
        };
        if !in_time {
            return Err(Inconsistent::HoldsInVain(renewal.id));
        }
        self.renewals.push(Arc::new(renewal));
        Ok(())
    }

    /// Adds a remembered notice.
    pub(in crate::keys) fn remember_notice(&mut self, key: Fingerprint, notice: Notice) {
        Arc::make_mut(&mut self.notices).insert((key, notice));
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
                rolled_back,
            } => {
                self.retired.push(Retired {
                    key,
                    since,
                    displacement,
                    kept_until,
                    rolled_back,
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
