//! `countersign keys activate`: now, at a time to come, or not at the time that was set.

use super::alias_name;
use super::client::{AdminClient, Answer};
use crate::admin::view::ActivateRequest;
use crate::cli::CliError;
use crate::keys::Fingerprint;

/// Switch: every new message is signed with this key
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The signing identity
    #[arg(value_parser = alias_name)]
    alias: String,
    /// SHA-256 of the key's certificate, as `list` prints it
    pub(super) fingerprint: Fingerprint,
    /// Only if this key is the active one then
    #[arg(long, value_name = "FINGERPRINT")]
    replaces: Option<Fingerprint>,
    /// Not now but at this time to come, as 2030-01-31T22:00:00Z
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Also where the receiver trusts one key, and is not known to have this one's certificate
    #[arg(long)]
    unconfirmed: bool,
    /// Not at the time that was set for it
    #[arg(long, conflicts_with_all = ["replaces", "at", "unconfirmed"])]
    cancel: bool,
}

pub(super) async fn send(client: &AdminClient, args: &Args) -> Result<Answer, CliError> {
    let path = format!("aliases/{}/keys/{}/activate", args.alias, args.fingerprint);
    let request = ActivateRequest {
        replaces: args.replaces.as_ref().map(ToString::to_string),
        at: args.at.clone(),
        unconfirmed: args.unconfirmed,
        cancel: args.cancel,
    };
    client.post_json(&path, &request).await
}
