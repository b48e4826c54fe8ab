//! A certificate that is not valid yet, whose key is to sign: it does when it is.

use super::*;

/// Key 5 is valid from day 50 on, key 4 from day 40 on.
fn on_import(commands: impl IntoIterator<Item = Command>) -> Life {
    Life::of(commands)
}

#[test]
fn it_is_activated_when_its_certificate_becomes_valid_and_not_before() {
    let mut life = on_import([active(1)]);
    assert_eq!(
        story(&life.run(active(5), TODAY)),
        told([(5, "imported"), (5, "scheduled")])
    );
    assert!(!life.state.is_due(&life.policy, on(49)));
    assert_eq!(story(&life.run(Command::Timer, 49)), told([]));
    let schedule = life.state.key(&fingerprint(5)).unwrap().state.schedule().cloned();
    assert_eq!(schedule.map(|schedule| schedule.at), Some(day(50)));
    life.run(Command::Timer, 50);
    assert_eq!(life.names(), [(5, "active"), (1, "retired")]);
}

#[test]
fn an_aliass_first_one_likewise() {
    for then in [AfterImport::ActivateIfNone, AfterImport::Activate] {
        let mut life = Life::of([brought(5, Origin::Source, then)]);
        assert!(life.state.active().is_none());
        life.is_left_alone_by(brought(5, Origin::Source, then));
        life.run(Command::Timer, 50);
        assert_eq!(life.names(), [(5, "active")]);
    }
}

#[test]
fn one_that_nobody_wants_to_sign_waits_for_somebody() {
    let mut life = Life::of([active(1), import(5, AfterImport::ActivateIfNone), pending(4)]);
    assert_eq!(story(&life.run(Command::Timer, 51)), told([]));
    let refusal = life.refusal(activate(5, None), 49).to_string();
    assert!(
        refusal.contains("have it activated then, with the time `at` 1970-02-20"),
        "{refusal}"
    );
}

#[test]
fn once_another_one_signs_the_first_one_to_be_is_not_waited_for() {
    let mut life = Life::of([
        pending(1),
        brought(5, Origin::Source, AfterImport::ActivateIfNone),
    ]);
    life.run(activate(1, None), TODAY);
    assert!(
        life.state.is_due(&life.policy, on(TODAY)),
        "nobody is told of a time that will not come"
    );
    assert_eq!(
        story(&life.run(Command::Timer, TODAY)),
        told([(5, &format!("cancelled: key {} signs by now", fingerprint(1)))])
    );
    assert_eq!(story(&life.run(Command::Timer, 51)), told([]));
}

#[test]
fn one_that_came_later_and_signs_already_is_not_displaced_by_it() {
    let mut life = on_import([active(1), active(5), active(3)]);
    let cancelled = story(&life.run(Command::Timer, 50));
    assert!(
        cancelled[0].1.contains("no event and no timer activates it"),
        "{cancelled:?}"
    );
    assert_eq!(life.names(), [(3, "active"), (5, "pending"), (1, "retired")]);
}

#[test]
fn two_that_are_not_valid_yet_follow_one_another() {
    let mut life = on_import([active(2), active(4), active(5)]);
    life.run(Command::Timer, 45);
    assert_eq!(life.names()[0], (4, "active"));
    life.run(Command::Timer, 55);
    assert_eq!(life.names()[0], (5, "active"));
}

#[test]
fn discarded_it_keeps_no_appointment_and_its_source_does_not_bring_it_back() {
    let mut life = on_import([active(2), active(5), discard(5)]);
    life.is_left_alone_by(brought(5, Origin::Source, AfterImport::Activate));
    assert!(!life.state.is_due(&life.policy, on(51)));
}

#[test]
fn a_clock_that_is_put_back_only_puts_it_off() {
    let mut life = on_import([active(3), active(5)]);
    let put_back = Moment::new(day(45), day(51));
    assert_eq!(story(&life.run_at(Command::Timer, put_back)), told([]));
    life.run(Command::Timer, 50);
    assert_eq!(life.names()[0], (5, "active"));
}

#[test]
fn a_time_that_has_passed_is_refused_and_not_made_up_for_at_once() {
    let mut life = Life::of([active(0), pending(1)]);
    let refusal = life.refusal(schedule(1, TODAY - 1, None), TODAY);
    let passed = Refusal::TimePassed {
        at: day(TODAY - 1),
        now: day(TODAY),
    };
    assert_eq!(refusal, passed);
    life.run(schedule(1, TODAY, None), TODAY);
    assert_eq!(life.names(), [(0, "active"), (1, "pending")]);
    life.run(Command::Timer, TODAY);
    assert_eq!(life.names(), [(1, "active"), (0, "retired")]);
}
