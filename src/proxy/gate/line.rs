//! Who waits before a gate, and who has passed it and is under way: numbers in, the next ones to call out. Knows no
//! clock, no keys and no tasks.
//!
//! Everybody has the number of his arrival, and keeps it: who is sent back stands where he stood. Where a receiver accepts
//! others meanwhile, as half-switched nodes do, who is sent back stands aside and keeps nobody.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use crate::config::HoldBounds;

#[cfg(test)]
mod tests;

/// The line before one gate; `C` is what somebody who waits is called by.
pub(super) struct Line<C> {
    arrivals: u64,
    waiting: BTreeMap<Arrival, Waiting<C>>,
    /// Until they are recalled.
    aside: BTreeMap<Arrival, Waiting<C>>,
    /// Of all that wait.
    bytes: usize,
    under_way: BTreeMap<Arrival, UnderWay>,
    /// By the configuration of whoever came last.
    most_released: usize,
    /// What the receiver has accepted so far.
    accepted: u64,
    /// The receiver refuses every key there is: one at a time finds out whether it still does.
    refused: bool,
    /// Who was refused last.
    last: Arrival,
}

/// The how manyth it was to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Arrival(u64);

/// Somebody who waits, or is about to.
pub(super) struct Waiting<C> {
    pub(super) call: C,
    pub(super) bytes: usize,
    /// The answer to it tells whether the receiver accepts the key.
    pub(super) tells: bool,
}

struct UnderWay {
    way: Way,
    /// What it took, where it had waited.
    bytes: usize,
    /// What the receiver had accepted as it passed.
    accepted: u64,
}

/// How one got past the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It was open, and nobody waited.
    Freely,
    /// It had waited.
    Released,
    /// It is sent ahead, to find out.
    Probe,
}

/// There is no room to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::proxy) enum Full {
    /// By number.
    #[error("{0} messages wait already")]
    Count(usize),
    /// By size.
    #[error("messages of {0} bytes may wait, and this one is too much")]
    Bytes(usize),
}

impl<C> Line<C> {
    /// Nobody is there.
    pub(super) fn new() -> Self {
        Self {
            arrivals: 0,
            waiting: BTreeMap::new(),
            aside: BTreeMap::new(),
            bytes: 0,
            under_way: BTreeMap::new(),
            most_released: 0,
            accepted: 0,
            refused: false,
            last: Arrival(0),
        }
    }

    /// Past an open gate, unless somebody has to go first.
    pub(super) fn pass(&mut self) -> Option<Arrival> {
        if self.refused || !self.waiting.is_empty() {
            return None;
        }
        let arrival = self.next_arrival();
        self.set_out(arrival, Way::Freely, 0);
        Some(arrival)
    }

    /// Waits behind all that are there.
    pub(super) fn join(&mut self, waiting: Waiting<C>, bounds: &HoldBounds) -> Result<Arrival, Full> {
        self.room(waiting.bytes, bounds)?;
        self.most_released = bounds.release;
        let arrival = self.next_arrival();
        self.bytes += waiting.bytes;
        self.waiting.insert(arrival, waiting);
        Ok(arrival)
    }

    /// From under way back to the old place, because the receiver refused everything: to all of them, unless it has accepted
    /// others meanwhile.
    pub(super) fn rejoin(
        &mut self,
        arrival: Arrival,
        waiting: Waiting<C>,
        bounds: &HoldBounds,
    ) -> Result<(), Full> {
        let before = self.under_way.get(&arrival);
        let others_accepted = before.is_some_and(|before| before.accepted != self.accepted);
        if before.is_none_or(|before| before.way != Way::Probe) {
            self.room(waiting.bytes, bounds)?;
        }
        self.under_way.remove(&arrival);
        self.most_released = bounds.release;
        self.bytes += waiting.bytes;
        if others_accepted {
            self.aside.insert(arrival, waiting);
        } else {
            self.refused = true;
            self.last = arrival;
            self.waiting.insert(arrival, waiting);
        }
        Ok(())
    }

    /// Who stands aside takes his place again.
    pub(super) fn recall(&mut self) {
        self.waiting.append(&mut self.aside);
    }

