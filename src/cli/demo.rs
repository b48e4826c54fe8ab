//! `countersign demo`: receiver, proxy, steady load and key swaps at once, on keys made for it; then every
//! message that was sent is held against what arrived.
//!
//! The receiver is a process of its own and verifies with the second engine; the proxy is the one that
//! `serve` runs; keys are exchanged through its admin API. `make load` takes its figures from the same: a [`Plan`]
//! is performed and leaves an [`Outcome`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::value_parser;
use http::Uri;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::keys::client::{AdminClient, Connection};
use super::{CliError, block_on, say};
use crate::app::{App, Termination};
use crate::clock::Clock;
use crate::keys::generate::KeyAlgorithm;
use crate::keys::lifecycle::Strategy;
use load::Load;
use operator::Operator;
use receiver::Receiver;
use scene::{Cast, Scene};

mod crowd;
mod latency;
mod ledger;
mod load;
mod operator;
mod receiver;
mod scene;
mod table;

pub use latency::{Around, Latencies, WINDOW};
pub use ledger::{Acceptance, Sent, Switch, Tally};

/// Aliases that flows send for, where there are as many.
const BUSY: usize = 4;

/// Show key swaps under load, on generated keys
///
/// Starts a receiver and a proxy on free ports, sends messages on many connections, and meanwhile imports one key after
/// the other and exchanges them by the strategy; with pre-publish it rolls each alias back once. Ends with a table: how many
/// messages were sent, lost, doubled, unsigned, and signed by which key, and how long they took around a swap. Exit 1 unless
/// every message arrived exactly once, signed with a key that was active between its sending and its answer.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Flows that send at the same time, each on its own connection
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = value_parser!(u16).range(1..=1024))]
    connections: u16,

    /// How long they send
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = value_parser!(u64).range(1..=3600))]
    seconds: u64,

    /// Keys to swap to, one after the other
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u32).range(1..=100))]
    swaps: u32,

    /// How keys are exchanged: pre-publish, with a receiver that trusts all of them; hold or receiver-led, with one that trusts
    /// one at a time
    #[arg(long, value_name = "STRATEGY", default_value_t = Strategy::PrePublish)]
    strategy: Strategy,

    /// Aliases in the proxy, each with a key; flows send for four of them, and the keys of those and of four others
    /// are swapped
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=100_000))]
    aliases: u32,

    /// Varies the messages; equal seeds send equal ones
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// What is to happen.
#[derive(Debug, Clone)]
pub struct Plan {
    /// This program, which is the receiver as well.
    pub program: PathBuf,
    /// Flows, each on its own connection.
    pub connections: u16,
    /// How long they send.
    pub time: Duration,
    /// Keys to swap to.
    pub swaps: usize,
    /// In the proxy, each with a key.
    pub aliases: usize,
    /// Of them, those that flows send for; the keys of these and of as many others are swapped.
    pub busy: usize,
    /// Of the keys that are swapped; `None`: RSA and P-256 in turn.
    pub algorithm: Option<KeyAlgorithm>,
    /// By which they are swapped.
    pub strategy: Strategy,
    /// Varies the messages.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// The verdict.
    pub tally: Tally,
    /// Every message.
    pub sent: Vec<Sent>,
    /// Every switch, in the order of time; not those that came before the load.
    pub switches: Vec<Switch>,
    /// From the first message to the last.
    pub took: Duration,
    /// The proxy's, at the end.
    pub metrics: String,
    /// Of keys that sign messages: their names by fingerprint, in the order of their use.
    pub keys: Vec<(String, String)>,
}

