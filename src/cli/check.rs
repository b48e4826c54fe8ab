//! `countersign check`: is this configuration right, and what will it do?
//!
//! Asks the parts that `serve` is made of, key by key and route by route; a message that is signed
//! on trial shows whether profile and key fit. Sends nothing and changes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use time::OffsetDateTime;

use super::{CliError, say};
use crate::admin::{Access, AccessErrors};
use crate::clock::Clock;
use crate::cloud_events::delivery::Sink;
use crate::config::{AliasConfig, Config, ConfigError, ConfigErrors};
use crate::keys::Signer;
use crate::keys::store::{Survey, survey};
use crate::tls::{client_config, server_config, server_config_asking};
use crate::wss::sign_on_trial;

mod listeners;
mod warnings;
mod words;

/// Check a configuration and print what each route will do
///
/// Reads the configuration and every key and certificate that it names, and signs a trial message for
/// each route. Prints all errors with file, line and what to do, and exits with 1 if there is one.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs `countersign check`.
///
/// # Errors
/// With every mistake that was found.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let now = Clock::system().now();
    let read = Config::load(&args.config);
    let mut findings = Findings::of(&args.config, read.as_ref().err());
    let aliases = read
        .as_ref()
        .map_or_else(|errors| &errors.aliases, |config| &config.aliases);
    let signers = findings.read_keys(aliases, now);
    if let Ok(config) = &read {
        findings.check_listeners(config);
        findings.check_sinks(config);
        findings.check_routes(config, &signers, now);
    }
    let state = read
        .as_ref()
        .ok()
        .and_then(|config| findings.survey_state(config));
    match (read, state) {
        (Ok(config), Some(state)) if findings.mistakes.is_empty() => {
            say(report(&config, &signers, &state, now))?;
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(findings.into_error()),
    }
}

/// The key that each alias's source brings; an alias without a source has none.
type Signers = BTreeMap<String, Arc<Signer>>;

/// Every mistake there is, those that only show when keys and certificates are read among them.
struct Findings {
    file: PathBuf,
    mistakes: Vec<ConfigError>,
}

impl Findings {
    fn of(file: &Path, errors: Option<&ConfigErrors>) -> Self {
        let mistakes = errors.into_iter().flat_map(ConfigErrors::iter).cloned().collect();
        Self {
            file: file.to_owned(),
            mistakes,
        }
    }

    fn read_keys(&mut self, aliases: &BTreeMap<String, AliasConfig>, now: OffsetDateTime) -> Signers {
        let mut signers = Signers::new();
        for (name, alias) in aliases {
            match signer(alias, now) {
                Ok(signer) => signers.extend(signer.map(|signer| (name.clone(), signer))),
                Err(sentence) => self.add(alias.line, format!("alias {name}: {sentence}")),
            }
        }
        signers
    }

    fn check_listeners(&mut self, config: &Config) {
        if let Some(tls) = &config.proxy.tls
            && let Err(sentence) = server_config(tls)
        {
            self.add(tls.line, format!("proxy.tls: {sentence}"));
        }
        if let Some(tls) = &config.admin.tls
            && let Err(sentence) = server_config_asking(tls)
        {
            self.add(tls.line, format!("admin.tls: {sentence}"));
        }
        if let Some(tls) = config.public.as_ref().and_then(|public| public.tls.as_ref())
            && let Err(sentence) = server_config(tls)
        {
            self.add(tls.line, format!("public.tls: {sentence}"));
        }
        for (earlier, later) in listeners::that_collide(config) {
            self.mistakes.push(ConfigError {
                file: self.file.clone(),
                line: None,
                sentence: format!(
                    "{later}.listen: {earlier} listens there already; give each an address of its own"
                ),
            });
        }
        if let Err(AccessErrors(errors)) = Access::check(&config.admin) {
            for error in errors {
                self.mistakes.push(ConfigError {
                    file: self.file.clone(),
                    line: error.line,
                    sentence: error.to_string(),
                });
            }
        }
    }

    fn check_sinks(&mut self, config: &Config) {
        for sink in &config.events.sinks {
            if let Err(error) = Sink::new(sink) {
                self.add(error.line, format!("events: {error}"));
            }
        }
    }

    fn check_routes(&mut self, config: &Config, signers: &Signers, now: OffsetDateTime) {
        for route in &config.routes {
            let tls = client_config(&route.receiver, &route.receiver_tls).map_err(|error| error.to_string());
            let trial = signers
                .get(&route.alias)
                .map_or(Ok(()), |signer| sign_on_trial(&route.profile, signer, now))
                .map_err(|error| error.to_string());
            for sentence in [tls.err(), trial.err()].into_iter().flatten() {
                self.add(route.line, format!("route {}: {sentence}", route.name));
            }
        }
    }

    fn survey_state(&mut self, config: &Config) -> Option<Survey> {
        let survey = survey(&config.state.directory, &config.state.master_key());
        survey
            .map_err(|error| {
                self.mistakes.push(ConfigError {
                    file: self.file.clone(),
                    line: None,
                    sentence: format!("state: {error}"),
                });
            })
            .ok()
    }

    fn add(&mut self, line: usize, sentence: String) {
        self.mistakes.push(ConfigError {
            file: self.file.clone(),
            line: Some(line),
            sentence,
        });
    }

    fn into_error(mut self) -> CliError {
        self.mistakes.sort_by_key(|mistake| mistake.line);
        let sentences: Vec<_> = self.mistakes.iter().map(ConfigError::to_string).collect();
        CliError::Failed(sentences.join("\n"))
    }
}

fn signer(alias: &AliasConfig, now: OffsetDateTime) -> Result<Option<Arc<Signer>>, String> {
    let Some(source) = &alias.source else {
        return Ok(None);
    };
    let material = source.load_patiently(now).map_err(|error| error.to_string())?;
    let signer = Signer::new(material, now).map_err(|refused| refused.to_string())?;
    Ok(Some(Arc::new(signer)))
}

fn report(config: &Config, signers: &Signers, state: &Survey, now: OffsetDateTime) -> String {
    let mut report = String::new();
    for route in &config.routes {
        report += &words::route(route, config, signers.get(&route.alias).map(|signer| &**signer));
        report += "\n";
    }
    report += &words::state(&config.state, state);
    for warning in warnings::of(config, signers, state, now) {
        report += &format!("warning: {warning}\n");
    }
    report + NOTE
}

const NOTE: &str = "note: WSDL documents are passed on as they are; addresses in them lead past this proxy\n";
