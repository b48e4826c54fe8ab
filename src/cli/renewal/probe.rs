//! `countersign renewal probe`: asks a running proxy to find out how a route's receiver refuses.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, request};

use crate::admin::view::{AttemptView, KeyRefusedView, ProbeView};
use crate::cli::keys::client::{AdminClient, Connection};
use crate::cli::keys::show;
use crate::cli::{CliError, input_name, read_input};
use crate::proxy::probe::Attempt;
use crate::wss::SoapVersion;
use crate::wss::verify::soap_version;
use crate::xml::Limits;
use crate::xml::libxml::Tree;
use crate::xml::text::Line;

/// Find out how a route's receiver refuses a key, and what to write into key_refused
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The route whose receiver gets the message
    #[arg(long, value_name = "NAME")]
    route: String,

    /// What the receiver is to refuse, each sent once: unknown-key, altered, expired
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "unknown-key"
    )]
    attempts: Vec<Attempt>,

    /// The SOAP action to send along
    #[arg(long, value_name = "URI", default_value = "")]
    action: String,

    /// A message that does no harm, not signed; - for standard input
    #[arg(value_name = "IN")]
    input: PathBuf,
}

/// Each attempt may take a receiver's whole time; the admin listener gives a connection as much.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);

pub(super) async fn run(connection: &Connection, args: &Args, json: bool) -> Result<(), CliError> {
    let client = AdminClient::new(connection)?.waiting(PATIENCE);
    let attempts: Vec<_> = args.attempts.iter().map(|attempt| attempt.name()).collect();
    let path = format!(
        "routes/{}/probe?attempts={}",
        path_segment(&args.route)?,
        attempts.join(",")
    );
    let (request, message) = carrying(client.request(Method::POST, &path), &args.input, &args.action)?;
    show(json, &client.send(request, message.into()).await?, text)
}

/// The request with a sample, which it is to carry as its body.
pub(super) fn carrying(
    request: request::Builder,
    input: &Path,
    action: &str,
) -> Result<(request::Builder, Vec<u8>), CliError> {
    let message = read_input(input)?;
    let request = match version(&message, input)? {
        SoapVersion::Soap11 => request
            .header(CONTENT_TYPE, "text/xml")
            .header("SOAPAction", header(format!("\"{action}\""))?),
        SoapVersion::Soap12 if action.is_empty() => request.header(CONTENT_TYPE, "application/soap+xml"),
        SoapVersion::Soap12 => {
            let content_type = format!("application/soap+xml; action=\"{action}\"");
            request.header(CONTENT_TYPE, header(content_type)?)
        }
    };
    Ok((request, message))
}

fn version(message: &[u8], input: &Path) -> Result<SoapVersion, CliError> {
    let refused = |reason: &str| CliError::Failed(format!("{}: {reason}", input_name(input)));
    let tree = Tree::parse(message, &Limits::default()).map_err(|error| refused(&error.to_string()))?;
    soap_version(tree.root()).ok_or_else(|| refused("the root element is no SOAP Envelope"))
}

fn header(text: String) -> Result<HeaderValue, CliError> {
    let unusable = |_| CliError::Failed("this action cannot be sent: it has control characters".to_owned());
    HeaderValue::try_from(text).map_err(unusable)
}

/// As the configuration has them; so they need no escaping in a path.
fn path_segment(route: &str) -> Result<&str, CliError> {
    let known = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    if route.is_empty() || !route.chars().all(known) {
        return Err(CliError::Usage(
            "routes are made of letters, digits, '-' and '_'".to_owned(),
        ));
    }
    Ok(route)
}

/// Characters shown of what the receiver said.
const SHOWN: usize = 500;
/// And of what is to be written, which is cut nowhere but where nobody would write it.
const LONGEST: usize = 10_000;

pub(super) fn text(probe: &ProbeView) -> String {
    let mut text: String = probe.attempts.iter().map(attempt).collect();
    match &probe.key_refused {
        Some(entries) => {
            let entries = entries.iter().map(entry).collect::<Vec<_>>().join(", ");
            let entries = Line(&entries, LONGEST);
            text += &format!("write into the route: key_refused = [{entries}]\n");
        }
        None => text += "nothing to write into key_refused\n",
    }
    for warning in &probe.warnings {
        text += &format!("warning: {}\n", Line(warning, SHOWN));
    }
    text
}

fn attempt(view: &AttemptView) -> String {
    let status = view
        .status
        .map_or_else(|| "-".to_owned(), |status| status.to_string());
    let said = match (&view.code, &view.text, &view.error) {
        (_, _, Some(error)) => error.clone(),
        (code, Some(text), _) => format!("{}: {text}", code.as_deref().unwrap_or("no code")),
        _ if view.accepted => "accepted".to_owned(),
        _ => "no SOAP fault".to_owned(),
    };
    format!("{:12} {status:4} {}\n", view.attempt, Line(&said, SHOWN))
}

/// In TOML.
fn entry(view: &KeyRefusedView) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    match view {
        KeyRefusedView::Set(name) => quoted(name),
        KeyRefusedView::Own { code, text: None } => format!("{{ code = {} }}", quoted(code)),
        KeyRefusedView::Own {
            code,
            text: Some(text),
        } => format!("{{ code = {}, text = {} }}", quoted(code), quoted(text)),
    }
}
