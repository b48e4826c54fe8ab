//! `countersign renewal`: operates the renewals of a running proxy through its admin API.

use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use tokio::time::{interval, timeout};

use super::keys::client::{AdminClient, Answer, Connection};
use super::keys::{alias_name, show};
use super::{CliError, block_on};
use crate::admin::view::{
    AbortRequest, AliasView, ConfirmRequest, PublishRequest, PublishedView, RenewalView, StartRequest,
};
use crate::keys::lifecycle::Refusal;
use crate::keys::{Fingerprint, Strategy};
use target::Target;

mod preflight;
mod probe;
mod target;
mod text;

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
    /// Begin to exchange the active key of an alias for a pending one, or for one that was rolled back
    Start {
        /// The signing identity
        #[arg(value_parser = alias_name)]
        alias: String,
        /// SHA-256 of the key's certificate [default: the only pending one, or the one that was rolled back last]
        #[arg(long, value_name = "FINGERPRINT")]
        key: Option<Fingerprint>,
    },
    /// Tell how far a renewal has come, whom it waits for, and what to type next
    Show {
        /// A renewal, or an alias [default: every renewal that goes on]
        #[arg(value_name = "ALIAS|RENEWAL")]
        target: Option<Target>,
    },
    /// Hand the new certificate over, by a link for each receiver where the proxy has a listener for receivers
    Publish {
        /// A renewal, or its alias
        #[arg(value_name = "ALIAS|RENEWAL")]
        target: Target,
        /// Make links once more; earlier ones are good no more
        #[arg(long)]
        new_links: bool,
    },
    /// Say for a receiver that it has the new certificate
    Confirm {
        /// A renewal, or its alias
        #[arg(value_name = "ALIAS|RENEWAL")]
        target: Target,
        /// Which one, as `show` prints it [default: the only one]
        #[arg(long, value_name = "SCHEME://HOST:PORT")]
        receiver: Option<String>,
    },
    /// Let new messages wait; once those under way have ended, the new key is activated and the receiver may switch
    Hold {
        /// A renewal, or its alias
        #[arg(value_name = "ALIAS|RENEWAL")]
        target: Target,
        /// Return when the receiver may switch
        #[arg(long)]
        wait: bool,
    },
    /// Let held messages go on their way, signed with the new key
    Resume {
        /// A renewal, or its alias
        #[arg(value_name = "ALIAS|RENEWAL")]
        target: Target,
    },
    /// Say that the receivers have removed the old certificate
    Complete {
        /// A renewal, or its alias
        #[arg(value_name = "ALIAS|RENEWAL")]
        target: Target,
    },
    /// Give up; where messages are held for the new key, the old one signs again
    Abort {
        /// A renewal, or its alias
        #[arg(value_name = "ALIAS|RENEWAL")]
        target: Target,
        /// The old key signs again, whatever receivers have confirmed
        #[arg(long)]
        back: bool,
    },
    Preflight(preflight::Args),
    Probe(probe::Args),
}

