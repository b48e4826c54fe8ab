//! The parts of the message that the profile signs: where one begins, the id it is named by, and its digest in the
//! making.

use bytes::Bytes;

use super::{Envelope, Inside, depth, refuse};
use crate::wss::error::{Reason, Refusal};
use crate::wss::names::{WSA, WSA_2004, WSSE, WSU};
use crate::wss::policy::MOST_PARTS;
use crate::wss::profile::Part;
use crate::wss::reference::{Digest, PrefixList, Reference, Transform, new_id};
use crate::xml::canonical::{Canonicalizer, Comments};
use crate::xml::namespace::Prefix;
use crate::xml::scan::{Amendment, EndTag, StartTag};
use crate::xml::splice::Edit;

/// A part whose canonical octets are being digested.
pub(super) struct OpenPart {
    pub(super) id: String,
    pub(super) list: PrefixList,
    pub(super) canonicalizer: Canonicalizer<Digest>,
}

impl Envelope {
    /// A part needs an id: its own `wsu:Id`, or a new one.
    pub(super) fn begin_part(&mut self, tag: &StartTag<'_>) -> Result<Option<Amendment>, Refusal> {
        if !self.begins_part(tag) {
            return Ok(None);
        }
        // A Timestamp has its place.
        if tag.depth < depth::IN_SECURITY {
            self.parts_left = match self.parts_left.checked_sub(1) {
                Some(left) => left,
                None => return refuse(tag, Reason::TooManyParts(MOST_PARTS)),
            };
        }
        if let Some(own) = tag.attribute(WSU, "Id") {
            self.begun = Some(self.ids.name(own, tag)?);
            return Ok(None);
        }
        let id = new_id("id").map_err(|error| Refusal {
            offset: None,
            reason: Reason::NoRandomness(error),
        })?;
        let bound = tag
            .namespaces
            .prefix_of(WSU.as_bytes())
            .map(|prefix| String::from_utf8_lossy(prefix).into_owned());
        let declare = bound.is_none().then_some(WSU);
        let prefix = bound.unwrap_or_else(|| tag.namespaces.unused_prefix("wsu"));
        let declaration = declare.map_or_else(String::new, |name| format!(r#" xmlns:{prefix}="{name}""#));
        let inserted = Bytes::from(format!(r#"{declaration} {prefix}:Id="{id}""#));
        self.edits.push(Edit::Insert(tag.after_name(), inserted));
        self.body_declares_wsu |= tag.depth == depth::HEADER_OR_BODY && declare.is_some();
        self.begun = Some(id.clone());
        Ok(Some(Amendment {
            prefix,
            declare,
            local: "Id",
            value: id,
        }))
    }

    pub(super) fn open_part(&mut self, id: String, tag: &StartTag<'_>) {
        let is_visibly_used = |prefix: Prefix| {
            let on_attribute = tag.attributes.iter().any(|attribute| attribute.prefix == prefix);
            prefix == tag.prefix || (prefix != Prefix::NONE && on_attribute)
        };
        let list = PrefixList::of(
            self.profile.inclusive_prefixes,
            tag.namespaces,
            tag.mark,
            is_visibly_used,
        );
        let inclusive = list.prefixes(tag.namespaces);
        let digest = Digest::new(&self.profile);
        let canonicalizer = Canonicalizer::new(digest, inclusive, Comments::Omitted);
        self.part = Some(OpenPart {
            id,
            list,
            canonicalizer,
        });
    }

    /// The tag may end the part that is open.
    pub(super) fn end_part(&mut self, tag: &EndTag<'_>) {
        if self
            .part
            .as_mut()
            .is_some_and(|part| part.canonicalizer.end_tag(tag))
            && let Some(part) = self.part.take()
        {
            let digest = part.canonicalizer.finish(tag.source.buffer).finish();
            let transform = Transform::Exclusive(part.list);
            self.references.push(Reference {
                id: part.id,
                transform,
                digest,
            });
        }
    }

    /// Whether the tag begins a part that the profile signs.
    pub(super) fn begins_part(&self, tag: &StartTag<'_>) -> bool {
        let wanted = |part: &Part| match part {
            Part::Body => {
                tag.depth == depth::HEADER_OR_BODY && tag.local_name() == b"Body" && self.is_soap(tag)
            }
            Part::Timestamp => {
                tag.depth == depth::IN_SECURITY && self.is_in_kept_security() && tag.is(WSU, "Timestamp")
            }
            Part::Token => false,
            Part::Addressing => {
                self.is_block(tag) && [WSA, WSA_2004].map(str::as_bytes).contains(&tag.namespace())
            }
            Part::Header { namespace, local } => self.is_block(tag) && tag.is(namespace, local),
        };
        tag.depth <= depth::IN_SECURITY && self.part.is_none() && self.profile.sign.iter().any(wanted)
    }

    /// A header block; never a Security header, which cannot hold its own signature's digest.
    pub(super) fn is_block(&self, tag: &StartTag<'_>) -> bool {
        tag.depth == depth::BLOCK && self.inside == Inside::Header && !tag.is(WSSE, "Security")
    }
}
