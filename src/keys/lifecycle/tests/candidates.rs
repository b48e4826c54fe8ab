//! Which key a refused message is tried with, and what its acceptance leads to.

use super::*;

fn led(commands: impl IntoIterator<Item = Command>) -> Life {
    let mut life = Life::default().by(Strategy::ReceiverLed);
    for command in commands {
        life.run(command, TODAY);
    }
    life
}

#[test]
fn the_candidate_is_the_key_of_the_renewal_or_else_the_only_pending_one() {
    assert_eq!(led([active(0)]).candidate(TODAY), None);
    assert_eq!(led([active(0), pending(1)]).candidate(TODAY), Some(1));
    let mut several = led([active(0), pending(1), pending(2)]);
    assert_eq!(several.candidate(TODAY), None);
    assert_eq!(
        several.state.ambiguous_candidates(),
        [&fingerprint(1), &fingerprint(2)]
    );
    several.run(start(1, 2, &[ERP]), TODAY);
    assert_eq!(several.candidate(TODAY), Some(2));
    assert!(several.state.ambiguous_candidates().is_empty());
}

#[test]
fn no_key_is_a_candidate_that_came_before_may_not_sign_or_was_given_up() {
    assert_eq!(led([pending(0), active(1)]).candidate(TODAY), None, "older");
    assert_eq!(
        led([active(0), pending(5)]).candidate(TODAY),
        None,
        "not valid yet"
    );
    assert_eq!(
        led([active(1), pending(2)]).candidate(61),
        None,
        "not valid any more"
    );
    let named = led([pending(0), active(1), start(1, 0, &[ERP])]);
    assert_eq!(named.candidate(TODAY), Some(0), "an operator knows what it does");
    let mut given_up = led([active(0), pending(1), start(1, 1, &[ERP]), abort(1)]);
    assert_eq!(given_up.candidate(TODAY), None);
    assert_eq!(given_up.state.given_up_candidates(), [&fingerprint(1)]);
    given_up.run(start(2, 1, &[ERP]), TODAY);
    assert_eq!(given_up.candidate(TODAY), Some(1));
    assert!(given_up.state.given_up_candidates().is_empty());
}

#[test]
fn only_a_receiver_led_alias_has_one() {
    for strategy in [Strategy::PrePublish, Strategy::Hold] {
        let life = led([active(0), pending(1)]).by(strategy);
        assert_eq!(life.candidate(TODAY), None, "{strategy}");
    }
}

#[test]
fn an_accepted_candidate_is_activated_and_opens_a_renewal_where_there_is_none() {
    let mut life = led([active(0), pending(1)]);
    assert_eq!(
        story(&life.run(accepted(1, 1, 0), TODAY)),
        told([
            (1, "renewal started"),
            (
                1,
                "renewal: confirmed by https://erp.example.com:443, and so by all"
            ),
            (1, "activated by receiver"),
            (0, "retired"),
            (1, "renewal: the new key signs"),
        ])
    );
    let renewal = life.renewal();
    assert_eq!(
        (renewal.step(), renewal.waits_for()),
        (Step::Activated, WaitsFor::Operator)
    );
    assert_eq!(renewal.displaced, Some(fingerprint(0)));
}

#[test]
fn one_that_goes_on_is_brought_on_by_the_receiver() {
    let mut life = led([active(0), pending(1), start(1, 1, &[ERP])]);
    assert_eq!(
        life.renewal().waits_for(),
        WaitsFor::Receivers(vec![ERP.to_owned()])
    );
    life.run(accepted(2, 1, 0), TODAY);
    assert_eq!(life.state.renewals().len(), 1);
    assert!(life.renewal().has_taken(Step::Confirmed));
    assert_eq!(life.renewal().step(), Step::Activated);
}

#[test]
fn after_a_switch_the_displaced_key_is_the_candidate_for_the_way_back_and_forth() {
    let mut life = led([active(0), pending(1), accepted(1, 1, 0)]);
    assert_eq!(life.candidate(TODAY), Some(0));
    assert_eq!(
        story(&life.run(accepted(2, 0, 1), TODAY)),
        told([(0, "activated by receiver"), (1, "rolled back")])
    );
    assert_eq!(life.state.renewals().len(), 1, "it is the same one still");
    assert_eq!(life.candidate(TODAY), Some(1));
    life.run(accepted(3, 1, 0), TODAY);
    assert_eq!(life.names(), [(1, "active"), (0, "retired")]);
    assert_eq!(life.candidate(41), None, "key 0 has expired");
    life.run(complete(1), TODAY);
    assert_eq!(life.candidate(TODAY), None, "there is no way back any more");
}

#[test]
fn the_next_pending_key_comes_before_the_way_back() {
    let mut life = led([active(0), pending(1), accepted(1, 1, 0), pending(2)]);
    assert_eq!(life.candidate(TODAY), Some(2));
    let events = life.run(accepted(2, 2, 1), TODAY);
    let begun = [(1, "renewal completed"), (2, "renewal started")];
    assert_eq!(story(&events)[..2], told(begun));
    assert_eq!(life.candidate(TODAY), Some(1));
}

#[test]
fn after_a_rollback_by_an_operator_the_key_taken_back_is_the_candidate_while_the_renewal_goes_on() {
    let mut life = led([active(0), pending(1), accepted(1, 1, 0)]);
    life.run(roll_back(), TODAY);
    assert_eq!(life.candidate(TODAY), Some(1));
    life.run(abort(1), TODAY);
    assert_eq!(life.candidate(TODAY), None);
}
