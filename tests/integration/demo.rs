//! Key swaps under load, with a receiver and a proxy as they run: `countersign demo`, shorter.

use std::path::Path;
use std::process::Command;

use tempfile::tempdir;

use crate::support::countersign::{Run, countersign};

/// What may not happen to any message.
const NEVER: [&str; 4] = [
    "lost",
    "doubled",
    "unsigned",
    "signed with the old key after a swap was done",
];

#[test]
fn thirty_two_flows_lose_nothing_while_ten_keys_are_swapped_and_one_is_rolled_back() {
    let dir = tempdir().unwrap();

    let run = countersign(dir.path(), "demo --connections 32 --seconds 4 --swaps 10");

    let by_key = clean(&run);
    assert_eq!(by_key.len(), 11, "{}", run.text());
    assert!(
        by_key.iter().all(|messages| *messages > 0),
        "every key signed: {}",
        run.text()
    );
    assert!(
        dir.path().read_dir().unwrap().next().is_none(),
        "nothing is left behind"
    );
}

#[test]
fn the_same_holds_with_ten_thousand_aliases_while_keys_of_busy_and_of_idle_ones_are_swapped_and_rolled_back()
{
    // Ten thousand imports wait for the disk as often, which is not what this is about.
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempdir().unwrap()
    };
    let demo = "demo --aliases 10000 --connections 8 --seconds 4 --swaps 16";

    let run = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(demo.split_whitespace())
        .env("TMPDIR", dir.path())
        .output();

    let run = Run::of(run.unwrap());
    assert!(run.text().contains("which has 10000 aliases"), "{}", run.text());
    let by_key = clean(&run);
    // Four busy aliases, each with its first key and two that are swapped in.
    assert_eq!(by_key.len(), 12, "{}", run.text());
    assert!(
        by_key.iter().filter(|messages| **messages > 0).count() >= 8,
        "{}",
        run.text()
    );
    assert!(dir.path().read_dir().unwrap().next().is_none());
}

#[test]
fn nothing_is_lost_while_messages_are_held_for_a_receiver_that_trusts_one_key() {
    with_a_receiver_that_trusts_one_key("hold");
}

#[test]
fn nothing_is_lost_while_a_receiver_that_trusts_one_key_leads() {
    let refused = with_a_receiver_that_trusts_one_key("receiver-led");
    assert!(refused > 0, "it led by refusals");
}

/// Tells how many messages it refused.
fn with_a_receiver_that_trusts_one_key(strategy: &str) -> u64 {
    let dir = tempdir().unwrap();
    let demo = format!("demo --strategy {strategy} --connections 8 --seconds 3 --swaps 3");

    let run = countersign(dir.path(), &demo);

    let by_key = clean(&run);
    assert_eq!(by_key.len(), 4, "{}", run.text());
    assert!(by_key.iter().all(|messages| *messages > 0), "{}", run.text());
    row(run.text(), "refused, and signed again with the next key")
}

/// Nothing went wrong; tells how many messages each key signed.
fn clean(run: &Run) -> Vec<u64> {
    assert_eq!(run.code, Some(0), "{}{}", run.text(), run.stderr);
    let sent = row(run.text(), "sent");
    assert!(sent > 100, "a load worth its name: {}", run.text());
    assert_eq!(row(run.text(), "answered"), sent);
    for what in NEVER {
        assert_eq!(row(run.text(), what), 0, "{}", run.text());
    }
    let lines = run.text().lines();
    let by_key: Vec<_> = lines
        .filter(|line| line.starts_with("signed by key"))
        .map(count)
        .collect();
    assert_eq!(by_key.iter().sum::<u64>(), sent);
    by_key
}

fn row(table: &str, what: &str) -> u64 {
    let is_row = |line: &&str| line.strip_prefix(what).is_some_and(|rest| rest.starts_with("  "));
    count(
        table
            .lines()
            .find(is_row)
            .unwrap_or_else(|| panic!("no row {what:?} in {table}")),
    )
}

fn count(line: &str) -> u64 {
    line.rsplit(' ').next().unwrap().parse().unwrap()
}
