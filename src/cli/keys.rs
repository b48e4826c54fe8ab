//! `countersign keys`: operates the keys of a running proxy through its admin API.

use std::process::ExitCode;

use clap::Subcommand;
use serde::de::DeserializeOwned;

use super::{CliError, block_on, print};
use crate::admin::view::ActivateRequest;
use crate::keys::Fingerprint;
use client::{AdminClient, Answer, Connection};

pub(super) mod client;
mod import;
mod text;

/// Operate the keys of a running proxy
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
    /// List all aliases and their keys
    List,
    /// Show the keys of one alias with all that is known of them
    Show {
        /// The signing identity
        #[arg(value_parser = alias_name)]
        alias: String,
    },
    Import(import::Args),
    /// Switch: every new message is signed with this key
    Activate {
        /// The signing identity
        #[arg(value_parser = alias_name)]
        alias: String,
        /// SHA-256 of the key's certificate, as `list` prints it
        fingerprint: Fingerprint,
        /// Only if this key is the active one now
        #[arg(long, value_name = "FINGERPRINT")]
        replaces: Option<Fingerprint>,
    },
    /// Go back one step: sign with the key that was displaced last
    Rollback {
        /// The signing identity
        #[arg(value_parser = alias_name)]
        alias: String,
    },
}

/// Runs `countersign keys`.
///
/// # Errors
/// When the proxy cannot be reached, or refuses; says what to do.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let client = AdminClient::new(&args.connection)?;
    let json = args.json;
    block_on(async {
        match args.command {
            Command::List => show(json, &client.get("aliases").await?, |aliases: &Vec<_>| {
                text::list(aliases)
            }),
            Command::Show { alias } => {
                let answer = client.get(&format!("aliases/{alias}")).await?;
                show(json, &answer, text::details)
            }
            Command::Import(args) => {
                let answer = import::send(&client, &args).await?;
                show(json, &answer, |key| {
                    text::imported(&args.alias, key, answer.is_new())
                })
            }
            Command::Activate {
                alias,
                fingerprint,
                replaces,
            } => {
                let path = format!("aliases/{alias}/keys/{fingerprint}/activate");
                let replaces = replaces.map(|replaces| replaces.to_string());
                let answer = client.post_json(&path, &ActivateRequest { replaces }).await?;
                show(json, &answer, text::switched)
            }
            Command::Rollback { alias } => {
                let answer = client.post(&format!("aliases/{alias}/rollback")).await?;
                show(json, &answer, text::switched)
            }
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// As the configuration has them; so they need no escaping in a path.
fn alias_name(name: &str) -> Result<String, String> {
    let known = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    if name.is_empty() || !name.chars().all(known) {
        return Err("aliases are made of letters, digits, '-' and '_'".to_owned());
    }
    Ok(name.to_owned())
}

fn show<T: DeserializeOwned>(
    json: bool,
    answer: &Answer,
    text: impl FnOnce(&T) -> String,
) -> Result<(), CliError> {
    if json {
        print(&answer.body)?;
        return print("\n");
    }
    print(text(&answer.read()?))
}
