//! PKCS#12 (RFC 7292), also as Java's keytool and OpenSSL before 3 wrote it (RC2, 3DES): OpenSSL 3
//! reads those only with its legacy provider, which many installations leave out. What the crate cannot read, such as
//! BER with indefinite lengths (Bouncy Castle) and, before OpenSSL 3.4 in vain, PBMAC1, OpenSSL may.

use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use p12_keystore::error::Error;
use p12_keystore::{Pkcs12Archive, PrivateKeyBag};

use super::{KeyMaterial, SourceError, assemble, reasons};
use crate::keys::{Certificate, PrivateKey};

/// Reads the only key, or the one that `entry` names (its friendly name, in either case, since
/// keytool lowers it).
///
/// # Errors
/// When the password is wrong, or there is no such key with its certificate.
pub fn from_pkcs12(bytes: &[u8], password: &str, entry: Option<&str>) -> Result<KeyMaterial, SourceError> {
    let archive = match Pkcs12Archive::from_pkcs12(bytes, password) {
        Ok(archive) => archive,
        Err(error) => return with_openssl(bytes, password, entry).ok_or_else(|| unreadable(bytes, &error)),
    };
    let key = choose(&archive.keys, entry)?;
    let key = PKey::private_key_from_der(key.key.as_der()).map_err(|error| malformed(&reasons(&error)))?;
    let certificates: Result<Vec<Certificate>, _> = archive
        .certs
        .iter()
        .map(|bag| Certificate::from_der(bag.cert.as_der()))
        .collect();
    assemble(PrivateKey::new(key)?, certificates?)
}

/// OpenSSL tells only the first key of a file, so the file must have no other: one that is named, or whose only
/// certificate of its own is the key's, with its issuers.
fn with_openssl(bytes: &[u8], password: &str, entry: Option<&str>) -> Option<KeyMaterial> {
    let parsed = Pkcs12::from_der(bytes).ok()?.parse2(password).ok()?;
    let (key, leaf) = (parsed.pkey?, parsed.cert?);
    let alias = leaf.alias().map(String::from_utf8_lossy);
    if entry.is_some_and(|entry| alias.is_none_or(|alias| alias.to_lowercase() != entry.to_lowercase())) {
        return None;
    }
    let others = parsed.ca.into_iter().flatten();
    let certificates = std::iter::once(leaf)
        .chain(others)
        .map(|certificate| Certificate::from_der(&certificate.to_der().ok()?).ok());
    let certificates: Vec<_> = certificates.collect::<Option<_>>()?;
    let count = certificates.len();
    let material = assemble(PrivateKey::new(key).ok()?, certificates).ok()?;
    (entry.is_some() || material.chain.len() + 1 == count).then_some(material)
}

fn choose<'a>(keys: &'a [PrivateKeyBag], entry: Option<&str>) -> Result<&'a PrivateKeyBag, SourceError> {
    let names = || keys.iter().map(|key| name(key).to_owned()).collect();
    match (entry, keys) {
        (_, []) => Err(SourceError::NoPrivateKey),
        (None, [only]) => Ok(only),
        (None, _) => Err(SourceError::SeveralPrivateKeys(names())),
        (Some(entry), _) => keys
            .iter()
            .find(|key| name(key).to_lowercase() == entry.to_lowercase())
            .ok_or_else(|| SourceError::NoSuchEntry {
                entry: entry.to_owned(),
                known: names(),
            }),
    }
}

fn name(key: &PrivateKeyBag) -> &str {
    key.friendly_name.as_deref().unwrap_or("(without a name)")
}

fn unreadable(bytes: &[u8], error: &Error) -> SourceError {
    if matches!(
        error,
        Error::MacError(_) | Error::Pkcs5Error(_) | Error::UnpadError
    ) {
        return SourceError::WrongPassword;
    }
    if matches!(
        error,
        Error::UnsupportedEncryptionScheme | Error::UnsupportedMacAlgorithm
    ) {
        return SourceError::UnsupportedEncryption;
    }
    // Bouncy Castle and what is built on it, such as KeyStore Explorer.
    if bytes.starts_with(&[0x30, 0x80]) {
        return malformed(
            "it is encoded in BER with indefinite lengths; rewrite it in DER with \
              `keytool -importkeystore` or `openssl pkcs12`",
        );
    }
    malformed(&error.to_string())
}

fn malformed(reason: &str) -> SourceError {
    SourceError::Malformed {
        format: "PKCS#12",
        reason: reason.to_string(),
    }
}
