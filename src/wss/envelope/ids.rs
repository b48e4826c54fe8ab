//! Ids that References name must be unique over every attribute that anybody takes for an id (signature
//! wrapping moves the signed element away and leaves another of its id). Other duplicates pass.

use std::collections::HashSet;

use crate::wss::error::{Reason, Refusal};
use crate::wss::names::WSU;
use crate::xml::scan::{Attribute, StartTag};

/// The ids of a message, as far as they matter.
#[derive(Default)]
pub(super) struct Ids {
    /// All that stand before the Body: a part that comes later may have one of them.
    met: HashSet<Box<[u8]>>,
    /// Those that References name.
    named: HashSet<Box<[u8]>>,
}

impl Ids {
    /// The part's own id, to be named by a Reference.
    pub(super) fn name(&mut self, id: &[u8], tag: &StartTag<'_>) -> Result<String, Refusal> {
        let text = String::from_utf8_lossy(id).into_owned();
        let refuse = |reason| {
            Err(Refusal {
                offset: Some(tag.source.start()),
                reason,
            })
        };
        if !can_be_referred_to(&text) {
            return refuse(Reason::IdNotReferable(shown(&text)));
        }
        if self.met.contains(id) || !self.named.insert(id.into()) {
            return refuse(Reason::IdNotUnique(shown(&text)));
        }
        Ok(text)
    }

    /// Takes note of the ids of a start tag. `own` is the id by which a Reference names this element.
    pub(super) fn meet(
        &mut self,
        tag: &StartTag<'_>,
        own: Option<&str>,
        in_body: bool,
    ) -> Result<(), Refusal> {
        for attribute in tag.attributes.iter().filter(|attribute| is_id(tag, attribute)) {
            let id = without_white_space_around(tag.value(attribute));
            if own.is_some_and(|own| own.as_bytes() == id) {
                continue;
            }
            if self.named.contains(id) {
                let reason = Reason::IdNotUnique(shown(&String::from_utf8_lossy(id)));
                return Err(Refusal {
                    offset: Some(tag.source.start()),
                    reason,
                });
            }
            // No part begins within the Body, so its ids need not be kept.
            if !in_body {
                self.met.insert(id.into());
            }
        }
        Ok(())
    }
}

/// As much of an id as people need: it may be as long as any value.
fn shown(id: &str) -> String {
    const MOST: usize = 64;
    match id.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", id.get(..end).unwrap_or_default()),
        None => id.to_owned(),
    }
}

/// wsu:Id, Id, ID, id and xml:id.
fn is_id(tag: &StartTag<'_>, attribute: &Attribute) -> bool {
    match tag.attribute_local_name(attribute) {
        b"Id" => {
            matches!(tag.attribute_namespace(attribute), namespace if namespace.is_empty() || namespace == WSU.as_bytes())
        }
        b"ID" => tag.attribute_namespace(attribute).is_empty(),
        b"id" => {
            let namespace = tag.attribute_namespace(attribute);
            namespace.is_empty() || namespace == crate::xml::namespace::XML
        }
        _ => false,
    }
}

/// What a processor of `xml:id`, or of a schema, makes of it. In a canonical value white space but for the blank is a
/// reference.
fn without_white_space_around(value: &[u8]) -> &[u8] {
    const REFERENCES: [&[u8]; 3] = [b"&#x9;", b"&#xA;", b"&#xD;"];
    let mut id = value.trim_ascii();
    loop {
        let reference = |id: &[u8], at_start: bool| {
            let mut all = REFERENCES.into_iter();
            all.find(|reference| {
                if at_start {
                    id.starts_with(reference)
                } else {
                    id.ends_with(reference)
                }
            })
        };
        let inner = match (reference(id, true), reference(id, false)) {
            (Some(first), _) => id.get(first.len()..),
            (None, Some(last)) => id.len().checked_sub(last.len()).and_then(|end| id.get(..end)),
            (None, None) => return id,
        };
        id = inner.unwrap_or_default().trim_ascii();
    }
}

/// Whether `#id` is a URI reference that means this id and nothing else (RFC 3986, section 3.5). `xsd:ID` allows
/// less, but ids with colons are out there.
fn can_be_referred_to(id: &str) -> bool {
    let fits = |c: char| {
        c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '~' | '@' | '/' | '+' | '=' | ',')
    };
    !id.is_empty() && id.chars().all(fits)
}
