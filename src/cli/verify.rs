//! `countersign verify`: verifies one message, offline, with the second engine.

use std::path::PathBuf;
use std::process::ExitCode;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{CliError, read_file, read_tree, say};
use crate::clock::Clock;
use crate::wss::policy::{Policy, PolicyError, Sha1, SignedTimestamp};
use crate::wss::verify::{
    CoveredPart, Place, Timestamp, Trust, Untrusted, VerifiedMessage, VerifiedSignature, Verifier,
    VerifyError,
};

/// Verify one signed SOAP message and print which parts which certificate signed
///
/// Exit 0 only if the Body, and the Timestamp where there is one, are covered by a valid signature of a
/// trusted certificate; else exit 1 with the reason.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The message; "-" is standard input
    #[arg(value_name = "IN", default_value = "-")]
    input: PathBuf,

    /// Certificates to trust, of signers or of those who issue theirs; repeatable
    #[arg(long, value_name = "PEM")]
    trust: Vec<PathBuf>,

    /// Verify as of this time (2026-01-31T12:00:00Z) instead of now
    #[arg(long, value_name = "TIME", value_parser = rfc3339)]
    at: Option<OffsetDateTime>,

    /// Actor or role of the Security header; without it, that of the ultimate receiver
    #[arg(long, value_name = "URI")]
    actor: Option<String>,

    /// What a trusted signature has to cover: "body" alone, or "timestamp", which every message then has to have; without
    /// it, the Body and, where there is one, the Timestamp
    #[arg(long, value_name = "PART")]
    require: Option<Required>,

    /// Accept SHA-1, which is broken, in signatures, digests and certificates
    #[arg(long)]
    allow_sha1: bool,
}

/// What has to be signed at least.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Required {
    /// The Body alone, as WSS4J signs it unless it is told more. An unsigned Timestamp proves nothing
    Body,
    /// The Body, and a Timestamp
    Timestamp,
}

fn rfc3339(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| "write it like 2026-01-31T12:00:00Z".to_owned())
}

/// Runs `countersign verify`.
///
/// # Errors
/// When the message is not accepted; names the reason.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let verifier = Verifier {
        trust: trust(&args.trust)?,
        policy: Policy {
            sha1: sha1(args.allow_sha1),
            signed_timestamp: match args.require {
                None => SignedTimestamp::WherePresent,
                Some(Required::Body) => SignedTimestamp::NotNeeded,
                Some(Required::Timestamp) => SignedTimestamp::Always,
            },
            ..Policy::outbound()
        },
        actor: args.actor,
    };
    let now = args.at.unwrap_or_else(|| Clock::system().now());
    let tree = read_tree(&args.input)?;
    let verified = verifier
        .verify(&tree, now)
        .map_err(|refused| CliError::Failed(explain(&refused)))?;
    say(describe(&verified))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) const fn sha1(allowed: bool) -> Sha1 {
    if allowed { Sha1::Allowed } else { Sha1::Refused }
}

pub(super) fn trust(files: &[PathBuf]) -> Result<Trust, CliError> {
    let mut certificates = Vec::new();
    for file in files {
        let unusable = |error| CliError::Failed(format!("{}: {error}", file.display()));
        let trust = Trust::read(&read_file(file)?).map_err(unusable)?;
        certificates.extend_from_slice(trust.certificates());
    }
    Ok(Trust::new(certificates))
}

/// What is wrong, and the flag that may help.
fn explain(refused: &VerifyError) -> String {
    if let VerifyError::NotTrusted {
        certificate,
        reason: Untrusted::NoTrust,
    } = refused
    {
        let (subject, fingerprint) = (certificate.subject(), certificate.fingerprint());
        return format!(
            "the signature is valid, signed by {subject} sha256:{fingerprint}; not trusted: pass --trust FILE"
        );
    }
    if matches!(refused, VerifyError::NotCovered(Place::Timestamp)) {
        return format!("{refused}; where the sender signs the Body alone: --require body");
    }
    if matches!(refused, VerifyError::Policy(PolicyError::Sha1 { .. })) {
        return format!("{refused}: --allow-sha1");
    }
    if matches!(refused, VerifyError::UnknownKey(_)) {
        return format!("{refused}; pass the certificate with --trust FILE");
    }
    refused.to_string()
}

fn describe(message: &VerifiedMessage<'_>) -> String {
    let signatures = message.signatures().map(describe_signature);
    signatures
        .chain(message.timestamp().map(describe_timestamp))
        .collect()
}

fn describe_signature(signature: &VerifiedSignature) -> String {
    let VerifiedSignature {
        certificate,
        trust,
        algorithm,
        parts,
        ..
    } = signature;
    let trusted = match trust {
        Ok(()) => String::new(),
        Err(reason) => format!(", not trusted: {reason}"),
    };
    let subject = certificate.subject();
    let fingerprint = certificate.fingerprint();
    let head = format!("signed by {subject} sha256:{fingerprint} with {algorithm}{trusted}:\n");
    let part = |part: &CoveredPart| format!("  {} (#{}, {})\n", part.place, part.id, part.digest_algorithm);
    parts.iter().map(part).fold(head, |text, part| text + &part)
}

fn describe_timestamp(timestamp: Timestamp) -> String {
    let instant = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_else(|_| at.to_string());
    let created = instant(timestamp.created);
    match timestamp.expires {
        Some(expires) => format!("created {created}, expires {}\n", instant(expires)),
        None => format!("created {created}\n"),
    }
}
