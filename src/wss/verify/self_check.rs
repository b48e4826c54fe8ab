//! Proves of a signed message that it is the plain one with our insertions, rightly signed, before it
//! leaves. By the second engine: an error of the signer is not made twice.

use time::OffsetDateTime;

use super::envelope::{Envelope, Outline};
use super::insertion::Insertion;
use super::{CoveredPart, Message, Place, Timestamp, Trust, Verifier, VerifyError, crypto};
use crate::keys::Certificate;
use crate::wss::names::{WSA, WSA_2004};
use crate::wss::policy::{Policy, Sha1};
use crate::wss::profile::{DigestAlgorithm, Part, Profile};
use crate::xml::Limits;
use crate::xml::libxml::{CanonicalForm, Element, Mode, Node, Tree};

/// What is wrong with a signed message of ours. It must not leave.
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
    /// The parts signed are not those that the profile demands.
    #[error("signed are {found}; the profile demands {demanded}")]
    Parts {
        /// Those signed.
        found: String,
        /// Those demanded.
        demanded: String,
    },
}

/// Checks that `output` is `input` signed with the key of `certificate` as the profile says: the rest of it has the
/// input's canonical form; signature value and digests verify; the certificate is the one; so are the parts.
///
/// # Errors
/// With the first that does not hold.
pub fn self_check(
    input: &[u8],
    output: &[u8],
    profile: &Profile,
    certificate: &Certificate,
    now: OffsetDateTime,
) -> Result<(), SelfCheckError> {
    let parse = |bytes| Tree::parse(bytes, &Limits::default());
    let input = parse(input).map_err(|error| SelfCheckError::Input(error.into()))?;
    let output = parse(output).map_err(VerifyError::from)?;
    let plain = Outline::read(input.root(), profile.actor.as_deref()).map_err(SelfCheckError::Input)?;
    let verifier = verifier(profile, certificate);
    let message = Message::read(&output, &verifier)?;

    let insertion = Insertion::find(&plain, &message.envelope, profile)?;
    if digest(&input, &insertion.replaced)? != digest(&output, &insertion.inserted)? {
        return Err(SelfCheckError::Changed(
            "what is left without the insertions differs",
        ));
    }
    // Whether an expired certificate may sign is not asked here
    let made = verifier.verify_signature(insertion.signature, &message, certificate.not_before())?;
    if made.certificate != *certificate {
        let [found, expected] = [&made.certificate, certificate].map(|of| of.subject().to_owned());
        return Err(SelfCheckError::Certificate { found, expected });
    }
    let timestamp = message.envelope.timestamp()?.map(Timestamp::read).transpose()?;
    timestamp.map_or(Ok(()), |timestamp| timestamp.check(&verifier.policy, now))?;
    check_parts(
        &made.parts,
        &demanded(profile, &message.envelope, timestamp.is_some()),
    )
}

/// Finds the certificate also where the message only refers to it, and accepts whatever a profile may ask for.
fn verifier(profile: &Profile, certificate: &Certificate) -> Verifier {
    Verifier {
        trust: Trust::new(vec![certificate.clone()]),
        policy: Policy {
            sha1: Sha1::Allowed,
            ..Policy::outbound()
        },
        actor: profile.actor.clone(),
    }
}

/// SHA-256 of what the document shows without these nodes, comments among it.
fn digest(tree: &Tree, hidden: &[Node<'_>]) -> Result<Vec<u8>, VerifyError> {
    let form = CanonicalForm {
        with_comments: true,
        ..CanonicalForm::new(Mode::Inclusive)
    };
    let mut hasher = crypto::hasher(DigestAlgorithm::Sha256)?;
    tree.canonicalize_without(hidden, &form, &mut hasher)?;
    Ok(hasher.finish()?.to_vec())
}

/// Where the parts stand that the profile demands.
fn demanded(profile: &Profile, envelope: &Envelope<'_>, timestamp: bool) -> Vec<Place> {
    let blocks: Vec<_> = envelope
        .header
        .children()
        .filter(|block| *block != envelope.security)
        .collect();
    let is_signed = |block: &Element<'_>| {
        profile.sign.iter().any(|part| match part {
            Part::Addressing => [WSA, WSA_2004].contains(&block.namespace().as_ref()),
            Part::Header { namespace, local } => block.is(namespace, local),
            Part::Body | Part::Timestamp | Part::Token => false,
        })
    };
    let signed = |part: &Part| profile.sign.contains(part);
    let single = [
        signed(&Part::Body).then_some(Place::Body),
        (signed(&Part::Timestamp) && (timestamp || profile.timestamp.is_some())).then_some(Place::Timestamp),
        signed(&Part::Token).then_some(Place::Token),
    ];
    let blocks = blocks
        .into_iter()
        .filter(is_signed)
        .filter_map(|block| envelope.place(block));
    single.into_iter().flatten().chain(blocks).collect()
}

fn check_parts(signed: &[CoveredPart], demanded: &[Place]) -> Result<(), SelfCheckError> {
    let sorted = |places: Vec<String>| {
        let mut places = places;
        places.sort();
        places.join(", ")
    };
    let found = sorted(signed.iter().map(|part| part.place.to_string()).collect());
    let demanded = sorted(demanded.iter().map(Place::to_string).collect());
    match found == demanded {
        true => Ok(()),
        false => Err(SelfCheckError::Parts { found, demanded }),
    }
}
