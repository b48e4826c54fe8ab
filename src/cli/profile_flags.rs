//! The keys of a `[profile]` as flags: the same names with dashes, the same words.

use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::config::{actor, lifetime};
use crate::keys::SignatureAlgorithm;
use crate::spelling::UnknownWord;
use crate::wss::Profile;
use crate::wss::profile::{
    DigestAlgorithm, ExistingSecurityHeader, InclusivePrefixes, InnerSignature, KeyIdentifier, Layout, Part,
    ProcessingInstructions,
};

/// Flags that override single keys of a profile.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Profile, as in the configuration")]
pub struct ProfileFlags {
    /// How KeyInfo names the signing certificate [default: binary-security-token]
    #[arg(long, value_name = "HOW", value_parser = words(KeyIdentifier::ALL, KeyIdentifier::name))]
    key_identifier: Option<KeyIdentifier>,

    /// Carry the certificate as well, beside issuer-serial, subject-key-identifier or thumbprint
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    include_token: Option<bool>,

    /// "auto" is by key: rsa-sha256, ecdsa-sha256 for P-256, … [default: auto]
    #[arg(long, value_name = "ALGORITHM", value_parser = signature_algorithms())]
    signature_algorithm: Option<Choice<SignatureAlgorithm>>,

    /// Digest of every Reference [default: sha256]
    #[arg(long, value_name = "ALGORITHM", value_parser = words(DigestAlgorithm::ALL, DigestAlgorithm::name))]
    digest_algorithm: Option<DigestAlgorithm>,

    /// What InclusiveNamespaces/@PrefixList names [default: in-scope]
    #[arg(long, value_name = "WHICH", value_parser = words(InclusivePrefixes::ALL, InclusivePrefixes::name))]
    inclusive_prefixes: Option<InclusivePrefixes>,

    /// Parts to sign: body, timestamp, token, wsa, header:{namespace}Name [default: body,timestamp]
    #[arg(long, value_name = "PART,…", value_delimiter = ',')]
    sign: Option<Vec<Part>>,

    /// Lifetime of the Timestamp, such as 5m; "off" for none [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = |text: &str| lifetime(text).map(Choice))]
    timestamp: Option<Choice<Duration>>,

    /// Order within the Security header [default: strict]
    #[arg(long, value_name = "ORDER", value_parser = words(Layout::ALL, Layout::name))]
    layout: Option<Layout>,

    /// mustUnderstand on the Security header [default: true]
    #[arg(long, value_name = "BOOL")]
    must_understand: Option<bool>,

    /// What to do with a Security header that is there already [default: extend]
    #[arg(long, value_name = "WHAT",
        value_parser = words(ExistingSecurityHeader::ALL, ExistingSecurityHeader::name))]
    existing_security_header: Option<ExistingSecurityHeader>,

    /// What to do with processing instructions [default: keep]
    #[arg(long, value_name = "WHAT",
        value_parser = words(ProcessingInstructions::ALL, ProcessingInstructions::name))]
    processing_instructions: Option<ProcessingInstructions>,

    /// What to do with a signature in the Body that ours would break [default: warn]
    #[arg(long, value_name = "WHAT", value_parser = words(InnerSignature::ALL, InnerSignature::name))]
    inner_signature: Option<InnerSignature>,

    /// SOAP actor or role of the Security header [default: none, the ultimate receiver]
    #[arg(long, value_name = "URI", value_parser = actor)]
    actor: Option<String>,
}

/// A setting that may be given as "none of them": `auto`, `off`.
#[derive(Debug, Clone)]
struct Choice<T>(Option<T>);

impl ProfileFlags {
    /// The profile with what the flags say in place of what it said.
    #[must_use]
    pub fn over(self, profile: Profile) -> Profile {
        Profile {
            key_identifier: self.key_identifier.unwrap_or(profile.key_identifier),
            include_token: self.include_token.unwrap_or(profile.include_token),
            signature_algorithm: self
                .signature_algorithm
                .map_or(profile.signature_algorithm, |choice| choice.0),
            digest_algorithm: self.digest_algorithm.unwrap_or(profile.digest_algorithm),
            inclusive_prefixes: self.inclusive_prefixes.unwrap_or(profile.inclusive_prefixes),
            sign: self.sign.unwrap_or(profile.sign),
            timestamp: self.timestamp.map_or(profile.timestamp, |choice| choice.0),
            layout: self.layout.unwrap_or(profile.layout),
            must_understand: self.must_understand.unwrap_or(profile.must_understand),
            existing_security_header: self
                .existing_security_header
                .unwrap_or(profile.existing_security_header),
            processing_instructions: self
                .processing_instructions
                .unwrap_or(profile.processing_instructions),
            inner_signature: self.inner_signature.unwrap_or(profile.inner_signature),
            actor: self.actor.or(profile.actor),
            #[cfg(feature = "sabotage")]
            sabotage: profile.sabotage,
        }
    }
}

/// Takes the words of a vocabulary and lists them in the help.
fn words<T>(all: &'static [T], name: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = UnknownWord> + Copy + Send + Sync + 'static,
{
    PossibleValuesParser::new(all.iter().map(|word| name(*word))).try_map(|word| word.parse::<T>())
}

fn signature_algorithms() -> impl TypedValueParser<Value = Choice<SignatureAlgorithm>> {
    let names = SignatureAlgorithm::ALL.iter().map(|algorithm| algorithm.name());
    PossibleValuesParser::new(["auto"].into_iter().chain(names)).try_map(|word| match word.as_str() {
        "auto" => Ok(Choice(None)),
        name => name.parse().map(|algorithm| Choice(Some(algorithm))),
    })
}
