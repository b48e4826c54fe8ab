//! Activation by itself: at a set time, and before expiry.

use super::*;

fn before_expiry(mut life: Life) -> Life {
    life.policy.before_expiry = true;
    life
}

#[test]
fn a_key_is_activated_at_the_time_that_was_set_and_not_before() {
    let mut life = Life::of([active(0), pending(1)]);
    assert_eq!(
        story(&life.run(schedule(1, 33, Some(0)), TODAY)),
        told([(1, "scheduled")])
    );
    assert!(!life.state.is_due(&life.policy, on(32)));
    assert_eq!(story(&life.run(Command::Timer, 32)), told([]));
    assert!(life.state.is_due(&life.policy, on(33)));
    let events = life.run(Command::Timer, 33);
    assert_eq!(
        story(&events),
        told([(1, "activated by schedule"), (0, "retired")])
    );
    assert!(!life.state.is_due(&life.policy, on(34)));
}

#[test]
fn a_time_that_was_set_can_be_set_again_or_cancelled() {
    let mut life = Life::of([active(0), pending(1)]);
    let cancel = || Command::Unschedule {
        fingerprint: fingerprint(1),
    };
    assert_eq!(
        life.refusal(cancel(), TODAY),
        Refusal::NotScheduled(fingerprint(1))
    );
    life.run(schedule(1, 33, None), TODAY);
    assert_eq!(story(&life.run(schedule(1, 33, None), TODAY)), told([]));
    life.run(schedule(1, 35, None), TODAY);
    assert!(!life.state.is_due(&life.policy, on(34)));
    let events = life.run(cancel(), TODAY);
    assert_eq!(story(&events), told([(1, "cancelled: it was cancelled")]));
    assert!(!life.state.is_due(&life.policy, on(35)));
}

#[test]
fn a_time_at_which_the_key_could_not_sign_is_refused_when_it_is_set() {
    let life = Life::of([pending(0), active(1), pending(2)]);
    let refusal = life.refusal(schedule(2, 61, None), TODAY).to_string();
    assert!(
        refusal.contains("could not sign at 1970-03-03T00:00:00Z"),
        "{refusal}"
    );
    assert!(refusal.contains("expired on 1970-03-02T00:00:00Z"), "{refusal}");
    let older = life.refusal(schedule(0, 33, None), TODAY).to_string();
    assert!(older.contains("no event and no timer activates it"), "{older}");
    let swapped = life.refusal(schedule(2, 33, Some(0)), TODAY);
    assert!(matches!(swapped, Refusal::NotActive { .. }));
    let active = life.refusal(schedule(1, 33, None), TODAY);
    assert_eq!(active, Refusal::ActiveAlready(fingerprint(1)));
}

#[test]
fn a_time_that_comes_when_things_have_changed_passes_and_says_why() {
    let mut life = Life::of([active(0), pending(1), pending(2)]);
    life.run(schedule(1, 33, Some(0)), TODAY);
    life.run(activate(2, None), 31);
    let events = life.run(Command::Timer, 33);
    let story = story(&events);
    assert_eq!((story.len(), story[0].0), (1, 1));
    assert!(
        story[0].1.starts_with("cancelled: the active key is"),
        "{story:?}"
    );
    assert_eq!(life.names(), [(2, "active"), (1, "pending"), (0, "retired")]);
    assert!(!life.state.is_due(&life.policy, on(34)));
}

#[test]
fn times_that_passed_while_nobody_looked_are_made_up_for_in_their_order() {
    let mut life = Life::of([active(0), pending(1), pending(2)]);
    life.run(schedule(2, 35, None), TODAY);
    life.run(schedule(1, 34, None), TODAY);
    life.run(Command::Timer, 36);
    assert_eq!(life.names(), [(2, "active"), (1, "retired"), (0, "retired")]);
}

#[test]
fn a_discarded_or_revoked_key_keeps_no_appointment() {
    let mut life = Life::of([active(0), pending(1), pending(2)]);
    life.run(schedule(1, 33, None), TODAY);
    life.run(schedule(2, 33, None), TODAY);
    life.run(discard(1), TODAY);
    life.run(revoke(2, None), TODAY);
    assert!(!life.state.is_due(&life.policy, on(33)));
}

#[test]
fn a_day_before_expiry_the_pending_key_imported_last_is_activated() {
    // Key 0 expires on day 40.
    let mut life = before_expiry(Life::of([active(0), pending(1), pending(2), pending(5)]));
    assert!(!life.state.is_due(&life.policy, on(38)));
    let events = life.run(Command::Timer, 39);
    let expected = [
        (2, "activated by expiry"),
        (0, "retired"),
        (2, "unconfirmed by nobody"),
    ];
    assert_eq!(story(&events), told(expected));
    assert_eq!(life.kept_until(0), Some(day(39 + 90)));
}

#[test]
fn before_expiry_goes_by_the_last_record_of_the_audit_where_the_clock_was_put_back() {
    let mut life = before_expiry(Life::of([active(0), pending(1)]));
    let put_back = Moment::new(day(35), day(39));
    assert_eq!(
        story(&life.run_at(Command::Timer, put_back)),
        told([
            (1, "activated by expiry"),
            (0, "retired"),
            (1, "unconfirmed by nobody")
        ])
    );
}

#[test]
fn before_expiry_no_key_is_activated_that_is_older_expires_sooner_or_is_not_valid() {
    let mut older = before_expiry(Life::of([pending(1), active(0)]));
    assert_eq!(story(&older.run(Command::Timer, 39)), told([]));
    let mut sooner = before_expiry(Life::of([active(2), pending(1)]));
    assert_eq!(story(&sooner.run(Command::Timer, 49)), told([]));
    let mut not_valid = before_expiry(Life::of([active(0), pending(5)]));
    assert_eq!(story(&not_valid.run(Command::Timer, 39)), told([]));
    let mut manual = Life::of([active(0), pending(1)]);
    assert_eq!(story(&manual.run(Command::Timer, 39)), told([]));
}

#[test]
fn no_timer_starts_an_alias_that_was_stopped() {
    let mut life = before_expiry(Life::of([active(0), pending(1)]));
    life.run(revoke(0, Some(Replacement::Stop)), TODAY);
    assert_eq!(story(&life.run(Command::Timer, 39)), told([]));
}
