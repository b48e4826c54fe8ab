//! When things cross: each command is held against the state that it finds.

use super::*;

fn life(strategy: Strategy, commands: impl IntoIterator<Item = Command>) -> Life {
    let mut life = Life::default().by(strategy);
    for command in commands {
        life.run(command, TODAY);
    }
    life
}

fn draining() -> Life {
    life(Strategy::Hold, [active(0), pending(1), hold(1)])
}

fn holding() -> Life {
    life(Strategy::Hold, [active(0), pending(1), hold(1), drained()])
}

#[test]
fn of_many_requests_that_meet_the_refusal_at_once_one_switches() {
    let mut life = life(Strategy::ReceiverLed, [active(0), pending(1)]);
    assert!(!life.run(accepted(1, 1, 0), TODAY).is_empty());
    for late in 2..10 {
        life.is_left_alone_by(accepted(late, 1, 0));
    }
}

#[test]
fn an_acceptance_that_comes_when_the_keys_are_others_switches_nothing() {
    let before = || {
        life(
            Strategy::ReceiverLed,
            [active(0), pending(1), pending(2), start(1, 1, &[ERP])],
        )
    };
    for meanwhile in [
        vec![activate_unconfirmed(2)],
        vec![discard(1)],
        vec![revoke(1, None)],
        vec![abort(1)],
        vec![activate_unconfirmed(1), complete(1)],
        vec![revoke(0, Some(Replacement::Stop))],
    ] {
        let mut life = before();
        for command in meanwhile {
            life.run(command, TODAY);
        }
        life.is_left_alone_by(accepted(9, 1, 0));
    }
    let mut another = before().by(Strategy::PrePublish);
    another.is_left_alone_by(accepted(9, 1, 0));
}

#[test]
fn an_acceptance_of_a_key_that_expired_meanwhile_switches_nothing() {
    let mut life = life(Strategy::ReceiverLed, [active(2), pending(3)]);
    assert_eq!(story(&life.run(accepted(1, 3, 2), 71)), told([]));
}

#[test]
fn what_would_switch_while_a_hold_drains_is_refused_and_nothing_changes() {
    let mut life = draining();
    for command in [
        activate(1, None),
        activate(2, None),
        Command::Activate {
            fingerprint: fingerprint(1),
            replaces: Some(fingerprint(0)),
            trigger: Trigger::Event,
            unconfirmed: true,
        },
    ] {
        life.run(pending(2), TODAY);
        assert_eq!(life.refusal(command, TODAY), Refusal::Draining);
    }
    life.is_left_alone_by(activate(0, None));
    let again = self::life(Strategy::Hold, [active(2), active(0), pending(1), hold(1)]);
    assert_eq!(again.refusal(roll_back(), TODAY), Refusal::Draining);
}

#[test]
fn the_timer_waits_for_the_end_of_the_hold() {
    let mut life = draining();
    life.run(pending(2), TODAY);
    life.run(schedule(2, TODAY + 1, None), TODAY);
    for gate in ["draining", "holding"] {
        assert_eq!(life.state.gate().name(), gate);
        assert!(!life.state.is_due(&life.policy, on(TODAY + 2)));
        assert_eq!(story(&life.run(Command::Timer, TODAY + 2)), told([]));
        life.run(drained(), TODAY + 2);
    }
    life.run(resume(), TODAY + 3);
    assert!(life.state.is_due(&life.policy, on(TODAY + 3)));
    assert_eq!(
        story(&life.run(Command::Timer, TODAY + 3)),
        told([(2, "activated by schedule"), (1, "retired")])
    );
}

#[test]
fn an_import_that_would_sign_at_once_waits_for_the_end_of_the_hold() {
    let mut life = draining();
    assert_eq!(
        story(&life.run(active(2), TODAY)),
        told([(2, "imported"), (2, "scheduled")])
    );
    assert_eq!(life.names(), [(0, "active"), (1, "pending"), (2, "pending")]);
    life.run(drained(), TODAY);
    life.run(resume(), TODAY);
    life.run(Command::Timer, TODAY);
    assert_eq!(life.names(), [(2, "active"), (1, "retired"), (0, "retired")]);
}

#[test]
fn a_revoked_active_key_with_a_successor_lets_the_held_messages_go_with_that() {
    let mut life = draining();
    assert_eq!(
        story(&life.run(revoke(0, successor(1)), TODAY)),
        told([
            (0, "revoked"),
            (1, "activated by revoke"),
            (1, "renewal: the new key signs"),
            (1, "hold ended: the active key was revoked"),
        ])
    );
    let mut life = holding();
    assert_eq!(
        story(&life.run(revoke(1, successor(0)), TODAY)),
        told([
            (1, "revoked"),
            (0, "activated by revoke"),
            (1, "hold ended: its key was revoked"),
            (1, "renewal aborted: its key was revoked"),
        ])
    );
    assert_eq!(life.state.gate(), Gate::Open);
}

