//! The places of a SOAP message: where a signed part may stand, and where the Security header is.
//!
//! Signature wrapping moves the signed part and puts another in its place. So what a reference
//! resolves to counts only where the application will read it.

use std::fmt;

use super::VerifyError;
use crate::wss::SoapVersion;
use crate::wss::names::{DS, ULTIMATE_RECEIVER, WSSE, WSU};
use crate::xml::libxml::Element;

/// A SOAP message, perhaps with a Security header for us.
#[derive(Clone, Copy)]
pub(super) struct Outline<'t> {
    pub(super) version: SoapVersion,
    pub(super) header: Option<Element<'t>>,
    pub(super) security: Option<Element<'t>>,
    pub(super) body: Element<'t>,
}

/// A SOAP message with a Security header for us.
#[derive(Clone, Copy)]
pub(super) struct Envelope<'t> {
    pub(super) version: SoapVersion,
    pub(super) header: Element<'t>,
    pub(super) security: Element<'t>,
    pub(super) body: Element<'t>,
}

impl<'t> Outline<'t> {
    /// Finds the places, where the Envelope holds nothing else: what stands beside the Body may be taken for it.
    /// `actor` is SOAP 1.1's actor or SOAP 1.2's role; none is the ultimate receiver.
    pub(super) fn read(root: Element<'t>, actor: Option<&str>) -> Result<Self, VerifyError> {
        let no_envelope = VerifyError::NotSoap("the root element is not an Envelope of SOAP 1.1 or 1.2");
        let version = soap_version(root).ok_or(no_envelope)?;
        let soap = version.namespace();
        let mut children = root.children().peekable();
        let header = children.next_if(|child| child.is(soap, "Header"));
        let body = children.next().filter(|child| child.is(soap, "Body"));
        let body = body.ok_or(VerifyError::NotSoap("it has no Body where one has to be"))?;
        if children.next().is_some() {
            return Err(VerifyError::NotSoap(
                "it holds more than Header and Body (WS-I Basic Profile R1011)",
            ));
        }
        let security = header
            .map(|header| security(header, version, actor))
            .transpose()?;
        Ok(Self {
            version,
            header,
            security: security.flatten(),
            body,
        })
    }
}

impl<'t> Envelope<'t> {
    /// Finds the places, see [`Outline::read`].
    pub(super) fn read(root: Element<'t>, actor: Option<&str>) -> Result<Self, VerifyError> {
        let Outline {
            version,
            header,
            security,
            body,
        } = Outline::read(root, actor)?;
        let header = header.ok_or(VerifyError::Unsigned("it has no Header"))?;
        let no_security = VerifyError::Unsigned("it has no Security header for this receiver");
        Ok(Self {
            version,
            header,
            security: security.ok_or(no_security)?,
            body,
        })
    }

    /// The Timestamp of the Security header; at most one (BSP R3227).
    pub(super) fn timestamp(&self) -> Result<Option<Element<'t>>, VerifyError> {
        let mut timestamps = self
            .security
            .children()
            .filter(|child| child.is(WSU, "Timestamp"));
        match (timestamps.next(), timestamps.next()) {
            (_, Some(_)) => Err(VerifyError::header("it has two Timestamps (BSP R3227)")),
            (timestamp, None) => Ok(timestamp),
        }
    }

    /// The signatures of the Security header.
    pub(super) fn signatures(&self) -> impl Iterator<Item = Element<'t>> {
        self.security.children().filter(|child| child.is(DS, "Signature"))
    }

    /// Where an element stands; none for places that carry no meaning of their own.
    pub(super) fn place(&self, element: Element<'t>) -> Option<Place> {
        let parent = element.parent()?;
        let name = || Name {
            namespace: element.namespace().into(),
            local: element.local_name().into(),
        };
        if element == self.body {
            Some(Place::Body)
        } else if parent == self.security {
            Some(if element.is(WSU, "Timestamp") {
                Place::Timestamp
            } else {
                Place::Security(name())
            })
        } else if parent == self.header && element != self.security {
            Some(Place::Header(name()))
        } else {
            None
        }
    }
}

/// The version of a SOAP Envelope; none of other elements.
#[must_use]
pub fn soap_version(root: Element<'_>) -> Option<SoapVersion> {
    let versions = [SoapVersion::Soap11, SoapVersion::Soap12];
    versions
        .into_iter()
        .find(|version| root.is(version.namespace(), "Envelope"))
}

/// Where a signed part may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `soap:Body`.
    Body,
    /// The Timestamp of the Security header.
    Timestamp,
    /// The token of the key that signed.
    Token,
    /// Anything else in the Security header.
    Security(Name),
    /// A header block.
    Header(Name),
}

/// The name of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Namespace name; empty for none.
    pub namespace: String,
    /// Local name.
    pub local: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => f.write_str("the Body"),
            Self::Timestamp => f.write_str("the Timestamp"),
            Self::Token => f.write_str("the signing token"),
            Self::Security(name) => write!(f, "{name} in the Security header"),
            Self::Header(name) => write!(f, "the header {name}"),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}{}", self.namespace, self.local)
    }
}

/// The Security header for this actor. Two would let one hide behind the other (WSS 1.1.1, section 6).
fn security<'t>(
    header: Element<'t>,
    version: SoapVersion,
    actor: Option<&str>,
) -> Result<Option<Element<'t>>, VerifyError> {
    let actor = actor.filter(|actor| !is_ultimate(actor));
    let for_us =
        |block: &Element<'t>| block.is(WSSE, "Security") && actor_of(*block, version).as_deref() == actor;
    let mut headers = header.children().filter(for_us);
    match (headers.next(), headers.next()) {
        (_, Some(_)) => Err(VerifyError::header("there are two for the same actor or role")),
        (security, None) => Ok(security),
    }
}

fn actor_of(block: Element<'_>, version: SoapVersion) -> Option<String> {
    let actor = block.attribute(version.namespace(), version.actor());
    actor.filter(|actor| !is_ultimate(actor))
}

/// Absent, empty and SOAP 1.2's ultimate receiver are the same (SOAP 1.2 part 1, section 2.2).
fn is_ultimate(actor: &str) -> bool {
    actor.is_empty() || actor == ULTIMATE_RECEIVER
}
