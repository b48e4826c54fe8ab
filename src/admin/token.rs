//! Bearer tokens: each in a file that only its owner reads. The operator's is made on first start.
//! In memory there is only a hash.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::files;
use aws_lc_rs::digest::{self, Digest, SHA256};
use aws_lc_rs::rand;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::durable;

/// A bearer token's SHA-256. That is enough for 256 random bits; a password would need more.
#[derive(Clone)]
pub struct Token(Digest);

/// The token file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Not there, and not one that we make.
    #[error(
        "there is no token file {file}: make it with `openssl rand -base64 32 >{file}`, readable by the proxy alone",
        file = .0.display()
    )]
    Missing(PathBuf),
    /// Not readable, or not writable on first start.
    #[error("the token file {} cannot be read or made: {error}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// Too short to be a secret.
    #[error(
        "the token in {} has less than {LEAST_LENGTH} characters: make a new one with `openssl rand -base64 32`",
        .0.display()
    )]
    TooShort(PathBuf),
}

/// 128 bits in base64.
const LEAST_LENGTH: usize = 22;

impl Token {
    /// Reads the file; makes it, with a random token, when it is not there.
    ///
    /// # Errors
    /// When the file is of no use.
    pub fn load_or_create(file: &Path) -> Result<Self, TokenError> {
        match Self::load(file) {
            Err(TokenError::Missing(_)) => Self::of(file, create(file)),
            loaded => loaded,
        }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When the file is of no use.
    pub fn load(file: &Path) -> Result<Self, TokenError> {
        Self::of(file, read(file))
    }

    fn of(file: &Path, token: io::Result<Zeroizing<String>>) -> Result<Self, TokenError> {
        let token = token.map_err(|error| {
            let file = file.to_owned();
            if error.kind() == io::ErrorKind::NotFound {
                TokenError::Missing(file)
            } else {
                TokenError::Io { file, error }
            }
        })?;
        let token = token.trim();
        if token.len() < LEAST_LENGTH {
            return Err(TokenError::TooShort(file.to_owned()));
        }
        Ok(Self::presented(token.as_bytes()))
    }

    /// What somebody sent.
    pub(super) fn presented(token: &[u8]) -> Self {
        Self(digest::digest(&SHA256, token))
    }

    /// Hashes are compared, in constant time: the time tells nothing about the token.
    pub(super) fn is(&self, other: &Self) -> Choice {
        self.0.as_ref().ct_eq(other.0.as_ref())
    }
}

fn read(file: &Path) -> io::Result<Zeroizing<String>> {
    let token = files::read_text(file)?;
    if files::others_may_read(file)? {
        tracing::warn!(file = %file.display(), "others may read this token: chmod 600");
    }
    Ok(token)
}

fn create(file: &Path) -> io::Result<Zeroizing<String>> {
    let mut random = Zeroizing::new([0; 32]);
    rand::fill(random.as_mut_slice()).map_err(|_| io::Error::other("no random numbers"))?;
    let token = Zeroizing::new(URL_SAFE_NO_PAD.encode(random.as_slice()));
    if let Some(directory) = file.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let line = Zeroizing::new([token.as_bytes(), b"\n"].concat());
    durable::write_new(file, &line)?;
    Ok(token)
}

/// RFC 6750, section 2.1; the scheme's name in any case (RFC 9110, section 11.1).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = headers
        .get(AUTHORIZATION)?
        .as_bytes()
        .split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then_some(token.trim_ascii())
}
