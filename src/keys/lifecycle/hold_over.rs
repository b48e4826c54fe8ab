//! A hold that lasts for too long: it is told before, and then the key before signs again, or messages are refused until
//! somebody acts. How long it has lasted is measured elsewhere; a hold that is another one by now is left alone.

use humantime::format_duration;
use time::OffsetDateTime;

use super::command::Circumstances;
use super::{AfterHold, Event, Gate, Hold, Lifecycle, Refusal, RenewalNews};

impl Lifecycle {
    /// The stretch of time in which messages wait.
    #[must_use]
    pub fn current_hold(&self) -> Option<Hold> {
        let open = self.open_renewal().filter(|open| open.gate.is_shut())?;
        Some(Hold {
            renewal: open.id.clone(),
            gate: open.gate,
        })
    }

    fn goes_on(&self, hold: &Hold) -> bool {
        self.current_hold().as_ref() == Some(hold)
    }

    /// Nothing has been switched while messages under way come to their end: then the old key goes on in any case.
    pub(super) fn hold_ends(&self, hold: &Hold, at: OffsetDateTime, now: Circumstances<'_>) -> Vec<Event> {
        let then = match hold.gate {
            Gate::Holding { refuses: false, .. } => now.policy.hold.then,
            Gate::Open | Gate::Draining { .. } | Gate::Holding { refuses: true, .. } => return Vec::new(),
        };
        let open = self.open_renewal().filter(|_| self.goes_on(hold));
        let told = open.map(|open| open.tell(RenewalNews::HoldEnds { at, then }));
        told.into_iter().collect()
    }

    /// # Errors
    /// When the key before is to sign again, and may not.
    pub(super) fn hold_over(&mut self, hold: &Hold, now: Circumstances<'_>) -> Result<Vec<Event>, Refusal> {
        if !self.goes_on(hold) {
            return Ok(Vec::new());
        }
        let most = format_duration(now.policy.hold.most);
        match (hold.gate, now.policy.hold.then) {
            (Gate::Open | Gate::Holding { refuses: true, .. }, _) => Ok(Vec::new()),
            (Gate::Draining { .. }, _) => Ok(self.open_gate(&format!(
                "messages under way did not come to their end within {most}"
            ))),
            (Gate::Holding { .. }, AfterHold::Back) => self.go_back(
                &format!("the receiver did not accept the new key within {most}"),
                now,
            ),
            (Gate::Holding { .. }, AfterHold::Refuse) => {
                let reason = format!("the receiver did not accept the new key within {most}");
                Ok(self.refuse_held(hold, &reason))
            }
        }
    }

    pub(super) fn refuse_held(&mut self, hold: &Hold, reason: &str) -> Vec<Event> {
        if !self.goes_on(hold) {
            return Vec::new();
        }
        let Some(renewal) = self.open_mut() else {
            return Vec::new();
        };
        let Gate::Holding {
            since,
            refuses: false,
        } = renewal.gate
        else {
            return Vec::new();
        };
        renewal.gate = Gate::Holding { since, refuses: true };
        vec![renewal.tell(RenewalNews::HoldRefuses {
            reason: reason.to_owned(),
        })]
    }
}
