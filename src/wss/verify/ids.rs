//! Elements by their ids, over the whole document.

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
    Doubled,
}

impl<'t> Ids<'t> {
    pub(super) fn of(root: Element<'t>) -> Self {
        let mut ids = HashMap::new();
        for element in root.descendants() {
            for id in ids_of(element) {
                let entry = ids.entry(id);
                let doubled = |found: &mut Found<'t>| {
                    // An element that carries one id twice, as wsu:Id and Id, is still one element
                    if !matches!(*found, Found::Once(at) if at == element) {
                        *found = Found::Doubled;
                    }
                };
                entry.and_modify(doubled).or_insert(Found::Once(element));
            }
        }
        Self(ids)
    }

    /// The one element of this id. Two are signature wrapping: one to be verified, one to be read.
    pub(super) fn resolve(&self, id: &str) -> Result<Element<'t>, VerifyError> {
        match self.0.get(id) {
            Some(Found::Once(element)) => Ok(*element),
            Some(Found::Doubled) => Err(VerifyError::Header(format!("the id {id} occurs more than once"))),
            None => Err(VerifyError::Header(format!("nothing has the id {id}"))),
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
