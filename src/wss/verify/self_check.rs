//! Proves of a signed message that it is the plain one with our insertions, rightly signed, before it
//! leaves. By the second engine: an error of the signer is not made twice. What the sender wrote is the
//! receiver's to judge, and so is a certificate's validity: only our own elements are verified here.

use time::OffsetDateTime;

use super::envelope::{Envelope, Outline};
use super::insertion::Insertion;
use super::{CoveredPart, Ids, Made, Message, Tokens, Trust, Verifier, VerifyError, crypto};
use crate::keys::{Certificate, KeyType};
use crate::wss::names::{DS, WSA, WSA_2004, WSSE, WSU};
use crate::wss::policy::{Policy, Sha1};
use crate::wss::profile::{Part, Profile};
use crate::xml::Limits;
use crate::xml::libxml::{Element, Tree, same};

/// What is wrong with a signed message of ours, which must not leave, or that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelfCheckError {
    /// The plain message cannot be read by this engine.
    #[error("the plain message: {0}")]
    Input(VerifyError),
    /// More changed than a Security header and ids coming in.
    #[error("the message was changed: {0}")]
    Changed(&'static str),
    /// It would not be accepted.
    #[error("the signed message: {0}")]
    Output(#[from] VerifyError),
    /// Another certificate than that of the key that was to sign.
    #[error("signed by {found} in place of {expected}")]
    Certificate {
        /// Subject of the one that signed.
        found: String,
        /// Subject of the one that was to.
        expected: String,
    },
    /// Another algorithm than the profile's.
    #[error("made with {found} in place of {expected}")]
    Algorithm {
        /// Of the signature, or of a Reference.
        found: String,
        /// The profile's.
        expected: String,
    },
    /// The Security header, or what came into it, is not what the profile demands.
    #[error("the Security header is not what the profile demands: {0}")]
    Header(String),
    /// It took longer than it may; nothing is known.
    #[error("it was given up, for it took too long")]
    GivenUp,
    /// The parts signed are not those that the profile demands.
    #[error("signed are {found}; the profile demands {demanded}")]
    Parts {
        /// Those signed.
        found: String,
        /// Those demanded.
        demanded: String,
    },
}

/// What has to be true of a message that was signed.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// How it was to be signed.
    pub profile: &'a Profile,
    /// Those of the plain message.
    pub limits: &'a Limits,
    /// Of the key that was to sign.
    pub certificate: &'a Certificate,
    /// Further certificates of its path, the issuer's first.
    pub chain: &'a [Certificate],
    /// When it was signed.
    pub now: OffsetDateTime,
}

impl Expected<'_> {
    /// Checks that `output` is `input` signed with the key of the certificate as the profile says: the rest of it
    /// shows what the input shows; signature value and digests verify; certificate, algorithms and parts are
    /// those expected; and of what came in, nothing else is there.
    ///
    /// The time is linear in the bytes of both. `goes_on` is asked between steps, each of which takes a part of it.
    ///
    /// # Errors
    /// With the first that does not hold; [`SelfCheckError::GivenUp`] once `goes_on` says no.
    pub fn check(
        &self,
        input: &[u8],
        output: &[u8],
        goes_on: &dyn Fn() -> bool,
    ) -> Result<(), SelfCheckError> {
        let still = || goes_on().then_some(()).ok_or(SelfCheckError::GivenUp);
        let actor = self.profile.actor.as_deref();
        let input = Tree::parse_as(input, UTF_8, self.limits);
        let input = input.map_err(|error| SelfCheckError::Input(error.into()))?;
        still()?;
        let output =
            Tree::parse_as(output, UTF_8, &with_insertion(self.limits)).map_err(VerifyError::from)?;
        still()?;
        let plain = Outline::read(input.root(), actor).map_err(SelfCheckError::Input)?;
        let envelope = Envelope::read(output.root(), actor)?;

        let insertion = Insertion::find(&plain, &envelope, self.profile)?;
        let plain = (&input, &*insertion.replaced);
        let signed = (&output, &*insertion.inserted);
        match same(plain, signed, goes_on) {
            Some(true) => {}
            Some(false) => {
                return Err(SelfCheckError::Changed(
                    "what is left without the insertions differs",
                ));
            }
            None => return Err(SelfCheckError::GivenUp),
        }
        self.check_signature(&output, envelope, &insertion)
    }

    fn check_signature<'o>(
        &self,
        output: &'o Tree,
        envelope: Envelope<'o>,
        insertion: &Insertion<'_, 'o>,
    ) -> Result<(), SelfCheckError> {
        let no_signature = VerifyError::Unsigned("its Security header has no signature");
        let signature = insertion.element(DS, "Signature").ok_or(no_signature)?;
        let verifier = self.verifier();
        let message = Message {
            tokens: Tokens::read(insertion.elements.iter().copied(), &verifier.trust)?,
            ids: Ids::of(output.root()),
            envelope,
        };
        let made = verifier.find_maker(signature, &message)?;
        let parts = made.check_parts(&message)?;
        self.check_maker(&made, &parts)?;
        let token = self.profile.sign.contains(&Part::Token);
        let token = token.then(|| signing_token(insertion, signature)).flatten();
        check_parts(&parts, demanded(self.profile, &envelope).chain(token), &envelope)?;
        self.check_header(insertion, &made, &message)
    }

    /// Finds the certificate also where the message only refers to it, and accepts whatever a profile may ask for.
    fn verifier(&self) -> Verifier {
        Verifier {
            trust: Trust::new(vec![self.certificate.clone()]),
            policy: Policy {
                sha1: Sha1::Allowed,
                ..Policy::outbound()
            },
            actor: self.profile.actor.clone(),
        }
    }

    fn check_maker(&self, made: &Made<'_>, parts: &[CoveredPart]) -> Result<(), SelfCheckError> {
        if made.certificate != *self.certificate {
            let [found, expected] = [&made.certificate, self.certificate].map(|of| of.subject().to_owned());
            return Err(SelfCheckError::Certificate { found, expected });
        }
        let by_key = || crypto::key_type(self.certificate).map(KeyType::auto);
        let signature = self.profile.signature_algorithm.or_else(by_key);
        let digest = self.profile.digest_algorithm;
        let other = parts.iter().find(|part| part.digest_algorithm != digest);
        let (found, expected) = match (other, signature) {
            (Some(part), _) => (part.digest_algorithm.to_string(), digest.to_string()),
            (None, Some(expected)) if made.signature.algorithm != expected => {
                (made.signature.algorithm.to_string(), expected.to_string())
            }
            (None, _) => return Ok(()),
        };
        Err(SelfCheckError::Algorithm { found, expected })
    }
}

