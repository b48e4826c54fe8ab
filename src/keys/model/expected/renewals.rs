//! The steps of a renewal, and what holds, as the specification tells them.

use time::{Duration, OffsetDateTime};

use super::{Expected, No, Now, State};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Led {
    #[default]
    PrePublish,
    Hold,
    ByReceiver,
}

pub(crate) const STRATEGIES: [Led; 3] = [Led::PrePublish, Led::Hold, Led::ByReceiver];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Gate {
    #[default]
    Open,
    Draining,
    Holding,
    Refusing,
}

/// How one key takes the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    On,
    /// With nothing under way, as at the end of a drain.
    Held,
    Back,
}

/// Renewals are numbered in the order of their start, receivers are 0 and 1.
#[derive(Debug, Clone)]
pub(crate) enum Renewing {
    Start(Option<usize>, usize),
    Publish(usize),
    Link(usize, usize),
    Confirm(usize, usize),
    ConfirmByLink(usize, usize),
    Complete(usize),
    /// Whether the key before signs again in any case.
    Abort(usize, bool),
    HoldOver,
    Hold,
    Drained,
    Resume,
    ProbeAccepted(usize),
    Accepted(usize, usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Renewal {
    pub(crate) key: usize,
    pub(crate) displaced: Option<usize>,
    pub(crate) published: bool,
    pub(crate) all_confirmed: bool,
    pub(crate) activated: bool,
    pub(crate) completed: bool,
    pub(crate) aborted: bool,
    pub(crate) gate: Gate,
    pub(crate) receivers: Vec<Receiver>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receiver {
    pub(crate) number: usize,
    pub(crate) confirmed: bool,
    pub(crate) link: Option<Link>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    number: u64,
    expires: OffsetDateTime,
    spent: bool,
}

impl Renewal {
    pub(crate) fn is_over(&self) -> bool {
        self.completed || self.aborted
    }

    /// Messages wait for its key to be confirmed.
    fn is_held(&self) -> bool {
        matches!(self.gate, Gate::Holding | Gate::Refusing)
    }

    fn receiver(&mut self, number: usize) -> Result<&mut Receiver, No> {
        let mut receivers = self.receivers.iter_mut();
        receivers.find(|one| one.number == number).ok_or(No)
    }

    /// The receiver 0 has said so by its answer.
    fn accepted_by_0(&mut self) {
        if self.receiver(0).is_err() {
            self.receivers.push(new_receiver(0));
        }
        let known = std::mem::replace(&mut self.receiver(0).ok().unwrap().confirmed, true);
        self.all_confirmed |= !known && self.receivers.iter().all(|one| one.confirmed);
    }

    fn end(&mut self, completed: bool) {
        self.gate = Gate::Open;
        self.completed |= completed;
        self.aborted |= !completed;
    }
}

impl Expected {
    pub(super) fn renew(&mut self, renewing: &Renewing, now: Now) -> Result<(), No> {
        match *renewing {
            Renewing::Start(key, receivers) => self.start(key, receivers),
            Renewing::Publish(number) => {
                let renewal = self.going_on(number)?;
                renewal.published |= !renewal.all_confirmed && !renewal.activated;
                Ok(())
            }
            Renewing::Link(number, receiver) => {
                self.links += 1;
                let (number, link) = (number, self.links);
                self.going_on(number)?.receiver(receiver)?.link = Some(Link {
                    number: link,
                    expires: now.latest + Duration::days(14),
                    spent: false,
                });
                Ok(())
            }
            Renewing::Confirm(number, receiver) => self.confirm(number, receiver, None),
            Renewing::ConfirmByLink(number, receiver) => self.confirm(number, receiver, Some(now)),
            Renewing::Complete(number) => {
                if self.renewals.get(number).is_some_and(|renewal| renewal.completed) {
                    return Ok(());
                }
                let active = self.active();
                let renewal = self.going_on(number)?;
                if !renewal.activated || active != Some(renewal.key) {
                    return Err(No);
                }
                renewal.end(true);
                Ok(())
            }
            Renewing::Abort(number, back) => self.abort(number, back, now),
            Renewing::HoldOver => {
                self.hold_over(now);
                Ok(())
            }
            Renewing::Hold => self.hold(now),
            Renewing::Drained => {
                self.drained(now);
                Ok(())
            }
            Renewing::Resume => {
                self.no_drain()?;
                self.open_gate();
                Ok(())
            }
            Renewing::ProbeAccepted(key) => {
                self.probe_accepted(key);
                Ok(())
            }
            Renewing::Accepted(key, replaces) => {
                self.accepted(key, replaces, now);
                Ok(())
            }
        }
    }

    pub(crate) fn open_renewal(&self) -> Option<&Renewal> {
        self.renewals.last().filter(|renewal| !renewal.is_over())
    }

    pub(crate) fn gate(&self) -> Gate {
        self.open_renewal().map_or(Gate::Open, |renewal| renewal.gate)
    }

    pub(super) fn no_drain(&self) -> Result<(), No> {
        if self.gate() == Gate::Draining {
            Err(No)
        } else {
            Ok(())
        }
    }

    /// The new key of a renewal that has not reached it.
    pub(super) fn renewed_key(&self) -> Option<usize> {
        let renewal = self.open_renewal()?;
        (!renewal.activated).then_some(renewal.key)
    }

    pub(crate) fn candidate(&self, now: OffsetDateTime) -> Option<usize> {
        if self.led != Led::ByReceiver {
            return None;
        }
        let pending: Vec<_> = self.pending();
        let next = pending.first().copied().filter(|key| {
            pending.len() == 1
                && self.is_newer(*key)
                && !self.renewals.iter().any(|renewal| renewal.key == *key)
        });
        let retired = self.keys.iter().filter(|(_, key)| key.state == State::Retired);
        let back = retired
            .max_by_key(|(_, key)| key.displacement)
            .map(|(number, _)| *number);
        let back = back.filter(|_| self.open_renewal().is_some());
        let candidate = self.renewed_key().or(next).or(back)?;
        self.keys[&candidate].is_valid(now).then_some(candidate)
    }

    pub(super) fn renewal_reaches(&mut self, key: usize, way: Way) {
        let displaced = self.active();
        let Some(renewal) = self.renewals.last_mut() else {
            return;
        };
        if !renewal.is_over() && !renewal.activated && renewal.key == key {
            renewal.activated = true;
            renewal.displaced = displaced;
            if way == Way::Held {
                renewal.gate = Gate::Holding;
            }
        }
    }

    /// By its revocation.
    pub(super) fn say_displaced(&mut self, key: usize, displaced: usize) {
        let reached = self
            .renewals
            .last_mut()
            .filter(|renewal| renewal.key == key && !renewal.is_over());
        if let Some(renewal) = reached.filter(|renewal| renewal.displaced.is_none()) {
            renewal.displaced = Some(displaced);
        }
    }

    /// A renewal whose key is gone, a hold that nobody waits for.
    pub(super) fn end_what_is_in_vain(&mut self, before: &Self) {
        let Some(renewal) = self.open_renewal() else {
            return;
        };
        let gone = matches!(
            self.state(renewal.key),
            Some(State::Revoked | State::Purged | State::Discarded)
        );
        let signed = before.active();
        let revoked = signed.is_some_and(|key| self.state(key) == Some(State::Revoked));
        let other = renewal.is_held() && self.active() != Some(renewal.key);
        if gone {
            self.renewals.last_mut().unwrap().end(false);
        } else if revoked || other {
            self.open_gate();
        }
    }

    pub(crate) fn keep_strategy(&mut self) {
        if self.led != Led::Hold {
            self.open_gate();
        }
    }

    fn open_gate(&mut self) {
        if let Some(renewal) = self.renewals.last_mut() {
            renewal.gate = Gate::Open;
        }
    }

    pub(crate) fn pending(&self) -> Vec<usize> {
        let pending = self.keys.iter().filter(|(_, key)| key.state == State::Pending);
        pending.map(|(number, _)| *number).collect()
    }

    fn going_on(&mut self, number: usize) -> Result<&mut Renewal, No> {
        let renewal = self.renewals.get_mut(number).ok_or(No)?;
        if renewal.is_over() { Err(No) } else { Ok(renewal) }
    }

    fn start(&mut self, key: Option<usize>, receivers: usize) -> Result<(), No> {
        if let Some(open) = self.open_renewal() {
            if !open.activated {
                return if key.is_none_or(|key| key == open.key) {
                    Ok(())
                } else {
                    Err(No)
                };
            }
            if open.gate != Gate::Open {
                return Err(No);
            }
        }
        let pending = self.pending();
        let key = match key {
            Some(key) if pending.contains(&key) || self.is_rolled_back(key) => key,
            None if pending.len() == 1 => pending[0],
            None if pending.is_empty() => self.left_last().ok_or(No)?,
            _ => return Err(No),
        };
        self.begin(key, receivers);
        Ok(())
    }

    fn begin(&mut self, key: usize, receivers: usize) {
        let active = self.active();
        if let Some(open) = self.renewals.last_mut().filter(|renewal| !renewal.is_over()) {
            let reached = active == Some(open.key);
            open.end(reached);
        }
        let receivers = 0..receivers;
        self.renewals.push(Renewal {
            key,
            displaced: None,
            published: false,
            all_confirmed: false,
            activated: false,
            completed: false,
            aborted: false,
            gate: Gate::Open,
            receivers: receivers.map(new_receiver).collect(),
        });
    }

    fn confirm(&mut self, number: usize, receiver: usize, by_link: Option<Now>) -> Result<(), No> {
        let (before, led) = (self.clone(), self.led);
        let renewal = self.going_on(number)?;
        if renewal.gate == Gate::Draining
            || (renewal.gate == Gate::Open && led == Led::Hold && !renewal.activated)
        {
            return Err(No);
        }
        let one = renewal.receiver(receiver)?;
        if let Some(now) = by_link {
            let link = one.link.as_mut().ok_or(No)?;
            if link.spent || link.expires <= now.latest {
                return Err(No);
            }
            link.spent = true;
        }
        let known = std::mem::replace(&mut one.confirmed, true);
        let all = renewal.receivers.iter().all(|one| one.confirmed);
        renewal.all_confirmed |= all && !known;
        let opens = all && renewal.gate != Gate::Open;
        if opens {
            renewal.gate = Gate::Open;
        }
        if known && !opens {
            *self = before; // nothing has happened, and so the link is as good as before
        }
        Ok(())
    }

    fn hold(&mut self, now: Now) -> Result<(), No> {
        if self.led != Led::Hold {
            return Err(No);
        }
        if self.gate() != Gate::Open {
            return Ok(());
        }
        self.start(None, 1)?;
        let renewal = self.renewals.last_mut().unwrap();
        if !self.keys[&renewal.key].is_valid(now.wall) {
            return Err(No);
        }
        renewal.gate = Gate::Draining;
        Ok(())
    }

    /// A key that may not sign any more lets the messages go with the old one.
    fn drained(&mut self, now: Now) {
        if self.gate() != Gate::Draining {
            return;
        }
        let key = self.renewals.last().unwrap().key;
        if self.keys[&key].is_valid(now.wall) {
            self.switch_to(key, now, Way::Held);
        } else {
            self.open_gate();
        }
    }

    fn accepted(&mut self, key: usize, replaces: usize, now: Now) {
        if self.active() != Some(replaces) || self.candidate(now.wall) != Some(key) {
            return;
        }
        let goes_on = self.open_renewal().is_some_and(|renewal| renewal.key == key);
        if self.state(key) == Some(State::Pending) && !goes_on {
            self.begin(key, 1);
        }
        let renewal = self.renewals.last_mut().unwrap();
        if renewal.key == key {
            renewal.accepted_by_0();
        }
        // After `begin` the renewal that goes on is that of the key.
        let back = self.open_renewal().is_some_and(|open| open.key == replaces);
        self.switch_to(key, now, if back { Way::Back } else { Way::On });
    }

    /// The key that was displaced last, if the one before took its place again.
    fn left_last(&self) -> Option<usize> {
        let retired = self.keys.iter().filter(|(_, key)| key.state == State::Retired);
        let last = retired.max_by_key(|(_, key)| key.displacement)?;
        last.1.rolled_back.then_some(*last.0)
    }

    fn abort(&mut self, number: usize, back: bool, now: Now) -> Result<(), No> {
        if self.renewals.get(number).is_some_and(|renewal| renewal.aborted) {
            return Ok(());
        }
        let (active, led) = (self.active(), self.led);
        let renewal = self.going_on(number)?;
        let signs = renewal.activated && active == Some(renewal.key);
        let confirmed = renewal.receivers.iter().filter(|one| one.confirmed).count();
        let waits = renewal.is_held() && (confirmed == 0 || confirmed < renewal.receivers.len());
        if signs && (back || waits) {
            return self.go_back(now);
        }
        let half_way = !renewal.activated && confirmed > 0 && led != Led::PrePublish;
        if !back && (signs || half_way) {
            return Err(No);
        }
        renewal.end(false);
        Ok(())
    }

    fn go_back(&mut self, now: Now) -> Result<(), No> {
        let displaced = self.renewals.last().and_then(|renewal| renewal.displaced);
        let old = displaced.filter(|key| self.state(*key) == Some(State::Retired));
        let old = old.filter(|key| self.keys[key].is_valid(now.wall)).ok_or(No)?;
        self.switch_to(old, now, Way::Back);
        self.renewals.last_mut().unwrap().end(false);
        Ok(())
    }

    fn hold_over(&mut self, now: Now) {
        match self.gate() {
            Gate::Open | Gate::Refusing => {}
            Gate::Draining => self.open_gate(),
            Gate::Holding => {
                if self.refuses_in_the_end || self.go_back(now).is_err() {
                    self.renewals.last_mut().unwrap().gate = Gate::Refusing;
                }
            }
        }
    }

    fn probe_accepted(&mut self, key: usize) {
        let Some(renewal) = self.renewals.last_mut() else {
            return;
        };
        if renewal.is_held() && renewal.key == key {
            renewal.accepted_by_0();
            self.open_gate();
        }
    }
}

fn new_receiver(number: usize) -> Receiver {
    Receiver {
        number,
        confirmed: false,
        link: None,
    }
}
