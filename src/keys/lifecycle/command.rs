//! What can be asked of the keys of an alias, and what the answer depends on besides their states.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::{Reason, Schedule};
use crate::event::Trigger;
use crate::keys::{Fingerprint, Signer};

/// What can be asked of the keys of an alias.
pub enum Command {
    /// Take this key in. A fingerprint that is known, in any state, changes nothing.
    Import {
        /// The key.
        signer: Arc<Signer>,
        /// Who brings it.
        origin: Origin,
        /// And then?
        then: AfterImport,
    },
    /// Sign with this pending key from now on. Of the active one: nothing to do.
    Activate {
        /// The key.
        fingerprint: Fingerprint,
        /// Only if this one is active now (compare-and-swap).
        replaces: Option<Fingerprint>,
        /// What asks for it. An event activates no key that was imported before the active one.
        trigger: Trigger,
    },
    /// Sign with this pending key from a set time on.
    Schedule {
        /// The key.
        fingerprint: Fingerprint,
        /// When, and instead of which.
        schedule: Schedule,
    },
    /// Let the time that was set for this key pass.
    Unschedule {
        /// The key.
        fingerprint: Fingerprint,
    },
    /// One step back: the key displaced last signs again.
    Rollback,
    /// Trust this key no more: it only decrypts from now on.
    Revoke {
        /// The key.
        fingerprint: Fingerprint,
        /// For log and audit.
        reason: Reason,
        /// Of the active key: and then? Of another one there is nothing to say.
        replacement: Option<Replacement>,
    },
    /// Drop this pending key.
    Discard {
        /// The key.
        fingerprint: Fingerprint,
    },
    /// Destroy this key's private half.
    Purge {
        /// The key.
        fingerprint: Fingerprint,
        /// Others know the private half of this revoked key, so there is nothing left to wait for.
        compromised: bool,
    },
    /// The setting for retention may have become longer.
    KeepLonger,
    /// Do what is due.
    Timer,
}

/// Who brings a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The alias's source, again and again. It does not bring back what was discarded.
    Source,
    /// Somebody, on purpose.
    Command,
}

/// Does an imported key sign at once? One that is not valid yet stays pending in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterImport {
    /// No.
    StayPending,
    /// If there is no active key that it would displace.
    ActivateIfNone,
    /// Yes.
    Activate,
}

/// What becomes of an alias whose active key is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replacement {
    /// This pending or retired key signs.
    Successor(Fingerprint),
    /// Nothing signs; messages are refused.
    Stop,
}

/// What the configuration says about an alias's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// For how long a key is kept after it was displaced.
    pub retention: Duration,
    /// A pending key is activated a day before the active one expires.
    pub before_expiry: bool,
}

/// What SAP keeps old keys for, and the least here.
pub const LEAST_RETENTION: Duration = Duration::from_secs(90 * 24 * 60 * 60);

impl Default for Policy {
    fn default() -> Self {
        Self {
            retention: LEAST_RETENTION,
            before_expiry: false,
        }
    }
}

/// The time, as the wall shows it, and as it was shown at the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// By the wall clock.
    pub now: OffsetDateTime,
    /// The later one of `now` and the last record of the audit. Where the clock was put back, retention and expiry go
    /// by this, so that no date is brought forward and none is missed.
    pub latest: OffsetDateTime,
}

impl Moment {
    /// `now`, when the last record of the audit is of `recorded`.
    #[must_use]
    pub fn new(now: OffsetDateTime, recorded: OffsetDateTime) -> Self {
        Self {
            now,
            latest: now.max(recorded),
        }
    }
}
