//! How long messages took before, during and after switches.

use std::time::Duration;

use super::ledger::{Sent, Switch};

/// What belongs to a switch, on either side of it.
pub const WINDOW: Duration = Duration::from_millis(250);

/// Where a message stands to the switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Answered shortly before one began.
    Before,
    /// Under way at the same time as the command of one.
    During,
    /// Sent shortly after one was done.
    After,
}

/// How long it took to be answered, of many messages.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Latencies(Vec<Duration>);

/// The same around switches.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// Answered within [`WINDOW`] before the command.
    pub before: Latencies,
    /// Under way at the same time as the command.
    pub during: Latencies,
    /// Sent within [`WINDOW`] after the command had returned.
    pub after: Latencies,
}

impl Around {
    /// These switches, of whatever aliases they are.
    #[must_use]
    pub fn switches(sent: &[Sent], switches: &[Switch]) -> Self {
        let mut around = Self::default();
        for message in sent {
            let Some(took) = took(message) else { continue };
            let latencies = match phase(message, took, switches) {
                Some(Phase::Before) => &mut around.before,
                Some(Phase::During) => &mut around.during,
                Some(Phase::After) => &mut around.after,
                None => continue,
            };
            latencies.0.push(took);
        }
        for latencies in [&mut around.before, &mut around.during, &mut around.after] {
            latencies.0.sort_unstable();
        }
        around
    }
}

impl Latencies {
    /// Of all that were accepted.
    #[must_use]
    pub fn of(sent: &[Sent]) -> Self {
        sent.iter().filter_map(took).collect()
    }

    /// How many messages.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// So many of a thousand took no longer.
    #[must_use]
    pub fn permille(&self, share: usize) -> Duration {
        let rank = (self.0.len() * share).div_ceil(1000).saturating_sub(1);
        self.0.get(rank).copied().unwrap_or_default()
    }
}

impl FromIterator<Duration> for Latencies {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let mut times: Vec<_> = times.into_iter().collect();
        times.sort_unstable();
        Self(times)
    }
}

fn took(message: &Sent) -> Option<Duration> {
    let accepted = message.accepted.as_ref()?;
    Some(accepted.at - message.begun)
}

fn phase(message: &Sent, took: Duration, switches: &[Switch]) -> Option<Phase> {
    let (begun, answered) = (message.begun, message.begun + took);
    let any = |test: &dyn Fn(&Switch) -> bool| switches.iter().any(test);
    if any(&|switch| begun <= switch.done && switch.begun <= answered) {
        Some(Phase::During)
    } else if any(&|switch| switch.done < begun && begun <= switch.done + WINDOW) {
        Some(Phase::After)
    } else if any(&|switch| answered < switch.begun && switch.begun <= answered + WINDOW) {
        Some(Phase::Before)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::cli::demo::ledger::Acceptance;
    use crate::keys::Fingerprint;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn sent(base: Instant, begun: u64, answered: u64) -> Sent {
        let acceptance = Acceptance {
            at: base + ms(answered),
            key: Fingerprint::of(b"key"),
        };
        Sent {
            alias: 0,
            begun: base + ms(begun),
            accepted: Some(acceptance),
        }
    }

    #[test]
    fn a_message_is_counted_where_it_stands_to_the_switch() {
        let base = Instant::now();
        let switch = Switch {
            alias: 0,
            key: Fingerprint::of(b"key"),
            begun: base + ms(1000),
            done: base + ms(1010),
        };
        let cases = [
            (700, 749, [0, 0, 0]),
            (700, 750, [1, 0, 0]),
            (900, 999, [1, 0, 0]),
            (900, 1000, [0, 1, 0]),
            (1002, 1003, [0, 1, 0]),
            (900, 2000, [0, 1, 0]),
            (1010, 1020, [0, 1, 0]),
            (1011, 1020, [0, 0, 1]),
            (1260, 1290, [0, 0, 1]),
            (1261, 1290, [0, 0, 0]),
        ];
        for (begun, answered, expected) in cases {
            let around = Around::switches(&[sent(base, begun, answered)], std::slice::from_ref(&switch));
            let counts = [&around.before, &around.during, &around.after].map(Latencies::count);
            assert_eq!(counts, expected, "{begun} to {answered}");
        }
    }

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let latencies: Latencies = (1..=1000).rev().map(ms).collect();
        let found = [500, 990, 999, 1000].map(|share| latencies.permille(share));
        assert_eq!(found, [ms(500), ms(990), ms(999), ms(1000)]);
        assert_eq!(Latencies::from_iter([ms(7)]).permille(500), ms(7));
        assert_eq!(Latencies::default().permille(990), Duration::ZERO);
    }
}
