//! What verification proves.

use super::{CoveredPart, Place, Timestamp, Untrusted, VerifyError};
use crate::keys::{Certificate, SignatureAlgorithm};
use crate::wss::SoapVersion;
use crate::xml::libxml::Element;

/// A message whose Body, and Timestamp where it has one, somebody trusted has signed.
pub struct VerifiedMessage<'t> {
    pub(super) version: SoapVersion,
    pub(super) body: Element<'t>,
    pub(super) timestamp: Option<Timestamp>,
    pub(super) body_signature: VerifiedSignature,
    pub(super) other_signatures: Vec<VerifiedSignature>,
}

/// One valid signature.
#[derive(Debug, Clone)]
pub struct VerifiedSignature {
    /// The certificate of the key that made it.
    pub certificate: Certificate,
    /// Whether that is trusted. If not, it covers nothing that counts.
    pub trust: Result<(), Untrusted>,
    /// How it was made.
    pub algorithm: SignatureAlgorithm,
    /// What it covers; empty where others are trusted, but not who made this one.
    pub parts: Vec<CoveredPart>,
    /// The signature itself: no two messages have the same.
    pub value: Vec<u8>,
}

impl<'t> VerifiedMessage<'t> {
    /// Its SOAP version.
    #[must_use]
    pub fn soap_version(&self) -> SoapVersion {
        self.version
    }

    /// The Body: the very element that was verified.
    #[must_use]
    pub fn body(&self) -> Element<'t> {
        self.body
    }

    /// The Timestamp, fresh and covered. One that need not be covered and is not proves nothing, and is left out.
    #[must_use]
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.timestamp
    }

    /// The trusted signature that covers the Body.
    #[must_use]
    pub fn body_signature(&self) -> &VerifiedSignature {
        &self.body_signature
    }

    /// Every signature, that of the Body first.
    pub fn signatures(&self) -> impl Iterator<Item = &VerifiedSignature> {
        std::iter::once(&self.body_signature).chain(&self.other_signatures)
    }
}

impl VerifiedSignature {
    fn covers(&self, place: &Place) -> bool {
        self.parts.iter().any(|part| part.place == *place)
    }

    pub(super) fn counts_for(&self, place: &Place) -> bool {
        self.trust.is_ok() && self.covers(place)
    }

    fn not_trusted(&self, reason: &Untrusted) -> VerifyError {
        VerifyError::NotTrusted {
            certificate: self.certificate.clone(),
            reason: reason.clone(),
        }
    }
}

/// The signature that covers the first of these places, and the others, when somebody trusted covers
/// every one.
pub(super) fn covering(
    mut signatures: Vec<VerifiedSignature>,
    places: &[Place],
) -> Result<(VerifiedSignature, Vec<VerifiedSignature>), VerifyError> {
    let mut first = None;
    for place in places {
        match signatures.iter().position(|made| made.counts_for(place)) {
            Some(at) => first = first.or(Some(at)),
            None => return Err(not_covered(&signatures, places, place)),
        }
    }
    match first {
        Some(first) => Ok((signatures.remove(first), signatures)),
        None => Err(VerifyError::Unsigned("nothing of it has to be signed")),
    }
}

/// Nobody trusted covers `place`: is it that nobody does, or that who does is a stranger?
fn not_covered(signatures: &[VerifiedSignature], places: &[Place], place: &Place) -> VerifyError {
    let stranger = signatures
        .iter()
        .find_map(|made| Some((made, made.trust.as_ref().err()?)));
    let bare = places
        .iter()
        .find(|&place| !signatures.iter().any(|made| made.covers(place)));
    match (stranger, bare) {
        (Some((made, reason)), None) => made.not_trusted(reason),
        (Some((made, reason @ (Untrusted::NoPath(_) | Untrusted::KeyUsage))), _) => made.not_trusted(reason),
        (_, bare) => VerifyError::NotCovered(bare.unwrap_or(place).clone()),
    }
}
