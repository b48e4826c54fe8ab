//! Import, activation, rollback.

use super::*;

#[test]
fn an_imported_key_is_pending_until_it_is_activated_and_then_retired_by_the_next() {
    let mut life = Life::of([pending(0), pending(1)]);
    assert_eq!(life.names(), [(0, "pending"), (1, "pending")]);
    life.run(activate(0, None), 30);
    let events = life.run(activate(1, None), 31);
    assert_eq!(life.names(), [(1, "active"), (0, "retired")]);
    assert_eq!(
        life.state.key(&fingerprint(0)).unwrap().state.since(),
        Some(day(31))
    );
    assert_eq!(
        story(&events),
        told([(1, "activated by activate"), (0, "retired")])
    );
}

#[test]
fn the_first_key_of_a_source_is_activated_and_no_later_one() {
    let life = Life::of([
        import(0, AfterImport::ActivateIfNone),
        import(1, AfterImport::ActivateIfNone),
    ]);
    assert_eq!(life.names(), [(0, "active"), (1, "pending")]);
}

#[test]
fn a_key_that_is_not_valid_yet_never_displaces_one_that_is() {
    let life = Life::of([active(0), active(5)]);
    assert_eq!(life.names(), [(0, "active"), (5, "pending")]);
    let refusal = life.refusal(activate(5, None), TODAY).to_string();
    assert!(
        refusal.contains("is not valid before 1970-02-20T00:00:00Z"),
        "{refusal}"
    );
}

#[test]
fn what_is_so_already_is_no_event() {
    let mut life = Life::of([active(0), active(1), pending(2), pending(3)]);
    life.run(revoke(2, None), TODAY);
    life.run(discard(3), TODAY);
    let before = life.names();
    for known in [
        active(0),
        pending(1),
        active(2),
        brought(3, Origin::Source, AfterImport::Activate),
        activate(1, None),
        activate(1, Some(0)),
        revoke(2, None),
        discard(3),
    ] {
        assert_eq!(story(&life.run(known, 31)), told([]));
        assert_eq!(life.names(), before);
    }
}

#[test]
fn compare_and_swap_fails_when_another_key_is_active() {
    let mut life = Life::of([active(0), active(1), pending(2)]);
    let refused = Refusal::NotActive {
        expected: fingerprint(0),
        active: Some(fingerprint(1)),
    };
    assert_eq!(life.refusal(activate(2, Some(0)), TODAY), refused);
    life.run(activate(2, Some(1)), TODAY);
    assert_eq!(life.names(), [(2, "active"), (1, "retired"), (0, "retired")]);
    let none = Life::of([pending(0)])
        .refusal(activate(0, Some(1)), TODAY)
        .to_string();
    assert!(none.contains("leave `replaces` out"), "{none}");
}

#[test]
fn a_retired_key_comes_back_by_rollback_only_one_step() {
    let mut life = Life::of([0, 1, 2].map(active));
    assert_eq!(
        life.refusal(activate(0, None), TODAY),
        Refusal::Retired(fingerprint(0))
    );
    let events = life.run(roll_back(), TODAY);
    assert_eq!(
        story(&events),
        told([(1, "activated by rollback"), (2, "rolled back")])
    );
    assert_eq!(life.names(), [(1, "active"), (2, "retired"), (0, "retired")]);
}

#[test]
fn a_second_step_back_in_a_row_would_go_forward_and_is_taken_only_by_who_says_so() {
    let mut life = Life::of([0, 1, 2].map(active));
    life.run(roll_back(), TODAY);
    let refusal = life.refusal(roll_back(), TODAY);
    let already = Refusal::RolledBackAlready {
        active: fingerprint(1),
        forward: fingerprint(2),
    };
    assert_eq!(refusal, already);
    assert!(matches!(
        life.refusal(roll_back_from(2), TODAY),
        Refusal::NotActive { .. }
    ));
    life.run(roll_back_from(1), TODAY);
    assert_eq!(life.names(), [(2, "active"), (1, "retired"), (0, "retired")]);
    assert!(matches!(
        life.refusal(roll_back(), TODAY),
        Refusal::RolledBackAlready { .. }
    ));

    // After another key has signed, a step back is one back again.
    let mut life = Life::of([0, 1].map(active));
    life.run(roll_back(), TODAY);
    life.run(active(2), TODAY);
    life.run(roll_back(), TODAY);
    assert_eq!(life.names(), [(0, "active"), (2, "retired"), (1, "retired")]);
}

#[test]
fn there_is_no_way_back_to_nothing_or_to_an_expired_key() {
    let mut life = Life::of([active(0)]);
    assert_eq!(life.refusal(roll_back(), TODAY), Refusal::NothingRetired);
    life.run(active(3), TODAY);
    let refusal = life.refusal(roll_back(), 41).to_string();
    assert!(refusal.contains("expired on 1970-02-10T00:00:00Z"), "{refusal}");
}

#[test]
fn a_key_that_is_not_there_is_told_apart_from_one_that_cannot_sign_any_more() {
    let mut life = Life::of([active(0), pending(1), active(2)]);
    life.run(revoke(1, None), TODAY);
    life.run(revoke(0, None), TODAY);
    life.run(purge(0, true), TODAY);
    for (number, sentence) in [
        (0, "is purged, its private key is gone"),
        (1, "is revoked and never signs again"),
        (3, "there is no key"),
    ] {
        let refusal = life.refusal(activate(number, None), TODAY).to_string();
        assert!(refusal.contains(sentence), "{refusal}");
    }
}

#[test]
fn an_event_activates_no_key_that_was_imported_before_the_active_one() {
    let mut life = Life::of([pending(0), active(1), pending(2)]);
    let by_event = |number| Command::Activate {
        fingerprint: fingerprint(number),
        replaces: None,
        trigger: Trigger::Event,
        unconfirmed: false,
    };
    let older = Refusal::Older {
        fingerprint: fingerprint(0),
        active: fingerprint(1),
    };
    assert_eq!(life.refusal(by_event(0), TODAY), older);
    let events = life.run(by_event(2), TODAY);
    assert_eq!(story(&events), told([(2, "activated by event"), (1, "retired")]));
    life.run(activate(0, None), TODAY);
    assert_eq!(life.names(), [(0, "active"), (2, "retired"), (1, "retired")]);
}

#[test]
fn our_own_sequence_of_imports_decides_what_is_older_whatever_the_clock_said() {
    let mut life = Life::default();
    life.run(active(3), 35);
    life.run(pending(2), 31);
    let events = life.run(schedule(2, 36, None), 31);
    assert_eq!(story(&events), told([(2, "scheduled")]));
}
