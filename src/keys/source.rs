//! Where keys come from: PKCS#12 and PEM, as bytes or as the files that an alias's `source` names, and tokens.
//! Whether the key may sign is asked later, by [`Signer::new`](super::Signer::new).

mod certificates;
mod pem;
mod pkcs12;
mod problems;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use openssl::error::ErrorStack;
use zeroize::Zeroizing;

pub use certificates::certificates;
pub use pem::from_pem;
pub use pkcs12::from_pkcs12;
pub use problems::SourceProblems;

use super::material::{Certificate, CertificateError, KeyMaterial};
use super::pkcs11::{self, Handling, KeyReference, TokenError};
use super::private_key::{PrivateKey, UnsupportedKey};
use crate::aside::{self, Hangs};
use crate::files;

/// Keys are derived from passwords; who takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A token that is there answers in less.
const TOKEN_PATIENCE: Duration = Duration::from_secs(3);
/// More than all calls of a look may take.
const LONG_PATIENCE: Duration = Duration::from_secs(600);

/// What an alias's key is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A PKCS#12 file.
    Pkcs12 {
        /// The file.
        path: PathBuf,
        /// Holds its password.
        password_file: PathBuf,
        /// The entry (friendly name) to take, where there are several.
        entry: Option<String>,
    },
    /// PEM: certificate, chain and private key, in any order; both may be the same file.
    Pem {
        /// Certificate and chain.
        certificate: PathBuf,
        /// Private key.
        private_key: PathBuf,
        /// Holds the passphrase of an encrypted private key.
        password_file: Option<PathBuf>,
    },
    /// A private key on a token.
    Pkcs11 {
        /// The key.
        key: KeyReference,
        /// Certificate and chain, where they are not on the token as well.
        certificate: Option<PathBuf>,
        /// How the token is asked.
        handling: Handling,
    },
}

impl Source {
    /// Reads the key as the files hold it now, or the token; what does not answer is not waited for. What a token answers
    /// later, the next call returns.
    ///
    /// # Errors
    /// With the file and what is wrong with it.
    pub fn load(&self) -> Result<KeyMaterial, LoadError> {
        let source = self.clone();
        let loaded = aside::within(PATIENCE, &format!("{self:?}"), move || {
            source.load_within(TOKEN_PATIENCE)
        });
        loaded.unwrap_or_else(|hangs| Err(hangs.into()))
    }

    /// The same for who has nothing else to do, and waits for a token to the end.
    ///
    /// # Errors
    /// Likewise.
    pub fn load_patiently(&self) -> Result<KeyMaterial, LoadError> {
        self.load_within(LONG_PATIENCE)
    }

    fn load_within(&self, patience: Duration) -> Result<KeyMaterial, LoadError> {
        match self {
            Self::Pkcs12 {
                path,
                password_file,
                entry,
            } => {
                let password = read_password(password_file)?;
                from_pkcs12(&read(path)?, &password, entry.as_deref()).map_err(unusable(path))
            }
            Self::Pem {
                certificate,
                private_key,
                password_file,
            } => {
                let password = password_file.as_deref().map(read_password).transpose()?;
                let mut pem = read(private_key)?;
                if certificate != private_key {
                    // The chain after the key; a file may lack its last line end.
                    pem = Zeroizing::new([pem.as_slice(), b"\n", read(certificate)?.as_slice()].concat());
                }
                from_pem(&pem, password.as_ref().map(|password| password.as_str()))
                    .map_err(unusable(private_key))
            }
            Self::Pkcs11 {
                key,
                certificate,
                handling,
            } => pkcs11::load(key, *handling, certificate.as_deref(), patience),
        }
    }

    /// The files that it is made of.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let (first, second, third) = match self {
            Self::Pkcs12 {
                path, password_file, ..
            } => (Some(path), Some(password_file), None),
            Self::Pem {
                certificate,
                private_key,
                password_file,
            } => (Some(certificate), Some(private_key), password_file.as_ref()),
            Self::Pkcs11 { key, certificate, .. } => (Some(&key.pin_file), certificate.as_ref(), None),
        };
        [first, second, third].into_iter().flatten().map(PathBuf::as_path)
    }
}

/// Certificates of a file, in PEM, DER or PKCS#7.
///
/// # Errors
/// When it cannot be read, or has none.
pub(super) fn certificates_of_file(file: &Path) -> Result<Vec<Certificate>, LoadError> {
    certificates(&read(file)?).map_err(unusable(file))
}

