//! One `ds:Reference` against the part it names: where the part stands, and what its digest is.

use super::crypto::hasher;
use super::envelope::Place;
use super::security_token::dereference;
use super::signature::{Reference, Transform};
use super::{Message, Signer, VerifyError};
use crate::wss::profile::DigestAlgorithm;
use crate::xml::libxml::Element;

/// A part of the message whose digest is as signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoveredPart {
    /// Where it stands.
    pub place: Place,
    /// The id that the signature refers to it by.
    pub id: String,
    /// How it was digested.
    pub digest_algorithm: DigestAlgorithm,
    /// The digest of its octets: what another engine must find for the same part.
    pub digest: Vec<u8>,
}

impl Reference {
    /// Finds the part where it may stand, and compares its digest.
    pub(super) fn check(
        &self,
        message: &Message<'_>,
        signer: &Signer<'_>,
    ) -> Result<CoveredPart, VerifyError> {
        let element = message.ids.resolve(&self.id)?;
        let place = self.place(element, message, signer)?;
        if self.digest(element, signer)? != self.digest {
            return Err(VerifyError::Digest {
                place,
                id: self.id.clone(),
            });
        }
        Ok(CoveredPart {
            place,
            id: self.id.clone(),
            digest_algorithm: self.digest_algorithm,
            digest: self.digest.clone(),
        })
    }

    fn place(
        &self,
        element: Element<'_>,
        message: &Message<'_>,
        signer: &Signer<'_>,
    ) -> Result<Place, VerifyError> {
        let place = match self.transform {
            Transform::Canonical(_) if signer.key_info.is_token(element) => Some(Place::Token),
            Transform::Canonical(_) => message.envelope.place(element),
            Transform::SecurityToken(_) => signer.refers_by(element).then_some(Place::Token),
        };
        let misplaced = || {
            let reason = format!(
                "the reference to #{} leads to a {} where no signed part is expected",
                self.id,
                element.local_name()
            );
            VerifyError::Header(reason)
        };
        place.ok_or_else(misplaced)
    }

    fn digest(&self, element: Element<'_>, signer: &Signer<'_>) -> Result<Vec<u8>, VerifyError> {
        let mut hasher = hasher(self.digest_algorithm)?;
        match &self.transform {
            Transform::Canonical(form) => element.canonicalize_to(form, &mut hasher)?,
            Transform::SecurityToken(form) => hasher.update(&dereference(element, signer, form)?)?,
        }
        Ok(hasher.finish()?.to_vec())
    }
}
