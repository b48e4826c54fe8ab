//! PKCS#12 (RFC 7292), also as Java's keytool and OpenSSL before 3 wrote it (RC2, 3DES): OpenSSL 3
//! reads those only with its legacy provider, which many installations leave out. What the crate cannot read, such as
//! BER with indefinite lengths (Bouncy Castle) and, before OpenSSL 3.4 in vain, PBMAC1, OpenSSL may.

use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use p12_keystore::error::Error;
use p12_keystore::{CertificateBag, Pkcs12Archive, PrivateKeyBag};
use time::OffsetDateTime;

use super::effort::Effort;
use super::foreign::{foreign, is_pkcs12};
use super::text::to_pem;
use super::{KeyMaterial, SourceError, assemble, reasons};
use crate::keys::{Certificate, PrivateKey};

/// A key store is for one signing identity; larger ones only cost.
const MOST_BYTES: usize = 1 << 20;

/// Reads the only key, or the one that `entry` names (its friendly name, in either case, since
/// keytool lowers it). Of several certificates of the key it takes those that the store has with it.
///
/// # Errors
/// When the password is wrong, or there is no such key with its certificate.
pub fn from_pkcs12(
    bytes: &[u8],
    password: &str,
    entry: Option<&str>,
    now: OffsetDateTime,
) -> Result<KeyMaterial, SourceError> {
    if bytes.len() > MOST_BYTES {
        return Err(malformed("it is larger than 1 MiB; export the one key alone"));
    }
    if !is_pkcs12(bytes) {
        return Err(something_else(bytes));
    }
    let effort = Effort::of(bytes);
    effort.check()?;
    let archive = match Pkcs12Archive::from_pkcs12(bytes, password) {
        Ok(archive) => archive,
        // The crate's own bound, where the count is itself encrypted.
        Err(Error::InvalidParameters) => return Err(SourceError::TooManyIterations),
        Err(error) => {
            let read = with_openssl(bytes, password, entry, now);
            return read.ok_or_else(|| unreadable(bytes, &error, &effort));
        }
    };
    let key = choose(&archive, entry)?;
    let certificates = archive
        .certs
        .iter()
        .map(read_bag)
        .collect::<Result<Vec<_>, _>>()?;
    let own = archive
        .certs
        .iter()
        .filter(|bag| entry.is_some() && is_with(bag, key));
    let own = own.map(read_bag).collect::<Result<Vec<_>, _>>()?;
    let key = PKey::private_key_from_der(key.key.as_der()).map_err(|error| malformed(&reasons(&error)))?;
    assemble(PrivateKey::new(key)?, certificates, &own, now)
}

fn read_bag(bag: &CertificateBag) -> Result<Certificate, SourceError> {
    Ok(Certificate::from_der(bag.cert.as_der())?)
}

/// By their local key id, which keytool and OpenSSL write.
fn is_with(bag: &CertificateBag, key: &PrivateKeyBag) -> bool {
    let id = key.local_key_id.as_ref().map(AsRef::as_ref);
    id.is_some() && bag.local_key_id.as_deref() == id
}

/// OpenSSL tells only the first key of a file, so the file must have no other: one that is named, or whose only
/// certificate of its own is the key's, with its issuers.
fn with_openssl(
    bytes: &[u8],
    password: &str,
    entry: Option<&str>,
    now: OffsetDateTime,
) -> Option<KeyMaterial> {
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
    let own: Vec<_> = certificates.first().cloned().into_iter().collect();
    let material = assemble(PrivateKey::new(key).ok()?, certificates, &own, now).ok()?;
    (entry.is_some() || material.chain.len() + 1 == count).then_some(material)
}

fn choose<'a>(archive: &'a Pkcs12Archive, entry: Option<&str>) -> Result<&'a PrivateKeyBag, SourceError> {
    let keys = archive.keys.as_slice();
    let names = || keys.iter().map(|key| name(key).to_owned()).collect();
    match (entry, keys) {
        (_, []) => Err(no_private_key(archive)),
        (None, [only]) => Ok(only),
        // A certificate that was renewed for its key stands in an entry of its own, with the key once more.
        (None, [first, others @ ..]) if others.iter().all(|other| other.key == first.key) => Ok(first),
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

fn no_private_key(archive: &Pkcs12Archive) -> SourceError {
    SourceError::NoPrivateKey(match (archive.certs.as_slice(), archive.secrets.as_slice()) {
        ([], []) => ", nor any other entry that can be read",
        ([], _) => ", only secret keys",
        (_, _) => ", only certificates, as in a trust store",
    })
}

fn name(key: &PrivateKeyBag) -> &str {
    key.friendly_name.as_deref().unwrap_or("(without a name)")
}

fn something_else(bytes: &[u8]) -> SourceError {
    if let Some(sentence) = foreign(bytes) {
        return SourceError::Foreign(sentence);
    }
    match to_pem(bytes) {
        Ok(pem) if !pem.is_empty() => {
            SourceError::Foreign("a key or certificates, not PKCS#12; name them as that (`pem`, `--key`)")
        }
        Ok(_) | Err(_) => malformed("it does not begin as one does"),
    }
}

fn unreadable(bytes: &[u8], error: &Error, effort: &Effort) -> SourceError {
    const WITH_PBMAC1: i64 = 0x3040_0000;
    if effort.has_pbmac1 && openssl::version::number() < WITH_PBMAC1 {
        return SourceError::Pbmac1;
    }
    let is_wrong = matches!(
        error,
        Error::MacError(_) | Error::Pkcs5Error(_) | Error::UnpadError
    );
    if is_wrong || effort.has_pbmac1 {
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
