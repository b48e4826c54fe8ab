//! The Security header as the profile demands it: what the self-check holds against what the signer inserted. Digests
//! and the signature's value are verified elsewhere; here is all the rest, to the last attribute.

use std::iter::{once, successors};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use time::{OffsetDateTime, UtcOffset};

use super::insertion::{Created, Insertion, carries_token};
use super::self_check::{Expected, SelfCheckError};
use super::shape::{Shape, Value};
use super::signature::{Reference, Transform};
use super::{Made, Message, Timestamp, VerifyError};
use crate::keys::{Certificate, SignatureAlgorithm};
use crate::wss::names::{
    self, BASE64_BINARY, DS, EXC_C14N, STR_TRANSFORM, THUMBPRINT_SHA1, WSSE, WSSE11, WSU, X509_PKI_PATH,
    X509_SKI, X509_V3,
};
use crate::wss::profile::{InclusivePrefixes, KeyIdentifier, Part};
use crate::xml::libxml::Element;

impl Expected<'_> {
    /// Nothing more, nothing less and nothing else than the profile demands.
    pub(super) fn check_header(
        &self,
        insertion: &Insertion<'_, '_>,
        made: &Made<'_>,
        message: &Message<'_>,
    ) -> Result<(), SelfCheckError> {
        let mut shapes = Vec::new();
        for element in &insertion.elements {
            shapes.push(if element.is(WSU, "Timestamp") {
                self.check_lifetime(*element)?;
                timestamp()
            } else if element.is(WSSE, "BinarySecurityToken") {
                self.check_path(message)?;
                self.token()
            } else {
                self.signature(made, message)?
            });
        }
        let soap = message.envelope.version.namespace();
        let fits = match insertion.created {
            Created::Header => Shape::new(soap, "Header")
                .holding([self.security(message).holding(shapes)])
                .fits(message.envelope.header),
            Created::Security => self
                .security(message)
                .holding(shapes)
                .fits(message.envelope.security),
            Created::Neither => std::iter::zip(shapes, &insertion.elements)
                .try_for_each(|(shape, element)| shape.fits(*element)),
        };
        fits.map_err(SelfCheckError::Header)
    }

    /// For whom it is, and whether he has to understand it.
    fn security(&self, message: &Message<'_>) -> Shape<'_> {
        let version = message.envelope.version;
        let soap = version.namespace();
        let mut security = Shape::new(WSSE, "Security");
        if self.profile.must_understand {
            security = security.with(soap, "mustUnderstand", version.true_word().into());
        }
        if let Some(actor) = &self.profile.actor {
            security = security.with(soap, version.actor(), actor.as_str().into());
        }
        security
    }

    /// From the moment of signing for as long as the profile says, with three decimals (BSP R3220, R3229).
    fn check_lifetime(&self, timestamp: Element<'_>) -> Result<(), SelfCheckError> {
        let found = Timestamp::read(timestamp)?;
        let lifetime = self.profile.timestamp.unwrap_or_default();
        let expected = Timestamp {
            created: to_the_millisecond(self.now),
            expires: Some(to_the_millisecond(self.now + lifetime)),
        };
        let texts = timestamp.children().filter_map(Element::text);
        let has_three_decimals = texts
            .map(|text| text.len())
            .all(|length| length == "2026-01-31T12:00:00.000Z".len());
        match found == expected && has_three_decimals {
            true => Ok(()),
            false => Err(SelfCheckError::Header(format!(
                "the Timestamp is not from {} to {}",
                self.now,
                self.now + lifetime
            ))),
        }
    }

    /// The token carries the certificate, and a path just what leads from it towards the root.
    fn check_path(&self, message: &Message<'_>) -> Result<(), SelfCheckError> {
        let issuers = self.chain.iter().filter(|issuer| !issuer.is_self_issued());
        let issuers = issuers.filter(|_| self.profile.key_identifier == KeyIdentifier::PkiPath);
        match message
            .tokens
            .certificates()
            .eq(once(self.certificate).chain(issuers))
        {
            true => Ok(()),
            false => Err(SelfCheckError::Header(
                "the token has not just the certificates that it should have".into(),
            )),
        }
    }

    fn token(&self) -> Shape<'static> {
        let is_path = self.profile.key_identifier == KeyIdentifier::PkiPath;
        let content = match is_path {
            true => Value::Any,
            false => BASE64.encode(self.certificate.der()).into(),
        };
        let value_type = if is_path { X509_PKI_PATH } else { X509_V3 };
        Shape::new(WSSE, "BinarySecurityToken")
            .with(WSU, "Id", Value::Any)
            .with("", "EncodingType", BASE64_BINARY.into())
            .with("", "ValueType", value_type.into())
            .saying(content)
    }

    fn signature(&self, made: &Made<'_>, message: &Message<'_>) -> Result<Shape<'_>, VerifyError> {
        let signed_info = made.signature.signed_info;
        let mut lines = vec![
            self.canonical(DS, "CanonicalizationMethod", signed_info),
            Shape::new(DS, "SignatureMethod").with("", "Algorithm", method(made.signature.algorithm).into()),
        ];
        for reference in &made.signature.references {
            lines.push(self.reference(reference, message)?);
        }
        Ok(Shape::new(DS, "Signature").holding([
            Shape::new(DS, "SignedInfo").holding(lines),
            Shape::new(DS, "SignatureValue").saying(Value::Any),
            Shape::new(DS, "KeyInfo").holding([self.told_by()]),
        ]))
    }

    fn reference(&self, reference: &Reference, message: &Message<'_>) -> Result<Shape<'_>, VerifyError> {
        let transform = match reference.transform {
            Transform::Canonical(_) => self.canonical(DS, "Transform", message.ids.resolve(&reference.id)?),
            Transform::SecurityToken(_) => Shape::new(DS, "Transform")
                .with("", "Algorithm", STR_TRANSFORM.into())
                .holding([Shape::new(WSSE, "TransformationParameters").holding([Shape::new(
                    DS,
                    "CanonicalizationMethod",
                )
                .with("", "Algorithm", EXC_C14N.into())])]),
        };
        let digest = names::digest_algorithm(self.profile.digest_algorithm);
        Ok(Shape::new(DS, "Reference").with("", "URI", Value::Any).holding([
            Shape::new(DS, "Transforms").holding([transform]),
            Shape::new(DS, "DigestMethod").with("", "Algorithm", digest.into()),
            Shape::new(DS, "DigestValue").saying(Value::Any),
        ]))
    }

    /// Exclusive C14N of this element. An empty PrefixList is left out (BSP R5406, R5407).
    fn canonical(
        &self,
        namespace: &'static str,
        local: &'static str,
        element: Element<'_>,
    ) -> Shape<'static> {
        let method = Shape::new(namespace, local).with("", "Algorithm", EXC_C14N.into());
        let prefixes = match self.profile.inclusive_prefixes {
            InclusivePrefixes::InScope => prefixes(element),
            InclusivePrefixes::None => Vec::new(),
        };
        let list =
            Shape::new(EXC_C14N, "InclusiveNamespaces").with("", "PrefixList", prefixes.join(" ").into());
        method.holding((!prefixes.is_empty()).then_some(list))
    }

    /// What KeyInfo holds.
    fn told_by(&self) -> Shape<'_> {
        let certificate = self.certificate;
        let thumbprint = || key_identifier(THUMBPRINT_SHA1, &certificate.thumbprint());
        let (told, token_type) = match self.profile.key_identifier {
            KeyIdentifier::BinarySecurityToken => (direct(X509_V3), None),
            KeyIdentifier::PkiPath => (direct(X509_PKI_PATH), Some(X509_PKI_PATH)),
            KeyIdentifier::IssuerSerial => (issuer_serial(certificate), None),
            KeyIdentifier::Thumbprint => (thumbprint(), None),
            KeyIdentifier::SubjectKeyIdentifier => {
                let identifier = certificate.subject_key_identifier();
                let by_identifier = identifier.map(|identifier| key_identifier(X509_SKI, identifier));
                // BSP R5210
                (by_identifier.unwrap_or_else(thumbprint), None)
            }
            KeyIdentifier::X509Data => {
                let content = BASE64.encode(certificate.der());
                return Shape::new(DS, "X509Data")
                    .holding([Shape::new(DS, "X509Certificate").saying(content.into())]);
            }
        };
        let mut reference = Shape::new(WSSE, "SecurityTokenReference").holding([told]);
        if let Some(token_type) = token_type {
            reference = reference.with(WSSE11, "TokenType", token_type.into());
        }
        if self.profile.sign.contains(&Part::Token) && !carries_token(self.profile) {
            reference = reference.with(WSU, "Id", Value::Any);
        }
        reference
    }
}