    /// Away from wherever it is.
    pub(super) fn leave(&mut self, arrival: Arrival) {
        self.under_way.remove(&arrival);
        let left = self
            .waiting
            .remove(&arrival)
            .or_else(|| self.aside.remove(&arrival));
        self.bytes -= left.map_or(0, |left| left.bytes);
        if self.refused && self.waiting.is_empty() && self.ahead().is_none() {
            // Nobody is left to find out: the next one to come does.
            self.refused = false;
        }
    }

    /// The receiver accepted something.
    pub(super) fn accept(&mut self) {
        self.accepted += 1;
        self.refused = false;
    }

    /// There is nothing left that the receiver may accept.
    pub(super) fn give_up(&mut self) {
        self.refused = false;
        self.recall();
    }

    /// All that wait are to go away.
    pub(super) fn dismiss(&mut self) -> Vec<C> {
        self.recall();
        self.bytes = 0;
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_values().map(|one| one.call).collect()
    }

    /// Whether all but a probe wait, even where the gate is open.
    pub(super) fn is_refused(&self) -> bool {
        self.refused
    }

    /// The first one goes ahead, if it can tell; nobody does as long as another is under way ahead.
    pub(super) fn probe(&mut self) -> Option<C> {
        let tells = self
            .waiting
            .first_key_value()
            .is_some_and(|(_, first)| first.tells);
        if !tells || self.ahead().is_some() {
            return None;
        }
        self.first(Way::Probe)
    }

    /// One after the other goes ahead, of those that can tell: what the receiver refuses whatever the key is keeps nobody else.
    pub(super) fn probe_in_turn(&mut self) -> Option<C> {
        if self.ahead().is_some() {
            return None;
        }
        let after = self.waiting.range((Excluded(self.last), Unbounded));
        let mut in_turn = after.chain(self.waiting.range(..=self.last));
        let next = in_turn.find(|(_, waiting)| waiting.tells);
        let next = next.map(|(arrival, _)| *arrival)?;
        self.call(next, Way::Probe)
    }

    /// The first one goes, if not too many are under way that had waited.
    pub(super) fn release(&mut self) -> Option<C> {
        let under_way = self.under_way.values();
        let released = under_way.filter(|one| one.way == Way::Released);
        if self.waiting.is_empty() || released.count() >= self.most_released {
            return None;
        }
        self.first(Way::Released)
    }

    /// Nobody has passed and is not over yet.
    pub(super) fn is_drained(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Somebody waits to be called.
    pub(super) fn is_waited_in(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many wait.
    pub(super) fn messages(&self) -> usize {
        self.waiting.len() + self.aside.len()
    }

    /// Bytes of those that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn first(&mut self, way: Way) -> Option<C> {
        let first = self.waiting.first_key_value();
        let first = first.map(|(arrival, _)| *arrival)?;
        self.call(first, way)
    }

    fn call(&mut self, arrival: Arrival, way: Way) -> Option<C> {
        let called = self.waiting.remove(&arrival)?;
        self.bytes -= called.bytes;
        self.set_out(arrival, way, called.bytes);
        Some(called.call)
    }

    fn set_out(&mut self, arrival: Arrival, way: Way, bytes: usize) {
        let accepted = self.accepted;
        let one = UnderWay { way, bytes, accepted };
        self.under_way.insert(arrival, one);
    }

    /// Who was sent ahead may come back, and has his room.
    fn room(&self, bytes: usize, bounds: &HoldBounds) -> Result<(), Full> {
        let (kept, kept_bytes) = self.ahead().map_or((0, 0), |ahead| (1, ahead.bytes));
        if self.messages() + kept >= bounds.count {
            return Err(Full::Count(bounds.count));
        }
        let taken = self.bytes.saturating_add(kept_bytes);
        if taken.saturating_add(bytes) > bounds.bytes {
            return Err(Full::Bytes(bounds.bytes));
        }
        Ok(())
    }

    fn ahead(&self) -> Option<&UnderWay> {
        self.under_way.values().find(|one| one.way == Way::Probe)
    }

    fn next_arrival(&mut self) -> Arrival {
        self.arrivals += 1;
        Arrival(self.arrivals)
    }
}
