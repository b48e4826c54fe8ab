//! PEM (RFC 7468 and what came before it): PKCS#8, PKCS#1 and SEC1 keys, plain or encrypted, and
//! certificates, in any order and between any other text.

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use super::{KeyMaterial, SourceError, assemble, reasons};
use crate::keys::{Certificate, PrivateKey};

/// Reads one private key with its certificate and chain.
///
/// # Errors
/// When there is not exactly one private key, or none of the certificates belongs to it.
pub fn from_pem(pem: &[u8], passphrase: Option<&str>) -> Result<KeyMaterial, SourceError> {
    let private_key = match private_keys(pem) {
        0 => return Err(SourceError::NoPrivateKey),
        1 => PrivateKey::new(private_key(pem, passphrase)?)?,
        _ => return Err(malformed("there is more than one private key in it; leave one")),
    };
    let mut certificates = Vec::new();
    for certificate in X509::stack_from_pem(pem).map_err(|error| malformed(&reasons(&error)))? {
        let der = certificate
            .to_der()
            .map_err(|error| malformed(&reasons(&error)))?;
        certificates.push(Certificate::from_der(&der)?);
    }
    assemble(private_key, certificates)
}

fn private_key(pem: &[u8], passphrase: Option<&str>) -> Result<PKey<Private>, SourceError> {
    let mut asked = false;
    // Without a callback OpenSSL would ask on the terminal.
    let key = PKey::private_key_from_pem_callback(pem, |buffer| {
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

fn private_keys(pem: &[u8]) -> usize {
    let begins = |line: &&[u8]| {
        line.starts_with(b"-----BEGIN ") && line.trim_ascii_end().ends_with(b"PRIVATE KEY-----")
    };
    pem.split(|byte| *byte == b'\n').filter(begins).count()
}

fn malformed(reason: &str) -> SourceError {
    SourceError::Malformed {
        format: "PEM",
        reason: reason.to_string(),
    }
}
