//! `countersign state`: what outlives a start, as files: backup, restore, another master key.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::{CliError, say};
use crate::clock::Clock;
use crate::config::{Config, StateConfig};
use crate::keys::audit::{Head, KeptHead};
use crate::keys::store::{self, Restored, Restoring, StateDirectory};

/// Back up, restore and re-encrypt what outlives a start
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file, for its `[state]`
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Copy the database into a new file, also while the proxy runs
    ///
    /// The copy holds private keys, sealed. The master key that opens them is not in it: keep that elsewhere.
    Backup {
        /// The new file
        file: PathBuf,
    },
    /// Put a backup in the place of the database
    ///
    /// The proxy must not be running. The master key is the one that was in use when the backup was made. A database that is
    /// there is kept beside. What came after the backup is lost, so it is held against the database that is there, and
    /// against the end of the audit that is kept beside that.
    Restore {
        /// The backup
        file: PathBuf,
        /// The head of the audit of the running proxy, as you kept it: the backup must have it
        #[arg(long, value_name = "HEX")]
        head: Option<KeptHead>,
        /// The audit of the running proxy, as `countersign audit show --json` printed it: what was revoked stays so
        #[arg(long, value_name = "FILE")]
        audit: Option<PathBuf>,
        /// Take the backup although what came after it is lost: aliases that may be older are stopped until you have looked
        #[arg(long)]
        accept_older: bool,
    },
    /// Seal every private key under another master key
    ///
    /// The proxy must not be running. Without --to the new key is made, and takes the place of the old one beside the
    /// database. Backups made before still need the old one.
    Rekey {
        /// Holds the new master key, where you keep it yourself; afterwards, name it as master_key_file
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
}

/// Runs `countersign state`.
///
/// # Errors
/// When the state directory, the master key or the file cannot be used; says what to do.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let state = state_of(args.config.as_deref())?;
    let directory = &state.directory;
    match &args.command {
        Command::Backup { file } => {
            let head = store::back_up(directory, file).map_err(CliError::failed)?;
            say(format!(
                "{} is a backup of {}.\n{}It is worth nothing without the master key, which is not in it.\n",
                file.display(),
                directory.display(),
                audit_ends(&head)
            ))?;
        }
        Command::Restore {
            file,
            head,
            audit,
            accept_older,
        } => {
            let locked = StateDirectory::lock(directory).map_err(CliError::failed)?;
            let restoring = Restoring {
                from: file,
                head: head.clone(),
                audit: audit.as_deref(),
                accept_older: *accept_older,
                now: Clock::system().now(),
            };
            let restored = store::restore(locked, &state.master_key(), &restoring);
            say(told(directory, file, &restored.map_err(CliError::failed)?))?;
        }
        Command::Rekey { to } => {
            let locked = StateDirectory::lock(directory).map_err(CliError::failed)?;
            let now = Clock::system().now();
            store::rekey(locked, &state.master_key(), to.as_deref(), now).map_err(CliError::failed)?;
            say(rekeyed(to.as_deref()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Of the configuration file, or of the embedded default.
pub(super) fn state_of(config: Option<&Path>) -> Result<StateConfig, CliError> {
    let config = match config {
        Some(file) => Config::load(file),
        None => Config::embedded(),
    };
    config.map(|config| config.state).map_err(CliError::failed)
}

fn audit_ends(head: &Head) -> String {
    format!("Its audit has {} records and ends with {head}.\n", head.records)
}

fn told(directory: &Path, file: &Path, restored: &Restored) -> String {
    let mut text = format!(
        "{} is restored from {}.\n{}",
        directory.display(),
        file.display(),
        audit_ends(&restored.head)
    );
    if let Some(replaced) = &restored.replaced {
        text += &format!("The database that was there is {} now.\n", replaced.display());
    }
    for sentence in &restored.withdrawn {
        text += &format!("{sentence}.\n");
    }
    if !restored.stopped.is_empty() {
        text += &format!(
            "Stopped are {}: their messages are refused. Start the proxy, look at `countersign keys show ALIAS`, revoke what was \
             revoked since, and say `countersign keys reviewed ALIAS` for each.\n",
            restored.stopped.join(", ")
        );
    }
    text
}

fn rekeyed(to: Option<&Path>) -> String {
    let next = match to {
        Some(file) => format!(
            "Write master_key_file = \"{}\" into [state] before you start.",
            file.display()
        ),
        None => "The old one is gone; keep it, if you have it, for backups made before.".to_owned(),
    };
    format!("Every private key is sealed under the new master key.\n{next}\n")
}
