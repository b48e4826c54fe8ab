//! `countersign healthcheck`: for containers, whose image has no other program that could ask.

use std::path::PathBuf;
use std::process::ExitCode;

use http::Uri;

use super::keys::client::{AdminClient, Connection};
use super::{CliError, block_on};

/// Ask a running proxy whether it takes messages
///
/// Exits with 0 if its admin listener says that it is ready, which it says without a token. For HEALTHCHECK.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the proxy's admin listener is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9090")]
    admin: Uri,

    /// Trust, for https, the authorities in this file alone [default: the system's]
    #[arg(long, value_name = "PEM")]
    ca: Option<PathBuf>,
}

/// Runs `countersign healthcheck`.
///
/// # Errors
/// When the proxy cannot be reached, or is not ready.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let client = AdminClient::anonymous(&Connection::anonymous(args.admin, args.ca))?;
    block_on(client.ready())?;
    Ok(ExitCode::SUCCESS)
}
