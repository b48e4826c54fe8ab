//! `countersign renewal`: operates the renewals of a running proxy through its admin API.

use std::process::ExitCode;

use clap::Subcommand;

use super::keys::client::Connection;
use super::{CliError, block_on};

mod probe;

/// Operate the renewals of a running proxy
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,

    /// Print what the admin API answers
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Probe(probe::Args),
}

/// Runs `countersign renewal`.
///
/// # Errors
/// When the proxy cannot be reached, or refuses; says what to do.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    block_on(async {
        match args.command {
            Command::Probe(probe) => probe::run(&args.connection, &probe, args.json).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}
