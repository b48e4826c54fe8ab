//! What was sent against what arrived: the demo's verdict. Pure; knows neither sockets nor clocks.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::keys::Fingerprint;
use crate::keys::lifecycle::Strategy;
use crate::receiver::Counts;

/// A message as its flow saw it.
#[derive(Debug)]
pub struct Sent {
    /// The number of the alias whose key is to sign it.
    pub alias: usize,
    /// Before its first byte left.
    pub begun: Instant,
    /// What the receiver said of it; `None` without an answer, or with a fault.
    pub accepted: Option<Acceptance>,
}

/// The receiver found the message in order.
#[derive(Debug)]
pub struct Acceptance {
    /// When the answer was complete.
    pub at: Instant,
    /// Whose signature the receiver found.
    pub key: Fingerprint,
}

/// A key became the active one.
#[derive(Debug)]
pub struct Switch {
    /// The number of the alias.
    pub alias: usize,
    /// The one that is active now.
    pub key: Fingerprint,
    /// Before the command was sent.
    pub begun: Instant,
    /// When the command had returned: from here on every new message is signed with the key.
    pub done: Instant,
}

/// The sums.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// By the flows.
    pub sent: u64,
    /// Accepted, as the flows were told.
    pub answered: u64,
    /// Sent, and either not accepted by the receiver or not answered.
    pub lost: u64,
    /// Accepted more than once.
    pub doubled: u64,
    /// Arrived without a valid signature.
    pub unsigned: u64,
    /// Refused because the receiver had exchanged the key, which is how `receiver-led` finds that out.
    pub refused: u64,
    /// Signed with another alias's key, or with one that had been displaced before the message was sent.
    pub stale: u64,
    /// Messages by the fingerprint of the key that signed them, as the receiver counted.
    pub signed_by: BTreeMap<String, u64>,
}

impl Tally {
    /// `switches` in the order of time; the first one of each alias stands before all messages.
    #[must_use]
    pub fn of(sent: &[Sent], arrived: &Counts, switches: &[Switch], strategy: Strategy) -> Self {
        let refused = match strategy {
            Strategy::ReceiverLed => arrived.refused,
            Strategy::PrePublish | Strategy::Hold => 0,
        };
        let mut tally = Self {
            doubled: arrived.duplicates,
            unsigned: arrived.unsigned + arrived.refused - refused,
            refused,
            signed_by: arrived.keys.clone(),
            ..Self::default()
        };
        let mut own: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for switch in switches {
            own.entry(switch.alias).or_default().push(switch);
        }
        for message in sent {
            tally.sent += 1;
            let Some(acceptance) = &message.accepted else {
                continue;
            };
            tally.answered += 1;
            let own = own.get(&message.alias).map(Vec::as_slice).unwrap_or_default();
            tally.stale += u64::from(!may_sign(message.begun, acceptance, own));
        }
        tally.lost = tally
            .sent
            .saturating_sub(tally.answered.min(arrived.accepted - arrived.duplicates));
        tally
    }

    /// Nothing went wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.sent > 0 && self.lost + self.doubled + self.unsigned + self.stale == 0
    }
}

