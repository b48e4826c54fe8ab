//! `countersign canonicalize`: the octets that a receiver should have digested.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{CliError, print, read_tree};
use crate::xml::libxml::{CanonicalForm, Mode};

/// Print the canonical form of a document.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The canonical form: exclusive, inclusive or inclusive-1.1.
    #[arg(long, value_name = "MODE", default_value_t = Mode::Exclusive)]
    mode: Mode,
    /// Keep comments.
    #[arg(long)]
    with_comments: bool,
    /// With exclusive: the prefixes that InclusiveNamespaces lists, `#default` among them.
    #[arg(long, value_name = "P,...", value_delimiter = ',')]
    prefixes: Vec<String>,
    /// The document; `-` is standard input.
    #[arg(value_name = "IN", default_value = "-")]
    input: PathBuf,
}

/// Runs `countersign canonicalize`.
///
/// # Errors
/// When the document is not well-formed or has no canonical form.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    if args.mode != Mode::Exclusive && !args.prefixes.is_empty() {
        let sentence = format!("--prefixes belongs to --mode {}: leave it out", Mode::Exclusive);
        return Err(CliError::Usage(sentence));
    }
    let tree = read_tree(&args.input)?;
    let form = CanonicalForm {
        mode: args.mode,
        with_comments: args.with_comments,
        prefixes: args.prefixes,
    };
    print(tree.canonicalize(&form).map_err(CliError::failed)?)?;
    Ok(ExitCode::SUCCESS)
}
