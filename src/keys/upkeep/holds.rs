//! How long holds last. Within a process that is measured by the monotonic clock, whatever the wall clock does meanwhile;
//! what a hold had lasted before the process saw it, as after a restart, by the wall clock and the audit, whichever is later.

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use super::RETRY;
use crate::keys::Keys;
use crate::keys::audit::Author;
use crate::keys::lifecycle::{Hold, HoldLimit, Lifecycle, Moment};

/// So long before the end somebody is told, or a third of the whole, where that is less.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// Those that go on, by alias.
#[derive(Default)]
pub(super) struct Holds(BTreeMap<String, Seen>);

/// One that goes on.
struct Seen {
    hold: Hold,
    /// At first sight.
    lasted: Duration,
    first_sight: Instant,
    told: bool,
    /// It could not be told or ended, and is tried again then.
    postponed: Option<Instant>,
}

/// What is to be done about one.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    /// It ends in so long.
    Tell(Duration),
    End,
}

impl Holds {
    /// Tells of those that end soon, and ends those whose time is over.
    pub(super) fn look(&mut self, keys: &Keys, moment: Moment, tick: Instant) {
        let ring = keys.ring();
        let goes_on = |alias: &str| {
            let hold = ring.alias(alias).and_then(Lifecycle::current_hold);
            hold.filter(|hold| !hold.gate.refuses())
        };
        self.0
            .retain(|alias, seen| goes_on(alias).as_ref() == Some(&seen.hold));
        for (alias, _) in ring.aliases() {
            let Some(hold) = goes_on(alias) else { continue };
            let seen = self.0.entry(alias.to_owned());
            let seen = seen.or_insert_with(|| Seen::new(hold, moment, tick));
            seen.see_to(keys, alias, moment.now, tick);
        }
    }
}

impl Seen {
    fn new(hold: Hold, moment: Moment, first_sight: Instant) -> Self {
        let since = hold.gate.since().unwrap_or(moment.latest);
        Self {
            hold,
            lasted: (moment.latest - since).try_into().unwrap_or_default(), // negative: it has just begun
            first_sight,
            told: false,
            postponed: None,
        }
    }

    fn due(&self, limit: HoldLimit, tick: Instant) -> Due {
        let lasted = self.lasted + tick.saturating_duration_since(self.first_sight);
        let left = limit.most.saturating_sub(lasted);
        match left {
            _ if self.postponed.is_some_and(|until| tick < until) => Due::Nothing,
            Duration::ZERO => Due::End,
            _ if !self.told && left <= AHEAD.min(limit.most / 3) => Due::Tell(left),
            _ => Due::Nothing,
        }
    }

    fn see_to(&mut self, keys: &Keys, alias: &str, now: OffsetDateTime, tick: Instant) {
        let (operator, hold) = (keys.by(Author::timer()), self.hold.clone());
        let done = match self.due(keys.hold_limit(alias), tick) {
            Due::Nothing => return,
            Due::Tell(left) => operator.hold_ends(alias, hold, now + left, now),
            Due::End => operator.hold_over(alias, hold, now),
        };
        self.told = true;
        self.postponed = done.err().map(|problem| {
            tracing::error!(%alias, %problem, "a hold that lasts for too long was not ended; trying again");
            tick + RETRY
        });
    }
}

#[cfg(test)]
mod tests;
