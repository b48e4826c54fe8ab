//! Revocation, discard, purge.

use super::*;

#[test]
fn a_pending_or_retired_key_is_revoked_and_never_signs_again() {
    let mut life = Life::of([active(0), active(1), pending(2)]);
    assert_eq!(story(&life.run(revoke(0, None), TODAY)), told([(0, "revoked")]));
    assert_eq!(story(&life.run(revoke(2, None), TODAY)), told([(2, "revoked")]));
    assert_eq!(life.names(), [(1, "active"), (2, "revoked"), (0, "revoked")]);
    assert_eq!(life.refusal(roll_back(), TODAY), Refusal::NothingRetired);
    assert_eq!(
        life.refusal(activate(2, None), TODAY),
        Refusal::Revoked(fingerprint(2))
    );
    assert!(life.state.private_half(&fingerprint(2)).is_none());
}

#[test]
fn the_active_key_is_revoked_only_with_a_successor_or_a_stop() {
    let life = Life::of([active(0), active(1), pending(2)]);
    let refusal = life.refusal(revoke(1, None), TODAY);
    assert_eq!(refusal, Refusal::SuccessorNeeded(fingerprint(1)));
    for (number, events) in [
        (2, told([(1, "revoked"), (2, "activated by revoke")])),
        (0, told([(1, "revoked"), (0, "activated by revoke")])),
    ] {
        let mut life = life.clone();
        assert_eq!(story(&life.run(revoke(1, successor(number)), TODAY)), events);
        assert_eq!(life.state.active().unwrap().fingerprint(), &fingerprint(number));
    }
    let mut life = life;
    let events = life.run(revoke(1, Some(Replacement::Stop)), TODAY);
    assert_eq!(story(&events), told([(1, "revoked and stopped")]));
    assert!(life.state.active().is_none());
    assert_eq!(life.names(), [(2, "pending"), (0, "retired"), (1, "revoked")]);
}

#[test]
fn after_a_stop_an_operator_or_a_new_key_of_the_source_starts_again() {
    let mut stopped = Life::of([active(0), active(1)]);
    stopped.run(revoke(1, Some(Replacement::Stop)), TODAY);
    let mut rolled_back = stopped.clone();
    rolled_back.run(roll_back(), TODAY);
    assert_eq!(rolled_back.names(), [(0, "active"), (1, "revoked")]);
    // The source still has the revoked key: nothing. Then it has another one.
    stopped.run(brought(1, Origin::Source, AfterImport::ActivateIfNone), TODAY);
    assert!(stopped.state.active().is_none());
    stopped.run(brought(2, Origin::Source, AfterImport::ActivateIfNone), TODAY);
    assert_eq!(stopped.names(), [(2, "active"), (0, "retired"), (1, "revoked")]);
}

#[test]
fn a_successor_can_sign_and_is_another_key() {
    let mut life = Life::of([active(0), active(1), pending(2), pending(5)]);
    life.run(revoke(2, None), TODAY);
    for (number, sentence) in [
        (1, "cannot be its own successor"),
        (2, "is revoked and never signs again"),
        (4, "there is no key"),
        (5, "is not valid before"),
    ] {
        let refusal = life.refusal(revoke(1, successor(number)), TODAY).to_string();
        assert!(refusal.contains(sentence), "{refusal}");
    }
    let needless = life.refusal(revoke(0, successor(5)), TODAY).to_string();
    assert!(
        needless.contains("is retired, so nothing is to replace it"),
        "{needless}"
    );
    let needless = life
        .refusal(revoke(5, Some(Replacement::Stop)), TODAY)
        .to_string();
    assert!(
        needless.contains("leave `successor` and `stop` out"),
        "{needless}"
    );
    let unknown = life.refusal(revoke(4, None), TODAY);
    assert_eq!(unknown, Refusal::UnknownKey(fingerprint(4)));
}

