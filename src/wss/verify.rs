//! Verifies signed SOAP messages with libxml2 and OpenSSL: the second engine.
//!
//! Strict is its only mode: what a standard or a rule against signature wrapping does not expect
//! is refused, never skipped. It shares names and policy with the signer, and no XML code, so that
//! each can check the other. A [`VerifiedMessage`] exists only when the Body, and the Timestamp where
//! there is one, are covered by a valid signature of a trusted certificate.

use time::OffsetDateTime;

mod crypto;
mod envelope;
mod error;
mod header;
mod ids;
mod insertion;
mod key_info;
mod reference;
mod security_token;
mod self_check;
mod serial_number;
mod shape;
mod signature;
mod signature_method;
mod strict;
mod timestamp;
mod tokens;
mod trust;
mod verified;

pub use envelope::{Name, Place, soap_version};
pub use error::{Stale, Untrusted, VerifyError};
pub use reference::CoveredPart;
pub use self_check::{Expected, SelfCheckError};
pub use timestamp::Timestamp;
pub use trust::Trust;
pub use verified::{VerifiedMessage, VerifiedSignature};

use envelope::Envelope;
use ids::Ids;
use key_info::KeyInfo;
use signature::Signature;
use tokens::Tokens;

use super::names::{DS, WSSE, WSU};
use super::policy::{MOST_SIGNATURES, Policy, SignedTimestamp};
use super::profile::ProcessingInstructions;
use crate::keys::Certificate;
use crate::xml::libxml::{Element, Tree};

/// What a receiver trusts and accepts.
#[derive(Debug, Clone, Default)]
pub struct Verifier {
    /// The certificates that may sign.
    pub trust: Trust,
    /// The algorithms, keys and times accepted.
    pub policy: Policy,
    /// The SOAP 1.1 `actor` or SOAP 1.2 `role` of the Security header; `None`: the ultimate receiver.
    pub actor: Option<String>,
}

impl Verifier {
    /// Verifies the message at `now`.
    ///
    /// # Errors
    /// With the first reason not to accept it; that nobody trusted signed it comes last.
    pub fn verify<'t>(
        &self,
        tree: &'t Tree,
        now: OffsetDateTime,
    ) -> Result<VerifiedMessage<'t>, VerifyError> {
        let message = Message::read(tree, self)?;
        let timestamp = message.envelope.timestamp()?.map(Timestamp::read).transpose()?;
        let signatures = self.verify_signatures(&message, now)?;
        message.check_text()?;
        if let Some(timestamp) = &timestamp {
            timestamp.check(&self.policy, now)?;
        }
        let places = self.policy.signed_timestamp.places(timestamp.is_some())?;
        let (body_signature, other_signatures) = verified::covering(signatures, places)?;
        let signed = |_: &Timestamp| {
            let mut all = std::iter::once(&body_signature).chain(&other_signatures);
            all.any(|made| made.counts_for(&Place::Timestamp))
        };
        let timestamp = timestamp.filter(signed);
        Ok(VerifiedMessage {
            version: message.envelope.version,
            body: message.envelope.body,
            timestamp,
            body_signature,
            other_signatures,
        })
    }

    /// Every signature has to be valid: one that is not is no reason to believe the others.
    fn verify_signatures(
        &self,
        message: &Message<'_>,
        now: OffsetDateTime,
    ) -> Result<Vec<VerifiedSignature>, VerifyError> {
        let elements: Vec<_> = message.envelope.signatures().take(MOST_SIGNATURES + 1).collect();
        match elements.len() {
            0 => Err(VerifyError::Unsigned("its Security header has no signature")),
            1..=MOST_SIGNATURES => elements
                .into_iter()
                .map(|element| self.verify_signature(element, message, now))
                .collect(),
            _ => Err(VerifyError::Header(format!(
                "it has more than {MOST_SIGNATURES} signatures"
            ))),
        }
    }

    fn verify_signature(
        &self,
        element: Element<'_>,
        message: &Message<'_>,
        now: OffsetDateTime,
    ) -> Result<VerifiedSignature, VerifyError> {
        let made = self.find_maker(element, message)?;
        let carried = message.tokens.certificates().chain(made.key_info.certificates());
        let trust = self.trust.judge(&made.certificate, carried, &self.policy, now);
        let parts = match trust {
            Ok(()) | Err(Untrusted::NoTrust) => made.check_parts(message)?,
            Err(Untrusted::NoPath(_) | Untrusted::KeyUsage) => Vec::new(),
        };
        Ok(VerifiedSignature {
            certificate: made.certificate,
            trust,
            algorithm: made.signature.algorithm,
            parts,
            value: made.signature.value,
        })
    }

    /// Whose signature it is, trusted or not. What it signs is not asked here.
    fn find_maker<'t>(&self, element: Element<'t>, message: &Message<'t>) -> Result<Made<'t>, VerifyError> {
        let signature = Signature::read(element, &self.policy)?;
        let key_info = KeyInfo::read(signature.key_info, message, &self.trust)?;
        let certificate = self.find_signer(&signature, &key_info, &message.tokens)?;
        Ok(Made {
            signature,
            key_info,
            certificate,
        })
    }

    /// The certificate whose key made the signature over SignedInfo.
    fn find_signer(
        &self,
        signature: &Signature<'_>,
        key_info: &KeyInfo<'_>,
        tokens: &Tokens<'_>,
    ) -> Result<Certificate, VerifyError> {
        let octets = signature.signed_info.canonicalize(&signature.form)?;
        let mut reason = key_info.unknown();
        for candidate in key_info.candidates(tokens, &self.trust) {
            match self.check_value(candidate, signature, &octets) {
                Ok(()) => return Ok(candidate.clone()),
                Err(error) => reason = error,
            }
        }
        Err(reason)
    }

    fn check_value(
        &self,
        certificate: &Certificate,
        signature: &Signature<'_>,
        octets: &[u8],
    ) -> Result<(), VerifyError> {
        let key = certificate.public_key();
        let unknown = || {
            VerifyError::Token(format!(
                "the key of {} is of an unknown type",
                certificate.subject()
            ))
        };
        let key_type = crypto::key_type(certificate).ok_or_else(unknown)?;
        self.policy.key(signature.algorithm, key_type)?;
        match crypto::verifies(key, key_type, signature.algorithm, octets, &signature.value) {
            true => Ok(()),
            false => Err(VerifyError::Signature {
                subject: certificate.subject().to_owned(),
            }),
        }
    }
}

