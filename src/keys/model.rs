//! Random commands, faults and restarts on real keys in a real store, held against a model that was
//! written from the table of states alone and shares no code with it.
//!
//! 10,000 steps in `make test`, ten times as many in `make soak`. A run that fails prints its seed, which
//! `COUNTERSIGN_SEED` repeats.

mod bench;
mod expected;
mod witness;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use aws_lc_rs::rand;

use bench::{Bench, Fault};
use expected::{Renewing, Step, Then, With};

/// Steps of one state directory, which begins empty.
const EPISODE: u32 = 500;

/// SplitMix64: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }
}

fn seed() -> u64 {
    if let Ok(given) = std::env::var("COUNTERSIGN_SEED") {
        return given.parse().unwrap();
    }
    let mut random = [0; 8];
    rand::fill(&mut random).unwrap();
    u64::from_ne_bytes(random)
}

#[test]
fn no_sequence_of_commands_faults_and_restarts_leads_away_from_the_table_of_states() {
    let (seed, soak) = (seed(), std::env::var_os("COUNTERSIGN_SOAK").is_some());
    let steps: u32 = if soak { 100_000 } else { 10_000 };
    let mut heard = BTreeMap::new();
    for episode in 0..steps / EPISODE {
        let run = catch_unwind(AssertUnwindSafe(|| live(Random(seed ^ u64::from(episode)))));
        let run = run.unwrap_or_else(|_| panic!("in episode {episode} of COUNTERSIGN_SEED={seed}"));
        for (what, times) in run {
            *heard.entry(what).or_insert(0) += times;
        }
    }
    for what in [
        "hold-may-switch",
        "hold-refuses",
        "key-activated back",
        "key-activated receiver",
        "renewal-confirmed true",
        "renewal-completed",
    ] {
        assert!(heard.contains_key(what), "no {what} in {steps} steps: {heard:?}");
    }
}

/// How often which kind of event was told.
fn live(mut random: Random) -> BTreeMap<String, u32> {
    let mut bench = Bench::new(&mut random);
    for _ in 0..EPISODE {
        bench.let_time_pass(&mut random);
        match random.below(40) {
            0 => bench.restart(&mut random),
            1 => bench.crash(),
            2 | 3 => bench.set_policy(&mut random),
            _ => {
                let alias = random.below(bench::ALIASES.len());
                let step = any_step(&mut random, &mut bench, alias);
                let fault = random.one_in(12).then(|| Fault::any(&mut random));
                bench.take(alias, &step, fault);
            }
        }
        bench.check();
    }
    bench.heard()
}

/// New keys come as old ones go.
fn any_step(random: &mut Random, bench: &mut Bench, alias: usize) -> Step {
    let (known, usable, waiting) = (
        bench.keys_of(alias),
        bench.usable_keys_of(alias),
        bench.pending_keys_of(alias),
    );
    if usable.len() < 2 || (usable.len() < 5 && random.one_in(16)) {
        let key = bench.make_key(random);
        return import(random, key);
    }
    if waiting.len() > 1 && random.one_in(4) {
        return Step::Discard(waiting[random.below(waiting.len())]);
    }
    let mut key = || {
        let from = if random.one_in(4) { &known } else { &usable };
        from[random.below(from.len())]
    };
    let (one, other) = (key(), key());
    match random.below(32) {
        0 => import(random, one),
        1 | 2 => Step::Activate(one, random.one_in(3).then_some(other), random.one_in(2)),
        3 => {
            let at = bench.now + time::Duration::hours(i64::try_from(random.below(240)).unwrap() - 12);
            Step::Schedule(one, at, random.one_in(4).then_some(other), random.one_in(2))
        }
        4 => Step::Unschedule(one),
        5..=7 => Step::Rollback(
            random
                .one_in(2)
                .then(|| bench.active_key_of(alias).unwrap_or(other)),
        ),
        8 => {
            let with = match random.below(4) {
                0 => With::Stop,
                1 => With::Nothing,
                _ => With::Successor(other),
            };
            Step::Revoke(one, with)
        }
        9 => Step::Discard(one),
        10 | 11 => Step::Purge(one, random.one_in(3)),
        12 | 13 => Step::Tick,
        14 | 15 => Step::Notice,
        16..=25 => Step::Renewal(likely(random, bench, alias)),
        _ => Step::Renewal(any_renewing(random, bench.renewals_of(alias), one, other)),
    }
}

/// What the state waits for, so that renewals come to their end.
fn likely(random: &mut Random, bench: &Bench, alias: usize) -> Renewing {
    let last = bench.renewals_of(alias).saturating_sub(1);
    if let Some((candidate, active)) = bench.rivals_of(alias).filter(|_| random.one_in(2)) {
        return Renewing::Accepted(candidate, active);
    }
    match (bench.open_renewal_of(alias), random.below(6)) {
        (None, 0..3) => Renewing::Start(None, 2),
        (None, _) | (Some(false), 0 | 1) => Renewing::Hold,
        (Some(false), 2 | 3) => Renewing::Drained,
        (Some(false), 4) => Renewing::Publish(last),
        (Some(false), _) => Renewing::Link(last, random.below(2)),
        (Some(true), 0 | 1) => Renewing::ConfirmByLink(last, random.below(2)),
        (Some(true), 2) => Renewing::Confirm(last, 0),
        (Some(true), 3) if random.one_in(2) => Renewing::HoldOver,
        (Some(true), 3) => Renewing::Abort(last, random.one_in(2)),
        (Some(true), _) => Renewing::Complete(last),
    }
}

fn any_renewing(random: &mut Random, renewals: usize, one: usize, other: usize) -> Renewing {
    // Mostly the last one, sometimes one that is over, sometimes one that never was.
    let number = (renewals + 1).saturating_sub(1 + random.below(3).min(renewals + 1));
    let receiver = random.below(2);
    match random.below(15) {
        0 | 1 => Renewing::Start(random.one_in(3).then_some(one), random.below(3)),
        2 => Renewing::Publish(number),
        3 => Renewing::Link(number, receiver),
        4 => Renewing::Confirm(number, receiver),
        5 | 6 => Renewing::ConfirmByLink(number, receiver),
        7 => Renewing::Complete(number),
        8 => Renewing::Abort(number, random.one_in(3)),
        9 => Renewing::Hold,
        10 => Renewing::Drained,
        11 => Renewing::Resume,
        12 => Renewing::ProbeAccepted(one),
        13 => Renewing::HoldOver,
        _ => Renewing::Accepted(one, other),
    }
}

fn import(random: &mut Random, key: usize) -> Step {
    let then = match random.below(4) {
        0 => Then::Activate,
        1 => Then::ActivateIfNone,
        _ => Then::StayPending,
    };
    Step::Import {
        key,
        from_source: random.one_in(2),
        then,
    }
}
