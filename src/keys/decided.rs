//! A transition that was decided: stored, and then published and told. Where it is not known at once whether it was
//! stored, it is published as soon as that is known.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::time::Instant;

use super::Keys;
use super::audit::Author;
use super::lifecycle::{Event, Lifecycle, Policy};
use super::store::{Store, StoreError};
use crate::keys::occurrence::Occurrence;

/// What is to be stored and seen.
pub(super) struct Decided {
    pub(super) alias: String,
    /// After the transition.
    pub(super) next: Lifecycle,
    pub(super) events: Vec<Event>,
    pub(super) policy: Policy,
    pub(super) now: OffsetDateTime,
    /// When it began to be decided.
    pub(super) begun: Instant,
}

impl Keys {
    /// Stores, publishes, tells.
    pub(super) fn carry_out(
        &self,
        store: &mut Store,
        before: &Lifecycle,
        decided: Decided,
        author: &Author,
    ) -> Result<Vec<Event>, StoreError> {
        let (keys, events) = ([before, &decided.next], decided.events.clone());
        let written = store.commit(&decided.alias, keys, &events, author, decided.now);
        self.once_stored(store, written, move |keys| keys.publish(decided))?;
        Ok(events)
    }

    /// Does what follows when something is stored: now, or when it is known.
    pub(super) fn once_stored(
        &self,
        store: &mut Store,
        written: Result<(), StoreError>,
        then: impl FnOnce(&Self) + Send + 'static,
    ) -> Result<(), StoreError> {
        match &written {
            Ok(()) => then(self),
            Err(StoreError::Unknown { .. }) => {
                // Weakly: the store is a part of the keys.
                let shared = Arc::downgrade(&self.0);
                store.once_made(move |_| {
                    if let Some(shared) = shared.upgrade() {
                        then(&Self(shared));
                    }
                });
            }
            Err(_) => {}
        }
        written
    }

    fn publish(&self, decided: Decided) {
        let stored = Instant::now();
        let Decided {
            alias, next, events, ..
        } = decided;
        self.settle(&alias, &decided.policy, &events);
        self.0.ring.store(Arc::new(self.ring().with(&alias, next)));
        let published = Instant::now();
        self.certified(&alias, &events);
        for event in events {
            self.tell(&Occurrence {
                alias: alias.clone(),
                at: decided.now,
                took: published - decided.begun,
                publishing: published - stored,
                event,
            });
        }
    }
}
