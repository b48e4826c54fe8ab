//! What came of it, as a table.

use std::fmt::Write;
use std::time::Duration;

use super::ledger::{Switch, Tally};
use super::scene::DemoKey;

pub(super) fn table(tally: &Tally, keys: &[DemoKey], switches: &[Switch], took: Duration) -> String {
    let rows = [
        ("sent", tally.sent),
        ("answered", tally.answered),
        ("lost", tally.lost),
        ("doubled", tally.doubled),
        ("unsigned", tally.unsigned),
        (
            "signed with the old key after `activate` had returned",
            tally.stale,
        ),
    ];
    let mut table = String::from("\n");
    for (what, count) in rows {
        row(&mut table, what, count);
    }
    table.push('\n');
    for key in keys {
        let what = format!("signed by {} (sha256:{}…)", key.name, key.fingerprint.short());
        row(
            &mut table,
            &what,
            tally
                .signed_by
                .get(&*key.fingerprint)
                .copied()
                .unwrap_or_default(),
        );
    }
    let slowest = switches
        .iter()
        .map(|switch| switch.done - switch.begun)
        .max()
        .unwrap_or_default();
    let _ = writeln!(
        table,
        "\n{:.0} messages a second; the slowest switch took {:.1} ms",
        messages_a_second(tally.answered, took),
        slowest.as_secs_f64() * 1000.0
    );
    table
}

fn row(table: &mut String, what: &str, count: u64) {
    let _ = writeln!(table, "{what:<60}{count:>9}"); // writing to a String never fails
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people; far below 2^52")]
fn messages_a_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
