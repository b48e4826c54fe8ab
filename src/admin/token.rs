//! The operator's bearer token: made on first start, kept in a file that only its owner reads.
//! In memory there is only its hash.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{self, Digest, SHA256};
use aws_lc_rs::rand;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Admin;
use super::problem::Problem;

/// A bearer token's SHA-256. That is enough for 256 random bits; a password would need more.
#[derive(Clone)]
pub struct Token(Digest);

/// The token file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
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
    #[error("the token in {} has less than {LEAST_LENGTH} characters: delete the file, and a new one is made", .0.display())]
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
        let mut token = load(file);
        if token
            .as_ref()
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        {
            token = create(file);
        }
        let token = token.map_err(|error| TokenError::Io {
            file: file.to_owned(),
            error,
        })?;
        let token = token.trim();
        if token.len() < LEAST_LENGTH {
            return Err(TokenError::TooShort(file.to_owned()));
        }
        Ok(Self(digest::digest(&SHA256, token.as_bytes())))
    }

    /// Hashes are compared, in constant time: the time tells nothing about the token.
    fn is(&self, presented: &[u8]) -> bool {
        let presented = digest::digest(&SHA256, presented);
        self.0.as_ref().ct_eq(presented.as_ref()).into()
    }
}

fn load(file: &Path) -> io::Result<Zeroizing<String>> {
    let token = fs::read_to_string(file).map(Zeroizing::new)?;
    if fs::metadata(file)?.permissions().mode() & 0o077 != 0 {
        tracing::warn!(file = %file.display(), "others may read the admin token: chmod 600");
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
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(file)?;
    file.write_all(token.as_bytes())?;
    file.write_all(b"\n")?;
    Ok(token)
}

/// Lets only the operator through.
pub(super) async fn demand(
    State(admin): State<Admin>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    match bearer(request.headers()) {
        Some(token) if admin.token.is(token) => Ok(next.run(request).await),
        Some(_) => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "this token is not the one in the proxy's token file",
        )),
        None => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "send `Authorization: Bearer` with the token that is in the proxy's token file",
        )),
    }
}

/// RFC 6750, section 2.1; the scheme's name in any case (RFC 9110, section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = headers
        .get(AUTHORIZATION)?
        .as_bytes()
        .split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then_some(token.trim_ascii())
}
