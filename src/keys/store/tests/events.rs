//! Answers to events, and the outbox: with what they tell of, or not at all; for as long as is said, and no longer.

use super::*;
use crate::cloud_events::outgoing::{OutgoingType, Subscription};
use crate::keys::CommandError;
use crate::keys::answer::{Answer, Cause, Verdict};

fn cause(id: &str) -> Cause {
    Cause {
        source: "/hr".to_owned(),
        id: id.to_owned(),
        kind: "io.countersign.key.rollback".to_owned(),
        caller: "hr".to_owned(),
        digest: [1; 32],
    }
}

/// Of another sender, by the same source.
fn of(caller: &str, id: &str) -> Cause {
    Cause {
        caller: caller.to_owned(),
        ..cause(id)
    }
}

fn nothing() -> Answer {
    Answer {
        verdict: Verdict::Ignored,
        reason: "nothing".to_owned(),
    }
}

fn subscription(sink: &str, types: Option<&[OutgoingType]>) -> Subscription {
    Subscription {
        sink: sink.to_owned(),
        types: types.map(|types| types.iter().copied().collect()),
        aliases: None,
    }
}

/// What an event imports.
fn import_because(keys: &Keys, number: usize, id: &str) -> Result<(), CommandError> {
    let operator = keys.by(Author::token("hr").because_of(cause(id)));
    let imported = operator.import(ALIAS, material(number), AfterImport::Activate, NOW);
    imported.map(drop)
}

#[test]
fn answer_and_outbox_are_written_with_what_they_tell_of_or_not_at_all() {
    let directory = directory();
    let keys = keys(directory.path());
    keys.subscribe(vec![subscription("ops", None)]);
    let fault = "CREATE TEMP TRIGGER fault BEFORE INSERT ON answer BEGIN SELECT RAISE(ABORT, 'no'); END";
    keys.writer().connection().execute_batch(fault).unwrap();
    assert!(matches!(
        import_because(&keys, 0, "1"),
        Err(CommandError::Store(_))
    ));
    assert_eq!(keys.answer(&cause("1"), ALIAS), Ok(None));
    assert_eq!(keys.outbox().depth("ops"), (0, None));
    assert!(keys.ring().alias(ALIAS).unwrap().active().is_none());

    keys.writer()
        .connection()
        .execute_batch("DROP TRIGGER fault")
        .unwrap();
    import_because(&keys, 0, "1").unwrap();
    let remembered = keys.answer(&cause("1"), ALIAS).unwrap().unwrap();
    assert_eq!(remembered.answer.verdict, Verdict::Applied);
    assert_eq!(remembered.alias, ALIAS);
    assert_eq!(keys.outbox().depth("ops"), (2, Some(NOW)));
    drop(keys);
    let keys = self::keys(directory.path());
    assert_eq!(keys.answer(&cause("1"), ALIAS), Ok(Some(remembered)));
    assert_eq!(keys.outbox().depth("ops"), (2, Some(NOW)));
}

#[test]
fn the_writer_refuses_an_event_that_it_has_carried_out() {
    let directory = directory();
    let keys = keys(directory.path());
    import(&keys, 0, AfterImport::Activate);
    import_because(&keys, 1, "1").unwrap();
    let again = keys
        .by(Author::token("hr").because_of(cause("1")))
        .rollback(ALIAS, NOW);
    assert!(matches!(again, Err(CommandError::Repeated(_))), "{again:?}");
    let active = keys
        .ring()
        .alias(ALIAS)
        .unwrap()
        .active()
        .unwrap()
        .fingerprint()
        .clone();
    assert_eq!(active, fingerprint(1));
}

#[test]
fn answers_are_kept_for_90_days_and_the_first_one_counts() {
    let directory = directory();
    let keys = keys(directory.path());
    keys.remember(&cause("1"), ALIAS, &nothing(), NOW).unwrap();
    let other = Answer {
        verdict: Verdict::Refused,
        reason: "no".to_owned(),
    };
    keys.remember(&cause("1"), ALIAS, &other, NOW + DAY * 90).unwrap();
    let kept = keys.answer(&cause("1"), ALIAS).unwrap().unwrap();
    assert_eq!(kept.answer, nothing());
    let later = NOW + DAY * 90 + Duration::from_millis(1);
    keys.remember(&cause("2"), ALIAS, &nothing(), later).unwrap();
    assert_eq!(keys.answer(&cause("1"), ALIAS), Ok(None));
}