#[test]
fn a_revoked_active_key_without_successor_lets_the_held_messages_meet_a_stopped_alias() {
    let mut life = draining();
    assert_eq!(
        story(&life.run(revoke(0, Some(Replacement::Stop)), TODAY)),
        told([
            (0, "revoked and stopped"),
            (1, "hold ended: the active key was revoked"),
        ])
    );
    assert_eq!(life.names(), [(1, "pending"), (0, "revoked")]);
    life.is_left_alone_by(drained());
    let mut life = holding();
    life.run(revoke(1, Some(Replacement::Stop)), TODAY);
    assert_eq!(life.state.gate(), Gate::Open);
    assert!(life.state.active().is_none());
}

#[test]
fn a_key_that_goes_while_messages_wait_for_it_ends_the_hold() {
    for command in [discard(1), revoke(1, None)] {
        let mut life = draining();
        let events = story(&life.run(command, TODAY));
        assert!(events[1].1.starts_with("hold ended: its key was"), "{events:?}");
        assert!(
            events[2].1.starts_with("renewal aborted: its key was"),
            "{events:?}"
        );
        life.is_left_alone_by(drained());
        assert_eq!(life.state.active().unwrap().fingerprint(), &fingerprint(0));
    }
}

#[test]
fn a_command_that_lets_another_key_sign_ends_the_wait_for_the_receiver() {
    let mut back = holding();
    assert_eq!(
        story(&back.run(roll_back(), TODAY)),
        told([
            (0, "activated by rollback"),
            (1, "rolled back"),
            (1, "hold ended: another key was activated"),
        ])
    );
    let mut on = holding();
    on.run(pending(2), TODAY);
    let events = story(&on.run(activate_unconfirmed(2), TODAY));
    assert_eq!(
        events.last(),
        Some(&(1, "hold ended: another key was activated".to_owned()))
    );
    assert!(on.state.open_renewal().is_some(), "an operator ends it");
}

#[test]
fn what_becomes_of_other_keys_does_not_touch_a_hold() {
    let mut life = draining();
    for command in [
        pending(2),
        pending(3),
        discard(2),
        revoke(3, None),
        Command::Configure,
    ] {
        life.run(command, TODAY);
        assert_eq!(life.state.gate().name(), "draining");
    }
    life.run(drained(), TODAY);
    life.run(revoke(0, None), TODAY);
    assert_eq!(
        life.state.gate().name(),
        "holding",
        "the old key, which signs no more"
    );
}

#[test]
fn a_confirmation_that_comes_after_the_hold_has_ended_is_taken_all_the_same() {
    let mut life = holding();
    life.run(resume(), TODAY);
    assert_eq!(
        story(&life.run(confirm(1, ERP), TODAY)),
        told([(
            1,
            "renewal: confirmed by https://erp.example.com:443, and so by all"
        )])
    );
}

#[test]
fn before_expiry_goes_by_the_strategy() {
    let expiring = |strategy, commands: Vec<Command>| {
        let mut life = life(strategy, commands);
        life.policy.before_expiry = true;
        // Key 0 expires on day 40.
        story(&life.run(Command::Timer, 39))
    };
    let half = || vec![active(0), pending(1), start(1, 1, &[ERP, CRM]), confirm(1, ERP)];
    assert_eq!(
        expiring(Strategy::PrePublish, half()),
        told([
            (1, "activated by expiry"),
            (0, "retired"),
            (1, "unconfirmed by https://crm.example.com:443"),
            (1, "renewal: the new key signs"),
        ])
    );
    let whole = half().into_iter().chain([confirm(1, CRM)]).collect();
    assert_eq!(
        expiring(Strategy::PrePublish, whole),
        told([
            (1, "activated by expiry"),
            (0, "retired"),
            (1, "renewal: the new key signs")
        ])
    );
    let two = vec![active(0), pending(1), pending(2), start(1, 1, &[])];
    assert_eq!(
        expiring(Strategy::PrePublish, two)[0],
        (1, "activated by expiry".to_owned()),
        "the one that receivers have been told of, not the latest"
    );
    for strategy in [Strategy::Hold, Strategy::ReceiverLed] {
        assert_eq!(
            expiring(strategy, vec![active(0), pending(1)]),
            told([]),
            "{strategy}"
        );
    }
}
