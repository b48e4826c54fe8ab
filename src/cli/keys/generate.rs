//! `countersign keys generate`: the proxy makes a key; its private half never leaves it.

use super::alias_name;
use super::client::{AdminClient, Answer};
use crate::admin::view::GenerateRequest;
use crate::cli::CliError;
use crate::keys::generate::KeyAlgorithm;

/// Generate a key in the proxy and print the request for its certificate
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The signing identity
    #[arg(value_parser = alias_name)]
    pub(super) alias: String,

    /// Type of the key: rsa-2048, rsa-3072, rsa-4096, p-256, p-384 or ed25519
    #[arg(long = "type", value_name = "TYPE")]
    key_type: KeyAlgorithm,

    /// Whose key it is, as CN=Orders,O=Example,C=DE; also GN, SN, emailAddress, organizationIdentifier or any object identifier
    #[arg(long, value_name = "NAME")]
    subject: String,

    /// A further name: DNS:…, IP:…, URI:… or email:…; may be repeated
    #[arg(long, value_name = "NAME")]
    san: Vec<String>,

    /// No request, but a certificate of its own that is valid for so long, as 365d: for receivers that pin it
    #[arg(long, value_name = "LIFETIME")]
    self_signed: Option<String>,
}

pub(super) async fn send(client: &AdminClient, args: &Args) -> Result<Answer, CliError> {
    let request = GenerateRequest {
        key_type: args.key_type.to_string(),
        subject: args.subject.clone(),
        san: args.san.clone(),
        self_signed: args.self_signed.clone(),
    };
    client
        .post_json(&format!("aliases/{}/requests", args.alias), &request)
        .await
}
