//! A renewal that is given up, taken back, or held for too long: which key signs then, and that it can be begun again.

use super::*;

fn by(strategy: Strategy, commands: impl IntoIterator<Item = Command>) -> Life {
    let mut life = Life::default().by(strategy);
    for command in commands {
        life.run(command, TODAY);
    }
    life
}

/// Messages wait for key 1 to be confirmed.
fn holding() -> Life {
    by(Strategy::Hold, [active(0), pending(1), hold(1), drained()])
}

fn over(life: &Life) -> Command {
    Command::Renewal(RenewalCommand::HoldOver(life.state.current_hold().unwrap()))
}

const NOT_ACCEPTED: &str = "the receiver did not accept the new key within 15m";

#[test]
fn given_up_while_messages_wait_for_the_receiver_the_old_key_signs_again_at_once() {
    let mut life = holding();
    assert_eq!(
        story(&life.run(abort(1), TODAY)),
        told([
            (0, "activated by back"),
            (1, "rolled back"),
            (1, "hold ended: it was given up"),
            (1, "renewal aborted: it was given up"),
        ])
    );
    assert_eq!(life.names(), [(0, "active"), (1, "retired")]);
    assert_eq!(life.state.gate(), Gate::Open);
    life.is_left_alone_by(abort(1));
}

#[test]
fn given_up_where_receivers_may_have_exchanged_their_certificates_it_is_said_which_key_is_to_sign() {
    let switched: [(Strategy, Vec<Command>); 4] = [
        (
            Strategy::Hold,
            vec![active(0), pending(1), hold(1), drained(), confirm(1, ERP)],
        ),
        (
            Strategy::Hold,
            vec![active(0), pending(1), hold(1), drained(), resume()],
        ),
        (
            Strategy::PrePublish,
            vec![active(0), pending(1), start(1, 1, &[ERP]), activate(1, None)],
        ),
        (
            Strategy::ReceiverLed,
            vec![active(0), pending(1), accepted(1, 1, 0)],
        ),
    ];
    for (strategy, commands) in switched {
        let life = by(strategy, commands);
        let refusal = life.refusal(abort(1), TODAY);
        assert!(matches!(refusal, Refusal::AbortsEitherWay { .. }), "{refusal}");
        let said = refusal.to_string();
        for way in [
            "countersign renewal complete r-",
            "countersign renewal abort r-",
            "--back",
        ] {
            assert!(said.contains(way), "{said}");
        }
        let mut back = life.clone();
        back.run(abort_back(1), TODAY);
        assert_eq!(back.names(), [(0, "active"), (1, "retired")]);
        assert_eq!(back.renewal().step(), Step::Aborted);
        let mut kept = life;
        kept.run(complete(1), TODAY);
        assert_eq!(kept.names(), [(1, "active"), (0, "retired")]);
    }
}

#[test]
fn given_up_before_anything_was_switched_the_old_key_goes_on() {
    for strategy in [Strategy::PrePublish, Strategy::Hold, Strategy::ReceiverLed] {
        let mut life = by(strategy, [active(0), pending(1), start(1, 1, &[ERP]), abort(1)]);
        assert_eq!(life.names(), [(0, "active"), (1, "pending")]);
        life.is_left_alone_by(abort_back(1));
    }
    let mut draining = by(Strategy::Hold, [active(0), pending(1), hold(1), abort(1)]);
    assert_eq!(draining.names(), [(0, "active"), (1, "pending")]);
    draining.is_left_alone_by(drained());
    // Both are trusted, so nothing depends on it.
    let started = [
        active(0),
        pending(1),
        start(1, 1, &[ERP]),
        confirm(1, ERP),
        abort(1),
    ];
    assert!(!by(Strategy::PrePublish, started).renewal().is_open());
}

#[test]
fn given_up_when_the_only_trusted_key_is_said_to_be_the_new_one_it_is_said_which_is_to_sign() {
    let mut life = by(
        Strategy::ReceiverLed,
        [active(0), pending(1), start(1, 1, &[ERP]), confirm(1, ERP)],
    );
    let refusal = life.refusal(abort(1), TODAY);
    assert!(matches!(refusal, Refusal::AbortsConfirmed { .. }), "{refusal}");
    life.run(abort_back(1), TODAY);
    assert_eq!(life.names(), [(0, "active"), (1, "pending")]);
}

