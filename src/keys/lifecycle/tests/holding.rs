//! Hold: drain, switch, the receiver's turn, resume.

use super::*;

fn holds(commands: impl IntoIterator<Item = Command>) -> Life {
    let mut life = Life::default().by(Strategy::Hold);
    for command in commands {
        life.run(command, TODAY);
    }
    life
}

#[test]
fn messages_wait_until_those_under_way_are_through_and_the_receiver_has_switched() {
    let mut life = holds([active(0), pending(1)]);
    assert_eq!(
        story(&life.run(hold(1), TODAY)),
        told([
            (1, "renewal started"),
            (1, "hold started: new messages wait, those under way drain")
        ])
    );
    assert_eq!(life.state.gate(), Gate::Draining { since: day(TODAY) });
    assert_eq!(life.renewal().waits_for(), WaitsFor::Drain);
    assert_eq!(life.names(), [(0, "active"), (1, "pending")]);
    assert_eq!(
        story(&life.run(drained(), TODAY + 1)),
        told([
            (1, "activated by hold"),
            (0, "retired"),
            (1, "renewal: the new key signs"),
            (
                1,
                "hold: nothing is under way any more; the receiver may switch now"
            ),
        ])
    );
    assert_eq!(
        life.state.gate(),
        Gate::Holding {
            since: day(TODAY + 1),
            refuses: false
        }
    );
    assert_eq!(
        life.renewal().waits_for(),
        WaitsFor::Receivers(vec![ERP.to_owned()])
    );
    assert_eq!(
        story(&life.run(confirm(1, ERP), TODAY + 1)),
        told([
            (
                1,
                "renewal: confirmed by https://erp.example.com:443, and so by all"
            ),
            (1, "hold ended: the receiver has confirmed"),
        ])
    );
    assert_eq!(life.state.gate(), Gate::Open);
    assert_eq!(
        (life.renewal().step(), life.renewal().waits_for()),
        (Step::Activated, WaitsFor::Operator)
    );
}

#[test]
fn a_hold_resumes_by_command_only_once_it_may_and_needs_no_confirmation() {
    let mut life = holds([active(0), pending(1), hold(1)]);
    assert_eq!(life.refusal(resume(), TODAY), Refusal::Draining);
    life.run(drained(), TODAY);
    assert_eq!(
        story(&life.run(resume(), TODAY)),
        told([(1, "hold ended: it was resumed")])
    );
    life.is_left_alone_by(resume());
    assert_eq!(life.names(), [(1, "active"), (0, "retired")]);
}

#[test]
fn what_is_said_again_or_too_late_changes_nothing() {
    let mut life = holds([active(0), pending(1)]);
    life.is_left_alone_by(drained());
    life.run(hold(1), TODAY);
    life.is_left_alone_by(hold(2));
    life.run(drained(), TODAY);
    life.is_left_alone_by(drained());
    life.is_left_alone_by(hold(2));
    life.run(abort(1), TODAY);
    life.is_left_alone_by(drained());
    life.is_left_alone_by(resume());
}

#[test]
fn the_end_of_a_drain_that_is_over_ends_no_later_one() {
    let mut life = holds([active(0), pending(1), hold(1), abort(1), hold(2)]);
    assert_eq!(life.renewal().id, id(2));
    life.is_left_alone_by(drained());
    assert_eq!(life.state.gate(), Gate::Draining { since: day(TODAY) });

    // The same renewal drains once more, after the successor of a revoked key let the first drain's messages go.
    let mut life = holds([active(0), pending(1), pending(2), start(1, 1, &[ERP]), hold(2)]);
    life.run(revoke(0, successor(2)), TODAY);
    life.run(hold(3), TODAY + 1);
    assert_eq!(life.renewal().id, id(1));
    life.is_left_alone_by(drained());
    life.is_left_alone_by(Command::Renewal(RenewalCommand::GiveUpHold {
        drain: drain(1),
        reason: "it expired".to_owned(),
    }));
    let second = life.state.drain().unwrap();
    life.run(Command::Renewal(RenewalCommand::Drained(second)), TODAY + 1);
    assert!(matches!(life.state.gate(), Gate::Holding { .. }));
}

#[test]
fn a_receiver_that_accepts_a_held_message_has_confirmed_and_resumes() {
    let mut life = holds([active(0), pending(1), hold(1), drained()]);
    assert_eq!(
        story(&life.run(probe_accepted(1), TODAY)),
        told([
            (
                1,
                "renewal: confirmed by https://erp.example.com:443, and so by all"
            ),
            (1, "hold ended: the receiver accepts the new key"),
        ])
    );
    assert_eq!(life.renewal().waits_for(), WaitsFor::Operator);
    life.is_left_alone_by(probe_accepted(1));
}

#[test]
fn a_receiver_that_accepts_the_key_of_an_earlier_hold_ends_no_later_one() {
    let mut life = holds([
        active(0),
        pending(1),
        hold(1),
        drained(),
        abort(1),
        pending(2),
        hold(2),
    ]);
    life.is_left_alone_by(probe_accepted(1));
    life.run(Command::Renewal(RenewalCommand::Drained(drain(2))), TODAY);
    life.is_left_alone_by(probe_accepted(1));
    assert!(matches!(life.state.gate(), Gate::Holding { .. }));
}

