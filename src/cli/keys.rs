//! `countersign keys`: operates the keys of a running proxy through its admin API.

use std::process::ExitCode;

use clap::Subcommand;
use serde::de::DeserializeOwned;

use super::{CliError, block_on, print};
use crate::admin::view::{ActivateRequest, CertificateView, PurgeRequest, RevokeRequest};
use crate::keys::{Fingerprint, Reason};
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
        /// Only if this key is the active one then
        #[arg(long, value_name = "FINGERPRINT")]
        replaces: Option<Fingerprint>,
        /// Not now but at this time, as 2030-01-31T22:00:00Z
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// Not at the time that was set for it
        #[arg(long, conflicts_with_all = ["replaces", "at"])]
        cancel: bool,
    },
    /// Go back one step: sign with the key that was displaced last
    Rollback {
        /// The signing identity
        #[arg(value_parser = alias_name)]
        alias: String,
    },
    /// Trust a key no more: it only decrypts from now on
    Revoke {
        /// The signing identity
        #[arg(value_parser = alias_name)]
        alias: String,
        /// SHA-256 of the key's certificate
        fingerprint: Fingerprint,
        /// Why, in a line; for log and audit
        #[arg(long, value_name = "TEXT")]
        reason: Reason,
        /// Of the active key: sign with this one instead
        #[arg(long, value_name = "FINGERPRINT")]
        successor: Option<Fingerprint>,
        /// Of the active key: sign with none; messages of its routes are refused with 503
        #[arg(long, conflicts_with = "successor")]
        stop: bool,
    },
    /// Drop a pending key
    Discard {
        /// The signing identity
        #[arg(value_parser = alias_name)]
        alias: String,
        /// SHA-256 of the key's certificate
        fingerprint: Fingerprint,
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
    /// Destroy the private key of a retired or revoked key whose retention is over
    Purge {
        /// The signing identity
        #[arg(value_parser = alias_name)]
        alias: String,
        /// SHA-256 of the key's certificate
        fingerprint: Fingerprint,
        /// Do not wait for the retention of this revoked key: others know its private key
        #[arg(long)]
        compromised: bool,
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
                at,
                cancel,
            } => {
                let path = format!("aliases/{alias}/keys/{fingerprint}/activate");
                let replaces = replaces.map(|replaces| replaces.to_string());
                let request = ActivateRequest { replaces, at, cancel };
                let answer = client.post_json(&path, &request).await?;
                show(json, &answer, |alias| text::activated(alias, &fingerprint))
            }
            Command::Rollback { alias } => {
                let answer = client.post(&format!("aliases/{alias}/rollback")).await?;
                show(json, &answer, text::switched)
            }
            Command::Revoke {
                alias,
                fingerprint,
                reason,
                successor,
                stop,
            } => {
                let path = format!("aliases/{alias}/keys/{fingerprint}/revoke");
                let request = RevokeRequest {
                    reason: reason.to_string(),
                    successor: successor.map(|successor| successor.to_string()),
                    stop,
                };
                let answer = client.post_json(&path, &request).await?;
                show(json, &answer, |alias| text::withdrawn(alias, &fingerprint))
            }
            Command::Discard { alias, fingerprint } => {
                let path = format!("aliases/{alias}/keys/{fingerprint}/discard");
                let answer = client.post(&path).await?;
                show(json, &answer, |alias| text::withdrawn(alias, &fingerprint))
            }
            Command::Export {
                alias,
                fingerprint,
                chain,
            } => {
                let answer = client
                    .get(&format!("certificates?thumbprint={fingerprint}"))
                    .await?;
                let found: Vec<CertificateView> = answer.read()?;
                let mut found = found.into_iter().filter(|certificate| certificate.alias == alias);
                let certificate = found.next().ok_or_else(|| {
                    let sentence =
                        format!("there is no key {fingerprint} under {alias}; see `countersign keys list`");
                    CliError::Failed(sentence)
                })?;
                print(text::exported(&certificate, chain))
            }
            Command::Purge {
                alias,
                fingerprint,
                compromised,
            } => {
                let path = format!("aliases/{alias}/keys/{fingerprint}/purge");
                let answer = client.post_json(&path, &PurgeRequest { compromised }).await?;
                show(json, &answer, |alias| text::withdrawn(alias, &fingerprint))
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
