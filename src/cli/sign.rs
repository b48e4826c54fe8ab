//! `countersign sign`: signs one message, offline, as the proxy would.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use clap::ArgGroup;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::profile_flags::ProfileFlags;
use super::{CliError, input_name, password, print, read_file, read_input};
use crate::clock::Clock;
use crate::config::Config;
use crate::keys::source::{PemFile, SourceError, from_pem, from_pem_files, from_pkcs12, with_password};
use crate::keys::{KeyMaterial, Signer};
use crate::wss::{MessageError, PlainMessage, Profile, Protection, SignError};
use crate::xml::Limits;

/// Sign one SOAP message and write it to standard output
///
/// Nothing but the insertion changes: every other byte is written as it was read.
///
/// Takes the key from files, or key and profile from a route of a configuration. Flags of the
/// profile override the route's.
#[derive(Debug, clap::Args)]
#[command(
    group = ArgGroup::new("signing key").required(true).args(["config", "key", "pkcs12"]),
    override_usage = USAGE,
    after_help = EXAMPLES
)]
pub struct Args {
    /// The message; "-" is standard input
    #[arg(value_name = "IN", default_value = "-")]
    input: PathBuf,

    #[command(flatten)]
    key: KeyFlags,

    #[command(flatten)]
    profile: ProfileFlags,
}

const USAGE: &str = "countersign sign --key PEM --certificate PEM [OPTIONS] [IN]
       countersign sign --pkcs12 FILE [OPTIONS] [IN]
       countersign sign --config FILE --route NAME [OPTIONS] [IN]";

const EXAMPLES: &str = "Examples:
  countersign sign --key orders.key --certificate orders.crt order.xml > signed.xml
  countersign sign --pkcs12 orders.p12 --password-file password --key-identifier issuer-serial order.xml
  countersign sign --config countersign.toml --route orders < order.xml";

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Key")]
struct KeyFlags {
    /// Configuration to take key and profile from
    #[arg(long, value_name = "FILE", requires = "route")]
    config: Option<PathBuf>,

    /// Route of that configuration
    #[arg(long, value_name = "NAME", requires = "config")]
    route: Option<String>,

    /// Private key in PEM
    #[arg(long, value_name = "PEM", requires = "certificate")]
    key: Option<PathBuf>,

    /// Its certificate, and the chain if it shall travel along, in PEM
    #[arg(long, value_name = "PEM", requires = "key")]
    certificate: Option<PathBuf>,

    /// Private key and certificate in PKCS#12
    #[arg(long, value_name = "FILE")]
    pkcs12: Option<PathBuf>,

    /// Entry of the PKCS#12 file, where there are several
    #[arg(long, value_name = "NAME", requires = "pkcs12")]
    entry: Option<String>,

    /// Holds the password of the key file; without it the terminal is asked
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    password_file: Option<PathBuf>,
}

/// Runs `countersign sign`.
///
/// # Errors
/// When key, profile or message cannot be used; says what to do.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let now = Clock::system().now();
    let (material, profile) = args.key.resolve(now)?;
    let signer = Signer::new(material, now).map_err(CliError::failed)?;
    let certificate = signer.certificate();
    certificate.check_validity(now).map_err(|reason| {
        CliError::Failed(format!("the certificate of {} {reason}", certificate.subject()))
    })?;
    let protection = Protection::new(args.profile.over(profile), Limits::default());
    let message = read_message(&protection, &args.input)?;
    let signed = protection.sign(&message, &Arc::new(signer), now);
    let signed = signed.map_err(|error| match error {
        SignError::Message(error) => refused(&args.input, error),
        SignError::Profile(_) | SignError::Signer(_) | SignError::Stopped | SignError::NoRandomness(_) => {
            CliError::failed(error)
        }
    })?;
    for segment in signed.segments() {
        print(segment)?;
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn refused(input: &Path, error: MessageError) -> CliError {
    CliError::Failed(format!("{}: {error}", input_name(input)))
}

fn read_message(protection: &Arc<Protection>, input: &Path) -> Result<PlainMessage, CliError> {
    let refused = |error: MessageError| refused(input, error);
    let mut reader = protection.read(None);
    reader.feed(Bytes::from(read_input(input)?)).map_err(refused)?;
    reader.finish().map_err(refused)
}

impl KeyFlags {
    /// The key, and the profile that flags are laid over.
    fn resolve(&self, now: OffsetDateTime) -> Result<(KeyMaterial, Profile), CliError> {
        if let (Some(file), Some(route)) = (&self.config, &self.route) {
            return of_route(file, route, now);
        }
        let material = match (&self.pkcs12, &self.key, &self.certificate) {
            (Some(file), _, _) => self.pkcs12(file, now),
            (None, Some(key), Some(certificate)) => self.pem(key, certificate, now),
            _ => Err(CliError::Usage(
                "give --config and --route, --key and --certificate, or --pkcs12".to_owned(),
            )),
        };
        Ok((material?, Profile::default()))
    }

    fn pkcs12(&self, file: &Path, now: OffsetDateTime) -> Result<KeyMaterial, CliError> {
        let bytes = Zeroizing::new(read_file(file)?);
        let password = password::read(self.password_file.as_deref(), file)?;
        let read = from_pkcs12(&bytes, &password, self.entry.as_deref(), now);
        read.map_err(with_password(file, self.password_file.as_deref()))
            .map_err(CliError::failed)
    }

    fn pem(&self, key: &Path, certificate: &Path, now: OffsetDateTime) -> Result<KeyMaterial, CliError> {
        let private_half = Zeroizing::new(read_file(key)?);
        let certificates = read_file(certificate)?;
        let read = |password| match certificate == key {
            true => from_pem(&private_half, password, now).map_err(|error| (PemFile::Key, error)),
            false => from_pem_files(&private_half, &certificates, password, now),
        };
        let unusable = |(file, error): (PemFile, SourceError)| match file {
            PemFile::Key => CliError::failed(with_password(key, self.password_file.as_deref())(error)),
            PemFile::Certificates => CliError::failed(with_password(certificate, None)(error.beside(key))),
        };
        if self.password_file.is_none() {
            match read(None) {
                Err((_, SourceError::PasswordNeeded)) => {}
                done => return done.map_err(unusable),
            }
        }
        let password = password::read(self.password_file.as_deref(), key)?;
        read(Some(&password)).map_err(unusable)
    }
}

fn of_route(file: &Path, name: &str, now: OffsetDateTime) -> Result<(KeyMaterial, Profile), CliError> {
    let config = Config::load(file).map_err(CliError::failed)?;
    let route = config
        .routes
        .iter()
        .find(|route| route.name == name)
        .ok_or_else(|| {
            let names: Vec<_> = config.routes.iter().map(|route| route.name.as_str()).collect();
            CliError::Failed(format!(
                "there is no route {name:?} in {}; use one of {}",
                file.display(),
                names.join(", ")
            ))
        })?;
    let source = config
        .aliases
        .get(&route.alias)
        .and_then(|alias| alias.source.as_ref())
        .ok_or_else(|| {
            let alias = &route.alias;
            CliError::Failed(format!(
                "alias {alias} of this route has no source; pass --key and --certificate instead"
            ))
        })?;
    Ok((
        source.load_patiently(now).map_err(CliError::failed)?,
        route.profile.clone(),
    ))
}
