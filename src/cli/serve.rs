//! `countersign serve`: runs the proxy and its admin listener until it is asked to stop.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{CliError, block_on};
use crate::app::{App, termination};
use crate::clock::Clock;
use crate::config::{Config, make_demo_keys};
use crate::logging;

/// Run the proxy and its admin listener
///
/// Without --config it runs the embedded default: the proxy on 127.0.0.1:8080, the admin API on
/// 127.0.0.1:9090, and one route, /demo, to a receiver on 127.0.0.1:8081, such as
/// `countersign receiver --listen 127.0.0.1:8081 --trust state/demo-trust.pem`. Its keys are made on first
/// start: state/demo.pem signs, state/demo-next.pem is there for a first swap.
///
/// SIGTERM and Ctrl-C stop it: it accepts no more and lets exchanges under way end.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The configuration file [default: the embedded configuration]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  countersign serve
  countersign check --config countersign.toml && countersign serve --config countersign.toml";

/// Runs `countersign serve`.
///
/// # Errors
/// When it cannot start; with every mistake of the configuration.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let clock = Clock::system();
    let config = match &args.config {
        Some(file) => Config::load(file).map_err(CliError::failed)?,
        None => embedded(&clock)?,
    };
    logging::start(config.log).map_err(CliError::failed)?;
    block_on(async {
        // First, so that no message is under way that a signal would cut off.
        let asked_to_stop = termination().map_err(CliError::failed)?;
        let app = App::start(config, clock).await.map_err(CliError::failed)?;
        asked_to_stop.await;
        app.shutdown().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn embedded(clock: &Clock) -> Result<Config, CliError> {
    let config = Config::embedded().map_err(CliError::failed)?;
    make_demo_keys(&config.state, clock.now()).map_err(CliError::failed)?;
    Ok(config)
}