#[test]
fn only_the_strategy_hold_holds_and_only_for_a_key_that_may_sign() {
    for strategy in [Strategy::PrePublish, Strategy::ReceiverLed] {
        let life = Life::of([active(0), pending(1)]).by(strategy);
        assert_eq!(life.refusal(hold(1), TODAY), Refusal::NotHoldStrategy(strategy));
    }
    assert_eq!(
        holds([active(0)]).refusal(hold(1), TODAY),
        Refusal::NothingPending
    );
    let not_valid = holds([active(0), pending(5)]);
    assert!(matches!(
        not_valid.refusal(hold(1), TODAY),
        Refusal::NotValid { .. }
    ));
    let mut named = holds([active(0), pending(1), pending(2)]);
    assert!(matches!(
        named.refusal(hold(1), TODAY),
        Refusal::SeveralPending(_)
    ));
    named.run(start(1, 2, &[ERP]), TODAY);
    named.run(hold(2), TODAY);
    assert_eq!(
        (&named.renewal().id, named.renewal().key()),
        (&id(1), &fingerprint(2))
    );
}

#[test]
fn a_receiver_that_trusts_one_key_cannot_confirm_before_it_may_switch() {
    let mut life = holds([active(0), pending(1), start(1, 1, &[ERP])]);
    assert_eq!(life.refusal(confirm(1, ERP), TODAY), Refusal::NotHeld);
    life.run(hold(2), TODAY);
    assert_eq!(life.refusal(confirm(1, ERP), TODAY), Refusal::Draining);
    life.run(drained(), TODAY);
    life.run(confirm(1, ERP), TODAY);
}

#[test]
fn a_second_hold_is_of_the_next_key() {
    let mut life = holds([active(0), pending(1), hold(1), drained(), resume(), pending(2)]);
    let events = life.run(hold(2), TODAY);
    assert_eq!(
        story(&events),
        told([
            (1, "renewal completed"),
            (2, "renewal started"),
            (2, "hold started: new messages wait, those under way drain"),
        ])
    );
}

#[test]
fn while_messages_are_held_no_other_renewal_is_started() {
    let mut life = holds([active(0), pending(1), hold(1), pending(2)]);
    assert!(matches!(
        life.refusal(start(2, 2, &[ERP]), TODAY),
        Refusal::RenewalOpen { .. }
    ));
    life.run(drained(), TODAY);
    assert_eq!(life.refusal(start(2, 2, &[ERP]), TODAY), Refusal::Holding);
}

#[test]
fn the_end_of_the_renewal_is_the_end_of_the_hold() {
    let mut draining = holds([active(0), pending(1), hold(1)]);
    assert!(matches!(
        draining.refusal(complete(1), TODAY),
        Refusal::NotReplacedYet { .. }
    ));
    assert_eq!(
        story(&draining.run(abort(1), TODAY)),
        told([
            (1, "hold ended: it was given up"),
            (1, "renewal aborted: it was given up")
        ])
    );
    assert_eq!(draining.names(), [(0, "active"), (1, "pending")]);
    let mut holding = holds([active(0), pending(1), hold(1), drained()]);
    assert_eq!(
        story(&holding.run(complete(1), TODAY)),
        told([
            (1, "hold ended: the renewal is completed"),
            (1, "renewal completed")
        ])
    );
}

#[test]
fn a_drain_at_whose_end_the_key_may_not_sign_is_given_up_and_the_old_key_goes_on() {
    // Key 1 expires on day 50.
    let mut life = holds([active(0), pending(1), hold(1)]);
    assert!(matches!(life.refusal(drained(), 51), Refusal::NotValid { .. }));
    let given_up = |renewal| {
        Command::Renewal(RenewalCommand::GiveUpHold {
            drain: drain(renewal),
            reason: "it expired".to_owned(),
        })
    };
    life.is_left_alone_by(given_up(7));
    assert_eq!(
        story(&life.run(given_up(1), 51)),
        told([(1, "hold ended: it expired")])
    );
    assert_eq!(life.names(), [(0, "active"), (1, "pending")]);
    assert_eq!(life.renewal().step(), Step::Created, "it goes on");
}

#[test]
fn an_alias_that_does_not_hold_any_more_lets_its_messages_go() {
    let mut life = holds([active(0), pending(1), hold(1), drained()]).by(Strategy::PrePublish);
    assert_eq!(
        story(&life.run(Command::Configure, TODAY)),
        told([(1, "hold ended: the alias's strategy is another one now")])
    );
}

#[test]
fn a_stopped_alias_is_held_for_its_first_key_like_any_other() {
    let mut life = holds([pending(1), hold(1)]);
    life.run(drained(), TODAY);
    assert_eq!(life.names(), [(1, "active")]);
    assert_eq!(life.renewal().displaced, None);
}