/// The key whose switch was the last one done before the message was sent may sign it, and every
/// key that a later switch brought before its answer was there.
fn may_sign(sent: Instant, acceptance: &Acceptance, switches: &[&Switch]) -> bool {
    let last_done = switches
        .iter()
        .rposition(|switch| switch.done <= sent)
        .unwrap_or(0);
    let mut possible = switches.iter().skip(last_done).enumerate();
    possible
        .any(|(later, switch)| switch.key == acceptance.key && (later == 0 || switch.begun <= acceptance.at))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    struct Clock(Instant);

    impl Clock {
        fn at(&self, second: u64) -> Instant {
            self.0 + Duration::from_secs(second)
        }

        fn sent(&self, begun: u64, answered: u64, signer: &str) -> Sent {
            let acceptance = Acceptance {
                at: self.at(answered),
                key: key(signer),
            };
            Sent {
                alias: 0,
                begun: self.at(begun),
                accepted: Some(acceptance),
            }
        }

        fn switch(&self, name: &str, begun: u64, done: u64) -> Switch {
            Switch {
                alias: 0,
                key: key(name),
                begun: self.at(begun),
                done: self.at(done),
            }
        }
    }

    fn key(name: &str) -> Fingerprint {
        Fingerprint::of(name.as_bytes())
    }

    fn accepted(accepted: u64) -> Counts {
        Counts {
            accepted,
            ..Counts::default()
        }
    }

    fn judge(sent: &[Sent], arrived: &Counts, switches: &[Switch]) -> Tally {
        Tally::of(sent, arrived, switches, Strategy::PrePublish)
    }

    #[test]
    fn a_clean_run_is_clean() {
        let clock = Clock(Instant::now());
        let switches = [clock.switch("old", 0, 0), clock.switch("new", 5, 6)];
        let sent = [clock.sent(1, 2, "old"), clock.sent(7, 8, "new")];

        let tally = judge(&sent, &accepted(2), &switches);

        assert!(tally.is_clean(), "{tally:?}");
        assert_eq!((tally.sent, tally.answered), (2, 2));
    }

    #[test]
    fn a_run_without_messages_shows_nothing() {
        assert!(!judge(&[], &accepted(0), &[]).is_clean());
    }

    #[test]
    fn what_is_under_way_during_a_switch_may_be_signed_with_either_key() {
        let clock = Clock(Instant::now());
        let switches = [clock.switch("old", 0, 0), clock.switch("new", 5, 7)];
        for signer in ["old", "new"] {
            let sent = [clock.sent(4, 8, signer), clock.sent(6, 8, signer)];
            let tally = judge(&sent, &accepted(2), &switches);
            assert!(tally.is_clean(), "{tally:?}");
        }
    }

    #[test]
    fn a_displaced_key_is_stale_from_when_its_displacement_had_returned() {
        let clock = Clock(Instant::now());
        let switches = [
            clock.switch("old", 0, 0),
            clock.switch("new", 5, 6),
            clock.switch("newer", 9, 9),
        ];
        let cases = [
            ("old", 6, 1),
            ("new", 6, 0),
            ("newer", 6, 1),
            ("new", 9, 1),
            ("newer", 9, 0),
        ];
        for (signer, second, stale) in cases {
            let tally = judge(&[clock.sent(second, second, signer)], &accepted(1), &switches);
            assert_eq!(tally.stale, stale, "{signer} at {second}");
            assert_eq!(tally.is_clean(), stale == 0);
        }
    }

    #[test]
    fn each_alias_has_its_own_keys() {
        let clock = Clock(Instant::now());
        let of = |alias, switch: Switch| Switch { alias, ..switch };
        let switches = [
            of(0, clock.switch("orders 1", 0, 0)),
            of(1, clock.switch("invoices 1", 0, 0)),
            of(1, clock.switch("invoices 2", 3, 4)),
        ];
        for (alias, signer, stale) in [
            (0, "orders 1", 0),
            (1, "orders 1", 1),
            (1, "invoices 1", 1),
            (1, "invoices 2", 0),
            (0, "invoices 2", 1),
            (2, "orders 1", 1),
        ] {
            let sent = Sent {
                alias,
                ..clock.sent(5, 6, signer)
            };
            let tally = judge(&[sent], &accepted(1), &switches);
            assert_eq!(tally.stale, stale, "{signer} for {alias}");
        }
    }

    #[test]
    fn after_a_rollback_the_first_key_may_sign_again_and_the_second_no_more() {
        let clock = Clock(Instant::now());
        let switches = [
            clock.switch("old", 0, 0),
            clock.switch("new", 2, 2),
            clock.switch("old", 4, 4),
        ];
        for (signer, stale) in [("old", 0), ("new", 1)] {
            let tally = judge(&[clock.sent(5, 5, signer)], &accepted(1), &switches);
            assert_eq!(tally.stale, stale, "{signer}");
        }
    }

    #[test]
    fn a_message_is_lost_if_the_receiver_or_the_flow_knows_nothing_of_it() {
        let clock = Clock(Instant::now());
        let switches = [clock.switch("old", 0, 0)];
        let unanswered = || Sent {
            alias: 0,
            begun: clock.at(1),
            accepted: None,
        };

        let tally = judge(&[clock.sent(1, 1, "old"), unanswered()], &accepted(2), &switches);
        assert_eq!(
            (tally.lost, tally.is_clean()),
            (1, false),
            "the receiver's answer did not arrive"
        );

        let sent = [clock.sent(1, 1, "old"), clock.sent(1, 1, "old")];
        let doubled = Counts {
            duplicates: 1,
            ..accepted(2)
        };
        let tally = judge(&sent, &doubled, &switches);
        assert_eq!(
            (tally.lost, tally.doubled),
            (1, 1),
            "one came twice, the other never"
        );
    }

    #[test]
    fn what_the_receiver_refused_counts_as_unsigned() {
        let clock = Clock(Instant::now());
        let arrived = Counts {
            unsigned: 1,
            refused: 2,
            ..accepted(1)
        };
        let tally = judge(&[clock.sent(1, 1, "old")], &arrived, &[clock.switch("old", 0, 0)]);
        assert_eq!((tally.unsigned, tally.is_clean()), (3, false));
    }

    #[test]
    fn what_the_receiver_refused_leads_to_the_next_key_where_receivers_lead() {
        let clock = Clock(Instant::now());
        let arrived = Counts {
            refused: 2,
            ..accepted(1)
        };
        let switches = [clock.switch("old", 0, 0)];
        let tally = Tally::of(
            &[clock.sent(1, 1, "old")],
            &arrived,
            &switches,
            Strategy::ReceiverLed,
        );
        assert_eq!((tally.unsigned, tally.refused, tally.is_clean()), (0, 2, true));
    }
}
