//! What is around the new key: the routes, the receivers and their clocks, other keys, confirmations.

use super::super::view::{Check, Severity};
use super::Subject;
use super::findings::Findings;
use crate::config::origin;
use crate::keys::Strategy;
use crate::keys::lifecycle::{KeyState, Step};
use crate::proxy::ReceiverClock;

impl Subject<'_> {
    pub(super) fn look_around(&self, findings: &mut Findings) {
        self.routes(findings);
        self.clocks(findings);
        self.key_refused(findings);
        self.other_keys(findings);
        self.confirmations(findings);
    }

    fn routes(&self, findings: &mut Findings) {
        if self.routes.is_empty() {
            let (sentence, remedy) = (
                "no route signs with this alias",
                "nothing, or add a [[route]] for it",
            );
            findings.add(Check::Routes, Severity::Info, &[], sentence, remedy);
        }
    }

    fn clocks(&self, findings: &mut Findings) {
        for route in self.those(|route| route.profile.timestamp.is_some()) {
            let clock = self.admin.proxy.receiver_clock(&route.receiver);
            let Some(clock) = clock.filter(ReceiverClock::is_wrong) else {
                continue;
            };
            let ahead = clock.ahead;
            let (seconds, way) = (
                ahead.whole_seconds().abs(),
                if ahead.is_positive() { "ahead of" } else { "behind" },
            );
            let sentence = format!(
                "its receiver's clock is {seconds} s {way} ours: Timestamps may be refused with any key"
            );
            let remedy = "set both clocks by NTP before the switch, so that one is not taken for the other";
            findings.add(Check::Clock, Severity::Warning, &[route], sentence, remedy);
        }
    }

    fn key_refused(&self, findings: &mut Findings) {
        let without = self.those(|route| route.key_refused.is_empty());
        if without.is_empty() {
            return;
        }
        let (severity, sentence) = match self.strategy {
            Strategy::PrePublish => return,
            Strategy::Hold => (
                Severity::Info,
                "messages that are held go on by a confirmation or a command alone: nobody says how the receiver refuses a key",
            ),
            Strategy::ReceiverLed => (
                Severity::Error,
                "nobody says how the receiver refuses a key, so its refusal leads to no other",
            ),
        };
        let remedy = "find out with `countersign renewal probe`, and set key_refused";
        findings.add(Check::KeyRefused, severity, &without, sentence, remedy);
    }

    fn other_keys(&self, findings: &mut Findings) {
        let pending = self
            .keys
            .keys()
            .filter(|entry| matches!(entry.state, KeyState::Pending { .. }));
        let others = pending
            .filter(|entry| entry.fingerprint() != self.new.fingerprint())
            .count();
        if others == 0 {
            return;
        }
        let open = self.keys.open_renewal();
        let named = open.is_some_and(|open| open.key() == self.new.fingerprint());
        let severity = match self.strategy {
            Strategy::ReceiverLed if !named => Severity::Error,
            Strategy::PrePublish | Strategy::Hold | Strategy::ReceiverLed => Severity::Info,
        };
        let sentence = format!("other keys are pending under this alias: {others}");
        let remedy = "start the renewal with this one by name, or discard the others";
        findings.add(Check::Pending, severity, &self.routes, sentence, remedy);
    }

    fn confirmations(&self, findings: &mut Findings) {
        let open = self.keys.open_renewal();
        let open =
            open.filter(|open| open.key() == self.new.fingerprint() && !open.has_taken(Step::Activated));
        let missing = open.map(|open| open.unconfirmed()).unwrap_or_default();
        if missing.is_empty() || self.strategy != Strategy::PrePublish {
            return;
        }
        let waiting = self.those(|route| missing.contains(&origin(&route.receiver)));
        let sentence = format!(
            "{} has not confirmed that it trusts the new certificate",
            missing.join(", ")
        );
        let remedy = "wait for that, or ask: `countersign renewal show` says who has a link";
        findings.add(Check::Confirmation, Severity::Warning, &waiting, sentence, remedy);
    }
}
