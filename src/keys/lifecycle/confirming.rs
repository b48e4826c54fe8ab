//! What a receiver has to say: that it has the new certificate, by its administrator, a link, or its answer.

use super::command::Circumstances;
use super::link::Link;
use super::renewal::{Confirmation, Confirmed, Renewal, RenewalId, Step};
use super::{Event, Gate, Lifecycle, LinkHash, Refusal, RenewalNews, Strategy};
use crate::keys::Fingerprint;

impl Lifecycle {
    pub(super) fn make_link(
        &mut self,
        id: &RenewalId,
        receiver: String,
        hash: LinkHash,
        now: Circumstances<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        let renewal = self.going_on(id)?;
        let link = Link::new(hash, now.moment);
        let expires = link.expires;
        renewal.confirmation(&receiver)?.link = Some(link);
        Ok(vec![renewal.tell(RenewalNews::LinkMade { receiver, expires })])
    }

    /// While messages are held, the last confirmation lets them go on their way.
    pub(super) fn confirm(
        &mut self,
        id: &RenewalId,
        receiver: String,
        link: Option<&LinkHash>,
        now: Circumstances<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        let renewal = self.going_on(id)?;
        renewal.check_confirmable(now)?;
        if let Some(hash) = link {
            let confirmation = renewal.confirmation(&receiver)?;
            let link = confirmation.link.as_mut().filter(|link| link.hash == *hash);
            link.ok_or(Refusal::LinkReplaced)?.spend(now.moment)?;
        }
        let mut events: Vec<_> = renewal.confirmed_by(receiver, now)?.into_iter().collect();
        if renewal.unconfirmed().is_empty() {
            events.extend(renewal.open_gate("the receiver has confirmed"));
        }
        Ok(events)
    }
}

impl Lifecycle {
    /// A receiver that accepts a message of the new key has its certificate, whoever says so; what it says of the key of an
    /// earlier hold ends no later one.
    pub(super) fn probe_accepted(
        &mut self,
        key: &Fingerprint,
        receiver: String,
        now: Circumstances<'_>,
    ) -> Vec<Event> {
        let held_for =
            |renewal: &&mut Renewal| renewal.key() == key && matches!(renewal.gate, Gate::Holding { .. });
        let Some(renewal) = self.open_mut().filter(held_for) else {
            return Vec::new();
        };
        renewal.concern(receiver.clone());
        let confirmed = renewal.confirmed_by(receiver, now).ok().flatten();
        let opened = renewal.open_gate("the receiver accepts the new key");
        confirmed.into_iter().chain(opened).collect()
    }
}

impl Renewal {
    pub(super) fn concern(&mut self, receiver: String) {
        if self.confirmation(&receiver).is_err() {
            self.receivers.push(Confirmation {
                receiver,
                confirmed: None,
                link: None,
            });
        }
    }

    fn confirmation(&mut self, receiver: &str) -> Result<&mut Confirmation, Refusal> {
        let (renewal, known) = (
            self.id.clone(),
            self.receivers.iter().map(|one| one.receiver.clone()).collect(),
        );
        let mut receivers = self.receivers.iter_mut();
        let found = receivers.find(|one| one.receiver == *receiver);
        found.ok_or_else(|| Refusal::UnknownReceiver {
            renewal,
            receiver: receiver.to_owned(),
            known,
        })
    }

    /// A receiver that trusts one key cannot have exchanged it before messages are held.
    fn check_confirmable(&self, now: Circumstances<'_>) -> Result<(), Refusal> {
        match (self.gate, now.policy.strategy, self.has_taken(Step::Activated)) {
            (Gate::Draining { .. }, ..) => Err(Refusal::Draining),
            (Gate::Open, Strategy::Hold, false) => Err(Refusal::NotHeld),
            _ => Ok(()),
        }
    }

    pub(super) fn confirmed_by(
        &mut self,
        receiver: String,
        now: Circumstances<'_>,
    ) -> Result<Option<Event>, Refusal> {
        let confirmation = self.confirmation(&receiver)?;
        if confirmation.confirmed.is_some() {
            return Ok(None);
        }
        confirmation.confirmed = Some(Confirmed {
            at: now.moment.now,
            by: now.by.to_owned(),
        });
        let all = self.unconfirmed().is_empty();
        if all {
            self.take(Step::Confirmed, now);
        }
        Ok(Some(self.tell(RenewalNews::Confirmed { receiver, all })))
    }
}
