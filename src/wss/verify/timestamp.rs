//! `wsu:Timestamp`: well-formed by BSP 1.1, section 8, and fresh.

use time::OffsetDateTime;

use super::error::Stale;
use super::{VerifyError, strict};
use crate::wss::names::WSU;
use crate::wss::policy::Policy;
use crate::wss::timestamp::parse;
use crate::xml::libxml::Element;

/// When the message was made, and how long it is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    /// `Created`.
    pub created: OffsetDateTime,
    /// `Expires`, if there is one.
    pub expires: Option<OffsetDateTime>,
}

impl Timestamp {
    /// One Created, at most one Expires after it, nothing else (R3203, R3224, R3221, R3222).
    pub(super) fn read(timestamp: Element<'_>) -> Result<Self, VerifyError> {
        let children: Vec<_> = timestamp.children().take(3).collect();
        let (created, expires) = match children.as_slice() {
            [created] => (*created, None),
            [created, expires] => (*created, Some(*expires)),
            _ => {
                return Err(VerifyError::header(
                    "the Timestamp has not one Created and at most one Expires",
                ));
            }
        };
        let created = instant(created, "Created")?;
        let expires = expires.map(|expires| instant(expires, "Expires")).transpose()?;
        if expires.is_some_and(|expires| expires <= created) {
            return Err(VerifyError::header(
                "the Timestamp expires before it was created (BSP R3221)",
            ));
        }
        Ok(Self { created, expires })
    }

    pub(super) fn check(&self, policy: &Policy, now: OffsetDateTime) -> Result<(), VerifyError> {
        let skew = policy.clock_skew;
        let expires = self.expires.unwrap_or(self.created + policy.freshness);
        if now >= expires + skew {
            return Err(VerifyError::Expired(Stale::Expired(expires)));
        }
        if self.created > now + skew {
            return Err(VerifyError::Expired(Stale::FromTheFuture(self.created)));
        }
        Ok(())
    }
}

/// In UTC (BSP R3217, R3223): with `Z`, or, which says the same, `+00:00`.
fn instant(element: Element<'_>, name: &str) -> Result<OffsetDateTime, VerifyError> {
    let malformed = || {
        VerifyError::Header(format!(
            "the Timestamp's {name} is not a time in UTC, such as 2026-01-31T12:00:00Z"
        ))
    };
    if !element.is(WSU, name) {
        return Err(malformed());
    }
    let text = strict::text(element)?;
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    let at = parse(text).filter(|at| at.offset().is_utc());
    at.ok_or_else(malformed)
}
