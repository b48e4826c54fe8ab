//! Certificates without a private key, as authorities hand them out: PEM, DER, PKCS#7 in either, in any order.

use openssl::pkcs7::Pkcs7;
use openssl::x509::X509;

use super::text::{Block, REQUEST, blocks};
use super::{SourceError, reasons};
use crate::keys::Certificate;

/// Reads all certificates there are, in the order in which they stand.
///
/// # Errors
/// When there is none, or one cannot be read.
pub fn certificates(bytes: &[u8]) -> Result<Vec<Certificate>, SourceError> {
    let blocks = blocks(bytes)?;
    let found = of_blocks(&blocks)?;
    if !found.is_empty() {
        return Ok(found);
    }
    let has = |label: &str| blocks.iter().any(|block| block.label.ends_with(label));
    Err(SourceError::NoCertificate(if has(REQUEST) {
        ", only a request for one; take what the authority answered"
    } else if has("PRIVATE KEY") {
        ", only a private key"
    } else if has("PUBLIC KEY") {
        ", only a public key"
    } else {
        "; it is neither PEM nor DER"
    }))
}

/// Those of PEM, perhaps none.
pub(super) fn of_blocks(blocks: &[Block]) -> Result<Vec<Certificate>, SourceError> {
    let mut found = Vec::new();
    for block in blocks {
        match block.label.as_str() {
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                let read = X509::from_pem(block.pem().as_bytes());
                found.push(read.map_err(|error| malformed(&reasons(&error)))?);
            }
            "PKCS7" | "CMS" | "PKCS #7 SIGNED DATA" => {
                let pem = block.pem();
                let message = Pkcs7::from_pem(pem.as_bytes()).map_err(|error| malformed(&reasons(&error)))?;
                found.extend(of_pkcs7(&message)?);
            }
            _ => {}
        }
    }
    let read = found.iter().map(|certificate| {
        let der = certificate
            .to_der()
            .map_err(|error| malformed(&reasons(&error)))?;
        Ok(Certificate::from_der(&der)?)
    });
    read.collect()
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
        format: "certificate",
        reason: reason.to_owned(),
    }
}
