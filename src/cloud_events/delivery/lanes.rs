//! Which event is sent when: one of each alias and sink at a time, some aliases at once, and after a failure none of that
//! alias for a while that doubles.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::rand;
use tokio::time::Instant;

use crate::keys::store::Lying;

/// Events on their way to one sink.
const AT_ONCE: usize = 8;
/// After the first failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// A sink that is back hears of everything within this time.
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);

/// What is known of the next event of each alias and sink; of those that were never tried, nothing.
#[derive(Default)]
pub(super) struct Lanes(BTreeMap<(String, String), Lane>);

#[derive(Clone, Copy)]
struct Lane {
    /// How often its event was not taken.
    failed: u32,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    UnderWay,
    WaitsUntil(Instant),
}

impl Lanes {
    /// Those of the next events that are to be sent now: first those that were never tried, then those that have waited
    /// longest, so that what a sink never takes holds up nothing else.
    pub(super) fn begin(&mut self, sink: &str, next: Vec<Lying>, now: Instant) -> Vec<Lying> {
        let under_way = self
            .0
            .iter()
            .filter(|((own, _), lane)| own == sink && lane.is_under_way());
        let free = AT_ONCE.saturating_sub(under_way.count());
        let mut due: Vec<_> = next
            .into_iter()
            .filter_map(|row| match self.0.get(&key(&row)).map(|lane| lane.state) {
                None => Some((None, row)),
                Some(State::WaitsUntil(until)) if until <= now => Some((Some(until), row)),
                Some(State::WaitsUntil(_) | State::UnderWay) => None,
            })
            .collect();
        due.sort_by_key(|(since, row)| (*since, row.sequence));
        due.truncate(free);
        let rows = due.into_iter().map(|(_, row)| {
            let lane = self.0.entry(key(&row)).or_insert(Lane {
                failed: 0,
                state: State::UnderWay,
            });
            lane.state = State::UnderWay;
            row
        });
        rows.collect()
    }

    /// When the next of those that wait is to be tried. Those that have waited and found no place are tried when another
    /// comes to its end.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        let waiting = self.0.values().filter_map(|lane| match lane.state {
            State::WaitsUntil(until) => Some(until),
            State::UnderWay => None,
        });
        waiting.filter(|until| *until > now).min()
    }

    /// How often it had failed before.
    pub(super) fn succeeded(&mut self, row: &Lying) -> u32 {
        self.0.remove(&key(row)).map_or(0, |lane| lane.failed)
    }

    /// How often it has failed now, and for how long it waits: at least as long as the sink asks for, within bounds.
    pub(super) fn failed(&mut self, row: &Lying, asked: Option<Duration>, now: Instant) -> (u32, Duration) {
        let failed = self.succeeded(row).saturating_add(1);
        let wait = jittered(backoff(failed)).max(asked.unwrap_or_default().min(LONGEST_WAIT));
        let state = State::WaitsUntil(now + wait);
        self.0.insert(key(row), Lane { failed, state });
        (failed, wait)
    }

    /// Nothing waits any more.
    pub(super) fn try_again(&mut self) {
        self.0.retain(|_, lane| lane.is_under_way());
    }
}

impl Lane {
    const fn is_under_way(self) -> bool {
        matches!(self.state, State::UnderWay)
    }
}

fn key(row: &Lying) -> (String, String) {
    (row.sink.clone(), row.alias.clone())
}

fn backoff(failed: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failed.saturating_sub(1));
    FIRST_WAIT.saturating_mul(doubled).min(LONGEST_WAIT)
}

/// Half of it to all of it, so that what failed together is not tried together.
fn jittered(wait: Duration) -> Duration {
    let mut random = [0; 4];
    // Without random numbers it is all of it.
    if rand::fill(&mut random).is_err() {
        return wait;
    }
    let share = f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX);
    wait.mul_f64(0.5 + share / 2.0)
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    fn row(alias: &str, sequence: i64) -> Lying {
        Lying {
            sink: "hr".to_owned(),
            alias: alias.to_owned(),
            sequence,
            at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn begun(lanes: &mut Lanes, next: &[Lying], now: Instant) -> Vec<i64> {
        let begun = lanes.begin("hr", next.to_vec(), now);
        begun.iter().map(|row| row.sequence).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_alias_waits_for_its_own_event_alone() {
        let (mut lanes, now) = (Lanes::default(), Instant::now());
        let [a, b] = [row("a", 1), row("b", 2)];
        assert_eq!(begun(&mut lanes, &[a.clone(), b.clone()], now), [1, 2]);
        assert!(
            begun(&mut lanes, &[a.clone(), b.clone()], now).is_empty(),
            "under way"
        );
        lanes.failed(&a, None, now);
        lanes.succeeded(&b);
        assert_eq!(begun(&mut lanes, &[a.clone(), row("b", 3)], now), [3]);
        let due = lanes.next_due(now).unwrap();
        assert!(due > now && due <= now + FIRST_WAIT);
        assert_eq!(begun(&mut lanes, std::slice::from_ref(&a), due), [1]);
        lanes.failed(&a, None, due);
        lanes.try_again();
        assert_eq!(begun(&mut lanes, &[a], due), [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_never_taken_leaves_places_to_the_others() {
        let (mut lanes, now) = (Lanes::default(), Instant::now());
        let stuck: Vec<_> = (0..100)
            .map(|number| row(&format!("a{number:03}"), number))
            .collect();
        let mut tried = std::collections::BTreeSet::new();
        let mut time = now;
        for _ in 0..20 {
            for row in lanes.begin("hr", stuck.clone(), time) {
                tried.insert(row.sequence);
                lanes.failed(&row, None, time);
            }
            time += LONGEST_WAIT;
        }
        assert_eq!(tried.len(), 100, "each has its turn");
        let new = [stuck, vec![row("z", 1000)]].concat();
        assert!(begun(&mut lanes, &new, time).contains(&1000));
    }

    #[tokio::test(start_paused = true)]
    async fn waits_double_up_to_a_bound_and_respect_what_the_sink_asks_for() {
        let (mut lanes, now) = (Lanes::default(), Instant::now());
        let a = row("a", 1);
        for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300] {
            let (_, wait) = lanes.failed(&a, None, now);
            let whole = Duration::from_secs(expected);
            assert!(wait <= whole && wait >= whole / 2, "{wait:?} of {whole:?}");
        }
        lanes.succeeded(&a);
        let (times, wait) = lanes.failed(&a, Some(Duration::from_secs(60)), now);
        assert_eq!((times, wait), (1, Duration::from_secs(60)));
        let (_, wait) = lanes.failed(&a, Some(Duration::from_secs(86_400)), now);
        assert_eq!(wait, LONGEST_WAIT, "no sink stops us for a day");
        for _ in 0..100 {
            lanes.failed(&a, None, now);
        }
    }
}