/// What we sign and send is in it, whatever a declaration says that a mark or charset overruled.
const UTF_8: Option<&str> = Some("utf-8");

/// The parts that the profile demands of a message, but for the token.
pub(super) fn demanded<'t>(profile: &Profile, envelope: &Envelope<'t>) -> impl Iterator<Item = Element<'t>> {
    let signs = |part: &Part| profile.sign.contains(part);
    let is_named = |block: &Element<'_>| {
        profile.sign.iter().any(|part| match part {
            Part::Addressing => [WSA, WSA_2004].contains(&block.namespace().as_ref()),
            Part::Header { namespace, local } => block.is(namespace, local),
            Part::Body | Part::Timestamp | Part::Token => false,
        })
    };
    let blocks = envelope.header.children();
    let blocks = blocks.filter(move |block| !block.is(WSSE, "Security") && is_named(block));
    let timestamps = envelope
        .security
        .children()
        .filter(|child| child.is(WSU, "Timestamp"));
    let body = signs(&Part::Body).then_some(envelope.body);
    let signs_timestamp = signs(&Part::Timestamp);
    let timestamps = timestamps.filter(move |_| signs_timestamp);
    blocks.chain(timestamps).chain(body)
}

/// What a Reference to the token names: the token, or else the SecurityTokenReference that stands for it.
fn signing_token<'o>(insertion: &Insertion<'_, 'o>, signature: Element<'o>) -> Option<Element<'o>> {
    let within = |parent: Element<'o>, namespace: &str, local: &str| {
        let mut children = parent.children();
        children.find(|child| child.is(namespace, local))
    };
    let reference = || within(within(signature, DS, "KeyInfo")?, WSSE, "SecurityTokenReference");
    insertion.element(WSSE, "BinarySecurityToken").or_else(reference)
}

/// Ids tell parts: the References to them have been resolved, each to the only element of its id.
fn check_parts<'o>(
    signed: &[CoveredPart],
    demanded: impl Iterator<Item = Element<'o>>,
    envelope: &Envelope<'o>,
) -> Result<(), SelfCheckError> {
    let demanded: Vec<_> = demanded.collect();
    let id = |part: &Element<'_>| part.attribute(WSU, "Id").unwrap_or_default();
    if sorted(signed.iter().map(|part| part.id.clone())) == sorted(demanded.iter().map(id)) {
        return Ok(());
    }
    let place = |part: &Element<'o>| envelope.place(*part).map(|place| place.to_string());
    Err(SelfCheckError::Parts {
        found: sorted(signed.iter().map(|part| part.place.to_string())).join(", "),
        demanded: sorted(demanded.iter().filter_map(place)).join(", "),
    })
}

fn sorted(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut words: Vec<_> = words.collect();
    words.sort_unstable();
    words
}

/// A message at its limits has to have room for our elements, and for an id and its declaration on a part. Names and
/// values are as long as the plain message has them, or ours.
fn with_insertion(limits: &Limits) -> Limits {
    /// Down to the `InclusiveNamespaces` of an STR-Transform.
    const DEPTH: usize = 11;
    /// More than an element of ours has, and more than it has in scope beyond the message's.
    const ATTRIBUTES: usize = 16;
    /// More than there are in what we put in.
    const NAMES: usize = 256;
    Limits {
        depth: limits.depth.max(DEPTH),
        attributes: limits.attributes.saturating_add(ATTRIBUTES),
        declarations: limits.declarations.saturating_add(ATTRIBUTES),
        open_attributes: limits.open_attributes.saturating_add(ATTRIBUTES),
        names: limits.names.saturating_add(NAMES),
        name: usize::MAX,
        value: usize::MAX,
        namespace: usize::MAX,
    }
}