#[test]
fn the_way_back_is_refused_where_the_old_key_may_not_sign_and_nothing_changes() {
    // Key 0 expires on day 40.
    let life = holding();
    assert!(matches!(life.refusal(abort(1), 41), Refusal::NotValid { .. }));
    let mut revoked = holding();
    revoked.run(revoke(0, None), TODAY);
    let refusal = revoked.refusal(abort(1), TODAY).to_string();
    assert!(refusal.contains("which signed before, is revoked"), "{refusal}");
    let first = by(Strategy::Hold, [pending(1), hold(1), drained()]);
    let refusal = first.refusal(abort(1), TODAY).to_string();
    assert!(refusal.contains("none signed before its own"), "{refusal}");
}

#[test]
fn a_key_that_was_rolled_back_can_be_the_next_ones_again_and_is_kept_as_long_as_was_said() {
    let mut life = holding();
    life.policy.retention = DAY * 365;
    life.run(abort(1), TODAY);
    let kept = life.kept_until(1);
    life.policy.retention = LEAST_RETENTION;
    assert!(life.state.key(&fingerprint(1)).unwrap().state.is_rolled_back());
    assert_eq!(
        life.refusal(activate(1, None), TODAY),
        Refusal::RolledBack(fingerprint(1))
    );

    life.run(hold(2), TODAY);
    assert_eq!(
        (&life.renewal().id, life.renewal().key()),
        (&id(2), &fingerprint(1))
    );
    assert_eq!(life.kept_until(1), kept);
    life.run(Command::Renewal(RenewalCommand::Drained(drain(2))), TODAY);
    life.run(confirm(2, ERP), TODAY);
    life.run(complete(2), TODAY);
    assert_eq!(life.names(), [(1, "active"), (0, "retired")]);
    life.run(roll_back(), TODAY + 1);
    assert_eq!(
        life.names(),
        [(0, "active"), (1, "retired")],
        "one step back again"
    );
    assert_eq!(life.kept_until(1), kept, "no date comes closer");
}

#[test]
fn with_two_trusted_keys_a_renewal_is_begun_again_and_activated() {
    let mut life = by(
        Strategy::PrePublish,
        [
            active(0),
            pending(1),
            start(1, 1, &[ERP]),
            activate(1, None),
            roll_back(),
        ],
    );
    assert_eq!(life.names(), [(0, "active"), (1, "retired")]);
    life.run(start(2, 1, &[ERP]), TODAY);
    assert_eq!(life.state.renewals()[0].step(), Step::Aborted);
    life.run(activate(1, None), TODAY);
    assert_eq!(life.names(), [(1, "active"), (0, "retired")]);
    assert_eq!(life.renewal().displaced, Some(fingerprint(0)));
    // A key that was displaced by its successor is not the next one.
    assert_eq!(
        life.refusal(start(3, 0, &[]), TODAY),
        Refusal::Retired(fingerprint(0))
    );
}

#[test]
fn where_the_receiver_leads_a_key_that_was_rolled_back_is_its_candidate_again() {
    let mut life = by(
        Strategy::ReceiverLed,
        [active(0), pending(1), accepted(1, 1, 0), abort_back(1)],
    );
    assert_eq!(life.candidate(TODAY), None);
    life.run(start(2, 1, &[ERP]), TODAY);
    assert_eq!(life.candidate(TODAY), Some(1));
    life.run(accepted(3, 1, 0), TODAY);
    assert_eq!(life.names(), [(1, "active"), (0, "retired")]);
    assert_eq!(life.renewal().id, id(2));
}

