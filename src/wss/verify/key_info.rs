//! `ds:KeyInfo`: which certificate signed (X.509 Certificate Token Profile 1.1.1, section 3.2; XML
//! Signature 1.1, section 4.5.4). What it says selects a certificate and never makes one trusted.

use std::fmt;

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
    /// It says what the certificate is known by, perhaps in several ways, which all have to fit.
    Described(Vec<Description>),
}

/// What a certificate is known by.
pub(super) enum Description {
    /// Issuer and serial number.
    IssuerSerial {
        issuer: DistinguishedName,
        written: String,
        serial: String,
    },
    /// Its subject.
    Subject {
        subject: DistinguishedName,
        written: String,
    },
    /// The identifier of its key.
    SubjectKeyIdentifier(Vec<u8>),
    /// Its SHA-1.
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
            Self::Described(descriptions) => {
                let known = trust.certificates().iter().chain(tokens.certificates());
                let fits =
                    |certificate: &&Certificate| descriptions.iter().all(|told| told.fits(certificate));
                known.filter(fits).collect()
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
            Self::Token(_) | Self::Described(_) => &[],
        }
    }

    /// What was looked for, when nothing fits.
    pub(super) fn unknown(&self) -> VerifyError {
        VerifyError::UnknownKey(match self {
            Self::Token(_) => "the token it refers to is not an X.509 certificate".to_owned(),
            Self::Certificates(_) => "its X509Data is empty".to_owned(),
            Self::Described(descriptions) => descriptions
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
        })
    }
}

impl Description {
    fn fits(&self, certificate: &Certificate) -> bool {
        let is_named = |written: &str, name: &DistinguishedName| {
            DistinguishedName::parse(written).is_some_and(|own| own.means(name))
        };
        match self {
            Self::IssuerSerial { issuer, serial, .. } => {
                certificate.serial() == serial && is_named(certificate.issuer(), issuer)
            }
            Self::Subject { subject, .. } => is_named(certificate.subject(), subject),
            Self::SubjectKeyIdentifier(identifier) => certificate.key_identifier() == identifier,
            Self::Thumbprint(thumbprint) => certificate.thumbprint() == thumbprint.as_slice(),
        }
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |written: &str| written.split_whitespace().collect::<Vec<_>>().join(" ");
        match self {
            Self::IssuerSerial { written, serial, .. } => {
                write!(f, "issuer {}, serial number {serial}", name(written))
            }
            Self::Subject { written, .. } => write!(f, "subject {}", name(written)),
            Self::SubjectKeyIdentifier(identifier) => write!(f, "subject key identifier {}", hex(identifier)),
            Self::Thumbprint(thumbprint) => write!(f, "SHA-1 thumbprint {}", hex(thumbprint)),
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
        X509_SKI => Ok(described(Description::SubjectKeyIdentifier(base64(identifier)?))),
        THUMBPRINT_SHA1 => Ok(described(Description::Thumbprint(base64(identifier)?))),
        X509_V3 => Ok(KeyInfo::Certificates(vec![certificate(
            &base64(identifier)?,
            trust,
        )?])),
        other => Err(VerifyError::Header(format!(
            "a KeyIdentifier has the unknown ValueType {other:?}"
        ))),
    }
}

fn described<'t>(description: Description) -> KeyInfo<'t> {
    KeyInfo::Described(vec![description])
}

/// Certificates, or else what one is known by: issuer and serial number, or the identifier of its key, and perhaps its
/// subject besides (XML Signature 1.1, section 4.5.4: all of it is about one certificate).
fn x509_data<'t>(data: Element<'t>, trust: &Trust) -> Result<KeyInfo<'t>, VerifyError> {
    let certificates = data.children().filter(|child| child.is(DS, "X509Certificate"));
    let certificates: Vec<_> = certificates.take(MOST_CERTIFICATES).collect();
    if !certificates.is_empty() {
        let certificates = certificates
            .into_iter()
            .map(|element| certificate(&base64(element)?, trust));
        return Ok(KeyInfo::Certificates(certificates.collect::<Result<_, _>>()?));
    }
    let told: Vec<_> = data.children().take(MOST_DESCRIPTIONS + 1).collect();
    let is_subject = |child: &Element<'_>| child.is(DS, "X509SubjectName");
    match told.as_slice() {
        // Many certificates may have one subject.
        [subject] if is_subject(subject) => Err(unknown(*subject)),
        several if several.is_empty() || several.len() > MOST_DESCRIPTIONS || has_twice(several) => Err(
            VerifyError::header("X509Data has not exactly what tells one certificate, each thing once"),
        ),
        several => Ok(KeyInfo::Described(
            several
                .iter()
                .map(|child| description(*child))
                .collect::<Result<_, _>>()?,
        )),
    }
}

/// Issuer and serial number, key identifier, subject.
const MOST_DESCRIPTIONS: usize = 3;

fn has_twice(elements: &[Element<'_>]) -> bool {
    let mut names: Vec<_> = elements.iter().map(|element| element.local_name()).collect();
    names.sort_unstable();
    names
        .windows(2)
        .any(|pair| matches!(pair, [one, other] if one == other))
}

fn description(told: Element<'_>) -> Result<Description, VerifyError> {
    if told.is(DS, "X509SKI") {
        return Ok(Description::SubjectKeyIdentifier(base64(told)?));
    }
    if told.is(DS, "X509SubjectName") {
        let (subject, written) = name(told)?;
        return Ok(Description::Subject { subject, written });
    }
    if !told.is(DS, "X509IssuerSerial") {
        return Err(unknown(told));
    }
    let [issuer, serial] = exactly(told, ["X509IssuerName", "X509SerialNumber"])?;
    let no_number = || VerifyError::header("X509SerialNumber is not a number");
    let (issuer, written) = name(issuer)?;
    Ok(Description::IssuerSerial {
        issuer,
        written,
        serial: serial_number(&text(serial)?).ok_or_else(no_number)?,
    })
}

/// A distinguished name, and as it is written.
fn name(element: Element<'_>) -> Result<(DistinguishedName, String), VerifyError> {
    let written = text(element)?;
    let name = DistinguishedName::parse(&written).ok_or_else(|| {
        VerifyError::Header(format!("{} is not a distinguished name", element.local_name()))
    })?;
    Ok((name, written))
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
