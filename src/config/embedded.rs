//! The configuration that `countersign serve` runs without a file, and the keys it is run with.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use time::OffsetDateTime;

use super::{Config, ConfigErrors};
use crate::keys::generate::{GenerateError, KeyAlgorithm, SelfSigned};

const TEXT: &str = include_str!("embedded.toml");

/// In the state directory: the first key with its certificate, as `embedded.toml` names it.
const KEY: &str = "demo.pem";
/// A second key with its certificate, to import and activate.
const NEXT_KEY: &str = "demo-next.pem";
/// Both certificates, for a receiver that shall trust the second key before it signs.
const TRUST: &str = "demo-trust.pem";

const LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The key files could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FirstStartError {
    /// No key was generated.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// They could not be written.
    #[error(
        "cannot write the demo keys to {directory}: {source}; start where you may write, or use --config"
    )]
    Write {
        /// Where to.
        directory: String,
        /// Why not.
        source: io::Error,
    },
}

impl Config {
    /// The embedded default: proxy on 127.0.0.1:8080, admin on 127.0.0.1:9090, `state/` in the
    /// working directory, and one route `/demo` to a receiver on 127.0.0.1:8081.
    ///
    /// # Errors
    /// Never, as a test shows; it is read like any other configuration.
    pub fn embedded() -> Result<Self, ConfigErrors> {
        Self::parse(TEXT, Path::new("embedded.toml"))
    }
}

/// Makes the key files that the embedded default names, unless they are there.
///
/// # Errors
/// When no key can be generated, or the directory cannot be written to.
pub fn make_demo_keys(state: &Path, now: OffsetDateTime) -> Result<(), FirstStartError> {
    if state.join(KEY).exists() {
        return Ok(());
    }
    let first = SelfSigned::generate(KeyAlgorithm::Rsa2048, "countersign demo", now, LIFETIME)?;
    let next = SelfSigned::generate(KeyAlgorithm::Rsa2048, "countersign demo next", now, LIFETIME)?;
    let (first_certificate, next_certificate) = (first.certificate_pem()?, next.certificate_pem()?);
    let files = [
        (TRUST, [&*first_certificate, &*next_certificate]),
        (NEXT_KEY, [&**next.private_key_pem()?, &*next_certificate]),
        // Last: it says that all are there.
        (KEY, [&**first.private_key_pem()?, &*first_certificate]),
    ];
    write_files(state, files).map_err(|source| FirstStartError::Write {
        directory: state.display().to_string(),
        source,
    })
}

fn write_files(state: &Path, files: [(&str, [&[u8]; 2]); 3]) -> io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(true).create(state)?;
    for (name, contents) in files {
        write_private(&state.join(name), contents)?;
    }
    Ok(())
}

/// Whole or not at all, and never readable by others, not even for a moment.
fn write_private(file: &Path, contents: [&[u8]; 2]) -> io::Result<()> {
    let unfinished = file.with_extension("unfinished");
    let mut options = OpenOptions::new();
    let mut written = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    for part in contents {
        written.write_all(part)?;
    }
    written.sync_all()?;
    fs::rename(unfinished, file)
}
