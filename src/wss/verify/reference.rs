//! One `ds:Reference` against the part it names: where the part stands, and what its digest is.

use super::crypto::{digest, hasher};
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
        let digests = self.digests(element, signer)?;
        if !digests.contains(&self.digest) {
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

    /// The digest, in every form in use of what was signed.
    fn digests(&self, element: Element<'_>, signer: &Signer<'_>) -> Result<Vec<Vec<u8>>, VerifyError> {
        match &self.transform {
            Transform::Canonical(form) => {
                let mut hasher = hasher(self.digest_algorithm)?;
                element.canonicalize_to(form, &mut hasher)?;
                Ok(vec![hasher.finish()?.to_vec()])
            }
            Transform::SecurityToken(form) => {
                let tokens = dereference(element, signer, form)?;
                tokens
                    .iter()
                    .map(|octets| Ok(digest(self.digest_algorithm, octets)?))
                    .collect()
            }
        }
    }
}
