//! The steps of a renewal, and who takes them.

use super::*;

/// Key 1 is to follow key 0.
fn begun() -> Life {
    Life::of([active(0), pending(1), start(1, 1, &[ERP, CRM])])
}

#[test]
fn a_renewal_goes_from_step_to_step_and_says_whose_turn_it_is() {
    let mut life = begun();
    assert_eq!(
        (life.renewal().step(), life.renewal().waits_for()),
        (Step::Created, WaitsFor::Operator)
    );
    assert_eq!(
        story(&life.run(publish(1), TODAY)),
        told([(1, "renewal: certificate published; waiting for the receiver")])
    );
    let both = WaitsFor::Receivers(vec![ERP.to_owned(), CRM.to_owned()]);
    assert_eq!(
        (life.renewal().step(), life.renewal().waits_for()),
        (Step::Published, both)
    );
    life.run(confirm(1, CRM), TODAY);
    let one = WaitsFor::Receivers(vec![ERP.to_owned()]);
    assert_eq!(
        (life.renewal().step(), life.renewal().waits_for()),
        (Step::Published, one)
    );
    let events = life.run(confirm(1, ERP), TODAY);
    assert_eq!(
        story(&events),
        told([(
            1,
            "renewal: confirmed by https://erp.example.com:443, and so by all"
        )])
    );
    assert_eq!(
        life.names(),
        [(0, "active"), (1, "pending")],
        "an operator activates"
    );
    assert_eq!(
        (life.renewal().step(), life.renewal().waits_for()),
        (Step::Confirmed, WaitsFor::Operator)
    );
    let events = life.run(activate(1, None), TODAY);
    assert_eq!(
        story(&events),
        told([
            (1, "activated by activate"),
            (0, "retired"),
            (1, "renewal: the new key signs")
        ])
    );
    assert_eq!(life.renewal().displaced, Some(fingerprint(0)));
    assert_eq!(life.renewal().waits_for(), WaitsFor::Operator);
    assert_eq!(
        story(&life.run(complete(1), TODAY + 1)),
        told([(1, "renewal completed")])
    );
    assert_eq!(
        (life.renewal().step(), life.renewal().waits_for()),
        (Step::Completed, WaitsFor::Nobody)
    );
    assert!(life.state.open_renewal().is_none());
    let last = life.renewal().steps.last().unwrap();
    assert_eq!((last.at, last.by.as_str()), (day(TODAY + 1), "a test"));
}

#[test]
fn what_was_done_already_is_no_event() {
    let mut life = begun();
    life.run(publish(1), TODAY);
    life.run(confirm(1, ERP), TODAY);
    for again in [start(2, 1, &[ERP]), publish(1), confirm(1, ERP)] {
        life.is_left_alone_by(again);
    }
    life.run(confirm(1, CRM), TODAY);
    life.run(activate(1, None), TODAY);
    for again in [publish(1), confirm(1, CRM)] {
        life.is_left_alone_by(again);
    }
    life.run(complete(1), TODAY);
    life.is_left_alone_by(complete(1));
}

#[test]
fn of_several_pending_keys_one_must_be_named_and_of_none_there_is_nothing_to_start() {
    let unnamed = || {
        Command::Renewal(RenewalCommand::Start {
            id: id(1),
            key: None,
            receivers: Vec::new(),
        })
    };
    let none = Life::of([active(0)]);
    assert_eq!(none.refusal(unnamed(), TODAY), Refusal::NothingPending);
    let several = Life::of([active(0), pending(1), pending(2)]);
    let which = vec![fingerprint(1), fingerprint(2)];
    assert_eq!(several.refusal(unnamed(), TODAY), Refusal::SeveralPending(which));
    let mut one = Life::of([active(0), pending(1)]);
    one.run(unnamed(), TODAY);
    assert_eq!(*one.renewal().key(), fingerprint(1));
    one.is_left_alone_by(unnamed());
    let active = one.refusal(start(2, 0, &[]), TODAY);
    assert!(matches!(active, Refusal::RenewalOpen { .. }));
}

