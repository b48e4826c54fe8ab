//! Whether an alias's messages go on their way: the durable part of a hold. Who waits, and in which order, is the proxy's
//! business.

use time::OffsetDateTime;

use super::RenewalId;

/// Belongs to the open renewal: without one, it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gate {
    /// Messages go on their way.
    #[default]
    Open,
    /// New messages wait; those under way come to their end, with the old key.
    Draining {
        /// From then on.
        since: OffsetDateTime,
    },
    /// Nothing is under way, the new key is active, and the receiver may exchange its certificate.
    Holding {
        /// From then on.
        since: OffsetDateTime,
        /// It lasted for too long: who comes does not wait any more but is refused, until somebody acts.
        refuses: bool,
    },
}

/// One drain of an alias: who tells that it has come to its end tells of which, for another one may have begun meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drain {
    /// Of the new key; it may be held for more than once.
    pub renewal: RenewalId,
    /// New messages wait since then.
    pub since: OffsetDateTime,
}

/// One stretch of time in which an alias's gate is shut as it is: who says that it lasts for too long says of which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Of the new key.
    pub renewal: RenewalId,
    /// As it is shut, and since when.
    pub gate: Gate,
}

impl Gate {
    /// New messages wait.
    #[must_use]
    pub const fn is_shut(self) -> bool {
        matches!(self, Self::Draining { .. } | Self::Holding { .. })
    }

    /// How users read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Draining { .. } => "draining",
            Self::Holding { refuses: false, .. } => "holding",
            Self::Holding { refuses: true, .. } => "refusing",
        }
    }

    /// New messages are refused.
    #[must_use]
    pub const fn refuses(self) -> bool {
        matches!(self, Self::Holding { refuses: true, .. })
    }

    /// When it came to be shut as it is.
    #[must_use]
    pub const fn since(self) -> Option<OffsetDateTime> {
        match self {
            Self::Open => None,
            Self::Draining { since } | Self::Holding { since, .. } => Some(since),
        }
    }
}
