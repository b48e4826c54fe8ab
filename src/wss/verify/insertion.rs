//! What the signer put into a message: a Header, a Security header, or elements of one that was there; and
//! ids of the parts, with their declarations. It is found by where the profile has it, never by its looks: what
//! the sender wrote cannot pass for it, and is not judged.

use std::collections::HashSet;
use std::iter::{successors, zip};

use super::envelope::{Envelope, Outline};
use super::self_check::{SelfCheckError, demanded};
use crate::wss::names::{DS, WSSE, WSU};
use crate::wss::profile::{ExistingSecurityHeader, KeyIdentifier, Layout, Profile};
use crate::xml::libxml::{Element, Node};

/// The nodes by which a signed message may differ from the plain one.
pub(super) struct Insertion<'i, 'o> {
    /// Of the plain message: what had to go.
    pub(super) replaced: Vec<Node<'i>>,
    /// Of the signed message: what came in.
    pub(super) inserted: Vec<Node<'o>>,
    /// What came into the Security header.
    pub(super) elements: Vec<Element<'o>>,
    /// What came in around them.
    pub(super) created: Created,
}

/// What the message did not have, and has now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Created {
    /// A Header, with the Security header in it.
    Header,
    /// A Security header.
    Security,
    /// It had both.
    Neither,
}

impl<'i, 'o> Insertion<'i, 'o> {
    /// Finds it where it is allowed. Whether the rest is the same is not asked here.
    pub(super) fn find(
        plain: &Outline<'i>,
        signed: &Envelope<'o>,
        profile: &Profile,
    ) -> Result<Self, SelfCheckError> {
        let extended = plain
            .security
            .filter(|_| profile.existing_security_header != ExistingSecurityHeader::Replace);
        let replaced = plain.security.filter(|_| extended.is_none());
        let elements = security_elements(extended, signed.security, profile)?;
        let created = match (plain.header, extended) {
            (None, _) => Created::Header,
            (Some(_), None) => Created::Security,
            (Some(_), Some(_)) => Created::Neither,
        };
        let mut inserted: Vec<_> = match created {
            Created::Header => vec![Node::Element(signed.header)],
            Created::Security => vec![Node::Element(signed.security)],
            Created::Neither => elements.iter().copied().map(Node::Element).collect(),
        };
        let demanded: HashSet<_> = demanded(profile, signed).collect();
        for (before, after) in counterparts(plain, signed, extended, &elements)? {
            if demanded.contains(&after) {
                inserted.extend(added_id(before, after)?);
            }
        }
        Ok(Self {
            replaced: replaced.map(Node::Element).into_iter().collect(),
            inserted,
            elements,
            created,
        })
    }

    /// The one of this name that came into the Security header.
    pub(super) fn element(&self, namespace: &str, local: &str) -> Option<Element<'o>> {
        let mut elements = self.elements.iter().copied();
        elements.find(|element| element.is(namespace, local))
    }
}

/// The elements that came in stand together, in the order of the layout: behind a Timestamp that was there, else
/// before all others.
fn security_elements<'o>(
    extended: Option<Element<'_>>,
    security: Element<'o>,
    profile: &Profile,
) -> Result<Vec<Element<'o>>, SelfCheckError> {
    let theirs: Vec<_> = extended.into_iter().flat_map(Element::children).collect();
    let timestamp = theirs.iter().position(|child| child.is(WSU, "Timestamp"));
    let mut names = vec![(DS, "Signature")];
    if carries_token(profile) {
        names.insert(0, (WSSE, "BinarySecurityToken"));
    }
    let is_last = profile.layout == Layout::LaxTimestampLast;
    if profile.timestamp.is_some() && timestamp.is_none() {
        names.insert(if is_last { names.len() } else { 0 }, (WSU, "Timestamp"));
    }
    let at = timestamp
        .filter(|_| !is_last)
        .map_or(0, |timestamp| timestamp + 1);
    let elements: Vec<_> = security.children().skip(at).take(names.len()).collect();
    let is_named = |(element, (namespace, local)): (&Element<'_>, _)| element.is(namespace, local);
    let is_whole = security.children().count() == theirs.len() + names.len();
    match is_whole && zip(&elements, names).all(is_named) {
        true => Ok(elements),
        false => Err(SelfCheckError::Changed(
            "the Security header has not got just what the profile puts into it",
        )),
    }
}

/// Does a token travel along?
pub(super) fn carries_token(profile: &Profile) -> bool {
    match profile.key_identifier {
        KeyIdentifier::BinarySecurityToken | KeyIdentifier::PkiPath => true,
        KeyIdentifier::IssuerSerial | KeyIdentifier::SubjectKeyIdentifier | KeyIdentifier::Thumbprint => {
            profile.include_token
        }
        KeyIdentifier::X509Data => false,
    }
}

/// Every element that may have got an id, as it was and as it is: they stay in their order.
fn counterparts<'i, 'o>(
    plain: &Outline<'i>,
    signed: &Envelope<'o>,
    extended: Option<Element<'i>>,
    elements: &[Element<'o>],
) -> Result<Vec<(Element<'i>, Element<'o>)>, SelfCheckError> {
    let before = plain.header.into_iter().flat_map(Element::children);
    let before: Vec<_> = before.filter(|block| Some(*block) != plain.security).collect();
    let after = signed.header.children();
    let after: Vec<_> = after.filter(|block| *block != signed.security).collect();
    if before.len() != after.len() {
        return Err(SelfCheckError::Changed(
            "there are other header blocks than before",
        ));
    }
    let theirs = extended.into_iter().flat_map(Element::children);
    let kept = signed
        .security
        .children()
        .filter(|child| !elements.contains(child));
    let body = (plain.body, signed.body);
    Ok(zip(before, after)
        .chain(zip(theirs, kept))
        .chain([body])
        .collect())
}

/// The `wsu:Id` that a part has got, with the declaration that it needs. That must not rebind a prefix: names within
/// the part would look the same and mean something else.
fn added_id<'o>(before: Element<'_>, after: Element<'o>) -> Result<Vec<Node<'o>>, SelfCheckError> {
    let id = after.attributes().find(|attribute| attribute.is(WSU, "Id"));
    let Some(id) = id.filter(|_| before.attribute(WSU, "Id").is_none()) else {
        return Ok(Vec::new());
    };
    let declared = after.declarations().find(|declaration| {
        declaration.name() == WSU && !before.declarations().any(|old| old.says_the_same(*declaration))
    });
    let scope = successors(Some(before), |element| element.parent());
    let mut in_scope = scope.flat_map(Element::declarations);
    if declared.is_some_and(|new| in_scope.any(|old| old.prefix() == new.prefix())) {
        return Err(SelfCheckError::Changed(
            "the prefix of an id meant something else",
        ));
    }
    let id = [Node::Attribute(id)].into_iter();
    Ok(id.chain(declared.map(Node::Declaration)).collect())
}