fn unusable(file: &Path) -> impl Fn(SourceError) -> LoadError {
    move |error| LoadError::Unusable {
        file: file.to_owned(),
        error,
    }
}

/// Why the files of a source gave no key.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not readable.
    #[error("{} cannot be read: {error}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// Read, but no key in it that can be used.
    #[error("{}: {error}", file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        error: SourceError,
    },
    /// The token gave none.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Nothing came of it in time.
    #[error("the source cannot be read: {0}")]
    Hangs(#[from] Hangs),
}

impl LoadError {
    /// Without anybody doing anything, it may be well later: a token is away, or a file system.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Token(problem) => problem.may_pass(),
            Self::Unreadable { error, .. } => error.kind() == io::ErrorKind::TimedOut,
            Self::Hangs(_) => true,
            Self::Unusable { .. } => false,
        }
    }
}

/// Why bytes gave no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Not the format it was taken for.
    #[error("this is not a {format} file: {reason}")]
    Malformed {
        /// PKCS#12 or PEM.
        format: &'static str,
        /// What the reader stumbled over.
        reason: String,
    },
    /// Encrypted in a way that we cannot undo.
    #[error("it is encrypted with an algorithm that is not supported: export it again with AES-256")]
    UnsupportedEncryption,
    /// Encrypted, and nobody gave a password.
    #[error("the private key is encrypted: give its password")]
    PasswordNeeded,
    /// The password does not open it.
    #[error("the password is wrong")]
    WrongPassword,
    /// No private key.
    #[error("there is no private key in it")]
    NoPrivateKey,
    /// Several private keys, and nobody said which.
    #[error("there are {} private keys in it: {}; name the one to take as `entry`", .0.len(), .0.join(", "))]
    SeveralPrivateKeys(Vec<String>),
    /// No private key of that name.
    #[error("there is no private key named {entry:?} in it, only: {}", known.join(", "))]
    NoSuchEntry {
        /// Asked for.
        entry: String,
        /// What there is.
        known: Vec<String>,
    },
    /// None of the certificates belongs to the private key.
    #[error("no certificate in it belongs to the private key{}", listed(.subjects))]
    NoMatchingCertificate {
        /// Of the certificates there are.
        subjects: Vec<String>,
    },
    /// A certificate cannot be read.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The key is of a type that we do not sign with.
    #[error(transparent)]
    Key(#[from] UnsupportedKey),
}

fn listed(subjects: &[String]) -> String {
    if subjects.is_empty() {
        String::new()
    } else {
        format!(", only to others: {}", subjects.join("; "))
    }
}

fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, LoadError> {
    files::read(file).map_err(|error| LoadError::Unreadable {
        file: file.to_owned(),
        error,
    })
}

/// Without the line end that editors put there.
///
/// # Errors
/// When the file cannot be read or is no UTF-8 text.
pub fn read_password(file: &Path) -> Result<Zeroizing<String>, LoadError> {
    let bytes = read(file)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| LoadError::Unreadable {
        file: file.to_owned(),
        error: io::Error::new(io::ErrorKind::InvalidData, error),
    })?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(Zeroizing::new(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}

/// OpenSSL's reasons without its codes and file names.
fn reasons(error: &ErrorStack) -> String {
    let reasons: Vec<_> = error
        .errors()
        .iter()
        .filter_map(openssl::error::Error::reason)
        .collect();
    reasons.join(", ")
}

/// The leaf is the certificate that belongs to the key; from there issuers, as far as they are there.
pub(super) fn assemble(
    private_key: PrivateKey,
    mut certificates: Vec<Certificate>,
) -> Result<KeyMaterial, SourceError> {
    let leaf = certificates
        .iter()
        .position(|certificate| private_key.belongs_to(certificate));
    let Some(leaf) = leaf else {
        let subjects = certificates
            .iter()
            .map(|certificate| certificate.subject().to_owned())
            .collect();
        return Err(SourceError::NoMatchingCertificate { subjects });
    };
    let certificate = certificates.swap_remove(leaf);
    let mut chain = Vec::new();
    let mut last = &certificate;
    while let Some(issuer) = certificates.iter().position(|other| last.is_issued_by(other)) {
        chain.push(certificates.swap_remove(issuer));
        last = chain.last().unwrap_or(&certificate);
    }
    Ok(KeyMaterial {
        private_key,
        certificate,
        chain,
    })
}