#[test]
fn one_renewal_goes_on_at_a_time_and_one_that_has_reached_its_aim_is_completed_by_the_next() {
    let mut life = begun();
    life.run(pending(2), TODAY);
    let refusal = life.refusal(start(2, 2, &[]), TODAY);
    assert_eq!(
        refusal,
        Refusal::RenewalOpen {
            renewal: id(1),
            key: fingerprint(1)
        }
    );
    life.run(activate(1, None), TODAY);
    assert_eq!(
        story(&life.run(start(2, 2, &[ERP]), TODAY)),
        told([(1, "renewal completed"), (2, "renewal started")])
    );
    assert_eq!(life.state.renewals().len(), 2);
}

#[test]
fn one_whose_key_was_taken_back_is_not_completed_by_anything() {
    let mut life = begun();
    assert!(matches!(
        life.refusal(complete(1), TODAY),
        Refusal::NotReplacedYet { .. }
    ));
    life.run(activate(1, None), TODAY);
    life.run(roll_back(), TODAY);
    assert!(matches!(
        life.refusal(complete(1), TODAY),
        Refusal::NotReplacedYet { .. }
    ));
    life.run(pending(2), TODAY);
    assert_eq!(
        story(&life.run(start(2, 2, &[]), TODAY)),
        told([
            (1, "renewal aborted: the next one was started"),
            (2, "renewal started")
        ])
    );
}

#[test]
fn aborted_it_leaves_the_old_key_and_is_over() {
    let mut life = begun();
    assert_eq!(
        story(&life.run(abort(1), TODAY)),
        told([(1, "renewal aborted: it was given up")])
    );
    assert_eq!(life.names(), [(0, "active"), (1, "pending")]);
    life.is_left_alone_by(abort(1));
    for late in [publish(1), confirm(1, ERP), link(1, ERP, "token"), complete(1)] {
        let over = Refusal::RenewalOver {
            renewal: id(1),
            step: Step::Aborted,
        };
        assert_eq!(life.refusal(late, TODAY), over);
    }
    life.run(start(2, 1, &[ERP]), TODAY);
    life.run(activate(1, None), TODAY);
    life.run(abort_back(2), TODAY);
    assert_eq!(life.names(), [(0, "active"), (1, "retired")]);
    let completed = life.refusal(complete(2), TODAY);
    assert!(matches!(completed, Refusal::RenewalOver { .. }));
}

#[test]
fn a_completed_one_cannot_be_aborted() {
    let mut life = begun();
    life.run(activate(1, None), TODAY);
    life.run(complete(1), TODAY);
    assert!(matches!(
        life.refusal(abort(1), TODAY),
        Refusal::RenewalOver { .. }
    ));
}

#[test]
fn unknown_renewals_and_receivers_are_refused_with_what_is_known() {
    let life = begun();
    assert_eq!(life.refusal(publish(7), TODAY), Refusal::UnknownRenewal(id(7)));
    let elsewhere = life
        .refusal(confirm(1, "https://elsewhere:443"), TODAY)
        .to_string();
    assert!(
        elsewhere.ends_with("it concerns https://erp.example.com:443, https://crm.example.com:443"),
        "{elsewhere}"
    );
}

#[test]
fn whatever_activates_its_key_takes_the_step() {
    for command in [activate(1, None), Command::Timer, revoke(0, successor(1))] {
        let mut life = begun();
        life.run(schedule(1, TODAY + 1, None), TODAY);
        let events = life.run(command, TODAY + 1);
        assert!(
            story(&events).contains(&(1, "renewal: the new key signs".to_owned())),
            "{events:?}"
        );
        assert_eq!(life.renewal().step(), Step::Activated);
        assert_eq!(life.renewal().displaced, Some(fingerprint(0)));
    }
}

