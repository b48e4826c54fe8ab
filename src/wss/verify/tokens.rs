//! The `wsse:BinarySecurityToken`s of the Security header that hold X.509 certificates.

use x509_parser::asn1_rs::{FromDer, Sequence};
use x509_parser::certificate::X509Certificate;

use super::strict::base64;
use super::{Trust, VerifyError};
use crate::keys::Certificate;
use crate::wss::names::{BASE64_BINARY, WSSE, X509_PKI_PATH, X509_V3};
use crate::wss::policy::MOST_CERTIFICATES;
use crate::xml::libxml::Element;

/// The certificates that a message brings along.
pub(super) struct Tokens<'t>(Vec<Token<'t>>);

struct Token<'t> {
    element: Element<'t>,
    /// The certificate of the token's key first, then those of its path.
    certificates: Vec<Certificate>,
}

impl<'t> Tokens<'t> {
    /// Reads all that are among these elements: one that is no certificate has no place in the header.
    /// Tokens of other kinds are left alone.
    pub(super) fn read(
        elements: impl Iterator<Item = Element<'t>>,
        trust: &Trust,
    ) -> Result<Self, VerifyError> {
        let mut tokens = Vec::new();
        let mut count = 0;
        for element in elements.filter(|element| element.is(WSSE, "BinarySecurityToken")) {
            if let Some(certificates) = certificates(element, trust)? {
                count += certificates.len();
                tokens.push(Token {
                    element,
                    certificates,
                });
            }
            if count > MOST_CERTIFICATES {
                return Err(VerifyError::header(format!(
                    "more than {MOST_CERTIFICATES} certificates"
                )));
            }
        }
        Ok(Self(tokens))
    }

    /// The certificate whose key a reference to this token means.
    pub(super) fn signer(&self, element: Element<'t>) -> Option<&Certificate> {
        self.0
            .iter()
            .find(|token| token.element == element)?
            .certificates
            .first()
    }

    /// Every certificate.
    pub(super) fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.0.iter().flat_map(|token| &token.certificates)
    }
}

fn certificates(token: Element<'_>, trust: &Trust) -> Result<Option<Vec<Certificate>>, VerifyError> {
    let value_type = token.attribute("", "ValueType").unwrap_or_default();
    if value_type != X509_V3 && value_type != X509_PKI_PATH {
        return Ok(None);
    }
    if token
        .attribute("", "EncodingType")
        .is_some_and(|encoding| encoding != BASE64_BINARY)
    {
        return Err(VerifyError::Token(
            "its EncodingType is not Base64Binary (BSP R3030)".into(),
        ));
    }
    let content = base64(token)?;
    match value_type == X509_V3 {
        true => Ok(Some(vec![certificate(&content, trust)?])),
        false => path(&content, trust).map(Some),
    }
}

/// One DER certificate.
pub(super) fn certificate(der: &[u8], trust: &Trust) -> Result<Certificate, VerifyError> {
    trust
        .read_certificate(der)
        .map_err(|error| VerifyError::Token(error.to_string()))
}

/// X509PKIPathv1: a SEQUENCE of certificates, that of the signer last (ITU-T X.509, section 10.10).
fn path(der: &[u8], trust: &Trust) -> Result<Vec<Certificate>, VerifyError> {
    let malformed = || VerifyError::Token("this is not a PKIPath of certificates".into());
    let (rest, sequence) = Sequence::from_der(der).map_err(|_| malformed())?;
    if !rest.is_empty() {
        return Err(malformed());
    }
    let mut content: &[u8] = &sequence.content;
    let mut certificates = Vec::new();
    while !content.is_empty() && certificates.len() <= MOST_CERTIFICATES {
        let (rest, _) = X509Certificate::from_der(content).map_err(|_| malformed())?;
        let (der, rest) = content.split_at(content.len() - rest.len());
        certificates.push(certificate(der, trust)?);
        content = rest;
    }
    certificates.reverse();
    if certificates.is_empty() {
        Err(malformed())
    } else {
        Ok(certificates)
    }
}
