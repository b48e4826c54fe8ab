//! Certificates without a private key, as authorities hand them out: PEM, DER, PKCS#7 in either, in any order.

use openssl::pkcs7::Pkcs7;
use openssl::x509::X509;

use super::{SourceError, reasons};
use crate::keys::Certificate;

/// Reads all certificates there are, in the order in which they stand.
///
/// # Errors
/// When there is none, or one cannot be read.
pub fn certificates(bytes: &[u8]) -> Result<Vec<Certificate>, SourceError> {
    let read = if is_pem(bytes) {
        in_pem(bytes)
    } else {
        in_der(bytes)
    };
    let found = read?;
    if found.is_empty() {
        return Err(malformed("there is no certificate in it"));
    }
    let read = found.iter().map(|certificate| {
        let der = certificate
            .to_der()
            .map_err(|error| malformed(&reasons(&error)))?;
        Ok(Certificate::from_der(&der)?)
    });
    read.collect()
}

/// PEM may have any text before it.
fn is_pem(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"-----BEGIN ").is_some()
}

fn in_pem(bytes: &[u8]) -> Result<Vec<X509>, SourceError> {
    let is_pkcs7 = [&b"-----BEGIN PKCS7-----"[..], b"-----BEGIN CMS-----"]
        .iter()
        .any(|begin| memchr::memmem::find(bytes, begin).is_some());
    if is_pkcs7 {
        let message = Pkcs7::from_pem(bytes).map_err(|error| malformed(&reasons(&error)))?;
        return of_pkcs7(&message);
    }
    X509::stack_from_pem(bytes).map_err(|error| malformed(&reasons(&error)))
}

fn in_der(bytes: &[u8]) -> Result<Vec<X509>, SourceError> {
    if let Ok(certificate) = X509::from_der(bytes) {
        return Ok(vec![certificate]);
    }
    let message = Pkcs7::from_der(bytes)
        .map_err(|_| malformed("it is neither a certificate nor PKCS#7, in DER or PEM"))?;
    of_pkcs7(&message)
}

fn of_pkcs7(message: &Pkcs7) -> Result<Vec<X509>, SourceError> {
    let signed = message
        .signed()
        .ok_or_else(|| malformed("this PKCS#7 has no certificates"))?;
    let certificates = signed.certificates();
    Ok(certificates
        .into_iter()
        .flatten()
        .map(ToOwned::to_owned)
        .collect())
}

fn malformed(reason: &str) -> SourceError {
    SourceError::Malformed {
        format: "certificates",
        reason: reason.to_owned(),
    }
}
