//! The Security header around Timestamp, token and Signature, and the edits that put it into the message
//! (WSS 1.1.1, section 5; WS-SecurityPolicy 1.3, section 6.7).

use bytes::Bytes;
use time::OffsetDateTime;

use super::envelope::{Opening, Outline, Place};
use super::error::SignError;
use super::names::WSSE;
use super::profile::{Layout, Part, Profile};
use super::reference::{Digest, PrefixList, Reference, Transform, new_id};
use super::{PlainMessage, Prepared, signature, timestamp};
use crate::xml::Limits;
use crate::xml::canonical::{Comments, Sink as _, canonicalize};
use crate::xml::namespace::Namespaces;
use crate::xml::splice::Edit;
use crate::xml::text::Exact;

/// Those of the parts, as they go into SignedInfo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digests {
    /// As it has to be.
    Right,
    /// The first is of something else.
    FirstWrong,
}

/// All edits that make the message a signed one.
pub(super) fn edits(
    message: &PlainMessage,
    profile: &Profile,
    prepared: &Prepared,
    now: OffsetDateTime,
    digests: Digests,
) -> Result<Vec<Edit>, SignError> {
    let outline = &message.outline;
    let mut namespaces = outline.namespaces.clone();
    let frame = Frame::new(outline, profile, &mut namespaces);
    let mut references = outline.references.clone();
    let timestamp = timestamp(message, profile, &namespaces, &mut references, now)?;
    let token_id = new_id("x509")?;
    let token = prepared
        .key_reference
        .token
        .as_ref()
        .map(|token| token.element(&token_id));
    let reference_id = token_reference(
        prepared,
        profile,
        token.as_deref(),
        &token_id,
        &namespaces,
        &mut references,
    )?;
    #[cfg(feature = "sabotage")]
    if let Some(sabotage) = profile.sabotage {
        sabotage.references(&mut references);
    }
    let Some(first) = references.first_mut() else {
        return Err(SignError::Profile(
            "the message has none of the parts that the profile's `sign` names".into(),
        ));
    };
    if digests == Digests::FirstWrong {
        first.digest = Digest::new(profile).finish();
    }
    let key_info = prepared
        .key_reference
        .key_info(Some(&token_id), reference_id.as_deref());
    let signature = signature::element(
        &references,
        namespaces,
        profile,
        &prepared.signer,
        prepared.algorithm,
        &key_info,
    )?;
    let token = token.unwrap_or_default();
    let content = match profile.layout {
        Layout::LaxTimestampLast => [token, signature, timestamp].concat(),
        Layout::Strict | Layout::Lax | Layout::LaxTimestampFirst => [timestamp, token, signature].concat(),
    };
    let mut edits = outline.edits.clone();
    edits.extend(frame.around(&outline.place, &content));
    Ok(edits)
}

/// Our Timestamp, digested if it is signed; empty where there is none or the message has its own.
fn timestamp(
    message: &PlainMessage,
    profile: &Profile,
    namespaces: &Namespaces,
    references: &mut Vec<Reference>,
    now: OffsetDateTime,
) -> Result<String, SignError> {
    if let Some(theirs) = &message.outline.timestamp {
        theirs
            .check(now)
            .map_err(|refusal| refusal.at(&message.segments))?;
        return Ok(String::new());
    }
    let Some(lifetime) = profile.timestamp else {
        return Ok(String::new());
    };
    let id = new_id("ts")?;
    let element = timestamp::element(&id, now, lifetime);
    if profile.sign.contains(&Part::Timestamp) {
        references.push(inserted_part(id, &element, &["wsu"], profile, namespaces)?);
    }
    Ok(element)
}

/// The Reference to the signing token, if it is signed; then also the id that its SecurityTokenReference
/// must have, where STR-Transform finds the token.
fn token_reference(
    prepared: &Prepared,
    profile: &Profile,
    token: Option<&str>,
    token_id: &str,
    namespaces: &Namespaces,
    references: &mut Vec<Reference>,
) -> Result<Option<String>, SignError> {
    if !profile.sign.contains(&Part::Token) {
        return Ok(None);
    }
    if let Some(element) = token {
        references.push(inserted_part(
            token_id.to_owned(),
            element,
            &["wsse", "wsu"],
            profile,
            namespaces,
        )?);
        return Ok(None);
    }
    let id = new_id("str")?;
    let mut digest = Digest::new(profile);
    digest.write(prepared.key_reference.dereferenced().as_bytes());
    let transform = Transform::SecurityTokenReference;
    references.push(Reference {
        id: id.clone(),
        transform,
        digest: digest.finish(),
    });
    Ok(Some(id))
}

