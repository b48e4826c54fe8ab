//! The line, step by step.

use std::time::Duration;

use super::*;

const BOUNDS: HoldBounds = HoldBounds {
    count: 3,
    bytes: 100,
    time: Duration::from_secs(1),
    release: 2,
};

/// Is called by his name.
fn named(call: &'static str, bytes: usize) -> Waiting<&'static str> {
    Waiting {
        call,
        bytes,
        tells: true,
    }
}

fn line(waiting: &[&'static str]) -> (Line<&'static str>, Vec<Arrival>) {
    let mut line = Line::new();
    let arrivals = waiting
        .iter()
        .map(|name| line.join(named(name, 10), &BOUNDS).unwrap());
    let arrivals = arrivals.collect();
    (line, arrivals)
}

#[test]
fn who_comes_to_an_open_gate_passes_unless_somebody_waits() {
    let (mut line, _) = line(&[]);
    let first = line.pass().unwrap();
    assert!(!line.is_drained());
    line.join(named("a", 10), &BOUNDS).unwrap();
    assert_eq!(line.pass(), None);
    line.leave(first);
    assert!(line.is_drained());
}

#[test]
fn those_that_wait_go_in_the_order_of_their_arrival_and_no_more_than_so_many_at_once() {
    let (mut line, arrivals) = line(&["a", "b", "c"]);
    assert_eq!(
        [line.release(), line.release(), line.release()],
        [Some("a"), Some("b"), None]
    );
    line.leave(arrivals[1]);
    assert_eq!([line.release(), line.release()], [Some("c"), None]);
    assert_eq!((line.messages(), line.bytes(), line.is_drained()), (0, 0, false));
}

#[test]
fn who_leaves_is_out_at_once_and_makes_room() {
    let (mut line, arrivals) = line(&["a", "b", "c"]);
    assert_eq!(line.join(named("d", 10), &BOUNDS), Err(Full::Count(3)));
    line.leave(arrivals[0]);
    assert_eq!((line.messages(), line.bytes()), (2, 20));
    line.join(named("d", 10), &BOUNDS).unwrap();
    assert_eq!(line.probe(), Some("b"));
}

#[test]
fn there_is_room_by_number_and_by_size() {
    let (mut line, _) = line(&["a", "b"]);
    assert_eq!(line.join(named("c", 81), &BOUNDS), Err(Full::Bytes(100)));
    assert_eq!(line.join(named("c", usize::MAX), &BOUNDS), Err(Full::Bytes(100)));
    line.join(named("c", 80), &BOUNDS).unwrap();
    assert_eq!(line.join(named("d", 0), &BOUNDS), Err(Full::Count(3)));
}

#[test]
fn one_at_a_time_is_sent_ahead_keeps_its_room_and_comes_back_to_where_it_stood() {
    let (mut line, arrivals) = line(&["a", "b", "c"]);
    assert_eq!([line.probe(), line.probe()], [Some("a"), None]);
    assert_eq!(line.join(named("d", 10), &BOUNDS), Err(Full::Count(3)));
    let few = HoldBounds {
        count: 9,
        bytes: 39,
        ..BOUNDS
    };
    assert_eq!(line.join(named("d", 10), &few), Err(Full::Bytes(39)));
    line.rejoin(arrivals[0], named("a", 10), &BOUNDS).unwrap();
    assert_eq!((line.messages(), line.bytes()), (3, 30));
    let next = [line.probe(), line.release(), line.release(), line.release()];
    assert_eq!(next, [Some("a"), Some("b"), Some("c"), None]);
}

#[test]
fn who_cannot_tell_is_not_sent_ahead_and_nobody_else_before_it() {
    let (mut line, _) = line(&[]);
    let silent = Waiting {
        tells: false,
        ..named("a", 10)
    };
    let silent = line.join(silent, &BOUNDS).unwrap();
    line.join(named("b", 10), &BOUNDS).unwrap();
    assert_eq!(line.probe(), None);
    line.leave(silent);
    assert_eq!(line.probe(), Some("b"));
}

#[test]
fn where_everything_is_refused_those_that_can_tell_are_sent_ahead_in_turn() {
    let (mut line, _) = line(&[]);
    let refused = line.pass().unwrap();
    line.rejoin(refused, named("a", 10), &BOUNDS).unwrap();
    let silent = Waiting {
        tells: false,
        ..named("silent", 10)
    };
    line.join(silent, &BOUNDS).unwrap();
    let other = line.join(named("b", 10), &BOUNDS).unwrap();
    assert_eq!([line.probe_in_turn(), line.probe_in_turn()], [Some("b"), None]);
    line.rejoin(other, named("b", 10), &BOUNDS).unwrap();
    assert_eq!(line.probe_in_turn(), Some("a"));
    line.leave(refused);
    assert_eq!(line.probe_in_turn(), Some("b"));
    line.leave(other);
    assert_eq!(line.probe_in_turn(), None);
}

#[test]
fn who_was_not_waiting_needs_room_to_be_sent_back() {
    let (mut line, _) = line(&[]);
    let refused = [line.pass().unwrap(), line.pass().unwrap()];
    for name in ["a", "b"] {
        line.join(named(name, 10), &BOUNDS).unwrap();
    }
    line.rejoin(refused[1], named("second", 10), &BOUNDS).unwrap();
    assert_eq!(
        line.rejoin(refused[0], named("first", 10), &BOUNDS),
        Err(Full::Count(3))
    );
    assert_eq!(line.probe(), Some("second"), "it came before those that waited");
    line.leave(refused[0]);
}

#[test]
fn where_everything_is_refused_nobody_passes_until_something_is_accepted_or_all_have_left() {
    let (mut line, _) = line(&[]);
    let first = line.pass().unwrap();
    line.rejoin(first, named("a", 10), &BOUNDS).unwrap();
    assert_eq!((line.pass(), line.is_refused()), (None, true));
    assert_eq!(line.probe(), Some("a"));
    assert_eq!(line.pass(), None, "the probe has not come back yet");
    line.leave(first);
    assert!(line.pass().is_some(), "who comes next finds out");
}

#[test]
fn what_is_accepted_opens_the_way_in_order() {
    let (mut line, _) = line(&[]);
    let first = line.pass().unwrap();
    line.rejoin(first, named("a", 10), &BOUNDS).unwrap();
    line.join(named("b", 10), &BOUNDS).unwrap();
    line.accept();
    assert!(!line.is_refused() && line.pass().is_none());
    assert_eq!(
        [line.release(), line.release(), line.release()],
        [Some("a"), Some("b"), None]
    );
}

#[test]
fn who_alone_is_refused_stands_aside_and_keeps_nobody() {
    let (mut line, _) = line(&[]);
    let [refused, accepted] = [line.pass().unwrap(), line.pass().unwrap()];
    line.accept();
    line.leave(accepted);
    line.rejoin(refused, named("a", 10), &BOUNDS).unwrap();
    assert_eq!((line.messages(), line.bytes(), line.is_refused()), (1, 10, false));
    assert!(line.pass().is_some());
    assert_eq!([line.probe(), line.release()], [None, None]);
    line.recall();
    assert!(line.pass().is_none());
    assert_eq!(line.release(), Some("a"));
}

#[test]
fn who_stands_aside_may_leave() {
    let (mut line, _) = line(&[]);
    let refused = line.pass().unwrap();
    line.accept();
    line.rejoin(refused, named("a", 10), &BOUNDS).unwrap();
    line.leave(refused);
    line.recall();
    assert_eq!((line.messages(), line.bytes(), line.release()), (0, 0, None));
}
