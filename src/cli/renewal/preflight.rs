//! `countersign renewal preflight`: what would break, said before the switch.

use std::path::PathBuf;
use std::process::ExitCode;

use http::Method;

use super::probe::{self, PATIENCE};
use crate::admin::view::{AliasView, ConcernedRouteView, FindingView, OldKeyView, PreflightView};
use crate::cli::CliError;
use crate::cli::keys::client::{AdminClient, Connection};
use crate::cli::keys::{alias_name, show};
use crate::keys::Fingerprint;

/// Tell what would break if another key signed; exit 1 if something would
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The signing identity
    #[arg(value_parser = alias_name)]
    alias: String,

    /// SHA-256 of the key's certificate [default: the one of the renewal that goes on, or the only pending one]
    key: Option<Fingerprint>,

    /// And send this harmless message by each route, to find out how the receivers refuse; - for standard input
    #[arg(long, value_name = "IN")]
    sample: Option<PathBuf>,

    /// The SOAP action to send along
    #[arg(long, value_name = "URI", default_value = "", requires = "sample")]
    action: String,
}

pub(super) async fn run(connection: &Connection, args: &Args, json: bool) -> Result<ExitCode, CliError> {
    let client = AdminClient::new(connection)?.waiting(PATIENCE);
    let key = match &args.key {
        Some(key) => key.to_string(),
        None => next_key(&client, &args.alias).await?,
    };
    let path = format!("aliases/{}/keys/{key}/preflight", args.alias);
    let answer = match &args.sample {
        None => client.get(&path).await?,
        Some(sample) => {
            let request = client.request(Method::POST, &path);
            let (request, message) = probe::carrying(request, sample, &args.action)?;
            client.send(request, message.into()).await?
        }
    };
    let passed = answer.read::<PreflightView>()?.passed;
    show(json, &answer, text)?;
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn next_key(client: &AdminClient, alias: &str) -> Result<String, CliError> {
    let shown: AliasView = client.get(&format!("aliases/{alias}")).await?.read()?;
    if let Some(renewal) = shown
        .renewal
        .filter(|renewal| renewal.waiting_for.to != "complete")
    {
        return Ok(renewal.key);
    }
    let pending: Vec<_> = shown.keys.iter().filter(|key| key.state == "pending").collect();
    match pending.as_slice() {
        [only] => Ok(only.fingerprint.clone()),
        [] => Err(CliError::Failed(format!(
            "no key is pending under {alias}: import or generate one first"
        ))),
        _ => Err(CliError::Failed(format!(
            "several keys are pending under {alias}: name one; see `countersign keys list`"
        ))),
    }
}

fn text(preflight: &PreflightView) -> String {
    let PreflightView {
        alias, key, findings, ..
    } = preflight;
    let verdict = match (preflight.passed, findings.is_empty()) {
        (_, true) => "nothing to say against it",
        (true, false) => "it can sign; read what is said",
        (false, _) => "do not switch to it",
    };
    let findings: String = findings.iter().map(finding).collect();
    let routes: String = preflight.routes.iter().map(route).collect();
    let old_keys: String = preflight.old_keys.iter().map(old_key).collect();
    let last = preflight
        .last_use
        .as_ref()
        .map(|last| format!(", last {last}"))
        .unwrap_or_default();
    format!(
        "{alias}: {key}: {verdict}\n{findings}\nthe active key has signed {}{last}\n{routes}{old_keys}",
        preflight.signed
    )
}

fn finding(finding: &FindingView) -> String {
    let FindingView {
        check,
        severity,
        sentence,
        remedy,
        routes,
    } = finding;
    format!(
        "{severity}: {check} ({}): {sentence}\n  {remedy}\n",
        routes.join(", ")
    )
}

fn route(route: &ConcernedRouteView) -> String {
    let ConcernedRouteView {
        name,
        receiver,
        requests,
        last_request,
        probe,
        probe_error,
        ..
    } = route;
    let last = last_request
        .as_ref()
        .map(|last| format!(", last {last}"))
        .unwrap_or_default();
    let probe = probe.as_ref().map(probe::text);
    let error = probe_error
        .as_ref()
        .map(|error| format!("  not probed: {error}\n"));
    let said: String = probe.into_iter().chain(error).collect();
    format!("route {name} to {receiver}: {requests} requests since the start{last}\n{said}")
}

fn old_key(old: &OldKeyView) -> String {
    let OldKeyView {
        key, state, sentence, ..
    } = old;
    format!("old key {key} is {state}; {sentence}\n")
}
