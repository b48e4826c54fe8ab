//! `countersign demo`: receiver, proxy, steady load and key swaps at once, on keys made for it; then every
//! message that was sent is held against what arrived.
//!
//! The receiver is a process of its own and verifies with the second engine; the proxy is the one that
//! `serve` runs; keys are exchanged through its admin API.

use std::process::ExitCode;
use std::time::Duration;

use clap::value_parser;
use http::Uri;
use tokio::time::Instant;

use super::keys::client::{AdminClient, Connection};
use super::{CliError, block_on, print};
use crate::app::{App, Termination};
use crate::clock::Clock;
use ledger::Tally;
use load::Load;
use operator::Operator;
use receiver::Receiver;
use scene::{PATH, Scene};

mod ledger;
mod load;
mod operator;
mod receiver;
mod scene;
mod table;

/// Show key swaps under load, on generated keys
///
/// Starts a receiver and a proxy on free ports, sends messages on many connections, and meanwhile imports
/// and activates one key after the other and rolls back once. Ends with a table: how many messages were
/// sent, lost, doubled, unsigned, and signed by which key. Exit 1 unless every message arrived exactly
/// once, signed with a key that was active between its sending and its answer.
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

    /// Varies the messages; equal seeds send equal ones
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// Runs `countersign demo`.
///
/// # Errors
/// When a part does not start, or a swap fails.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let clock = Clock::system();
    let scene = Scene::set(args.swaps + 1, clock.now())?;
    block_on(async {
        // The receiver's process and the directory go with us, also then.
        let mut termination = Termination::listen().map_err(CliError::failed)?;
        tokio::select! {
            done = perform(args, &scene, clock) => done,
            () = termination.asked() => Err(CliError::Failed("stopped before the end".to_owned())),
        }
    })
}

async fn perform(args: &Args, scene: &Scene, clock: Clock) -> Result<ExitCode, CliError> {
    let receiver = Receiver::start(&scene.trust()).await?;
    let app = App::start(scene.configuration(receiver.address)?, clock)
        .await
        .map_err(CliError::failed)?;
    let admin: Uri = format!("http://{}", app.admin_address)
        .parse()
        .map_err(CliError::failed)?;
    let mut operator = Operator::new(AdminClient::new(&Connection::plain(admin, scene.token()))?);
    let [first, others @ ..] = scene.keys.as_slice() else {
        return Err(CliError::Usage("no key was made".to_owned()));
    };
    operator.swap(first).await?;
    print(format!(
        "{} flows send for {} s to http://{}{PATH}; meanwhile {} swaps and one rollback\n",
        args.connections, args.seconds, app.proxy_address, args.swaps
    ))?;

    let (begin, time) = (Instant::now(), Duration::from_secs(args.seconds));
    let load = Load {
        proxy: app.proxy_address,
        path: PATH,
        connections: args.connections,
        until: begin + time,
        seed: args.seed,
    };
    let (sent, switches) = tokio::try_join!(load.run(), operator.exchange(others, begin, time))?;
    let took = begin.elapsed();
    app.shutdown().await;
    let arrived = receiver.finish().await?;

    let tally = Tally::of(&sent, &arrived, &switches);
    print(table::table(&tally, &scene.keys, &switches, took))?;
    if tally.is_clean() {
        print("every message arrived exactly once, signed with the key that was active\n")?;
        Ok(ExitCode::SUCCESS)
    } else {
        Err(CliError::Failed(
            "not every message arrived exactly once, signed with the key that was active".to_owned(),
        ))
    }
}
