//! Switches under load: `countersign demo` by each strategy, with one alias and with 10,000, with RSA and P-256 keys, one after
//! the other in one run. `make load` writes the tables to `benches/load.md` and the plots beside it.
//!
//! Another kind of switch is another [`Case`].
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark prints, and ends when something is wrong"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign::cli::demo::{Around, Latencies, Outcome, Plan, WINDOW};
use countersign::keys::generate::KeyAlgorithm;
use countersign::keys::lifecycle::Strategy;

mod plot;

/// As many as keep two cores busy without standing in line for long.
const CONNECTIONS: u16 = 4;
const SWAPS: usize = 60;
/// Switches stand far enough apart that what comes before one is not what comes after another.
const TIME: Duration = Duration::from_secs(40);

/// What is shown together, of all cases.
struct Plot {
    file: &'static str,
    shows: fn(&Plan) -> bool,
}

const PLOTS: [Plot; 2] = [
    Plot {
        file: "load.svg",
        shows: |plan| plan.strategy == Strategy::PrePublish,
    },
    Plot {
        file: "load-strategies.svg",
        shows: |plan| plan.aliases == 1,
    },
];

/// One run.
pub(crate) struct Case {
    name: String,
    plan: Plan,
}

fn main() {
    let cases = [KeyAlgorithm::Rsa2048, KeyAlgorithm::P256]
        .into_iter()
        .flat_map(|algorithm| {
            [
                Case::new(algorithm, Strategy::PrePublish, 1),
                Case::new(algorithm, Strategy::PrePublish, 10_000),
                Case::new(algorithm, Strategy::Hold, 1),
                Case::new(algorithm, Strategy::ReceiverLed, 1),
            ]
        });
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let (mut done, busy) = (Vec::new(), machine());
    for case in cases {
        println!(
            "{}: {} s, and what it takes to make the keys",
            case.name,
            TIME.as_secs()
        );
        let outcome = runtime.block_on(case.plan.perform(|_| Ok(())));
        let outcome = outcome.unwrap_or_else(|error| unreachable!("{}: {error}", case.name));
        assert!(outcome.tally.is_clean(), "{}: {:?}", case.name, outcome.tally);
        done.push((case, outcome));
    }
    let report = report(&done, &busy);
    println!("{report}");
    let benches = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches");
    std::fs::write(benches.join("load.md"), report).expect("a place for the report");
    for Plot { file, shows } in PLOTS {
        let shown: Vec<_> = done.iter().filter(|(case, _)| shows(&case.plan)).collect();
        std::fs::write(benches.join(file), plot::svg(&shown)).expect("a place for the plot");
    }
}

/// Cores, and how many others wanted them: figures of a busy machine tell little.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown").to_owned();
    format!("{cores} cores; load average before the run: {load}")
}

fn report(done: &[(Case, Outcome)], machine: &str) -> String {
    format!(
        "# Switches under load\n\nWritten by `make load`: {CONNECTIONS} connections, {SWAPS} swaps in {} s a line, and with \
         pre-publish a rollback of each alias. {machine}.\n\n## Latency\n\n*Before* and *after*: within {} ms of a switch; \
         *during*: under way at the same time as it. A switch is, with pre-publish, the command; with hold, from the command \
         that holds to the one that resumes, with the receiver's exchange between them; with receiver-led, from the receiver's \
         exchange until the new key is seen to be the active one.\n\n{}\n![latency around switches](load.svg)\n\n\
         ![by each strategy](load-strategies.svg)\n\n## Switches\n\n{}",
        TIME.as_secs(),
        WINDOW.as_millis(),
        latencies(done),
        switches(done)
    )
}

impl Case {
    fn new(algorithm: KeyAlgorithm, strategy: Strategy, aliases: usize) -> Self {
        let name = match aliases {
            1 => format!("{algorithm}, {strategy}"),
            many => format!("{algorithm}, {strategy}, {many} aliases"),
        };
        let plan = Plan {
            program: PathBuf::from(env!("CARGO_BIN_EXE_countersign")),
            connections: CONNECTIONS,
            time: TIME,
            swaps: SWAPS,
            aliases,
            busy: 1,
            algorithm: Some(algorithm),
            strategy,
            seed: 0,
        };
        Self { name, plan }
    }
}

/// Markdown, as in `benches/README.md`.
fn latencies(done: &[(Case, Outcome)]) -> String {
    let mut table = String::from(
        "| | a second | | messages | p50 ms | p99 ms | p99.9 ms |\n|---|---|---|---|---|---|---|\n",
    );
    for (case, outcome) in done {
        let around = Around::switches(&outcome.sent, &outcome.switches);
        let rate = outcome.tally.answered as f64 / outcome.took.as_secs_f64();
        let all = Latencies::of(&outcome.sent);
        let mut first = format!("| {} | {rate:.0} |", case.name);
        for (when, latencies) in [
            ("before", &around.before),
            ("during", &around.during),
            ("after", &around.after),
            ("all", &all),
        ] {
            let [p50, p99, p999] = [500, 990, 999].map(|share| milliseconds(latencies.permille(share)));
            let count = latencies.count();
            table += &format!("{first} {when} | {count} | {p50:.2} | {p99:.2} | {p999:.2} |\n");
            first = "| | |".to_owned();
        }
    }
    table
}

/// Switches as those saw them who asked for them, of these the exchange of the keys in memory, as the proxy counted it, and how
/// many messages were refused and signed again.
fn switches(done: &[(Case, Outcome)]) -> String {
    let mut table = String::from(
        "| | switches | whole switch p50 ms | slowest | in memory, mean µs | none over | signed twice |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for (case, outcome) in done {
        let commands = outcome.switches.iter().map(|switch| switch.done - switch.begun);
        let commands: Latencies = commands.collect();
        let publishing = Publishing::read(&outcome.metrics);
        table += &format!(
            "| {} | {} | {:.2} | {:.2} | {:.1} | {} | {} |\n",
            case.name,
            commands.count(),
            milliseconds(commands.permille(500)),
            milliseconds(commands.permille(1000)),
            publishing.mean * 1e6,
            publishing.bound,
            outcome.tally.refused
        );
    }
    table
}

/// Of `countersign_key_publish_duration_seconds`.
struct Publishing {
    /// Seconds.
    mean: f64,
    /// The first bucket that has all of them.
    bound: String,
}

impl Publishing {
    fn read(metrics: &str) -> Self {
        let of = |line: &str| -> Option<f64> { line.rsplit(' ').next()?.parse().ok() };
        let one = |part: &str| {
            let name = format!("countersign_key_publish_duration_seconds_{part}");
            let lines = metrics.lines().filter(move |line| line.starts_with(&name));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let value = |part: &str| one(part).first().and_then(|line| of(line)).expect("the metric");
        let (sum, count) = (value("sum"), value("count"));
        let full = one("bucket").into_iter().find(|line| of(line) == Some(count));
        let full = full.expect("the bucket without a bound");
        let bound = full.split('"').nth(1).expect("a bound");
        let bound = match bound.parse::<f64>() {
            Ok(seconds) if seconds.is_finite() => format!("{:.0} µs", seconds * 1e6),
            _ => "10 ms and more".to_owned(),
        };
        Self {
            mean: sum / count,
            bound,
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