/// Runs `countersign renewal`.
///
/// # Errors
/// When the proxy cannot be reached, or refuses; says what to do.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let json = args.json;
    block_on(async {
        let client = AdminClient::new(&args.connection)?;
        match args.command {
            Command::Start { alias, key } => {
                let key = key.map(|key| key.to_string());
                let request = StartRequest { key };
                let answer = client
                    .post_json(&format!("aliases/{alias}/renewals"), &request)
                    .await?;
                show(json, &answer, |renewal| text::started(renewal, answer.is_new()))
            }
            Command::Show { target: None } => {
                let answer = client.get("renewals?open=true").await?;
                show(json, &answer, |renewals: &Vec<_>| text::list(renewals))
            }
            Command::Show { target: Some(target) } => {
                let id = target.find_last(&client).await?;
                let answer = client.get(&format!("renewals/{id}")).await?;
                show(json, &answer, text::details)
            }
            Command::Publish { target, new_links } => {
                let id = target.find(&client).await?;
                let request = PublishRequest { new_links };
                let answer = client
                    .post_json(&format!("renewals/{id}/publish"), &request)
                    .await?;
                show(json, &answer, |published: &PublishedView| {
                    text::published(published)
                })
            }
            Command::Confirm { target, receiver } => {
                let id = target.find(&client).await?;
                let request = ConfirmRequest { receiver };
                let answer = client
                    .post_json(&format!("renewals/{id}/confirm"), &request)
                    .await?;
                show(json, &answer, text::taken)
            }
            Command::Hold { target, wait } => {
                let answer = hold(&client, &target, wait).await?;
                show(json, &answer, text::held)
            }
            Command::Resume { target } => tell(&client, &target, "resume", json).await,
            Command::Complete { target } => tell(&client, &target, "complete", json).await,
            Command::Abort { target, back } => {
                let id = target.find(&client).await?;
                let path = format!("renewals/{id}/abort");
                let answer = client.post_json(&path, &AbortRequest { back }).await?;
                show(json, &answer, text::taken)
            }
            Command::Preflight(preflight) => return preflight::run(&args.connection, &preflight, json).await,
            Command::Probe(probe) => probe::run(&args.connection, &probe, json).await,
        }?;
        Ok(ExitCode::SUCCESS)
    })
}

/// A command that needs no more words.
async fn tell(client: &AdminClient, target: &Target, verb: &str, json: bool) -> Result<(), CliError> {
    let id = target.find(client).await?;
    let answer = client.post(&format!("renewals/{id}/{verb}")).await?;
    show(json, &answer, text::taken)
}

/// Exchanges under way end within their routes' total time-outs.
const LONGEST_DRAIN: Duration = Duration::from_secs(15 * 60);
const LOOK: Duration = Duration::from_millis(250);

/// Begins the renewal, too, where none goes on under the alias.
async fn hold(client: &AdminClient, target: &Target, wait: bool) -> Result<Answer, CliError> {
    let id = match target {
        Target::Renewal(id) => id.to_string(),
        Target::Alias(alias) => {
            let view: AliasView = client.get(&format!("aliases/{alias}")).await?.read()?;
            check_strategy(&view)?;
            let started = client.post(&format!("aliases/{alias}/renewals")).await?;
            started.read::<RenewalView>()?.id
        }
    };
    let held = client.post(&format!("renewals/{id}/hold")).await?;
    if !wait {
        return Ok(held);
    }
    let drained = timeout(LONGEST_DRAIN, drained(client, &id)).await;
    drained.map_err(|_| {
        CliError::Failed(format!(
            "messages under way have not ended; see `countersign renewal show {id}`"
        ))
    })?
}

/// No renewal begins that could not go on so.
fn check_strategy(alias: &AliasView) -> Result<(), CliError> {
    let strategy: Option<Strategy> = alias.strategy.parse().ok();
    match strategy {
        Some(strategy) if strategy != Strategy::Hold => {
            Err(CliError::Failed(Refusal::NotHoldStrategy(strategy).to_string()))
        }
        _ => Ok(()),
    }
}

async fn drained(client: &AdminClient, id: &str) -> Result<Answer, CliError> {
    let mut looks = interval(LOOK);
    loop {
        looks.tick().await;
        let answer = client.get(&format!("renewals/{id}")).await?;
        let renewal: RenewalView = answer.read()?;
        match renewal.gate.state.as_str() {
            "draining" => {}
            // The receiver may have been faster than we look.
            "holding" => return Ok(answer),
            _ if renewal.steps.iter().any(|taken| taken.step == "activated") => return Ok(answer),
            _ => {
                return Err(CliError::Failed(format!(
                    "the hold has ended before the receiver could switch: renewal {id} is {}; the log of the proxy says why",
                    renewal.step
                )));
            }
        }
    }
}
