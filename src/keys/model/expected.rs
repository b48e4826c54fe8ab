//! The table of states (`[alias.*]`, retention and order included), as plain data and plain loops.

mod notices;
mod renewals;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use time::OffsetDateTime;

/// What is asked for. Keys are numbers here.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Import {
        key: usize,
        from_source: bool,
        then: Then,
    },
    /// Instead of which, and whether though it is not confirmed.
    Activate(usize, Option<usize>, bool),
    Schedule(usize, OffsetDateTime, Option<usize>, bool),
    Unschedule(usize),
    Rollback(Option<usize>),
    Revoke(usize, With),
    Discard(usize),
    Purge(usize, bool),
    Tick,
    Notice,
    Renewal(Renewing),
}

pub(super) use notices::Told;
use renewals::Way;
pub(super) use renewals::{Gate, Led, Renewal, Renewing, STRATEGIES};

#[derive(Debug, Clone, Copy)]
pub(super) enum Then {
    StayPending,
    ActivateIfNone,
    Activate,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum With {
    Nothing,
    Stop,
    Successor(usize),
}

/// It is refused, and nothing changes.
#[derive(Debug)]
pub(super) struct No;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Pending,
    Active,
    Retired,
    Revoked,
    Purged,
    Discarded,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) state: State,
    pub(super) valid: (OffsetDateTime, OffsetDateTime),
    pub(super) sequence: u64,
    pub(super) kept_until: Option<OffsetDateTime>,
    pub(super) displaced: Option<OffsetDateTime>,
    /// Larger for what was displaced later.
    pub(super) displacement: u64,
    /// When, instead of which, and whether as the first one alone.
    pub(super) schedule: Option<(OffsetDateTime, Option<usize>, bool)>,
    pub(super) rolled_back: bool,
}

impl Key {
    pub(super) fn is_valid(&self, at: OffsetDateTime) -> bool {
        self.valid.0 <= at && at <= self.valid.1
    }
}

/// The keys of one alias.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) keys: BTreeMap<usize, Key>,
    pub(super) retention: Duration,
    pub(super) before_expiry: bool,
    pub(super) led: Led,
    pub(super) refuses_in_the_end: bool,
    pub(super) renewals: Vec<Renewal>,
    pub(super) notices: BTreeSet<(usize, Told)>,
    displacements: u64,
    links: u64,
}

/// The wall clock, and the latest that was ever recorded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) wall: OffsetDateTime,
    pub(super) latest: OffsetDateTime,
}

impl Expected {
    pub(super) fn active(&self) -> Option<usize> {
        let mut active = self.keys.iter().filter(|(_, key)| key.state == State::Active);
        active.next().map(|(number, _)| *number)
    }

    fn state(&self, key: usize) -> Option<State> {
        self.keys.get(&key).map(|key| key.state)
    }

    /// What comes of it; the key's validity is given because a model has no certificates.
    pub(super) fn after(
        &self,
        step: &Step,
        valid: (OffsetDateTime, OffsetDateTime),
        now: Now,
    ) -> Result<Self, No> {
        let mut next = self.clone();
        match *step {
            Step::Import {
                key,
                from_source,
                then,
            } => next.import(key, from_source, then, valid, now)?,
            Step::Activate(key, replaces, unconfirmed) => {
                next.would_be_accepted(key, unconfirmed)?;
                next.activate(key, replaces, now)?;
            }
            Step::Schedule(key, at, replaces, unconfirmed) => {
                next.would_be_accepted(key, unconfirmed)?;
                next.schedule(key, at, replaces, now)?;
            }
            Step::Unschedule(key) => match next.keys.get_mut(&key) {
                Some(key) if key.state == State::Pending && key.schedule.is_some() => key.schedule = None,
                _ => return Err(No),
            },
            Step::Rollback(replaces) => {
                next.no_drain()?;
                if replaces.is_some() && replaces != next.active() {
                    return Err(No);
                }
                let retired = next.keys.iter().filter(|(_, key)| key.state == State::Retired);
                let last = retired.max_by_key(|(_, key)| key.displacement).ok_or(No)?;
                let forward = last.1.rolled_back && replaces.is_none() && next.active().is_some();
                let (key, valid) = (*last.0, last.1.is_valid(now.wall));
                if !valid || forward {
                    return Err(No);
                }
                next.switch_to(key, now, Way::Back);
            }
            Step::Revoke(key, with) => next.revoke(key, with, now)?,
            Step::Discard(key) => match next.state(key) {
                Some(State::Pending) => next.put(key, State::Discarded),
                Some(State::Discarded) => {}
                _ => return Err(No),
            },
            Step::Purge(key, compromised) => next.purge(key, compromised, now)?,
            Step::Tick => next.tick(now),
            Step::Notice => next.tell(now),
            Step::Renewal(ref renewing) => next.renew(renewing, now)?,
        }
        next.end_what_is_in_vain(self);
        Ok(next)
    }