fn timestamp() -> Shape<'static> {
    let instant = |local| Shape::new(WSU, local).saying(Value::Any);
    Shape::new(WSU, "Timestamp")
        .with(WSU, "Id", Value::Any)
        .holding([instant("Created"), instant("Expires")])
}

fn direct(value_type: &'static str) -> Shape<'static> {
    Shape::new(WSSE, "Reference")
        .with("", "URI", Value::Any)
        .with("", "ValueType", value_type.into())
}

fn key_identifier(value_type: &'static str, identifier: &[u8]) -> Shape<'static> {
    Shape::new(WSSE, "KeyIdentifier")
        .with("", "EncodingType", BASE64_BINARY.into())
        .with("", "ValueType", value_type.into())
        .saying(BASE64.encode(identifier).into())
}

fn issuer_serial(certificate: &Certificate) -> Shape<'_> {
    let name = Shape::new(DS, "X509IssuerName").saying(certificate.issuer_in_messages().into());
    let number = Shape::new(DS, "X509SerialNumber").saying(certificate.serial().into());
    Shape::new(DS, "X509Data").holding([Shape::new(DS, "X509IssuerSerial").holding([name, number])])
}

const fn method(algorithm: SignatureAlgorithm) -> &'static str {
    names::signature_algorithm(algorithm)
}

/// Those declared around the element that its start tag does not visibly use, sorted (BSP R5405, R5408).
fn prefixes(element: Element<'_>) -> Vec<String> {
    let around = successors(element.parent(), |at| at.parent());
    let declared = around.flat_map(Element::declarations);
    let mut prefixes: Vec<_> = declared
        .map(|declaration| declaration.prefix().into_owned())
        .filter(|prefix| *prefix != element.prefix() && !element.attributes().any(|at| at.has_prefix(prefix)))
        .map(|prefix| {
            if prefix.is_empty() {
                "#default".to_owned()
            } else {
                prefix
            }
        })
        .collect();
    prefixes.sort_unstable();
    prefixes.dedup();
    prefixes
}

fn to_the_millisecond(at: OffsetDateTime) -> OffsetDateTime {
    let at = at.to_offset(UtcOffset::UTC);
    at.replace_millisecond(at.millisecond()).unwrap_or(at)
}
