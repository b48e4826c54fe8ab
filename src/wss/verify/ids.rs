//! Elements by their ids, over the whole document. An id is what a processor of `xml:id` or of a schema makes of the
//! attribute, without white space around it; but only one that is written without any is referred to.

use std::collections::HashMap;

use super::VerifyError;
use crate::wss::names::WSU;
use crate::xml::libxml::{Attribute, Element};

/// Where ids lead. Only those that somebody asks for have to be unique: payloads have duplicates of
/// their own.
pub(super) struct Ids<'t>(HashMap<String, Found<'t>>);

#[derive(Clone, Copy)]
enum Found<'t> {
    Once(Element<'t>),
    /// With white space around it.
    Padded,
    Doubled,
}

impl<'t> Ids<'t> {
    pub(super) fn of(root: Element<'t>) -> Self {
        let mut ids = HashMap::new();
        for element in root.descendants() {
            for written in ids_of(element) {
                let id = written.trim_matches([' ', '\t', '\n', '\r']);
                let new = if id == written {
                    Found::Once(element)
                } else {
                    Found::Padded
                };
                let entry = ids.entry(id.to_owned());
                let beside = |found: &mut Found<'t>| *found = found.beside(new);
                entry.and_modify(beside).or_insert(new);
            }
        }
        Self(ids)
    }

    /// The one element of this id. Two are signature wrapping: one to be verified, one to be read.
    pub(super) fn resolve(&self, id: &str) -> Result<Element<'t>, VerifyError> {
        match self.0.get(id) {
            Some(Found::Once(element)) => Ok(*element),
            Some(Found::Doubled) => Err(VerifyError::Header(format!("the id {id} occurs more than once"))),
            Some(Found::Padded) | None => Err(VerifyError::Header(format!("nothing has the id {id}"))),
        }
    }
}

impl Found<'_> {
    /// An element that carries one id twice, as wsu:Id and Id, is still one element.
    fn beside(self, other: Self) -> Self {
        match (self, other) {
            (Self::Once(one), Self::Once(other)) if one == other => self,
            _ => Self::Doubled,
        }
    }
}

/// `wsu:Id` is an id by WSS 1.1.1, section 4.2; the others are in use. Nothing declares them, since no
/// DTD is read.
fn ids_of(element: Element<'_>) -> impl Iterator<Item = String> {
    const XML: &str = "http://www.w3.org/XML/1998/namespace";
    const NAMES: [(&str, &str); 5] = [(WSU, "Id"), ("", "Id"), ("", "ID"), ("", "id"), (XML, "id")];
    let is_id = |attribute: &Attribute<'_>| {
        NAMES
            .iter()
            .any(|(namespace, local)| attribute.is(namespace, local))
    };
    element.attributes().filter(is_id).map(Attribute::value)
}