/// Runs `countersign demo`.
///
/// # Errors
/// When a part does not start, or a swap fails.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    if args.strategy != Strategy::PrePublish && args.aliases > 1 {
        return Err(CliError::Usage(format!(
            "the receiver of --strategy {} trusts one key, so there is one alias: leave out --aliases",
            args.strategy
        )));
    }
    let aliases = usize::try_from(args.aliases).map_err(CliError::failed)?;
    let plan = Plan {
        program: std::env::current_exe().map_err(CliError::failed)?,
        connections: args.connections,
        time: Duration::from_secs(args.seconds),
        swaps: usize::try_from(args.swaps).map_err(CliError::failed)?,
        aliases,
        busy: aliases.min(BUSY),
        algorithm: None,
        strategy: args.strategy,
        seed: args.seed,
    };
    let outcome = block_on(async {
        // The receiver's process and the directory go with us, also then.
        let mut termination = Termination::listen().map_err(CliError::failed)?;
        tokio::select! {
            done = plan.perform(|address| announce(&plan, address)) => done,
            () = termination.asked() => Err(CliError::Failed("stopped before the end".to_owned())),
        }
    })?;
    say(table::table(&outcome))?;
    if outcome.tally.is_clean() {
        say("every message arrived exactly once, signed with the key that was active\n")?;
        Ok(ExitCode::SUCCESS)
    } else {
        Err(CliError::Failed(
            "not every message arrived exactly once, signed with the key that was active".to_owned(),
        ))
    }
}

fn announce(plan: &Plan, proxy: SocketAddr) -> Result<(), CliError> {
    let aliases = match plan.aliases {
        1 => String::new(),
        many => format!(", which has {many} aliases"),
    };
    let rollback = match plan.strategy {
        Strategy::PrePublish => " and one rollback",
        Strategy::Hold | Strategy::ReceiverLed => "",
    };
    say(format!(
        "{} flows send for {} s to http://{proxy}{aliases}; meanwhile {} swaps, {}{rollback}\n",
        plan.connections,
        plan.time.as_secs(),
        plan.swaps,
        plan.strategy
    ))
}

impl Plan {
    /// Performs it; `begins` hears of the proxy's address when all stands and nothing has been sent yet.
    ///
    /// # Errors
    /// When a part does not start, or a swap fails.
    pub async fn perform(
        &self,
        begins: impl FnOnce(SocketAddr) -> Result<(), CliError>,
    ) -> Result<Outcome, CliError> {
        let clock = Clock::system();
        let cast = Cast {
            all: self.aliases,
            busy: self.busy,
        };
        let scene = Scene::set(self, cast, clock.now())?;
        let receiver = Receiver::start(&self.program, &scene.trust()).await?;
        let app = App::start(scene.configuration(receiver.address)?, clock.clone())
            .await
            .map_err(CliError::failed)?;
        let (keys, others) = (app.keys.clone(), cast.switched()..cast.all);
        spawn_blocking(move || crowd::give_keys(&keys, others, clock.now()))
            .await
            .map_err(CliError::failed)??;
        let mut operator = Operator::new(client(&app, &scene)?, &receiver, self.strategy);
        let (first, others) = scene.keys.split_at(cast.switched());
        for key in first {
            operator.begin(key).await?;
        }
        begins(app.proxy_address)?;

        let begin = Instant::now();
        let load = Load {
            proxy: app.proxy_address,
            aliases: cast.busy,
            connections: self.connections,
            until: begin + self.time,
            seed: self.seed,
        };
        let (sent, mut switches) = tokio::try_join!(load.run(), operator.exchange(others, begin, self.time))?;
        let took = begin.elapsed();
        let metrics = app.metrics.render().map_err(CliError::failed)?;
        app.shutdown().await;
        let arrived = receiver.finish().await?;
        let tally = Tally::of(&sent, &arrived, &switches, self.strategy);
        let signing = scene.keys.iter().filter(|key| key.alias < cast.busy);
        Ok(Outcome {
            tally,
            sent,
            switches: switches.split_off(first.len()),
            took,
            metrics: String::from_utf8_lossy(&metrics).into_owned(),
            keys: signing
                .map(|key| (key.fingerprint.to_string(), key.name.clone()))
                .collect(),
        })
    }
}

fn client(app: &App, scene: &Scene) -> Result<AdminClient, CliError> {
    let admin: Uri = format!("http://{}", app.admin_address)
        .parse()
        .map_err(CliError::failed)?;
    AdminClient::new(&Connection::plain(admin, scene.token()))
}
