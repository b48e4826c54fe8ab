//! Ways to refer to a certificate, as messages, other programs and people write them.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::admin::problem::Problem;
use crate::keys::{DistinguishedName, Reference};

/// One way to refer to a certificate.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct CertificateQuery {
    /// The issuer's name, as RFC 4514 or as other stacks write it; with `serial`.
    #[param(required = false)]
    issuer: Option<String>,
    /// The serial number in decimal.
    #[param(required = false)]
    serial: Option<String>,
    /// SHA-1 or SHA-256 of the certificate, in hex or base64.
    #[param(required = false)]
    thumbprint: Option<String>,
    /// The subject key identifier, in hex or base64.
    #[param(required = false)]
    ski: Option<String>,
}

const ONE_WAY: &str = "say `issuer` and `serial`, or `thumbprint`, or `ski`";

impl CertificateQuery {
    pub(super) fn parse(self) -> Result<Reference, Problem> {
        let reference = match (self.issuer, self.serial, self.thumbprint, self.ski) {
            (Some(issuer), Some(serial), None, None) => issuer_serial(&issuer, &serial),
            (None, None, Some(thumbprint), None) => by_thumbprint(&thumbprint),
            (None, None, None, Some(ski)) => bytes(&ski)
                .map(Reference::SubjectKeyIdentifier)
                .ok_or("the subject key identifier is neither hex nor base64"),
            _ => Err(ONE_WAY),
        };
        reference.map_err(|sentence| Problem::new(StatusCode::BAD_REQUEST, sentence))
    }
}

fn issuer_serial(issuer: &str, serial: &str) -> Result<Reference, &'static str> {
    let issuer = DistinguishedName::parse(issuer)
        .ok_or("the issuer is no distinguished name, as CN=Test,O=Example")?;
    let serial = serial.trim();
    let (sign, digits) = serial
        .strip_prefix('-')
        .map_or(("", serial), |digits| ("-", digits));
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err("the serial number is not decimal");
    }
    let significant = digits.trim_start_matches('0');
    let digits = if significant.is_empty() { "0" } else { significant };
    Ok(Reference::IssuerSerial(issuer, format!("{sign}{digits}")))
}

fn by_thumbprint(text: &str) -> Result<Reference, &'static str> {
    let bytes = bytes(text).unwrap_or_default();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    match (<[u8; 20]>::try_from(bytes), hex.parse()) {
        (Ok(thumbprint), _) => Ok(Reference::Thumbprint(thumbprint)),
        (Err(_), Ok(fingerprint)) => Ok(Reference::Fingerprint(fingerprint)),
        (Err(_), Err(_)) => Err("a thumbprint is the SHA-1 or SHA-256 of the certificate, in hex or base64"),
    }
}

/// Hex, with colons as OpenSSL prints it or without, or base64 as messages have it.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<_> = text.bytes().filter(|byte| *byte != b':').collect();
    let pairs = digits.chunks_exact(2);
    if pairs.remainder().is_empty() && !digits.is_empty() {
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        if digits.iter().all(u8::is_ascii_hexdigit)
            && let Some(bytes) = pairs.map(pair).collect()
        {
            return Some(bytes);
        }
    }
    // A plus in a query is a space to many who read it.
    STANDARD
        .decode(text.replace(' ', "+"))
        .ok()
        .filter(|bytes| !bytes.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_people_and_programs_write_them() {
        for text in ["0a0b0c", "0A:0B:0C", "CgsM"] {
            assert_eq!(bytes(text), Some(vec![10, 11, 12]), "{text}");
        }
        assert_eq!(bytes("+/8="), Some(vec![0xfb, 0xff]));
        assert_eq!(bytes(" /8="), Some(vec![0xfb, 0xff]));
        for text in ["", "?", "0g"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn a_serial_number_is_compared_without_noughts_before_it() {
        for (text, expected) in [("007", "7"), ("0", "0"), ("-08", "-8")] {
            let reference = issuer_serial("CN=a", text).unwrap();
            assert!(matches!(reference, Reference::IssuerSerial(_, serial) if serial == expected));
        }
        assert!(issuer_serial("CN=a", "0x7").is_err());
        assert!(issuer_serial("a", "7").is_err());
    }
}
