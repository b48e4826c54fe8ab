//! PEM (RFC 7468 and what came before it): PKCS#8, PKCS#1 and SEC1 keys, plain or encrypted, and
//! certificates, in any order and between any other text.

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use time::OffsetDateTime;

use super::effort::Effort;
use super::text::{Block, blocks};
use super::{KeyMaterial, SourceError, assemble, certificates, reasons};
use crate::keys::{Certificate, PrivateKey};

/// Reads one private key with its certificate and chain.
///
/// # Errors
/// When there is not exactly one private key, or none of the certificates belongs to it.
pub fn from_pem(
    pem: &[u8],
    passphrase: Option<&str>,
    now: OffsetDateTime,
) -> Result<KeyMaterial, SourceError> {
    let blocks = blocks(pem)?;
    let private_key = only_private_key(&blocks, passphrase)?;
    let certificates = certificates::of_blocks(&blocks)?;
    assemble(private_key, certificates, &[], now)
}

/// Which of two files is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PemFile {
    /// That of the private key, and perhaps of certificates.
    Key,
    /// That of certificates alone.
    Certificates,
}

/// Reads a private key from one file, its certificate and chain from another.
///
/// # Errors
/// As [`from_pem`], with the file that it is about.
pub fn from_pem_files(
    key: &[u8],
    others: &[u8],
    passphrase: Option<&str>,
    now: OffsetDateTime,
) -> Result<KeyMaterial, (PemFile, SourceError)> {
    let of_key = |error| (PemFile::Key, error);
    let of_certificates = |error| (PemFile::Certificates, error);
    let blocks = blocks(key).map_err(of_key)?;
    let private_key = only_private_key(&blocks, passphrase).map_err(of_key)?;
    let mut all: Vec<Certificate> = certificates::of_blocks(&blocks).map_err(of_key)?;
    all.extend(certificates(others).map_err(of_certificates)?);
    assemble(private_key, all, &[], now).map_err(of_certificates)
}

fn only_private_key(blocks: &[Block], passphrase: Option<&str>) -> Result<PrivateKey, SourceError> {
    let mut keys = blocks.iter().filter(|block| block.is_private_key());
    match (keys.next(), keys.next()) {
        (Some(only), None) => Ok(PrivateKey::new(private_key(only, passphrase)?)?),
        (Some(_), Some(_)) => Err(malformed("there is more than one private key in it; leave one")),
        (None, _) if blocks.is_empty() => Err(SourceError::NoPrivateKey("; it is neither PEM nor DER")),
        (None, _) if blocks.iter().any(|block| block.label.ends_with("PUBLIC KEY")) => {
            Err(SourceError::NoPrivateKey(", only a public key"))
        }
        (None, _) => Err(SourceError::NoPrivateKey(", only certificates")),
    }
}

fn private_key(block: &Block, passphrase: Option<&str>) -> Result<PKey<Private>, SourceError> {
    if block.label == "OPENSSH PRIVATE KEY" {
        return Err(SourceError::Foreign(
            "a key in the form of OpenSSH; convert it with `ssh-keygen -p -m PEM -f FILE`",
        ));
    }
    if let Some(der) = block.der() {
        Effort::of(&der).check()?;
    }
    let mut asked = false;
    // Without a callback OpenSSL would ask on the terminal.
    let key = PKey::private_key_from_pem_callback(block.pem().as_bytes(), |buffer| {
        asked = true;
        Ok(copy_passphrase(passphrase.unwrap_or_default(), buffer))
    });
    key.map_err(|error| match (asked, passphrase) {
        (false, _) => malformed(&reasons(&error)),
        (true, None) => SourceError::PasswordNeeded,
        (true, Some(_)) if unsupported(&error) => SourceError::UnsupportedEncryption,
        (true, Some(_)) => SourceError::WrongPassword,
    })
}

/// Nothing for one that is longer than OpenSSL's buffer of 1024 bytes: it is a wrong one then.
fn copy_passphrase(passphrase: &str, buffer: &mut [u8]) -> usize {
    match buffer.get_mut(..passphrase.len()) {
        Some(target) => {
            target.copy_from_slice(passphrase.as_bytes());
            passphrase.len()
        }
        None => 0,
    }
}

/// Whether OpenSSL lacks the cipher. A wrong passphrase may leave something that looks decrypted, of which then
/// the decoders, another part of OpenSSL, say "unsupported" too.
fn unsupported(error: &ErrorStack) -> bool {
    error.errors().iter().any(|error| {
        error.library() == Some("digital envelope routines") && error.reason() == Some("unsupported")
    })
}

fn malformed(reason: &str) -> SourceError {
    SourceError::Malformed {
        format: "PEM",
        reason: reason.to_string(),
    }
}
