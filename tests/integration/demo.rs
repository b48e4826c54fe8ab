//! Key swaps under load, with a receiver and a proxy as they run: `countersign demo`, shorter.

use tempfile::tempdir;

use crate::support::countersign::countersign;

#[test]
fn thirty_two_flows_lose_nothing_while_ten_keys_are_swapped_and_one_is_rolled_back() {
    let dir = tempdir().unwrap();

    let run = countersign(dir.path(), "demo --connections 32 --seconds 4 --swaps 10");

    assert_eq!(run.code, Some(0), "{}{}", run.text(), run.stderr);
    let sent = row(run.text(), "sent");
    assert!(sent > 100, "a load worth its name: {}", run.text());
    assert_eq!(row(run.text(), "answered"), sent);
    for what in [
        "lost",
        "doubled",
        "unsigned",
        "signed with the old key after `activate` had returned",
    ] {
        assert_eq!(row(run.text(), what), 0, "{}", run.text());
    }
    let by_key: Vec<_> = run
        .text()
        .lines()
        .filter(|line| line.starts_with("signed by key"))
        .map(count)
        .collect();
    assert_eq!(by_key.len(), 11, "{}", run.text());
    assert!(
        by_key.iter().all(|messages| *messages > 0),
        "every key signed: {}",
        run.text()
    );
    assert_eq!(by_key.iter().sum::<u64>(), sent);
    assert!(
        dir.path().read_dir().unwrap().next().is_none(),
        "nothing is left behind"
    );
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
