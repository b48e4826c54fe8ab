//! The command line: one file a command; prints, never decides.
//!
//! Results go to standard output. An error is one clear sentence on standard error: exit 1, and 2
//! for wrong usage. Passwords come from files or a prompt, never as an argument, where the
//! process list would show them.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::keys::pkcs11::MODULE_COMMAND;
use crate::xml::Limits;
use crate::xml::libxml::{ParseError, Tree};
use crate::xml::text::{Json, Lines};

pub mod audit;
pub mod canonicalize;
pub mod check;
pub mod demo;
#[cfg(test)]
mod documented;
pub mod healthcheck;
pub mod keys;
pub mod password;
pub mod pkcs11_module;
pub mod profile_flags;
pub mod receiver;
pub mod renewal;
pub mod serve;
pub mod sign;
pub mod state;
pub mod verify;

/// Signs outbound SOAP messages with WS-Security and exchanges the signing key with no downtime.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = FIRST_STEPS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const FIRST_STEPS: &str = "First steps:
  countersign demo                            shows key swaps under load, on generated keys
  countersign serve                           signs what is posted to http://127.0.0.1:8080/demo
  countersign keys list                       tells which keys the running proxy has
  countersign check --config countersign.toml tells what a configuration of your own will do";

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Args),
    Check(check::Args),
    Keys(Box<keys::Args>),
    Renewal(Box<renewal::Args>),
    Audit(audit::Args),
    State(state::Args),
    Sign(Box<sign::Args>),
    Verify(verify::Args),
    Canonicalize(canonicalize::Args),
    Receiver(receiver::Args),
    Demo(demo::Args),
    Healthcheck(healthcheck::Args),
    #[command(name = MODULE_COMMAND, hide = true)]
    Pkcs11Module(pkcs11_module::Args),
}

/// Runs the command that the arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Keys(args) => keys::run(*args),
        Command::Renewal(args) => renewal::run(*args),
        Command::Audit(args) => audit::run(args),
        Command::State(args) => state::run(&args),
        Command::Sign(args) => sign::run(*args),
        Command::Verify(args) => verify::run(args),
        Command::Canonicalize(args) => canonicalize::run(args),
        Command::Receiver(args) => receiver::run(args),
        Command::Demo(args) => demo::run(&args),
        Command::Healthcheck(args) => healthcheck::run(args),
        Command::Pkcs11Module(args) => pkcs11_module::run(&args),
    };
    result.unwrap_or_else(|error| error.report())
}

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Whoever reads standard output has stopped reading; nobody is left to tell.
    #[error("standard output was closed")]
    Closed,
    /// It failed; says what to do. One line for each mistake, where there are several.
    #[error("{0}")]
    Failed(String),
    /// It cannot be asked this way.
    #[error("{0}")]
    Usage(String),
}

impl CliError {
    /// A failure, in the words of `error`.
    #[expect(clippy::needless_pass_by_value, reason = "for map_err")]
    pub fn failed(error: impl ToString) -> Self {
        Self::Failed(error.to_string())
    }

    #[expect(
        clippy::print_stderr,
        reason = "standard error is where a command's errors go"
    )]
    fn report(&self) -> ExitCode {
        match self {
            Self::Closed => ExitCode::FAILURE,
            Self::Failed(sentence) => {
                for line in sentence.lines() {
                    eprintln!("error: {}", Lines(line));
                }
                ExitCode::FAILURE
            }
            Self::Usage(sentence) => {
                eprintln!(
                    "error: {}\n\nFor more information, try '--help'.",
                    Lines(sentence)
                );
                ExitCode::from(2)
            }
        }
    }
}

/// Writes lines to standard output, for people. Whatever servers and certificates have in them moves no terminal.
///
/// # Errors
/// As [`print()`].
pub fn say(text: impl AsRef<str>) -> Result<(), CliError> {
    print(Lines(text.as_ref()).to_string())
}

/// Writes JSON to standard output, with the same values.
///
/// # Errors
/// As [`print()`].
pub fn say_json(text: impl AsRef<str>) -> Result<(), CliError> {
    print(Json(text.as_ref()).to_string())
}

/// Writes to standard output, bytes as they are.
///
/// # Errors
/// When it is closed or full.
pub fn print(bytes: impl AsRef<[u8]>) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes.as_ref()).and_then(|()| stdout.flush());
    written.map_err(|error| {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return CliError::Closed;
        }
        CliError::Failed(format!("cannot write to standard output: {error}"))
    })
}

/// Reads `IN`: a file, or standard input for `-`.
///
/// # Errors
/// When it cannot be read.
pub fn read_input(input: &Path) -> Result<Vec<u8>, CliError> {
    if input != Path::new("-") {
        return read_file(input);
    }
    read_all(io::stdin().lock())
        .map_err(|error| CliError::Failed(format!("cannot read standard input: {error}")))
}

fn read_all(input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(MOST_INPUT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_INPUT {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it has more than 1 GiB",
        ));
    }
    Ok(bytes)
}

/// Bytes; no message is larger, and a device has no end.
const MOST_INPUT: u64 = 1 << 30;

/// `IN` for people.
pub fn input_name(input: &Path) -> Cow<'_, str> {
    match input == Path::new("-") {
        true => "standard input".into(),
        false => input.to_string_lossy(),
    }
}

/// Reads `IN` as a document.
///
/// # Errors
/// When it cannot be read, or is not one; says which, and where.
pub fn read_tree(input: &Path) -> Result<Tree, CliError> {
    let refused = |error: ParseError| CliError::Failed(format!("{}: {error}", input_name(input)));
    Tree::parse(&read_input(input)?, &Limits::default()).map_err(refused)
}

/// Reads a file.
///
/// # Errors
/// When it cannot be read; names it.
pub fn read_file(file: &Path) -> Result<Vec<u8>, CliError> {
    let failed = |error| CliError::Failed(format!("cannot read {}: {error}", file.display()));
    // A pipe will do: whoever named it waits for it, too.
    let opened = File::open(file).map_err(failed)?;
    read_all(opened).map_err(failed)
}

/// What is still at work when a command is done has so long to end.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// Runs a command that waits for the network.
///
/// # Errors
/// The command's, or when the system gives no threads.
pub fn block_on<T>(command: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Runtime::new();
    let runtime = runtime.map_err(|error| CliError::Failed(format!("cannot start threads: {error}")))?;
    let done = runtime.block_on(command);
    // Who writes may end; a thread that waits for a token or a network file system keeps nobody here.
    runtime.shutdown_timeout(LAST_WRITES);
    done
}
