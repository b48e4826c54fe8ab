//! `countersign receiver`: a receiver that verifies, for demos and tests.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use super::verify::{sha1, trust};
use super::{CliError, block_on, say};
use crate::app::Termination;
use crate::clock::Clock;
use crate::receiver::{Options, Receiver};

/// Run a demo receiver: it verifies what it gets, answers and counts
///
/// POST a message to any path: a SOAP response names the key that signed it, a SOAP fault says why it is refused.
/// GET / returns the counts as JSON, duplicates among them. PUT /trust with certificates as PEM exchanges whom it trusts.
/// Nobody is asked who he is, so it is meant for loopback addresses.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to listen; with port 0 it prints the port it got
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,

    /// Certificates to trust, of signers or of those who issue theirs; repeatable
    #[arg(long, value_name = "PEM", required = true)]
    trust: Vec<PathBuf>,

    /// Trust one certificate at a time: the last one given, here or by PUT /trust
    #[arg(long)]
    strict_one_key: bool,

    /// Tell messages apart by this attribute of the Body's first child, or by the element of this name in it;
    /// without it by wsa:MessageID, or else by the signature value
    #[arg(long, value_name = "NAME")]
    message_id: Option<String>,

    /// Accept SHA-1, which is broken, in signatures, digests and certificates
    #[arg(long)]
    allow_sha1: bool,
}

/// Runs `countersign receiver` until a signal asks to stop; then prints the counts.
///
/// # Errors
/// When a certificate or the address cannot be used.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let trust = trust(&args.trust)?;
    let mut options = Options::new(Clock::system());
    options.policy.sha1 = sha1(args.allow_sha1);
    options.strict_one_key = args.strict_one_key;
    options.message_id = args.message_id;
    block_on(async {
        let mut termination = Termination::listen().map_err(CliError::failed)?;
        let receiver = Receiver::bind(args.listen, trust, options).await;
        let receiver = receiver
            .map_err(|error| CliError::Failed(format!("cannot listen on {}: {error}", args.listen)))?;
        say(format!("listening on http://{}\n", receiver.address()))?;
        termination.asked().await;
        let counts = receiver.shut_down().await.map_err(CliError::failed)?;
        let counts = serde_json::to_string(&counts).map_err(CliError::failed)?;
        say(format!("{counts}\n"))?;
        Ok(ExitCode::SUCCESS)
    })
}
