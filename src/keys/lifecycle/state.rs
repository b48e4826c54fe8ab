//! The states, each with what it owns, and how they are read.

use std::sync::Arc;

use time::OffsetDateTime;

use super::{Identity, Reason};
use crate::keys::{Certificate, DecryptionKey, Fingerprint, Signer};

/// A key that can sign.
#[derive(Clone)]
pub struct Key {
    pub(super) signer: Arc<Signer>,
    pub(super) arrival: Arrival,
}

/// How a key came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When it was imported.
    pub at: OffsetDateTime,
    /// As which one of its alias, from 1. What was imported before what goes by this, never by a clock.
    pub sequence: u64,
}

/// When a pending key is going to be activated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Then.
    pub at: OffsetDateTime,
    /// Only if this one is active then.
    pub replaces: Option<Fingerprint>,
    /// Only if no key is active before: it was to be the alias's first one, and is not valid yet.
    pub first: bool,
}

#[derive(Clone)]
pub(super) struct Pending {
    pub(super) key: Key,
    pub(super) schedule: Option<Schedule>,
}

#[derive(Clone)]
pub(super) struct Active {
    pub(super) key: Key,
    pub(super) since: OffsetDateTime,
    /// Of an earlier retirement: the next one does not end before.
    pub(super) kept_until: Option<OffsetDateTime>,
}

#[derive(Clone)]
pub(super) struct Retired {
    pub(super) key: Key,
    pub(super) since: OffsetDateTime,
    /// The how manyth displacement of the alias it was.
    pub(super) displacement: u64,
    /// Never brought forward.
    pub(super) kept_until: OffsetDateTime,
    /// The key before it took its place again, so it can be the next one's once more.
    pub(super) rolled_back: bool,
}

#[derive(Clone)]
pub(super) struct Revoked {
    pub(super) key: DecryptionKey,
    pub(super) arrival: Arrival,
    pub(super) since: OffsetDateTime,
    /// Its retention runs from then: the last displacement, or the revocation, where that took it from its place.
    pub(super) displaced: OffsetDateTime,
    pub(super) reason: Reason,
    pub(super) kept_until: OffsetDateTime,
}

#[derive(Clone)]
pub(super) struct Purged {
    pub(super) identity: Arc<Identity>,
    pub(super) arrival: Arrival,
    pub(super) since: OffsetDateTime,
}

#[derive(Clone)]
pub(super) struct Discarded {
    pub(super) identity: Arc<Identity>,
    pub(super) arrival: Arrival,
    pub(super) since: OffsetDateTime,
}

/// The state that a key is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// Arrived; does not sign.
    Pending {
        /// It will by itself, then.
        schedule: Option<Schedule>,
    },
    /// Signs.
    Active {
        /// Activated then.
        since: OffsetDateTime,
        /// Once displaced, it will not be purged before.
        kept_until: Option<OffsetDateTime>,
    },
    /// Signed once; kept for those who still refer to it.
    Retired {
        /// Displaced then.
        since: OffsetDateTime,
        /// The how manyth displacement of the alias it was.
        displacement: u64,
        /// Not purged before.
        kept_until: OffsetDateTime,
        /// The key before it took its place again.
        rolled_back: bool,
    },
    /// Trusted no more; decrypts only.
    Revoked {
        /// Revoked then.
        since: OffsetDateTime,
        /// Signed, or waited, until then.
        displaced: OffsetDateTime,
        /// Why.
        reason: Reason,
        /// Not purged before, unless others know its private key.
        kept_until: OffsetDateTime,
    },
    /// Its private key is gone; certificate and audit are there.
    Purged {
        /// Since then.
        since: OffsetDateTime,
    },
    /// Dropped before it signed; only its fingerprint matters, to know it again.
    Discarded {
        /// Dropped then.
        since: OffsetDateTime,
    },
}

impl KeyState {
    /// How users read it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Active { .. } => "active",
            Self::Retired { .. } => "retired",
            Self::Revoked { .. } => "revoked",
            Self::Purged { .. } => "purged",
            Self::Discarded { .. } => "discarded",
        }
    }

    /// When it was entered; pending keys are as old as their import.
    #[must_use]
    pub const fn since(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Pending { .. } => None,
            Self::Active { since, .. }
            | Self::Retired { since, .. }
            | Self::Revoked { since, .. }
            | Self::Purged { since }
            | Self::Discarded { since } => Some(*since),
        }
    }

    /// When a pending key is going to be activated.
    #[must_use]
    pub const fn schedule(&self) -> Option<&Schedule> {
        let Self::Pending { schedule } = self else {
            return None;
        };
        schedule.as_ref()
    }

    /// The key before it took its place again, and it may sign once more by a renewal.
    #[must_use]
    pub const fn is_rolled_back(&self) -> bool {
        matches!(
            self,
            Self::Retired {
                rolled_back: true,
                ..
            }
        )
    }

    /// Why a revoked key was.
    #[must_use]
    pub const fn reason(&self) -> Option<&Reason> {
        let Self::Revoked { reason, .. } = self else {
            return None;
        };
        Some(reason)
    }

    /// A key that is kept for those who refer to it is not purged before.
    #[must_use]
    pub const fn kept_until(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Retired { kept_until, .. } | Self::Revoked { kept_until, .. } => Some(*kept_until),
            Self::Pending { .. } | Self::Active { .. } | Self::Purged { .. } | Self::Discarded { .. } => None,
        }
    }
}

/// A key as others see it.
pub struct Entry<'a> {
    /// What stays known of it.
    pub identity: &'a Arc<Identity>,
    /// How it came.
    pub arrival: Arrival,
    /// The state it is in.
    pub state: KeyState,
}

impl Entry<'_> {
    /// The key's name.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        self.identity.fingerprint()
    }
}

impl Key {
    /// What signs with it.
    #[must_use]
    pub fn signer(&self) -> &Arc<Signer> {
        &self.signer
    }

    /// Its public half.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        self.signer.certificate()
    }

    /// Its name.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        self.certificate().fingerprint()
    }

    fn entry(&self, state: KeyState) -> Entry<'_> {
        Entry {
            identity: self.signer.identity(),
            arrival: self.arrival,
            state,
        }
    }
}

impl Pending {
    pub(super) fn entry(&self) -> Entry<'_> {
        self.key.entry(KeyState::Pending {
            schedule: self.schedule.clone(),
        })
    }
}

impl Active {
    pub(super) fn entry(&self) -> Entry<'_> {
        self.key.entry(KeyState::Active {
            since: self.since,
            kept_until: self.kept_until,
        })
    }
}

impl Retired {
    pub(super) fn entry(&self) -> Entry<'_> {
        self.key.entry(KeyState::Retired {
            since: self.since,
            displacement: self.displacement,
            kept_until: self.kept_until,
            rolled_back: self.rolled_back,
        })
    }
}

impl Revoked {
    pub(super) fn entry(&self) -> Entry<'_> {
        Entry {
            identity: self.key.identity(),
            arrival: self.arrival,
            state: KeyState::Revoked {
                since: self.since,
                displaced: self.displaced,
                reason: self.reason.clone(),
                kept_until: self.kept_until,
            },
        }
    }
}

impl Purged {
    pub(super) fn entry(&self) -> Entry<'_> {
        Entry {
            identity: &self.identity,
            arrival: self.arrival,
            state: KeyState::Purged { since: self.since },
        }
    }
}

impl Discarded {
    pub(super) fn entry(&self) -> Entry<'_> {
        Entry {
            identity: &self.identity,
            arrival: self.arrival,
            state: KeyState::Discarded { since: self.since },
        }
    }
}
