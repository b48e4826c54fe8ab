//! How operators name a key: SHA-256 of its certificate.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::digest;

/// SHA-256 of a certificate's DER, 64 lower-case hex digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(Arc<str>);

impl Fingerprint {
    /// Of a certificate's DER.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        Self(hex(digest::digest(&digest::SHA256, der).as_ref()).into())
    }

    /// The first 16 digits: the label `key` of metrics, and how people see it in tables.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..16).unwrap_or(&self.0)
    }
}

impl Deref for Fingerprint {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Not a fingerprint. A prefix is none: it could name another key tomorrow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a fingerprint: give all 64 hex digits of the certificate's SHA-256")]
pub struct NotAFingerprint(String);

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    /// In either case.
    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let whole = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !whole {
            return Err(NotAFingerprint(text.chars().take(80).collect()));
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }
}

/// Lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_in_either_case_and_never_by_prefix() {
        let fingerprint = Fingerprint::of(b"abc");
        assert_eq!(
            &*fingerprint,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(fingerprint.to_uppercase().parse(), Ok(fingerprint.clone()));
        assert_eq!(fingerprint.short(), "ba7816bf8f01cfea");
        assert!(fingerprint.short().parse::<Fingerprint>().is_err());
        assert!("g".repeat(64).parse::<Fingerprint>().is_err());
        assert!("ä".repeat(32).parse::<Fingerprint>().is_err());
    }
}
