//! A step of the model as a command of an operator.

use super::super::expected::{Step, Then, With};
use super::{ALIASES, Bench, Renewing};
use crate::keys::audit::Author;
use crate::keys::lifecycle::{Command, Lifecycle, Replacement, Schedule};
use crate::keys::{AfterImport, CommandError, Operator, Reason, Refusal, RenewalId};

const RECEIVERS: [&str; 2] = ["https://erp.example.com:443", "https://crm.example.com:443"];

impl Bench {
    pub(super) fn perform(&mut self, alias: usize, step: &Step) -> Result<(), CommandError> {
        let (name, now, key) = (ALIASES[alias], self.now, |key: usize| self.fingerprint(key));
        let keys = self.keys().clone();
        let operator = keys.by(Author::token("model"));
        match *step {
            Step::Import {
                key,
                from_source,
                then,
            } => {
                let then = match then {
                    Then::StayPending => AfterImport::StayPending,
                    Then::ActivateIfNone => AfterImport::ActivateIfNone,
                    Then::Activate => AfterImport::Activate,
                };
                let material = self.material(key);
                let imported = if from_source {
                    operator.bring(name, material, then, now)
                } else {
                    operator.import(name, material, then, now)
                };
                imported.map(drop)
            }
            Step::Activate(one, replaces, false) => operator.activate(name, key(one), replaces.map(key), now),
            Step::Activate(one, replaces, true) => {
                operator.activate_unconfirmed(name, key(one), replaces.map(key), now)
            }
            Step::Schedule(one, at, replaces, unconfirmed) => {
                let (replaces, first) = (replaces.map(key), false);
                let schedule = Schedule { at, replaces, first };
                operator.activate_at(name, key(one), schedule, unconfirmed, now)
            }
            Step::Unschedule(one) => operator.cancel(name, key(one), now),
            Step::Rollback(None) => operator.rollback(name, now),
            Step::Rollback(Some(one)) => operator.rollback_from(name, key(one), now),
            Step::Revoke(one, with) => {
                let replacement = match with {
                    With::Nothing => None,
                    With::Stop => Some(Replacement::Stop),
                    With::Successor(successor) => Some(Replacement::Successor(key(successor))),
                };
                operator.revoke(name, key(one), why_not(), replacement, now)
            }
            Step::Discard(one) => operator.discard(name, key(one), now),
            Step::Purge(one, compromised) => operator.purge(name, key(one), compromised, now),
            Step::Tick => operator.run(name, Command::Timer, now),
            Step::Notice => operator.run(name, Command::GiveNotice, now),
            Step::Renewal(ref renewing) => self.renew(alias, renewing, &operator),
        }
    }

    fn renew(
        &mut self,
        alias: usize,
        renewing: &Renewing,
        operator: &Operator<'_>,
    ) -> Result<(), CommandError> {
        let (name, now) = (ALIASES[alias], self.now);
        let receivers = |count: usize| RECEIVERS[..count].iter().map(ToString::to_string).collect();
        let id = |number: usize| self.id(alias, number);
        match *renewing {
            Renewing::Start(key, count) => {
                let key = key.map(|key| self.fingerprint(key));
                operator.start_renewal(name, key, receivers(count), now).map(drop)
            }
            Renewing::Publish(number) => operator.publish(name, &id(number), now),
            Renewing::Link(number, receiver) => {
                let token = operator.link(name, &id(number), RECEIVERS[receiver], now)?;
                self.links.insert((alias, number, receiver), token);
                Ok(())
            }
            Renewing::Confirm(number, receiver) => {
                operator.confirm(name, &id(number), RECEIVERS[receiver], now)
            }
            Renewing::ConfirmByLink(number, receiver) => {
                let token = self.links.get(&(alias, number, receiver));
                operator.confirm_by_link(token.map_or("none", |token| token.secret()), now)
            }
            Renewing::Complete(number) => operator.complete(name, &id(number), now),
            Renewing::Abort(number, false) => operator.abort(name, &id(number), now),
            Renewing::Abort(number, true) => operator.abort_back(name, &id(number), now),
            Renewing::HoldOver => {
                let ring = self.keys().ring();
                let hold = ring.alias(name).and_then(Lifecycle::current_hold);
                hold.map_or(Ok(()), |hold| operator.hold_over(name, hold, now))
            }
            Renewing::Hold => operator.hold(name, receivers(1), now).map(drop),
            Renewing::Drained => {
                let ring = self.keys().ring();
                let Some(drain) = ring.alias(name).and_then(Lifecycle::drain) else {
                    return Ok(());
                };
                match operator.drained(name, drain, now) {
                    // Told, after the messages were let go.
                    Err(CommandError::Refused(Refusal::NotValid { .. })) => Ok(()),
                    drained => drained,
                }
            }
            Renewing::Resume => operator.resume(name, now),
            Renewing::ProbeAccepted(key) => {
                operator.probe_accepted(name, self.fingerprint(key), RECEIVERS[0], now)
            }
            Renewing::Accepted(key, replaces) => {
                let (key, replaces) = (self.fingerprint(key), self.fingerprint(replaces));
                operator
                    .accepted(name, key, replaces, RECEIVERS[0], now)
                    .map(drop)
            }
        }
    }

    /// One that nobody knows, where there is none of this number.
    fn id(&self, alias: usize, number: usize) -> RenewalId {
        let ring = self.keys().ring();
        let renewals = ring.alias(ALIASES[alias]).unwrap().renewals();
        let known = renewals.get(number).map(|renewal| renewal.id.clone());
        known.unwrap_or_else(|| "r-0000000000000000".parse().unwrap())
    }
}

fn why_not() -> Reason {
    "why not".parse().unwrap()
}
