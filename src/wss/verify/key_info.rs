//! `ds:KeyInfo`: which certificate signed (X.509 Certificate Token Profile 1.1.1, section 3.2; XML
//! Signature 1.1, section 4.5.4). What it says selects a certificate and never makes one trusted.

use super::serial_number::serial_number;
use super::strict::{attribute, base64, exactly, only_child, text};
use super::tokens::{Tokens, certificate};
use super::{Message, Trust, VerifyError};
use crate::keys::{Certificate, DistinguishedName};
use crate::wss::names::{BASE64_BINARY, DS, THUMBPRINT_SHA1, WSSE, X509_SKI, X509_V3};
use crate::wss::policy::MOST_CERTIFICATES;
use crate::xml::libxml::Element;

/// How a KeyInfo tells the certificate.
pub(super) enum KeyInfo<'t> {
    /// It refers to a token of the Security header.
    Token(Element<'t>),
    /// It carries the certificate, perhaps among others.
    Certificates(Vec<Certificate>),
    /// It names the certificate by issuer and serial number.
    IssuerSerial {
        issuer: DistinguishedName,
        written: String,
        serial: String,
    },
    /// It has the value of the certificate's SKI extension.
    SubjectKeyIdentifier(Vec<u8>),
    /// It has the SHA-1 of the certificate.
    Thumbprint(Vec<u8>),
}

impl<'t> KeyInfo<'t> {
    /// Exactly one reference (BSP R5402, R3061): a SecurityTokenReference, or bare X509Data.
    pub(super) fn read(
        key_info: Element<'t>,
        message: &Message<'t>,
        trust: &Trust,
    ) -> Result<Self, VerifyError> {
        let told = only_child(key_info)?;
        if told.is(DS, "X509Data") {
            return x509_data(told, trust);
        }
        if !told.is(WSSE, "SecurityTokenReference") {
            return Err(unknown(told));
        }
        let told = only_child(told)?;
        if told.is(WSSE, "Reference") {
            token(told, message).map(Self::Token)
        } else if told.is(WSSE, "KeyIdentifier") {
            key_identifier(told, trust)
        } else if told.is(DS, "X509Data") {
            x509_data(told, trust)
        } else {
            Err(unknown(told))
        }
    }

    /// The certificates that fit, of the message and of those trusted. They can be several: two
    /// authorities of one name may give the same serial number (WSS-583).
    pub(super) fn candidates<'c>(&'c self, tokens: &'c Tokens<'t>, trust: &'c Trust) -> Vec<&'c Certificate> {
        let mut candidates: Vec<&Certificate> = match self {
            Self::Token(element) => tokens.signer(*element).into_iter().collect(),
            Self::Certificates(certificates) => certificates.iter().collect(),
            Self::IssuerSerial { .. } | Self::SubjectKeyIdentifier(_) | Self::Thumbprint(_) => {
                let known = trust.certificates().iter().chain(tokens.certificates());
                known.filter(|certificate| self.describes(certificate)).collect()
            }
        };
        candidates.dedup();
        candidates
    }

    /// Is this the token that it refers to?
    pub(super) fn is_token(&self, element: Element<'_>) -> bool {
        matches!(self, Self::Token(token) if *token == element)
    }

    /// The certificates it carries itself.
    pub(super) fn certificates(&self) -> &[Certificate] {
        match self {
            Self::Certificates(certificates) => certificates,
            Self::Token(_)
            | Self::IssuerSerial { .. }
            | Self::SubjectKeyIdentifier(_)
            | Self::Thumbprint(_) => &[],
        }
    }

    /// What was looked for, when nothing fits.
    pub(super) fn unknown(&self) -> VerifyError {
        VerifyError::UnknownKey(match self {
            Self::Token(_) => "the token it refers to is not an X.509 certificate".to_owned(),
            Self::Certificates(_) => "its X509Data is empty".to_owned(),
            Self::IssuerSerial { written, serial, .. } => {
                let issuer = written.split_whitespace().collect::<Vec<_>>().join(" ");
                format!("issuer {issuer}, serial number {serial}")
            }
            Self::SubjectKeyIdentifier(identifier) => format!("subject key identifier {}", hex(identifier)),
            Self::Thumbprint(thumbprint) => format!("SHA-1 thumbprint {}", hex(thumbprint)),
        })
    }

