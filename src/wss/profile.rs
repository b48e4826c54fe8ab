//! How a route's messages are protected: the `[profile]` of the configuration.

use std::time::Duration;

use crate::keys::SignatureAlgorithm;
use crate::spelling::{UnknownWord, vocabulary};

/// One profile, complete; `Profile::default()` spells out the defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// How `KeyInfo` names the signing certificate.
    pub key_identifier: KeyIdentifier,
    /// With issuer-serial, subject-key-identifier and thumbprint: carry the token as well.
    pub include_token: bool,
    /// `None` is `"auto"`: by the type of the key.
    pub signature_algorithm: Option<SignatureAlgorithm>,
    /// Digest of every Reference.
    pub digest_algorithm: DigestAlgorithm,
    /// What `InclusiveNamespaces/@PrefixList` names.
    pub inclusive_prefixes: InclusivePrefixes,
    /// The parts that are signed.
    pub sign: Vec<Part>,
    /// Lifetime of the Timestamp; `None` is `"off"`.
    pub timestamp: Option<Duration>,
    /// Order within the Security header (WS-SecurityPolicy 1.3, section 6.7).
    pub layout: Layout,
    /// `mustUnderstand` on the Security header.
    pub must_understand: bool,
    /// What to do with a Security header of our actor that the message already has.
    pub existing_security_header: ExistingSecurityHeader,
    /// Processing instructions within the Envelope (SOAP forbids them).
    pub processing_instructions: ProcessingInstructions,
    /// A `ds:Signature` in the Body whose canonical form our `wsu` declaration would change.
    pub inner_signature: InnerSignature,
    /// SOAP 1.1 `actor` or SOAP 1.2 `role` of the Security header; `None`: the ultimate receiver.
    pub actor: Option<String>,
    /// What a test breaks in the signer.
    #[cfg(feature = "sabotage")]
    pub sabotage: Option<super::sabotage::Sabotage>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            key_identifier: KeyIdentifier::BinarySecurityToken,
            include_token: false,
            signature_algorithm: None,
            digest_algorithm: DigestAlgorithm::Sha256,
            inclusive_prefixes: InclusivePrefixes::InScope,
            sign: vec![Part::Body, Part::Timestamp],
            timestamp: Some(Duration::from_secs(5 * 60)),
            layout: Layout::Strict,
            must_understand: true,
            existing_security_header: ExistingSecurityHeader::Extend,
            processing_instructions: ProcessingInstructions::Keep,
            inner_signature: InnerSignature::Warn,
            actor: None,
            #[cfg(feature = "sabotage")]
            sabotage: None,
        }
    }
}

vocabulary! {
    /// How `KeyInfo` names the signing certificate (X.509 Certificate Token Profile 1.1.1, section 3.2).
    pub enum KeyIdentifier {
        /// The certificate travels in a BinarySecurityToken.
        BinarySecurityToken = "binary-security-token",
        /// The certificate path travels in a BinarySecurityToken.
        PkiPath = "pki-path",
        /// Issuer's name and serial number.
        IssuerSerial = "issuer-serial",
        /// The certificate's SKI extension.
        SubjectKeyIdentifier = "subject-key-identifier",
        /// SHA-1 of the certificate.
        Thumbprint = "thumbprint",
        /// `X509Data/X509Certificate` without STR; deliberately outside BSP (R5417).
        X509Data = "x509-data",
    }
}

vocabulary! {
    /// Digest of the References.
    pub enum DigestAlgorithm {
        /// SHA-1, for receivers that know nothing else.
        Sha1 = "sha1",
        /// SHA-256.
        Sha256 = "sha256",
        /// SHA-384.
        Sha384 = "sha384",
        /// SHA-512.
        Sha512 = "sha512",
    }
}

vocabulary! {
    /// What `InclusiveNamespaces/@PrefixList` names (BSP R5404 to R5408).
    pub enum InclusivePrefixes {
        /// Every prefix in scope that the start tag does not visibly use.
        InScope = "in-scope",
        /// No list.
        None = "none",
    }
}

vocabulary! {
    /// Order within the Security header (WS-SecurityPolicy 1.3, section 6.7).
    pub enum Layout {
        /// A token stands before what refers to it.
        Strict = "strict",
        /// Any order.
        Lax = "lax",
        /// The Timestamp is first.
        LaxTimestampFirst = "lax-timestamp-first",
        /// The Timestamp is last.
        LaxTimestampLast = "lax-timestamp-last",
    }
}

vocabulary! {
    /// What to do with a Security header of our actor that the message already has.
    pub enum ExistingSecurityHeader {
        /// Ours goes into it.
        Extend = "extend",
        /// Ours takes its place.
        Replace = "replace",
        /// The message is refused.
        Reject = "reject",
    }
}

vocabulary! {
    /// Processing instructions within the Envelope (SOAP forbids them).
    pub enum ProcessingInstructions {
        /// Signed and sent as they are.
        Keep = "keep",
        /// The message is refused.
        Reject = "reject",
    }
}

vocabulary! {
    /// A `ds:Signature` in the Body whose canonical form our `wsu` declaration would change.
    pub enum InnerSignature {
        /// Sign, log and count.
        Warn = "warn",
        /// The message is refused.
        Reject = "reject",
    }
}

/// A part of the message that is signed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    /// `soap:Body`.
    Body,
    /// `wsu:Timestamp` in our Security header.
    Timestamp,
    /// The signing token itself.
    Token,
    /// Every WS-Addressing header (2005/08 and 2004/08).
    Addressing,
    /// Every header block of this name.
    Header {
        /// Namespace name; empty for none.
        namespace: String,
        /// Local name.
        local: String,
    },
}

impl std::str::FromStr for Part {
    type Err = UnknownWord;

    /// `body`, `timestamp`, `token`, `wsa`, `header:{namespace}Name`.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let header = || {
            let (namespace, local) = word.strip_prefix("header:{")?.split_once('}')?;
            (!local.is_empty()).then(|| Self::Header {
                namespace: namespace.into(),
                local: local.into(),
            })
        };
        match word {
            "body" => Ok(Self::Body),
            "timestamp" => Ok(Self::Timestamp),
            "token" => Ok(Self::Token),
            "wsa" => Ok(Self::Addressing),
            _ => header().ok_or_else(|| UnknownWord {
                word: word.to_owned(),
                known: "body, timestamp, token, wsa, header:{namespace}Name".to_owned(),
            }),
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Body => f.write_str("body"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Token => f.write_str("token"),
            Self::Addressing => f.write_str("wsa"),
            Self::Header { namespace, local } => write!(f, "header:{{{namespace}}}{local}"),
        }
    }
}