/// The message while it is verified.
struct Message<'t> {
    envelope: Envelope<'t>,
    ids: Ids<'t>,
    tokens: Tokens<'t>,
}

impl<'t> Message<'t> {
    fn read(tree: &'t Tree, verifier: &Verifier) -> Result<Self, VerifyError> {
        let root = tree.root();
        let envelope = Envelope::read(root, verifier.actor.as_deref())?;
        let checked = match verifier.policy.processing_instructions {
            ProcessingInstructions::Reject => root,
            ProcessingInstructions::Keep => envelope.security,
        };
        if checked.holds_processing_instruction() {
            return Err(VerifyError::NotSoap("it holds a processing instruction"));
        }
        Ok(Self {
            tokens: Tokens::read(envelope.security.children(), &verifier.trust)?,
            ids: Ids::of(root),
            envelope,
        })
    }

    /// Of what is read here there is no text where elements stand. Last, since most of it has a sentence of its own.
    fn check_text(&self) -> Result<(), VerifyError> {
        let Envelope {
            header,
            security,
            body,
            ..
        } = self.envelope;
        let envelope = [body.parent(), Some(header), Some(security)];
        if let Some(at) = envelope.into_iter().flatten().find(|at| at.holds_words()) {
            return Err(VerifyError::StrayText(at.local_name().into_owned()));
        }
        let read = |child: &Element<'_>| {
            child.is(DS, "Signature") || child.is(WSU, "Timestamp") || child.is(WSSE, "BinarySecurityToken")
        };
        security
            .children()
            .filter(read)
            .try_for_each(strict::no_stray_text)
    }
}

impl SignedTimestamp {
    /// Of what a trusted signature has to cover.
    fn places(self, is_there: bool) -> Result<&'static [Place], VerifyError> {
        match (self, is_there) {
            (Self::WherePresent, false) | (Self::NotNeeded, _) => Ok(&[Place::Body]),
            (Self::WherePresent | Self::Always, true) => Ok(&[Place::Body, Place::Timestamp]),
            (Self::Always, false) => Err(VerifyError::header("it has no Timestamp")),
        }
    }
}

/// A signature whose value is right, by this certificate's key.
struct Made<'t> {
    signature: Signature<'t>,
    key_info: KeyInfo<'t>,
    certificate: Certificate,
}

impl Made<'_> {
    /// The parts that it signs, their digests compared.
    fn check_parts(&self, message: &Message<'_>) -> Result<Vec<CoveredPart>, VerifyError> {
        let signer = Signer {
            told_by: self.signature.key_info,
            key_info: &self.key_info,
            certificate: &self.certificate,
        };
        let references = self.signature.references.iter();
        references
            .map(|reference| reference.check(message, &signer))
            .collect()
    }
}

/// Who made a signature, and how it tells.
struct Signer<'m> {
    told_by: Element<'m>,
    key_info: &'m KeyInfo<'m>,
    certificate: &'m Certificate,
}

impl Signer<'_> {
    /// Is this the SecurityTokenReference that tells?
    fn refers_by(&self, element: Element<'_>) -> bool {
        element.is(WSSE, "SecurityTokenReference") && element.parent() == Some(self.told_by)
    }
}
