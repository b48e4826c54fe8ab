//! `countersign audit`: who did what to which key; of a running proxy, or of a state directory as it lies there.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::keys::client::{AdminClient, Connection};
use super::{CliError, block_on, say, say_json};
use crate::admin::view::{AuditView, VerificationView};
use crate::keys::audit::{KeptHead, Record};
use crate::keys::store::AuditTrail;

/// Show and verify who did what to which key
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,

    /// Read this state directory instead of asking a running proxy
    #[arg(long, global = true, value_name = "DIRECTORY")]
    state: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print every record, a line each
    Show {
        /// Only those after this number
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        after: u64,
        /// Print them as they are written, in JSON
        #[arg(long)]
        json: bool,
    },
    /// Hold every record against the one before it
    ///
    /// Prints the head, the hash that stands for all of them. That records were cut off at the end shows only against a
    /// head that you kept elsewhere.
    Verify {
        /// A head that was printed before: it must still be there
        #[arg(long, value_name = "HEX")]
        head: Option<KeptHead>,
    },
}

/// Runs `countersign audit`.
///
/// # Errors
/// When the audit cannot be read, or is broken.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let source = match args.state {
        Some(directory) => Source::Directory(AuditTrail::of(&directory)),
        None => Source::Proxy(AdminClient::new(&args.connection)?.into()),
    };
    match args.command {
        Command::Show { after, json } => show(&source, after, json),
        Command::Verify { head } => verify(&source, head),
    }?;
    Ok(ExitCode::SUCCESS)
}

enum Source {
    Directory(AuditTrail),
    Proxy(Box<AdminClient>),
}

/// Records of one reading.
const PAGE: u32 = 1_000;

fn show(source: &Source, mut after: u64, json: bool) -> Result<(), CliError> {
    loop {
        let page = source.page(after)?;
        for record in &page.records {
            if json {
                say_json(in_json(record)?)?;
            } else {
                say(in_words(record))?;
            }
        }
        match page.next {
            Some(next) => after = next,
            None => return Ok(()),
        }
    }
}

fn verify(source: &Source, kept: Option<KeptHead>) -> Result<(), CliError> {
    let verification = source.verify(kept)?;
    match (verification.records, verification.head) {
        (Some(records), Some(head)) => say(format!(
            "The audit is intact: {records} records.\nHead {head}\nKeep the head elsewhere: `countersign audit verify --head` \
             tells later whether records were cut off.\n"
        )),
        _ => Err(CliError::Failed(verification.problem.unwrap_or_default())),
    }
}

impl Source {
    fn page(&self, after: u64) -> Result<AuditView, CliError> {
        match self {
            Self::Directory(trail) => {
                let records = trail.read(after, PAGE).map_err(CliError::failed)?;
                let whole = u32::try_from(records.len()).is_ok_and(|read| read == PAGE);
                let next = records.last().filter(|_| whole).map(|last| last.sequence);
                Ok(AuditView { records, next })
            }
            Self::Proxy(client) => block_on(async {
                let path = format!("audit?after={after}&limit={PAGE}");
                client.get(&path).await?.read()
            }),
        }
    }

    fn verify(&self, kept: Option<KeptHead>) -> Result<VerificationView, CliError> {
        match self {
            Self::Directory(trail) => match trail.verify(kept) {
                Ok(head) => Ok(VerificationView::intact(&head)),
                Err(error) => Err(CliError::failed(error)),
            },
            Self::Proxy(client) => block_on(async {
                let head = kept.map_or_else(String::new, |head| format!("?head={head}"));
                client.get(&format!("audit/verification{head}")).await?.read()
            }),
        }
    }
}

fn in_json(record: &Record) -> Result<String, CliError> {
    let line = serde_json::to_string(record).map_err(CliError::failed)?;
    Ok(line + "\n")
}

fn in_words(record: &Record) -> String {
    let author = &record.author;
    let name = author
        .name
        .as_ref()
        .map(|name| format!(" {name}"))
        .unwrap_or_default();
    let from = author
        .from
        .as_ref()
        .map(|from| format!(" from {from}"))
        .unwrap_or_default();
    let event = author
        .event
        .as_ref()
        .map(|event| format!(" by event {event}"))
        .unwrap_or_default();
    let alias = record.alias.as_deref().unwrap_or("-");
    let key = record.key.as_deref().unwrap_or("-");
    let detail: String = record
        .detail
        .iter()
        .map(|(name, value)| format!("  {name}={value:?}"))
        .collect();
    format!(
        "{} {}  {}  {alias}  {key}  {}{name}{from}{event}{detail}\n",
        record.sequence, record.at, record.what, author.who
    )
}
