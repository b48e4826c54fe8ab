//! `countersign serve`: runs the proxy and its admin listener until it is asked to stop.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::{self, park_timeout};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

use super::{CliError, block_on};
use crate::app::{App, Hangup, Origin, Termination};
use crate::clock::Clock;
use crate::config::{Config, make_demo_keys};
use crate::{logging, open_files};

/// Run the proxy and its admin listener
///
/// Without --config it runs the embedded default: the proxy on 127.0.0.1:8080, the admin API on
/// 127.0.0.1:9090, and one route, /demo, to a receiver on 127.0.0.1:8081, such as
/// `countersign receiver --listen 127.0.0.1:8081 --trust state/demo-trust.pem`. Its keys are made on first
/// start: state/demo.pem signs, state/demo-next.pem is there for a first swap.
///
/// A changed configuration, certificate, key or token file is taken up by itself within seconds, and at once with SIGHUP; a
/// wrong one changes nothing, and the log says why. SIGTERM and Ctrl-C stop it: it accepts no more and lets exchanges
/// under way end; a second one ends it at once.
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
    let origin = origin(args.config.clone());
    let config = origin().map_err(CliError::failed)?;
    if args.config.is_none() {
        make_demo_keys(&config.state.directory, clock.now()).map_err(CliError::failed)?;
    }
    logging::start(config.log).map_err(CliError::failed)?;
    if let Err(error) = open_files::raise() {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let served = block_on(serve(config, origin, clock));
    end_in_time();
    served
}

/// What is left is to return from `main`; then libraries end, PKCS#11 modules among them, and may hang.
fn end_in_time() {
    let waits = || {
        park_timeout(TO_END);
        let _ = kill_process(getpid(), Signal::KILL);
    };
    if let Err(error) = thread::Builder::new().spawn(waits) {
        tracing::debug!(%error, "nobody watches whether libraries end");
    }
}

const TO_END: Duration = Duration::from_secs(2);

async fn serve(config: Config, origin: Origin, clock: Clock) -> Result<ExitCode, CliError> {
    // First, so that no message is under way that a signal would cut off.
    let mut termination = Termination::listen().map_err(CliError::failed)?;
    let hangup = Hangup::listen().map_err(CliError::failed)?;
    let app = App::start(config, clock).await.map_err(CliError::failed)?;
    tokio::select! {
        () = termination.asked() => {}
        () = app.follow(&origin, hangup) => {}
    }
    tokio::select! {
        _drained = app.shutdown() => Ok(ExitCode::SUCCESS),
        () = termination.asked() => Err(CliError::Failed(STOPPED_AT_ONCE.to_owned())),
    }
}

const STOPPED_AT_ONCE: &str = "stopped at once, as asked a second time; exchanges under way were cut";

fn origin(file: Option<PathBuf>) -> Origin {
    match file {
        Some(file) => Arc::new(move || Config::load(&file)),
        None => Arc::new(Config::embedded),
    }
}