    fn describes(&self, certificate: &Certificate) -> bool {
        match self {
            Self::IssuerSerial { issuer, serial, .. } => {
                certificate.serial() == serial
                    && DistinguishedName::parse(certificate.issuer()).is_some_and(|name| name.means(issuer))
            }
            Self::SubjectKeyIdentifier(identifier) => {
                certificate.subject_key_identifier() == Some(identifier.as_slice())
            }
            Self::Thumbprint(thumbprint) => certificate.thumbprint() == thumbprint.as_slice(),
            Self::Token(_) | Self::Certificates(_) => false,
        }
    }
}

/// A token of the same Security header (BSP R3066), by `#id` (R5204).
fn token<'t>(reference: Element<'t>, message: &Message<'t>) -> Result<Element<'t>, VerifyError> {
    let uri = attribute(reference, "URI")?;
    let id = uri.strip_prefix('#');
    let id = id.ok_or_else(|| VerifyError::header("a token is not referred to as #id (BSP R5204)"))?;
    let token = message.ids.resolve(id)?;
    if !token.is(WSSE, "BinarySecurityToken") || token.parent() != Some(message.envelope.security) {
        return Err(VerifyError::header(
            "a reference to a token leads to something else",
        ));
    }
    let types = [reference, token].map(|element| element.attribute("", "ValueType"));
    match types {
        [Some(said), Some(is)] if said != is => Err(VerifyError::header(
            "a reference and its token have different ValueTypes (BSP R3058)",
        )),
        _ => Ok(token),
    }
}

fn key_identifier<'t>(identifier: Element<'t>, trust: &Trust) -> Result<KeyInfo<'t>, VerifyError> {
    if identifier
        .attribute("", "EncodingType")
        .is_some_and(|encoding| encoding != BASE64_BINARY)
    {
        return Err(VerifyError::header(
            "a KeyIdentifier is not encoded as Base64Binary (BSP R3071)",
        ));
    }
    match attribute(identifier, "ValueType")?.as_str() {
        X509_SKI => Ok(KeyInfo::SubjectKeyIdentifier(base64(identifier)?)),
        THUMBPRINT_SHA1 => Ok(KeyInfo::Thumbprint(base64(identifier)?)),
        X509_V3 => Ok(KeyInfo::Certificates(vec![certificate(
            &base64(identifier)?,
            trust,
        )?])),
        other => Err(VerifyError::Header(format!(
            "a KeyIdentifier has the unknown ValueType {other:?}"
        ))),
    }
}

/// Certificates, or else one description of a certificate.
fn x509_data<'t>(data: Element<'t>, trust: &Trust) -> Result<KeyInfo<'t>, VerifyError> {
    let certificates = data.children().filter(|child| child.is(DS, "X509Certificate"));
    let certificates: Vec<_> = certificates.take(MOST_CERTIFICATES).collect();
    if !certificates.is_empty() {
        let certificates = certificates
            .into_iter()
            .map(|element| certificate(&base64(element)?, trust));
        return Ok(KeyInfo::Certificates(certificates.collect::<Result<_, _>>()?));
    }
    let described = only_child(data)?;
    if described.is(DS, "X509SKI") {
        return Ok(KeyInfo::SubjectKeyIdentifier(base64(described)?));
    }
    if !described.is(DS, "X509IssuerSerial") {
        return Err(unknown(described));
    }
    let [issuer, serial] = exactly(described, ["X509IssuerName", "X509SerialNumber"])?;
    let no_name = || VerifyError::header("X509IssuerName is not a distinguished name");
    let no_number = || VerifyError::header("X509SerialNumber is not a number");
    let written = text(issuer)?;
    Ok(KeyInfo::IssuerSerial {
        issuer: DistinguishedName::parse(&written).ok_or_else(no_name)?,
        written,
        serial: serial_number(&text(serial)?).ok_or_else(no_number)?,
    })
}

fn unknown(element: Element<'_>) -> VerifyError {
    VerifyError::Header(format!(
        "KeyInfo tells the key by {}, which is not known",
        element.local_name()
    ))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