/// A part that we insert. `used` are the prefixes that its start tag uses.
fn inserted_part(
    id: String,
    element: &str,
    used: &[&str],
    profile: &Profile,
    namespaces: &Namespaces,
) -> Result<Reference, SignError> {
    let is_used = |prefix| used.iter().any(|used| used.as_bytes() == namespaces.text(prefix));
    let list = PrefixList::of(profile.inclusive_prefixes, namespaces, namespaces.mark(), is_used);
    let digest = canonicalize(
        element.as_bytes(),
        Limits::default(),
        namespaces.clone(),
        list.names(),
        Comments::Omitted,
        Digest::new(profile),
    )
    .map_err(|error| SignError::Profile(format!("an inserted part cannot be canonicalised: {error}")))?;
    Ok(Reference {
        id,
        transform: Transform::Exclusive(list),
        digest: digest.finish(),
    })
}

/// What stands around the security elements, where the message does not have it yet.
struct Frame {
    before: String,
    after: String,
}

impl Frame {
    /// Binds what the new Security header declares.
    fn new(outline: &Outline, profile: &Profile, namespaces: &mut Namespaces) -> Self {
        if matches!(outline.place, Place::Security(_)) {
            return Self {
                before: String::new(),
                after: String::new(),
            };
        }
        let wsse = namespaces.number(b"wsse");
        namespaces.bind(wsse, WSSE.as_bytes());
        let attributes = soap_attributes(outline, profile, namespaces);
        let before = format!(r#"<wsse:Security xmlns:wsse="{WSSE}"{attributes}>"#);
        let after = "</wsse:Security>".to_owned();
        if matches!(outline.place, Place::Header(_)) {
            return Self { before, after };
        }
        let colon = if outline.prefix.is_empty() { "" } else { ":" };
        let header = format!("{}{colon}Header", outline.prefix);
        Self {
            before: format!("<{header}>{before}"),
            after: format!("{after}</{header}>"),
        }
    }

    fn around(self, place: &Place, content: &str) -> Vec<Edit> {
        let Self { before, after } = self;
        match place {
            Place::NewHeader(at) | Place::Header(Opening::At(at)) | Place::Security(Opening::At(at)) => {
                vec![Edit::Insert(
                    *at,
                    Bytes::from([&before, content, &after].concat()),
                )]
            }
            Place::Header(Opening::Empty { slash, name })
            | Place::Security(Opening::Empty { slash, name }) => vec![
                Edit::Insert(*slash, Bytes::from([">", &before, content, &after, "<"].concat())),
                Edit::Insert(slash + 1, Bytes::copy_from_slice(name.as_bytes())),
            ],
        }
    }
}

/// `mustUnderstand` and `actor` or `role`, in the message's own SOAP namespace. An attribute is in no default
/// namespace, so it may take a prefix of its own.
fn soap_attributes(outline: &Outline, profile: &Profile, namespaces: &mut Namespaces) -> String {
    if !profile.must_understand && profile.actor.is_none() {
        return String::new();
    }
    let soap = outline.version.namespace();
    let bound = namespaces
        .prefix_of(soap.as_bytes())
        .map(|prefix| String::from_utf8_lossy(prefix).into_owned());
    let mut attributes = String::new();
    let prefix = bound.unwrap_or_else(|| {
        let prefix = namespaces.unused_prefix("soap");
        let number = namespaces.number(prefix.as_bytes());
        namespaces.bind(number, soap.as_bytes());
        attributes = format!(r#" xmlns:{prefix}="{soap}""#);
        prefix
    });
    if profile.must_understand {
        attributes += &format!(r#" {prefix}:mustUnderstand="{}""#, outline.version.true_word());
    }
    if let Some(actor) = &profile.actor {
        attributes += &format!(r#" {prefix}:{}="{}""#, outline.version.actor(), Exact(actor));
    }
    attributes
}
