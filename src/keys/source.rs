//! Where keys come from: PKCS#12 and PEM, as bytes or as the files that an alias's `source` names, and tokens.
//! Whether the key may sign is asked later, by [`Signer::new`](super::Signer::new).

mod certificates;
mod effort;
mod foreign;
mod pem;
mod pkcs12;
mod problems;
mod text;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use openssl::error::ErrorStack;
use time::OffsetDateTime;
use zeroize::Zeroizing;

pub use certificates::certificates;
pub use pem::{PemFile, from_pem, from_pem_files};
pub use pkcs12::from_pkcs12;
pub use problems::SourceProblems;
pub use text::to_pem;

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
    pub fn load(&self, now: OffsetDateTime) -> Result<KeyMaterial, LoadError> {
        let source = self.clone();
        let loaded = aside::within(PATIENCE, &format!("{self:?}"), move || {
            source.load_within(TOKEN_PATIENCE, now)
        });
        loaded.unwrap_or_else(|hangs| Err(hangs.into()))
    }

    /// The same for who has nothing else to do, and waits for a token to the end.
    ///
    /// # Errors
    /// Likewise.
    pub fn load_patiently(&self, now: OffsetDateTime) -> Result<KeyMaterial, LoadError> {
        self.load_within(LONG_PATIENCE, now)
    }

    fn load_within(&self, patience: Duration, now: OffsetDateTime) -> Result<KeyMaterial, LoadError> {
        match self {
            Self::Pkcs12 {
                path,
                password_file,
                entry,
            } => {
                let password = read_password(password_file)?;
                from_pkcs12(&read(path)?, &password, entry.as_deref(), now)
                    .map_err(with_password(path, Some(password_file)))
            }
            Self::Pem {
                certificate,
                private_key,
                password_file,
            } => {
                let password = password_file.as_deref().map(read_password).transpose()?;
                let password = password.as_ref().map(|password| password.as_str());
                let key = read(private_key)?;
                let of_key = with_password(private_key, password_file.as_deref());
                if certificate == private_key {
                    return from_pem(&key, password, now).map_err(of_key);
                }
                let read = from_pem_files(&key, &read(certificate)?, password, now);
                read.map_err(|(file, error)| match file {
                    PemFile::Key => of_key(error),
                    PemFile::Certificates => unusable(certificate)(error.beside(private_key)),
                })
            }
            Self::Pkcs11 {
                key,
                certificate,
                handling,
            } => pkcs11::load(key, *handling, certificate.as_deref(), patience, now),
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

/// The same of a file whose password is in another, which may be the wrong one.
pub fn with_password(file: &Path, password_file: Option<&Path>) -> impl Fn(SourceError) -> LoadError {
    move |error| match (&error, password_file) {
        (SourceError::WrongPassword, Some(password)) => LoadError::WrongPassword {
            file: file.to_owned(),
            password: password.to_owned(),
        },
        _ => unusable(file)(error),
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
    /// Not opened by what the other file holds.
    #[error("{}: the password in {} is wrong", file.display(), password.display())]
    WrongPassword {
        /// The file.
        file: PathBuf,
        /// That of the password.
        password: PathBuf,
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
            Self::Unusable { .. } | Self::WrongPassword { .. } => false,
        }
    }
}

/// Why bytes gave no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Not the format it was taken for.
    #[error("this is no {format} that can be read: {reason}")]
    Malformed {
        /// PKCS#12, PEM or certificate.
        format: &'static str,
        /// What the reader stumbled over.
        reason: String,
    },
    /// Something else.
    #[error("this is {0}")]
    Foreign(&'static str),
    /// A block of PEM without its end.
    #[error("the block {0:?} of PEM has no END line: the file was cut off")]
    CutOff(String),
    /// Too much work to open.
    #[error(
        "opening it takes more than 1000000 iterations of a key derivation; export it again with fewer, such as 100000"
    )]
    TooManyIterations,
    /// RFC 9579.
    #[error(
        "it is protected by PBMAC1 (RFC 9579), which takes OpenSSL 3.4 to check; the password may well be right: export it again \
         without PBMAC1 (`openssl pkcs12 -export` without `-pbmac1_pbkdf2`)"
    )]
    Pbmac1,
    /// Encrypted in a way that we cannot undo.
    #[error("it is encrypted with an algorithm that is not supported: export it again with AES-256")]
    UnsupportedEncryption,
    /// Encrypted, and nobody gave a password.
    #[error("the private key is encrypted: give its password")]
    PasswordNeeded,
    /// The password does not open it.
    #[error("the password is wrong")]
    WrongPassword,
    /// No private key; what there is.
    #[error("there is no private key in it{0}")]
    NoPrivateKey(&'static str),
    /// No certificate; what there is.
    #[error("there is no certificate in it{0}")]
    NoCertificate(&'static str),
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
    #[error("no certificate in it belongs to the private key{}{}", of_file(.key.as_deref()), listed(.subjects))]
    NoMatchingCertificate {
        /// Of the certificates there are.
        subjects: Vec<String>,
        /// Where the key is, if not in the same file.
        key: Option<PathBuf>,
    },
    /// A certificate cannot be read.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The key is of a type that we do not sign with.
    #[error(transparent)]
    Key(#[from] UnsupportedKey),
}

impl SourceError {
    /// That of the file of certificates for the key of this one.
    #[must_use]
    pub fn beside(mut self, file: &Path) -> Self {
        if let Self::NoMatchingCertificate { key, .. } = &mut self {
            *key = Some(file.to_owned());
        }
        self
    }
}

fn of_file(file: Option<&Path>) -> String {
    file.map(|file| format!(" of {}", file.display()))
        .unwrap_or_default()
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

/// Without the line end and the byte order mark that editors put there.
///
/// # Errors
/// When the file cannot be read or is no text in UTF-8, or in UTF-16 with a mark.
pub fn read_password(file: &Path) -> Result<Zeroizing<String>, LoadError> {
    let bytes = read(file)?;
    let text = Zeroizing::new(text::of_editors(&bytes).map_err(|error| LoadError::Unreadable {
        file: file.to_owned(),
        error: io::Error::new(io::ErrorKind::InvalidData, error),
    })?);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Zeroizing::new(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}

/// OpenSSL's reasons without its codes and file names.
fn reasons(error: &ErrorStack) -> String {
    let reasons: Vec<_> = error
        .errors()
        .iter()
        .filter_map(openssl::error::Error::reason)
        .collect();
    if reasons.is_empty() {
        return "it is damaged".to_owned();
    }
    reasons.join(", ")
}

/// The leaf is the certificate that belongs to the key; from there issuers, as far as they are there. Of several that fit
/// one of those `named` goes first, then the one that is valid and the newest: certificates are renewed for their keys,
/// those of authorities, too.
pub(super) fn assemble(
    private_key: PrivateKey,
    mut certificates: Vec<Certificate>,
    named: &[Certificate],
    now: OffsetDateTime,
) -> Result<KeyMaterial, SourceError> {
    let mut own = Vec::new();
    let mut others = Vec::new();
    for certificate in certificates.drain(..) {
        let fits = private_key.belongs_to(&certificate);
        if fits { &mut own } else { &mut others }.push(certificate);
    }
    let leaf = own
        .into_iter()
        .max_by_key(|certificate| (named.contains(certificate), preference(certificate, now)));
    let Some(certificate) = leaf else {
        let subjects = others.iter().map(|certificate| certificate.subject().to_owned());
        return Err(SourceError::NoMatchingCertificate {
            subjects: subjects.collect(),
            key: None,
        });
    };
    let mut chain = Vec::new();
    let mut last = certificate.clone();
    while let Some(issuer) = take_issuer(&last, &mut others, now) {
        chain.push(issuer.clone());
        last = issuer;
    }
    Ok(KeyMaterial {
        private_key,
        certificate,
        chain,
    })
}

fn take_issuer(of: &Certificate, others: &mut Vec<Certificate>, now: OffsetDateTime) -> Option<Certificate> {
    let issuers = others
        .iter()
        .enumerate()
        .filter(|(_, other)| of.is_issued_by(other));
    let (at, _) = issuers.max_by_key(|(_, issuer)| preference(issuer, now))?;
    Some(others.swap_remove(at))
}

/// Valid ones first, then those that will be, the newest first.
pub(super) fn preference(certificate: &Certificate, now: OffsetDateTime) -> impl Ord + use<> {
    (
        certificate.check_validity(now).is_ok(),
        certificate.not_after() >= now,
        certificate.not_before(),
        certificate.not_after(),
    )
}