#[test]
fn a_source_that_still_brings_what_was_rolled_back_changes_nothing() {
    let mut life = holding();
    life.run(abort(1), TODAY);
    for then in [
        AfterImport::StayPending,
        AfterImport::ActivateIfNone,
        AfterImport::Activate,
    ] {
        life.is_left_alone_by(brought(1, Origin::Source, then));
        life.is_left_alone_by(brought(1, Origin::Command, then));
    }
    life.is_left_alone_by(Command::Timer);
    life.is_left_alone_by(Command::Configure);
}

#[test]
fn no_key_is_activated_that_a_receiver_which_trusts_one_is_not_known_to_have() {
    for strategy in [Strategy::Hold, Strategy::ReceiverLed] {
        let life = by(strategy, [active(0), pending(1)]);
        let mut begun = by(strategy, [active(0), pending(1), start(1, 1, &[ERP])]);
        for life in [&life, &begun] {
            for command in [activate(1, None), schedule(1, TODAY + 1, None)] {
                let refusal = life.refusal(command, TODAY);
                assert!(matches!(refusal, Refusal::Unconfirmed { .. }), "{refusal}");
            }
        }
        begun.run(activate_unconfirmed(1), TODAY);
        assert_eq!(begun.names(), [(1, "active"), (0, "retired")]);
    }
    let confirmed = [
        active(0),
        pending(1),
        start(1, 1, &[ERP]),
        confirm(1, ERP),
        activate(1, None),
    ];
    assert_eq!(
        by(Strategy::ReceiverLed, confirmed).names(),
        [(1, "active"), (0, "retired")]
    );
    // Nobody is used to another key.
    let first = by(Strategy::Hold, [pending(1), activate(1, None)]);
    assert_eq!(first.names(), [(1, "active")]);
}

#[test]
fn a_hold_that_lasts_for_too_long_goes_back_to_the_old_key() {
    let mut life = holding();
    let over = over(&life);
    assert_eq!(
        story(&life.run(over, TODAY)),
        told([
            (0, "activated by back"),
            (1, "rolled back"),
            (1, &format!("hold ended: {NOT_ACCEPTED}")),
            (1, &format!("renewal aborted: {NOT_ACCEPTED}")),
        ])
    );
    assert_eq!(life.state.gate(), Gate::Open);
}

#[test]
fn or_it_refuses_until_somebody_acts() {
    let ends: [(Command, &[(usize, &str)]); 4] = [
        (abort(1), &[(0, "active"), (1, "retired")]),
        (confirm(1, ERP), &[(1, "active"), (0, "retired")]),
        (resume(), &[(1, "active"), (0, "retired")]),
        (probe_accepted(1), &[(1, "active"), (0, "retired")]),
    ];
    for (end, names) in ends {
        let mut life = holding();
        life.policy.hold.then = AfterHold::Refuse;
        let hold_over = over(&life);
        let refused = format!("hold: messages are refused from now on until somebody acts: {NOT_ACCEPTED}");
        assert_eq!(story(&life.run(hold_over, TODAY)), told([(1, refused.as_str())]));
        assert!(life.state.gate().refuses());
        let again = over(&life);
        life.is_left_alone_by(again);
        life.run(end, TODAY);
        assert_eq!((life.state.gate(), life.names()), (Gate::Open, names.to_vec()));
    }
}

#[test]
fn a_drain_that_lasts_for_too_long_switches_nothing() {
    let mut life = by(Strategy::Hold, [active(0), pending(1), hold(1)]);
    life.policy.hold.then = AfterHold::Refuse;
    let over = over(&life);
    assert_eq!(
        story(&life.run(over, TODAY)),
        told([(
            1,
            "hold ended: messages under way did not come to their end within 15m"
        )])
    );
    assert_eq!(life.names(), [(0, "active"), (1, "pending")]);
    assert_eq!(life.renewal().step(), Step::Created, "it goes on");
}

#[test]
fn a_hold_is_not_ended_by_what_is_said_of_an_earlier_one() {
    let mut life = holding();
    let (over, hold) = (over(&life), life.state.current_hold().unwrap());
    life.run(confirm(1, ERP), TODAY);
    life.is_left_alone_by(over);
    life.is_left_alone_by(Command::Renewal(RenewalCommand::HoldEnds { hold, at: day(31) }));
}
