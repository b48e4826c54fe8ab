//! How long a displaced key is kept.

use super::*;

fn keeping(mut life: Life, days: u32) -> Life {
    life.policy.retention = DAY * days;
    life
}

#[test]
fn the_date_is_that_of_the_setting_when_the_key_was_displaced() {
    let mut life = keeping(Life::of([active(0)]), 100);
    life.run(active(1), TODAY);
    assert_eq!(life.kept_until(0), Some(day(TODAY + 100)));
}

#[test]
fn a_shorter_setting_later_does_not_bring_it_forward() {
    let mut life = keeping(Life::of([active(0)]), 200);
    life.run(active(1), TODAY);
    let mut life = keeping(life, 90);
    assert_eq!(story(&life.run(Command::Configure, TODAY)), told([]));
    assert_eq!(life.kept_until(0), Some(day(TODAY + 200)));
    life.run(revoke(0, None), TODAY);
    assert_eq!(life.kept_until(0), Some(day(TODAY + 200)));
}

#[test]
fn a_longer_setting_later_puts_it_off_and_stays_when_it_is_taken_back() {
    let mut life = Life::of([active(0), active(1), active(2)]);
    life.run(revoke(0, None), TODAY);
    let mut life = keeping(life, 120);
    let events = life.run(Command::Configure, TODAY + 10);
    assert_eq!(story(&events), told([(1, "extended"), (0, "extended")]));
    assert_eq!(life.kept_until(0), Some(day(TODAY + 120)));
    let mut life = keeping(life, 90);
    life.run(Command::Configure, TODAY + 10);
    assert_eq!(life.kept_until(1), Some(day(TODAY + 120)));
}

#[test]
fn it_runs_from_the_latest_displacement_and_never_ends_earlier_than_it_did() {
    let mut life = keeping(Life::of([active(0)]), 365);
    life.run(active(1), 30); // 0 is kept until 395
    let mut life = keeping(life, 90);
    life.run(roll_back(), 31);
    assert_eq!(life.kept_until(1), Some(day(121)));
    life.run(roll_back_from(0), 32);
    assert_eq!(life.kept_until(0), Some(day(395)), "not day 122");
    life.run(roll_back_from(1), 33);
    assert_eq!(life.kept_until(1), Some(day(123)), "from its latest displacement");
}

#[test]
fn revocation_does_not_move_the_date_of_a_key_that_had_been_displaced_before() {
    let mut life = Life::of([active(0), active(1)]);
    life.run(revoke(0, None), TODAY + 20);
    assert_eq!(story(&life.run(Command::Configure, TODAY + 20)), told([]));
    assert_eq!(life.kept_until(0), Some(day(TODAY + 90)));
}

#[test]
fn a_revoked_key_is_kept_as_if_it_had_been_displaced() {
    let mut life = Life::of([active(0), pending(1)]);
    life.run(revoke(0, Some(Replacement::Stop)), TODAY + 1);
    life.run(revoke(1, None), TODAY + 2);
    assert_eq!(life.kept_until(0), Some(day(TODAY + 91)));
    assert_eq!(life.kept_until(1), Some(day(TODAY + 92)));
}

#[test]
fn where_the_clock_was_put_back_dates_go_by_the_last_record_of_the_audit() {
    let mut life = Life::of([active(0), pending(1)]);
    let put_back = Moment::new(day(29), day(35));
    life.run_at(activate(1, None), put_back);
    assert_eq!(life.kept_until(0), Some(day(125)));
    let almost = Moment::new(day(20), day(124));
    let refused = life.state.apply(purge(0, false), &life.policy, almost, "a test");
    assert!(matches!(refused, Err(Refusal::Kept { .. })));
    life.run_at(purge(0, false), Moment::new(day(20), day(125)));
}

#[test]
fn a_setting_beyond_the_calendar_is_its_end() {
    let mut life = Life::of([active(0)]);
    life.policy.retention = Duration::MAX;
    life.run(active(1), TODAY);
    assert!(life.kept_until(0).unwrap().year() >= 9999);
}
