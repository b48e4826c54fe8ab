//! `countersign check`: is this configuration right, and what will it do?

use std::path::PathBuf;
use std::process::ExitCode;

use super::{CliError, print};
use crate::config::{Config, RouteConfig};

/// Check a configuration and print what each route will do.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs `countersign check`.
///
/// # Errors
/// With every mistake of the configuration.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let config = Config::load(&args.config).map_err(CliError::failed)?;
    for route in &config.routes {
        print(describe(route))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(route: &RouteConfig) -> String {
    format!(
        "route {}: what is posted to {} is signed with the active key of alias {} by profile {} and sent to {}\n",
        route.name, route.path, route.alias, route.profile_name, route.receiver
    )
}
