//! `countersign keys`: operates the keys of a running proxy through its admin API.

use std::process::ExitCode;

use clap::Subcommand;
use serde::de::DeserializeOwned;

use super::{CliError, block_on, say, say_json};
use crate::admin::view::{AliasView, CertificateView, RollbackRequest, WaitingView};
use crate::keys::Fingerprint;
use client::{AdminClient, Answer, Connection};
use withdrawal::Withdrawal;

mod activate;
pub(super) mod client;
mod generate;
mod import;
mod next;
pub(super) mod text;
mod withdrawal;

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
    Generate(generate::Args),
    /// Print the request for a certificate of a key that was generated, in PEM
    Request {
        /// The signing identity
        #[arg(value_parser = alias_name)]
        alias: String,
        /// SHA-256 of the public key, as `generate` and `list` print it
        public_key: Fingerprint,
    },
    Import(import::Args),
    Activate(activate::Args),
    /// Go back one step: sign with the key that was displaced last
    Rollback {
        /// The signing identity
        #[arg(value_parser = alias_name)]
        alias: String,
        /// Only if this key is the active one; needed directly after another rollback, which it undoes
        #[arg(long, value_name = "FINGERPRINT")]
        replaces: Option<Fingerprint>,
    },
    /// Say that you have looked at what a restored backup brought: the alias signs again
    Reviewed {
        /// The signing identity
        #[arg(value_parser = alias_name)]
        alias: String,
    },
    /// Print a key's certificate in PEM; never the private key
    Export {
        /// The signing identity
        #[arg(value_parser = alias_name)]
        alias: String,
        /// SHA-256 of the key's certificate
        fingerprint: Fingerprint,
        /// And the certificates that lead from there to a root
        #[arg(long)]
        chain: bool,
    },
    #[command(flatten)]
    Withdraw(Withdrawal),
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
            Command::Generate(args) => {
                let answer = generate::send(&client, &args).await?;
                let view = alias(&client, &args.alias, json).await?;
                show(json, &answer, |generated| {
                    text::generated(&args.alias, view.as_ref(), generated)
                })
            }
            Command::Request { alias, public_key } => {
                let answer = client
                    .get(&format!("aliases/{alias}/requests/{public_key}"))
                    .await?;
                show(json, &answer, |waiting: &WaitingView| waiting.request.clone())
            }
            Command::Import(args) => {
                let answer = import::send(&client, &args).await?;
                let alias = alias(&client, &args.alias, json).await?;
                show(json, &answer, |key| {
                    text::imported(alias.as_ref(), key, answer.is_new())
                })
            }
            Command::Activate(args) => {
                let answer = activate::send(&client, &args).await?;
                show(json, &answer, |alias| text::activated(alias, &args.fingerprint))
            }
            Command::Rollback { alias, replaces } => {
                let replaces = replaces.map(|replaces| replaces.to_string());
                let path = format!("aliases/{alias}/rollback");
                let answer = client.post_json(&path, &RollbackRequest { replaces }).await?;
                show(json, &answer, text::switched)
            }
            Command::Reviewed { alias } => {
                let answer = client.post(&format!("aliases/{alias}/reviewed")).await?;
                show(json, &answer, text::switched)
            }
            Command::Export {
                alias,
                fingerprint,
                chain,
            } => export(&client, &alias, &fingerprint, chain).await,
            Command::Withdraw(withdrawal) => {
                let answer = withdrawal.send(&client).await?;
                show(json, &answer, |alias| text::withdrawn(alias, withdrawal.key()))
            }
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// As it is after a command, for the words of what to do next; nothing, where no words are wanted.
async fn alias(client: &AdminClient, alias: &str, json: bool) -> Result<Option<AliasView>, CliError> {
    if json {
        return Ok(None);
    }
    let answer = client.get(&format!("aliases/{alias}")).await?;
    answer.read().map(Some)
}

async fn export(
    client: &AdminClient,
    alias: &str,
    fingerprint: &Fingerprint,
    chain: bool,
) -> Result<(), CliError> {
    let answer = client
        .get(&format!("certificates?thumbprint={fingerprint}"))
        .await?;
    let found: Vec<CertificateView> = answer.read()?;
    let certificate = found.iter().find(|certificate| certificate.alias == alias);
    let certificate = certificate.ok_or_else(|| {
        let sentence = format!("there is no key {fingerprint} under {alias}; see `countersign keys list`");
        CliError::Failed(sentence)
    })?;
    say(text::exported(certificate, chain))
}

/// As the configuration has them; so they need no escaping in a path.
pub(super) fn alias_name(name: &str) -> Result<String, String> {
    let known = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    if name.is_empty() || !name.chars().all(known) {
        return Err("aliases are made of letters, digits, '-' and '_'".to_owned());
    }
    Ok(name.to_owned())
}

/// In the words of `text`, or as it came.
pub(super) fn show<T: DeserializeOwned>(
    json: bool,
    answer: &Answer,
    text: impl FnOnce(&T) -> String,
) -> Result<(), CliError> {
    if json {
        say_json(String::from_utf8_lossy(&answer.body))?;
        return say("\n");
    }
    say(text(&answer.read()?))
}
