//! The time, for material that other programs date by the system's clock.

use countersign::clock::Clock;
use time::OffsetDateTime;

/// Now.
pub(crate) fn now() -> OffsetDateTime {
    Clock::system().now()
}