#[test]
fn nobody_uses_up_the_ids_of_another_caller() {
    let directory = directory();
    let keys = keys(directory.path());
    keys.remember(&of("narrow", "1"), "invoices", &nothing(), NOW)
        .unwrap();
    assert_eq!(keys.answer(&cause("1"), ALIAS), Ok(None));
    import_because(&keys, 0, "1").unwrap();
    let remembered = keys.answer(&cause("1"), ALIAS).unwrap().unwrap();
    assert_eq!(remembered.answer.verdict, Verdict::Applied);
    let other = keys.answer(&of("narrow", "1"), "invoices").unwrap().unwrap();
    assert_eq!(other.answer, nothing());
}

#[test]
fn an_id_that_comes_with_something_else_is_told_from_a_repetition() {
    let directory = directory();
    let keys = keys(directory.path());
    import_because(&keys, 0, "1").unwrap();
    let remembered = keys.answer(&cause("1"), ALIAS).unwrap().unwrap();
    assert!(remembered.is_of(&cause("1"), ALIAS));
    let other = Cause {
        digest: [2; 32],
        ..cause("1")
    };
    assert!(!remembered.is_of(&other, ALIAS));
    assert!(!remembered.is_of(&cause("1"), "invoices"));
}

#[test]
fn a_caller_that_floods_forgets_its_own_oldest_answers_and_keeps_nobody_out() {
    let directory = directory();
    let keys = keys(directory.path());
    keys.remember(&cause("mine"), ALIAS, &nothing(), NOW).unwrap();
    let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) \
                INSERT INTO answer (caller, source, id, type, alias, at, result) \
                SELECT 'narrow', '/hr', i, 't', 'orders', i, 'ignored' FROM n";
    keys.writer().connection().execute_batch(fill).unwrap();
    let later = NOW + Duration::from_secs(1_000);
    keys.remember(&of("narrow", "new"), ALIAS, &nothing(), later)
        .unwrap();
    for (cause, known) in [
        (of("narrow", "new"), true),
        (of("narrow", "1"), false),
        (of("narrow", "2"), true),
        (cause("mine"), true),
    ] {
        let answer = keys.answer(&cause, ALIAS).unwrap();
        assert_eq!(answer.is_some(), known, "{cause}");
    }
    import_because(&keys, 0, "urgent").unwrap();
}

#[test]
fn what_cannot_be_dropped_now_keeps_its_place_and_goes_the_next_time() {
    let directory = directory();
    let keys = keys(directory.path());
    let ops = || vec![subscription("ops", None)];
    keys.subscribe(ops());
    import(&keys, 0, AfterImport::Activate);
    let fault = "CREATE TEMP TRIGGER fault BEFORE DELETE ON outbox BEGIN SELECT RAISE(ABORT, 'no'); END";
    keys.writer().connection().execute_batch(fault).unwrap();
    keys.subscribe(Vec::new());
    keys.subscribe(ops());
    import(&keys, 1, AfterImport::Activate);
    let first = keys.outbox().next("ops").remove(0);
    let event = keys.outgoing(&first).unwrap().unwrap();
    assert!(
        event.contains(&*fingerprint(0)),
        "nothing new overtakes it: {event}"
    );

    keys.writer()
        .connection()
        .execute_batch("DROP TRIGGER fault")
        .unwrap();
    keys.subscribe(Vec::new());
    assert_eq!(keys.outbox().depth("ops").0, 0);
    drop(keys);
    assert_eq!(self::keys(directory.path()).outbox().depth("ops").0, 0);
}

#[test]
fn what_lies_for_a_sink_that_is_removed_is_dropped_for_good() {
    let directory = directory();
    let keys = keys(directory.path());
    let activated = subscription("ops", Some(&[OutgoingType::KeyActivated]));
    keys.subscribe(vec![activated, subscription("hr", None)]);
    import(&keys, 0, AfterImport::Activate);
    assert_eq!(keys.outbox().depth("ops").0, 1);
    assert_eq!(keys.outbox().depth("hr").0, 2);
    keys.subscribe(vec![subscription("hr", None)]);
    assert_eq!(keys.outbox().depth("ops").0, 0);

    let [next] = keys.outbox().next("hr").try_into().unwrap();
    let event = keys.outgoing(&next).unwrap().unwrap();
    assert!(event.contains("io.countersign.key.pending"), "{event}");
    keys.delivered(&next).unwrap();
    drop(keys);
    let keys = self::keys(directory.path());
    assert_eq!(keys.outbox().depth("ops").0, 0);
    let [last] = keys.outbox().next("hr").try_into().unwrap();
    assert!(last.sequence > next.sequence);
}