#[test]
fn only_a_pending_key_is_discarded() {
    let mut life = Life::of([active(0), active(1), pending(2), pending(3)]);
    life.run(revoke(3, None), TODAY);
    assert_eq!(story(&life.run(discard(2), TODAY)), told([(2, "discarded")]));
    assert_eq!(life.names(), [(1, "active"), (0, "retired"), (3, "revoked")]);
    for (number, sentence) in [
        (
            0,
            "is retired, and only a pending key can be discarded: purge it when",
        ),
        (
            1,
            "is active, and only a pending key can be discarded: activate another key",
        ),
        (3, "is revoked, and only a pending key can be discarded: purge it"),
        (4, "there is no key"),
    ] {
        let refusal = life.refusal(discard(number), TODAY).to_string();
        assert!(refusal.contains(sentence), "{refusal}");
    }
}

#[test]
fn a_source_does_not_bring_back_what_was_discarded_but_an_operator_does() {
    let mut life = Life::of([active(0), pending(1)]);
    life.run(discard(1), TODAY);
    life.run(brought(1, Origin::Source, AfterImport::Activate), TODAY);
    assert_eq!(life.names(), [(0, "active")]);
    life.run(pending(2), TODAY);
    life.run(pending(1), TODAY);
    assert_eq!(life.names(), [(0, "active"), (2, "pending"), (1, "pending")]);
    let sequence = |number| life.state.key(&fingerprint(number)).unwrap().arrival.sequence;
    assert_eq!([sequence(0), sequence(2), sequence(1)], [1, 3, 4]);
}

#[test]
fn a_key_is_purged_when_its_retention_is_over_and_the_refusal_names_the_date() {
    let mut life = Life::of([active(0), active(1)]);
    let refusal = life.refusal(purge(0, false), TODAY + 89).to_string();
    assert!(
        refusal.contains("is kept until 1970-05-01T00:00:00Z"),
        "{refusal}"
    );
    let events = life.run(purge(0, false), TODAY + 90);
    assert_eq!(story(&events), told([(0, "purged")]));
    assert_eq!(life.names(), [(1, "active"), (0, "purged")]);
    assert!(life.state.private_half(&fingerprint(0)).is_none());
    assert_eq!(story(&life.run(purge(0, false), 200)), told([]));
}

#[test]
fn only_a_revoked_key_is_purged_early_and_only_if_it_is_said_to_be_compromised() {
    let mut life = Life::of([active(0), active(1)]);
    assert_eq!(
        life.refusal(purge(0, true), TODAY),
        Refusal::NotRevoked(fingerprint(0))
    );
    life.run(revoke(0, None), TODAY);
    let refusal = life.refusal(purge(0, false), TODAY).to_string();
    assert!(refusal.contains("now with `compromised`"), "{refusal}");
    let events = life.run(purge(0, true), TODAY);
    assert_eq!(story(&events), told([(0, "purged early")]));
    // With its time over it is a purge like any other.
    let mut life = Life::of([active(0), active(1)]);
    let events = life.run(purge(0, true), TODAY + 90);
    assert_eq!(story(&events), told([(0, "purged")]));
}

#[test]
fn pending_and_active_keys_are_not_purged() {
    let life = Life::of([active(0), pending(1)]);
    let refusals = [0, 1, 2].map(|number| life.refusal(purge(number, true), 200).to_string());
    assert!(refusals[0].contains("is active, and only"), "{refusals:?}");
    assert!(refusals[1].contains("is pending, and only a retired or revoked key can be purged: discard it"));
    assert!(refusals[2].contains("there is no key"));
}

#[test]
fn a_purged_key_is_known_for_ever() {
    let mut life = Life::of([active(0), active(1)]);
    life.run(purge(0, false), 200);
    assert_eq!(story(&life.run(active(0), 200)), told([]));
    assert_eq!(
        life.refusal(revoke(0, None), 200),
        Refusal::Purged(fingerprint(0))
    );
    let discarded = life.refusal(discard(0), 200).to_string();
    assert!(discarded.contains("nothing left of it"), "{discarded}");
}
