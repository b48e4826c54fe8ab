//! What came of it, as a table.

use std::fmt::Write;
use std::time::Duration;

use super::Outcome;
use super::latency::{Around, Latencies};

pub(super) fn table(outcome: &Outcome) -> String {
    let mut table = counts(outcome);
    signers(&mut table, outcome);
    times(&mut table, outcome);
    table
}

fn counts(outcome: &Outcome) -> String {
    let tally = &outcome.tally;
    let rows = [
        ("sent", tally.sent),
        ("answered", tally.answered),
        ("lost", tally.lost),
        ("doubled", tally.doubled),
        ("unsigned", tally.unsigned),
        ("signed with the old key after a swap was done", tally.stale),
        ("refused, and signed again with the next key", tally.refused),
    ];
    let mut table = String::from("\n");
    for (what, count) in rows {
        row(&mut table, what, count);
    }
    table
}

fn signers(table: &mut String, outcome: &Outcome) {
    table.push('\n');
    for (fingerprint, name) in &outcome.keys {
        let short: String = fingerprint.chars().take(16).collect();
        let signed = outcome.tally.signed_by.get(fingerprint);
        row(
            table,
            &format!("signed by {name} (sha256:{short}…)"),
            signed.copied().unwrap_or_default(),
        );
    }
}

fn times(table: &mut String, outcome: &Outcome) {
    let slowest = outcome.switches.iter().map(|switch| switch.done - switch.begun);
    let _ = writeln!(
        table,
        "\n{:.0} messages a second; the slowest switch took {:.1} ms\n\n{:<28}{:>8}{:>9}{:>9}{:>9}",
        messages_a_second(outcome.tally.answered, outcome.took),
        milliseconds(slowest.max().unwrap_or_default()),
        "answered within",
        "messages",
        "p50",
        "p99",
        "p99.9 ms"
    );
    let around = Around::switches(&outcome.sent, &outcome.switches);
    for (when, latencies) in [
        ("shortly before a switch", &around.before),
        ("during a switch", &around.during),
        ("shortly after a switch", &around.after),
        ("the whole time", &Latencies::of(&outcome.sent)),
    ] {
        let [p50, p99, p999] = [500, 990, 999].map(|share| milliseconds(latencies.permille(share)));
        let count = latencies.count();
        let _ = writeln!(table, "{when:<28}{count:>8}{p50:>9.1}{p99:>9.1}{p999:>9.1}");
    }
    table.push('\n');
}

fn row(table: &mut String, what: &str, count: u64) {
    let _ = writeln!(table, "{what:<60}{count:>9}"); // writing to a String never fails
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people; far below 2^52")]
fn messages_a_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