    fn import(
        &mut self,
        key: usize,
        from_source: bool,
        then: Then,
        valid: (OffsetDateTime, OffsetDateTime),
        now: Now,
    ) -> Result<(), No> {
        let discarded = self.state(key) == Some(State::Discarded);
        if self.keys.contains_key(&key) && !discarded {
            return Ok(());
        }
        if now.wall > valid.1 {
            return Err(No);
        }
        if discarded && from_source {
            return Ok(());
        }
        let last = self.keys.values().map(|key| key.sequence).max().unwrap_or(0);
        let new = Key {
            state: State::Pending,
            valid,
            sequence: last + 1,
            kept_until: None,
            displaced: None,
            displacement: 0,
            schedule: None,
            rolled_back: false,
        };
        let at_once = match then {
            Then::StayPending => false,
            Then::ActivateIfNone => self.active().is_none(),
            Then::Activate => true,
        };
        let (valid, begin) = (new.is_valid(now.wall), valid.0);
        self.keys.insert(key, new);
        if at_once && valid && self.gate() == Gate::Open {
            self.switch_to(key, now, Way::On);
        } else if at_once {
            let first = matches!(then, Then::ActivateIfNone);
            self.keys.get_mut(&key).unwrap().schedule = Some((begin.max(now.wall), None, first));
        }
        Ok(())
    }

    fn activate(&mut self, key: usize, replaces: Option<usize>, now: Now) -> Result<(), No> {
        if self.state(key) == Some(State::Active) {
            return Ok(());
        }
        self.no_drain()?;
        let replaced = replaces.is_none() || replaces == self.active();
        let valid = self.keys.get(&key).is_some_and(|key| key.is_valid(now.wall));
        if !replaced || !valid || !self.is_next(key) {
            return Err(No);
        }
        self.switch_to(key, now, Way::On);
        Ok(())
    }

    /// Pending, or rolled back and what the renewal that goes on leads to.
    fn is_next(&self, key: usize) -> bool {
        let again = self.renewed_key() == Some(key) && self.is_rolled_back(key);
        self.state(key) == Some(State::Pending) || again
    }

    fn is_rolled_back(&self, key: usize) -> bool {
        let found = self.keys.get(&key);
        found.is_some_and(|key| key.state == State::Retired && key.rolled_back)
    }

    /// A receiver that trusts one key has it, or whoever activates it says that he knows.
    fn would_be_accepted(&self, key: usize, unconfirmed: bool) -> Result<(), No> {
        let displaces = self.active().is_some_and(|active| active != key);
        let trusts_one = self.led != Led::PrePublish;
        let open = self.open_renewal().filter(|open| open.key == key);
        let confirmed = open.is_some_and(|open| open.receivers.iter().all(|one| one.confirmed));
        let refused = displaces && trusts_one && !confirmed && !unconfirmed;
        if refused && self.is_next(key) && self.gate() != Gate::Draining {
            return Err(No);
        }
        Ok(())
    }

    fn schedule(
        &mut self,
        key: usize,
        at: OffsetDateTime,
        replaces: Option<usize>,
        now: Now,
    ) -> Result<(), No> {
        if at < now.wall || self.state(key) != Some(State::Pending) {
            return Err(No);
        }
        let unchanged = self.keys[&key].schedule == Some((at, replaces, false));
        let replaced = replaces.is_none() || replaces == self.active();
        if !unchanged && (!replaced || !self.is_newer(key) || !self.keys[&key].is_valid(at)) {
            return Err(No);
        }
        self.keys.get_mut(&key).unwrap().schedule = Some((at, replaces, false));
        Ok(())
    }

