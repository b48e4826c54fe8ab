//! Taking keys out of use.

use clap::Subcommand;

use super::client::{AdminClient, Answer};
use super::{CliError, alias_name};
use crate::admin::view::{AliasView, PurgeRequest, RevokeRequest};
use crate::keys::{Fingerprint, Reason};

#[derive(Debug, Subcommand)]
pub(super) enum Withdrawal {
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
        /// Of the active key: sign with none; messages of its routes are refused
        #[arg(long, conflicts_with = "successor")]
        stop: bool,
    },
    /// Drop a pending key, or one that waits for its certificate
    Discard {
        /// The signing identity
        #[arg(value_parser = alias_name)]
        alias: String,
        /// SHA-256 of the key's certificate, or of the public key while it has none
        fingerprint: Fingerprint,
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

impl Withdrawal {
    /// The key that it is about.
    pub(super) fn key(&self) -> &Fingerprint {
        match self {
            Self::Revoke { fingerprint, .. }
            | Self::Discard { fingerprint, .. }
            | Self::Purge { fingerprint, .. } => fingerprint,
        }
    }

    pub(super) async fn send(&self, client: &AdminClient) -> Result<Answer, CliError> {
        match self {
            Self::Revoke {
                alias,
                fingerprint,
                reason,
                successor,
                stop,
            } => {
                let request = RevokeRequest {
                    reason: reason.to_string(),
                    successor: successor.as_ref().map(ToString::to_string),
                    stop: *stop,
                };
                let path = format!("aliases/{alias}/keys/{fingerprint}/revoke");
                client.post_json(&path, &request).await
            }
            Self::Discard { alias, fingerprint } => {
                let shown: AliasView = client.get(&format!("aliases/{alias}")).await?.read()?;
                let mut waiting = shown.waiting.iter();
                let waits = waiting.any(|waiting| waiting.public_key == **fingerprint);
                let kind = if waits { "requests" } else { "keys" };
                let path = format!("aliases/{alias}/{kind}/{fingerprint}/discard");
                client.post(&path).await
            }
            Self::Purge {
                alias,
                fingerprint,
                compromised,
            } => {
                let request = PurgeRequest {
                    compromised: *compromised,
                };
                let path = format!("aliases/{alias}/keys/{fingerprint}/purge");
                client.post_json(&path, &request).await
            }
        }
    }
}
