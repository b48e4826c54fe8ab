//! How long a displaced key is kept. The date is stored when the key is displaced and only ever moves
//! away: a shorter setting never brings it forward, a longer one puts it off, since who asks for
//! more time cannot get back what was purged meanwhile.

use time::OffsetDateTime;

use super::{Event, Lifecycle, Moment, Policy};

impl Policy {
    /// For a key that is displaced now; never before the date of an earlier displacement.
    pub(super) fn kept_until(&self, earlier: Option<OffsetDateTime>, moment: Moment) -> OffsetDateTime {
        let until = self.from(moment.latest);
        earlier.map_or(until, |earlier| earlier.max(until))
    }

    /// The end of the calendar, where a setting reaches beyond it.
    fn from(&self, displaced: OffsetDateTime) -> OffsetDateTime {
        let retention = time::Duration::try_from(self.retention).unwrap_or(time::Duration::MAX);
        displaced
            .checked_add(retention)
            .unwrap_or_else(|| time::PrimitiveDateTime::MAX.assume_utc())
    }
}

impl Lifecycle {
    /// Retired and revoked keys whose date the setting of today puts off.
    pub(super) fn keep_longer(&mut self, policy: &Policy) -> Vec<Event> {
        let retired = self.retired.iter_mut().filter_map(|retired| {
            let certificate = retired.key.signer.certificate().clone();
            extend(&mut retired.kept_until, policy.from(retired.since))
                .then_some((certificate, retired.kept_until))
        });
        let revoked = self.revoked.iter_mut().filter_map(|revoked| {
            let certificate = revoked.key.identity().certificate().clone();
            extend(&mut revoked.kept_until, policy.from(revoked.displaced))
                .then_some((certificate, revoked.kept_until))
        });
        retired
            .chain(revoked)
            .map(|(certificate, kept_until)| Event::RetentionExtended {
                certificate,
                kept_until,
            })
            .collect()
    }
}

fn extend(kept_until: &mut OffsetDateTime, until: OffsetDateTime) -> bool {
    let extended = until > *kept_until;
    *kept_until = until.max(*kept_until);
    extended
}
