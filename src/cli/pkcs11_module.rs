//! `countersign pkcs11-module`: the process in which a PKCS#11 module runs. `serve` starts it; nobody else does.

use std::path::PathBuf;
use std::process::ExitCode;

use super::CliError;
use crate::keys::pkcs11::serve_module;

/// Run a PKCS#11 module for the process that has started this one
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The library
    module: PathBuf,
    /// What it is asked for, for those who list processes
    token: String,
}

/// Runs `countersign pkcs11-module`. It does not return.
///
/// # Errors
/// When nobody is there that asks.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    serve_module(&args.module)
        .map(|()| ExitCode::SUCCESS)
        .map_err(|error| {
            CliError::Failed(format!(
                "this command is for countersign itself, which starts it where a key is on a token: {error}"
            ))
        })
}
