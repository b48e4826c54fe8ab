//! What an operator is told in time: that the active key expires, and that a key that is kept may be purged.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::{Event, Key, Lifecycle, Moment, Policy, Strategy};
use crate::keys::{Certificate, Fingerprint};
use crate::spelling::vocabulary;

vocabulary! {
    /// What is told of a key, once each; of those that are due at once, the last.
    pub enum Notice {
        /// The active key expires within 60 days.
        TwoMonths = "60d",
        /// Within 30 days.
        Month = "30d",
        /// Within 7 days.
        Week = "7d",
        /// Within a day.
        Day = "1d",
        /// Within an hour: only where no timer would do anything about it, in a hold.
        Hour = "1h",
        /// Its retention is over.
        Purgeable = "purgeable",
    }
}

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Those that were given.
pub(super) type Notices = BTreeSet<(Fingerprint, Notice)>;

impl Notice {
    /// How long before the expiry of the active key.
    const fn ahead(self) -> Option<Duration> {
        let hours = match self {
            Self::TwoMonths => 60 * 24,
            Self::Month => 30 * 24,
            Self::Week => 7 * 24,
            Self::Day => 24,
            Self::Hour => 1,
            Self::Purgeable => return None,
        };
        Some(HOUR.saturating_mul(hours))
    }

    fn is_for(self, strategy: Strategy) -> bool {
        self != Self::Hour || strategy == Strategy::Hold
    }
}

impl Lifecycle {
    /// Those that were given, with their keys.
    pub(in crate::keys) fn notices(&self) -> &BTreeSet<(Fingerprint, Notice)> {
        &self.notices
    }

    /// Whether there is something to tell now; asked often.
    #[must_use]
    pub fn is_notice_due(&self, policy: &Policy, moment: Moment) -> bool {
        self.expiry_notice(policy, moment).is_some() || self.purgeable(moment).next().is_some()
    }

    pub(super) fn give_notice(&mut self, policy: &Policy, moment: Moment) -> Vec<Event> {
        let expiring = self.expiry_notice(policy, moment);
        let expiring = expiring.map(|(certificate, notice)| (certificate.clone(), notice));
        let purgeable = self.purgeable(moment);
        let purgeable = purgeable.map(|certificate| (certificate.clone(), Notice::Purgeable));
        let due: Vec<_> = expiring.into_iter().chain(purgeable).collect();
        let told = due.into_iter().map(|(certificate, notice)| {
            self.remember_notice(certificate.fingerprint().clone(), notice);
            match notice {
                Notice::Purgeable => Event::KeyPurgeable { certificate },
                Notice::TwoMonths | Notice::Month | Notice::Week | Notice::Day | Notice::Hour => {
                    Event::KeyExpiring { certificate, notice }
                }
            }
        });
        told.collect()
    }

    /// The most urgent one, unless it or a more urgent one was given.
    fn expiry_notice(&self, policy: &Policy, moment: Moment) -> Option<(&Certificate, Notice)> {
        let certificate = self.active().map(Key::certificate)?;
        let due = |notice: &Notice| {
            let ahead = notice.ahead().filter(|_| notice.is_for(policy.strategy));
            ahead.is_some_and(|ahead| moment.latest >= certificate.not_after() - ahead)
        };
        let notice = Notice::ALL.iter().copied().rfind(due)?;
        let given = self.notices.iter().any(|(key, given)| {
            key == certificate.fingerprint() && given.ahead().is_some() && *given >= notice
        });
        (!given).then_some((certificate, notice))
    }

    fn purgeable(&self, moment: Moment) -> impl Iterator<Item = &Certificate> {
        let retired = self
            .retired
            .iter()
            .map(|retired| (retired.key.certificate(), retired.kept_until));
        let revoked = self
            .revoked
            .iter()
            .map(|revoked| (revoked.key.identity().certificate(), revoked.kept_until));
        let kept = retired.chain(revoked);
        let over = kept.filter(move |(_, kept_until): &(_, OffsetDateTime)| moment.latest >= *kept_until);
        over.map(|(certificate, _)| certificate).filter(|certificate| {
            let notice = (certificate.fingerprint().clone(), Notice::Purgeable);
            !self.notices.contains(&notice)
        })
    }

    /// A key that is kept for longer, or signs once more, is told of once more; one that is gone, never.
    pub(super) fn forget_notices(&mut self, event: &Event) {
        let key = event.certificate().fingerprint();
        let gone = matches!(event, Event::KeyPurged { .. } | Event::KeyDiscarded { .. });
        let kept_anew = matches!(
            event,
            Event::KeyActivated { .. } | Event::RetentionExtended { .. }
        );
        let forgotten = |(known, notice): &(Fingerprint, Notice)| {
            known == key && (gone || (kept_anew && *notice == Notice::Purgeable))
        };
        if self.notices.iter().any(forgotten) {
            Arc::make_mut(&mut self.notices).retain(|notice| !forgotten(notice));
        }
    }
}