#[test]
fn its_end_comes_with_that_of_its_key() {
    let ended = |commands: Vec<Command>, reason: &str| {
        let mut life = begun();
        let events: Vec<_> = commands
            .into_iter()
            .flat_map(|command| life.run(command, TODAY + 100))
            .collect();
        let aborted = format!("renewal aborted: {reason}");
        assert_eq!(story(&events).last(), Some(&(1, aborted)));
        assert!(life.state.open_renewal().is_none());
    };
    ended(vec![discard(1)], "its key was discarded");
    ended(vec![revoke(1, None)], "its key was revoked");
}

#[test]
fn a_key_that_was_taken_back_and_purged_ends_it_too() {
    let mut life = begun();
    life.run(activate(1, None), TODAY);
    life.run(roll_back(), TODAY);
    let events = life.run(purge(1, false), TODAY + 90);
    assert_eq!(
        story(&events),
        told([(1, "purged"), (1, "renewal aborted: its key was purged")])
    );
}

#[test]
fn a_confirmation_after_the_activation_is_taken_and_leads_not_back() {
    let mut life = begun();
    life.run(activate(1, None), TODAY);
    assert_eq!(
        life.renewal().waits_for(),
        WaitsFor::Receivers(vec![ERP.to_owned(), CRM.to_owned()])
    );
    life.run(confirm(1, ERP), TODAY);
    life.run(confirm(1, CRM), TODAY);
    assert!(life.renewal().has_taken(Step::Confirmed));
    assert_eq!(life.renewal().step(), Step::Activated);
}

#[test]
fn a_link_confirms_once_until_it_is_replaced_and_for_14_days() {
    let mut life = begun();
    life.run(link(1, ERP, "first"), TODAY);
    life.run(link(1, ERP, "second"), TODAY);
    life.run(link(1, CRM, "other"), TODAY);
    assert_eq!(
        life.refusal(confirm_by("first", 1, ERP), TODAY),
        Refusal::LinkReplaced
    );
    assert_eq!(
        life.refusal(confirm_by("other", 1, ERP), TODAY),
        Refusal::LinkReplaced
    );
    assert_eq!(
        life.refusal(confirm_by("second", 1, ERP), TODAY + 14),
        Refusal::LinkExpired(day(TODAY + 14))
    );
    life.run(confirm_by("second", 1, ERP), TODAY + 13);
    assert_eq!(
        life.refusal(confirm_by("second", 1, ERP), TODAY + 13),
        Refusal::LinkSpent
    );
    assert_eq!(life.renewal().unconfirmed(), [CRM]);
}

#[test]
fn a_clock_that_is_put_back_makes_no_link_live_longer() {
    let mut life = begun();
    life.run(link(1, ERP, "token"), TODAY);
    let put_back = Moment::new(day(TODAY), day(TODAY + 14));
    let refused = life
        .state
        .apply(confirm_by("token", 1, ERP), &life.policy, put_back, "a test");
    assert_eq!(refused.err().unwrap(), Refusal::LinkExpired(day(TODAY + 14)));
}

#[test]
fn a_name_is_read_as_it_is_written_and_not_otherwise() {
    let random = RenewalId::random().unwrap();
    assert_eq!(random.to_string().parse(), Ok(random));
    for text in [
        "",
        "r-",
        "r-0123",
        "r-0123456789ABCDEF",
        "0123456789abcdef",
        "r-0123456789abcdefg",
    ] {
        assert!(text.parse::<RenewalId>().is_err(), "{text}");
    }
}

#[test]
fn tokens_are_not_shown_and_never_the_same() {
    let (one, other) = (LinkToken::random().unwrap(), LinkToken::random().unwrap());
    assert_eq!(one.secret().len(), 43);
    assert_ne!(one.secret(), other.secret());
    assert_eq!(one.hash(), LinkHash::of(one.secret()));
    assert!(!format!("{one:?} {:?}", one.hash()).contains(one.secret()));
}
