//! The renewals of all aliases, as others look at them; what a configuration may not take from them; and for how long an
//! alias is left alone after its key was exchanged.

use std::collections::BTreeMap;
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::time::Instant;

use super::Keys;
use super::lifecycle::{Event, HoldLimit, LinkHash, Policy, Renewal, RenewalId, Strategy, Trigger};

/// A confirmation link that is known, be its renewal over or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundLink {
    /// Whose key is exchanged.
    pub alias: String,
    /// The renewal.
    pub renewal: Arc<Renewal>,
    /// Whose it is, by scheme, host and port.
    pub receiver: String,
    /// It is good until then.
    pub expires: OffsetDateTime,
    /// It has come to that.
    pub expired: bool,
    /// It was used already.
    pub spent: bool,
}

/// Aliases that a configuration would take the ground from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct StillRenewing(Vec<String>);

impl Keys {
    /// The renewal of this name, and its alias.
    #[must_use]
    pub fn renewal(&self, id: &RenewalId) -> Option<(String, Arc<Renewal>)> {
        self.ring().aliases().find_map(|(alias, keys)| {
            let renewal = keys.renewals().iter().find(|renewal| renewal.id == *id)?;
            Some((alias.to_owned(), Arc::clone(renewal)))
        })
    }

    /// The link of this token. How long that takes says nothing about how near a guess was: hashes are compared, of all
    /// links.
    #[must_use]
    pub fn find_link(&self, token: &str, now: OffsetDateTime) -> Option<FoundLink> {
        let (hash, ring, moment) = (LinkHash::of(token), self.ring(), self.store_status().moment(now));
        let renewals = ring
            .aliases()
            .flat_map(|(alias, keys)| keys.renewals().iter().map(move |renewal| (alias, renewal)));
        let links = renewals.flat_map(|(alias, renewal)| {
            let receivers = renewal.receivers.iter();
            let linked = receivers.filter_map(|one| Some((one, one.link.as_ref()?)));
            linked.map(move |(one, link)| (alias, renewal, one, link))
        });
        let found = links
            .filter(|(.., link)| link.hash == hash)
            .map(|(alias, renewal, one, link)| FoundLink {
                alias: alias.to_owned(),
                renewal: Arc::clone(renewal),
                receiver: one.receiver.clone(),
                expires: link.expires,
                expired: link.is_expired(moment),
                spent: link.spent.is_some(),
            });
        found.last()
    }

    /// By which procedure the alias exchanges its key.
    #[must_use]
    pub fn strategy(&self, alias: &str) -> Strategy {
        self.policy(alias).strategy
    }

    /// For how long its messages may be held.
    #[must_use]
    pub fn hold_limit(&self, alias: &str) -> HoldLimit {
        self.policy(alias).hold
    }

    /// The alias's active key is new: no receiver's answer leads to another one yet.
    #[must_use]
    pub fn settling(&self, alias: &str) -> bool {
        let settling = self.0.settling.load();
        settling.get(alias).is_some_and(|until| Instant::now() < *until)
    }

    /// By the monotonic clock, under the lock of the store, before the key is seen.
    pub(super) fn settle(&self, alias: &str, policy: &Policy, events: &[Event]) {
        let is_new = |event: &Event| matches!(event, Event::KeyActivated { .. });
        if !events.iter().any(is_new) || is_first_key(events) {
            return;
        }
        let now = Instant::now();
        let mut settling = self.0.settling.load_full().as_ref().clone();
        settling.retain(|_, until| *until > now);
        settling.insert(alias.to_owned(), now + policy.settle);
        self.0.settling.store(Arc::new(settling));
    }

    /// Under the lock of the store. What was never configured in this process is not looked at: it is not there any more.
    pub(super) fn check_renewals(&self, next: &BTreeMap<String, Policy>) -> Result<(), StillRenewing> {
        let (ring, configured) = (self.ring(), self.0.policies.load());
        let problems = configured.iter().filter_map(|(alias, policy)| {
            let renewal = ring.alias(alias)?.open_renewal()?;
            let (id, held) = (&renewal.id, renewal.gate.is_shut());
            match next.get(alias) {
                None => Some(format!(
                    "alias {alias} cannot go while its renewal {id} goes on: complete or abort that first"
                )),
                Some(next) if held && next.strategy != policy.strategy => Some(format!(
                    "the strategy of alias {alias} cannot change while its messages are held: resume first, or abort \
                     renewal {id}"
                )),
                Some(_) => None,
            }
        });
        let problems: Vec<_> = problems.collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(StillRenewing(problems))
        }
    }
}

/// An import that displaces none: no receiver has met another key yet.
fn is_first_key(events: &[Event]) -> bool {
    let imported = |event: &Event| {
        matches!(
            event,
            Event::KeyActivated {
                trigger: Trigger::Import,
                ..
            }
        )
    };
    let displaced = |event: &Event| matches!(event, Event::KeyRetired { .. });
    events.iter().any(imported) && !events.iter().any(displaced)
}

#[cfg(test)]
mod tests;
