//! What an operator is told in time, once.

use super::*;

fn notices(life: &mut Life, day: u32) -> Vec<(usize, String)> {
    let due = life.state.is_notice_due(&life.policy, on(day));
    let told = story(&life.run(Command::GiveNotice, day));
    assert_eq!(
        due,
        !told.is_empty(),
        "what is due is told, and what is told was due"
    );
    told
}

#[test]
fn the_active_key_is_told_of_as_its_end_comes_nearer_and_once_each() {
    // Key 1 expires on day 50.
    let mut life = Life::of([active(1), pending(2)]);
    assert_eq!(notices(&mut life, 19), told([(1, "expires within 60d")]));
    assert_eq!(notices(&mut life, 19), told([]));
    assert_eq!(notices(&mut life, 20), told([(1, "expires within 30d")]));
    assert_eq!(
        notices(&mut life, 49),
        told([(1, "expires within 1d")]),
        "the most urgent one"
    );
    assert_eq!(notices(&mut life, 51), told([]));
}

#[test]
fn an_hour_before_only_one_that_is_held_is_told_of() {
    for (strategy, expected) in [
        (Strategy::Hold, told([(1, "expires within 1h")])),
        (Strategy::PrePublish, told([])),
        (Strategy::ReceiverLed, told([])),
    ] {
        let mut life = Life::of([active(1)]).by(strategy);
        assert_eq!(notices(&mut life, 49), told([(1, "expires within 1d")]));
        let hour = day(50) - time::Duration::minutes(59);
        let events = life.run_at(Command::GiveNotice, Moment::new(hour, hour));
        assert_eq!(story(&events), expected, "{strategy}");
    }
}

#[test]
fn a_clock_that_is_put_back_keeps_no_notice_from_being_given() {
    let mut life = Life::of([active(1)]);
    let put_back = Moment::new(day(20), day(43));
    let events = life.run_at(Command::GiveNotice, put_back);
    assert_eq!(story(&events), told([(1, "expires within 7d")]));
    assert_eq!(notices(&mut life, 30), told([]));
}

#[test]
fn a_key_whose_retention_is_over_is_told_of_once_and_again_when_that_changes() {
    let mut life = Life::of([active(0), active(1)]);
    assert_eq!(notices(&mut life, TODAY), told([(1, "expires within 30d")]));
    life.run(revoke(1, Some(Replacement::Stop)), TODAY);
    assert_eq!(notices(&mut life, TODAY + 89), told([]));
    assert_eq!(
        notices(&mut life, TODAY + 90),
        told([(0, "purgeable"), (1, "purgeable")])
    );
    assert_eq!(notices(&mut life, TODAY + 91), told([]));
    life.policy.retention = DAY * 100;
    life.run(Command::Configure, TODAY + 92);
    assert_eq!(notices(&mut life, TODAY + 99), told([]));
    assert_eq!(
        notices(&mut life, TODAY + 100),
        told([(0, "purgeable"), (1, "purgeable")])
    );
    life.run(purge(0, false), TODAY + 101);
    assert_eq!(notices(&mut life, TODAY + 102), told([]));
}

#[test]
fn a_key_that_is_displaced_once_more_becomes_purgeable_once_more() {
    let mut life = Life::of([active(2)]);
    life.policy.retention = DAY;
    life.run(active(3), TODAY);
    assert_eq!(
        notices(&mut life, 31),
        told([(3, "expires within 60d"), (2, "purgeable")])
    );
    life.run(roll_back(), 32);
    assert_eq!(
        notices(&mut life, 33),
        told([(2, "expires within 30d"), (3, "purgeable")])
    );
    life.run(roll_back_from(2), 34);
    assert_eq!(notices(&mut life, 35), told([(2, "purgeable")]));
}