    fn revoke(&mut self, key: usize, with: With, now: Now) -> Result<(), No> {
        match (self.state(key), with) {
            (Some(State::Revoked), _) => {}
            (Some(State::Retired), With::Nothing) => self.put(key, State::Revoked),
            (Some(State::Pending), With::Nothing) => {
                self.displace(key, now);
                self.put(key, State::Revoked);
            }
            (Some(State::Active), With::Stop) => {
                self.displace(key, now);
                self.put(key, State::Revoked);
            }
            (Some(State::Active), With::Successor(successor)) => {
                let can = matches!(self.state(successor), Some(State::Pending | State::Retired));
                if !can || !self.keys[&successor].is_valid(now.wall) {
                    return Err(No);
                }
                self.displace(key, now);
                self.put(key, State::Revoked);
                self.switch_to(successor, now, Way::On);
                self.say_displaced(successor, key);
            }
            _ => return Err(No),
        }
        Ok(())
    }

    fn purge(&mut self, key: usize, compromised: bool, now: Now) -> Result<(), No> {
        let over = |model: &Self| model.keys[&key].kept_until.unwrap() <= now.latest;
        match self.state(key) {
            Some(State::Purged) => Ok(()),
            Some(State::Retired) if over(self) => {
                self.put(key, State::Purged);
                Ok(())
            }
            Some(State::Revoked) if compromised || over(self) => {
                self.put(key, State::Purged);
                Ok(())
            }
            _ => Err(No),
        }
    }

    fn tick(&mut self, now: Now) {
        if self.gate() != Gate::Open {
            return;
        }
        loop {
            let due = self.keys.iter().filter_map(|(number, key)| {
                let (at, replaces, first) = key.schedule.filter(|_| key.state == State::Pending)?;
                let too_late = first && self.active().is_some();
                (at <= now.wall || too_late).then_some((at, key.sequence, *number, replaces, too_late))
            });
            let Some((_, _, key, replaces, too_late)) = due.min_by_key(|due| (due.0, due.1)) else {
                break;
            };
            let may = self.is_newer(key) && !too_late;
            if !may || self.activate(key, replaces, now).is_err() {
                self.keys.get_mut(&key).unwrap().schedule = None;
            }
        }
        let by_itself = self.before_expiry && self.led == Led::PrePublish;
        let Some(active) = self.active().filter(|_| by_itself) else {
            return;
        };
        let expiry = self.keys[&active].valid.1;
        if now.latest < expiry - time::Duration::days(1) {
            return;
        }
        let renewed = self.renewed_key();
        let able = self.keys.iter().filter(|(number, key)| {
            let again = key.state == State::Retired && key.rolled_back && renewed == Some(**number);
            (key.state == State::Pending || again)
                && key.is_valid(now.wall)
                && key.valid.1 > expiry
                && self.is_newer(**number)
        });
        if let Some((key, _)) = able.max_by_key(|(number, key)| (renewed == Some(**number), key.sequence)) {
            let key = *key;
            self.switch_to(key, now, Way::On);
        }
    }

    pub(super) fn keep_longer(&mut self) {
        for (number, key) in &mut self.keys {
            if let (State::Retired | State::Revoked, Some(displaced)) = (key.state, key.displaced) {
                let before = key.kept_until;
                key.kept_until = before.max(Some(displaced + self.retention));
                if key.kept_until != before {
                    self.notices.remove(&(*number, Told::Purgeable));
                }
            }
        }
    }

    fn is_newer(&self, key: usize) -> bool {
        self.active()
            .is_none_or(|active| self.keys[&active].sequence < self.keys[&key].sequence)
    }

    fn switch_to(&mut self, key: usize, now: Now, way: Way) {
        self.renewal_reaches(key, way);
        self.notices.remove(&(key, Told::Purgeable));
        if let Some(active) = self.active() {
            self.displace(active, now);
            self.put(active, State::Retired);
            self.keys.get_mut(&active).unwrap().rolled_back = way == Way::Back;
        }
        self.put(key, State::Active);
    }

    fn displace(&mut self, key: usize, now: Now) {
        self.displacements += 1;
        let key = self.keys.get_mut(&key).unwrap();
        key.displaced = Some(now.wall);
        key.displacement = self.displacements;
        key.kept_until = key.kept_until.max(Some(now.latest + self.retention));
    }

    fn put(&mut self, key: usize, state: State) {
        if matches!(state, State::Purged | State::Discarded) {
            self.notices.retain(|(told, _)| *told != key);
        }
        let key = self.keys.get_mut(&key).unwrap();
        key.state = state;
        key.schedule = None;
        key.rolled_back = false;
    }
}
