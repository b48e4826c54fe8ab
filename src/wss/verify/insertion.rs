//! What the signer put into a message, told from what was there: a Header, a Security header, or children of
//! one that was there; and ids of the parts, with their declarations.

use super::envelope::{Envelope, Outline};
use super::self_check::SelfCheckError;
use crate::wss::names::{DS, WSU};
use crate::wss::profile::{ExistingSecurityHeader, Profile};
use crate::xml::libxml::{CanonicalForm, Element, Mode, Node};

/// The nodes by which a signed message may differ from the plain one.
pub(super) struct Insertion<'i, 'o> {
    /// Of the plain message: what had to go.
    pub(super) replaced: Vec<Node<'i>>,
    /// Of the signed message: what came in.
    pub(super) inserted: Vec<Node<'o>>,
    /// The signature among them.
    pub(super) signature: Element<'o>,
}

impl<'i, 'o> Insertion<'i, 'o> {
    /// Finds it where it is allowed. Whether the rest is the same is not asked here.
    pub(super) fn find(
        plain: &Outline<'i>,
        signed: &Envelope<'o>,
        profile: &Profile,
    ) -> Result<Self, SelfCheckError> {
        let mut replaced = Vec::new();
        let mut inserted = added_id(plain.body, signed.body);
        let before = plain
            .security
            .filter(|_| profile.existing_security_header != ExistingSecurityHeader::Replace);
        let new: Vec<_> = match before {
            Some(before) => new_children(before, signed.security, &mut inserted)?,
            None => signed.security.children().collect(),
        };
        match (plain.header, before) {
            (None, _) => inserted.push(Node::Element(signed.header)),
            (Some(_), None) => inserted.push(Node::Element(signed.security)),
            (Some(_), Some(_)) => inserted.extend(new.iter().copied().map(Node::Element)),
        }
        if before.is_none() {
            replaced.extend(plain.security.map(Node::Element));
        }
        inserted.extend(ids_of_blocks(plain, signed)?);
        Ok(Self {
            replaced,
            inserted,
            signature: the_signature(&new)?,
        })
    }
}

/// Header blocks but ours stay in their order; each may have got an id.
fn ids_of_blocks<'o>(plain: &Outline<'_>, signed: &Envelope<'o>) -> Result<Vec<Node<'o>>, SelfCheckError> {
    let before = plain.header.into_iter().flat_map(Element::children);
    let before: Vec<_> = before.filter(|block| Some(*block) != plain.security).collect();
    let after: Vec<_> = signed
        .header
        .children()
        .filter(|block| *block != signed.security)
        .collect();
    if before.len() != after.len() {
        return Err(SelfCheckError::Changed(
            "there are other header blocks than before",
        ));
    }
    Ok(before
        .into_iter()
        .zip(after)
        .flat_map(|(before, after)| added_id(before, after))
        .collect())
}

/// The children that an extended Security header has got; those that were there may have got ids.
fn new_children<'o>(
    before: Element<'_>,
    after: Element<'o>,
    inserted: &mut Vec<Node<'o>>,
) -> Result<Vec<Element<'o>>, SelfCheckError> {
    let mut old = before.children().peekable();
    let mut new = Vec::new();
    for child in after.children() {
        match old.next_if(|old| is_same(*old, child)) {
            Some(old) => inserted.extend(added_id(old, child)),
            None => new.push(child),
        }
    }
    match old.next() {
        None => Ok(new),
        Some(_) => Err(SelfCheckError::Changed("the Security header has lost something")),
    }
}

/// An element with an id added is told by its name: only the one Timestamp of a header gets an id.
fn is_same(before: Element<'_>, after: Element<'_>) -> bool {
    let canonical = |element: Element<'_>| element.canonicalize(&CanonicalForm::new(Mode::Exclusive)).ok();
    let named = after.is(&before.namespace(), &before.local_name());
    named && (!added_id(before, after).is_empty() || canonical(before) == canonical(after))
}

/// The `wsu:Id` that an element has got, with the declaration that it needs.
fn added_id<'o>(before: Element<'_>, after: Element<'o>) -> Vec<Node<'o>> {
    let id = after.attributes().find(|attribute| attribute.is(WSU, "Id"));
    let id = id.filter(|_| before.attribute(WSU, "Id").is_none());
    let declared = after.declarations().find(|declaration| {
        declaration.name() == WSU && !before.declarations().any(|old| old.says_the_same(*declaration))
    });
    let declared = declared.filter(|_| id.is_some());
    id.map(Node::Attribute)
        .into_iter()
        .chain(declared.map(Node::Declaration))
        .collect()
}

fn the_signature<'o>(new: &[Element<'o>]) -> Result<Element<'o>, SelfCheckError> {
    let mut signatures = new.iter().copied().filter(|child| child.is(DS, "Signature"));
    match (signatures.next(), signatures.next()) {
        (Some(signature), None) => Ok(signature),
        _ => Err(SelfCheckError::Changed("not exactly one signature came in")),
    }
}
