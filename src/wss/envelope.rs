//! Finds its way through a SOAP message while it is scanned: where the Security header goes, which parts are
//! signed and what their digests are. Refuses what no SOAP message is.

mod ids;
mod outline;
mod part;
mod security;
mod timestamp;

use std::sync::Arc;

pub(super) use outline::{Opening, Outline, Place};

use super::SoapVersion;
use super::error::{Reason, Refusal};
use super::names::{self, DS, SOAP11, SOAP12, WSU};
use super::policy::MOST_PARTS;
use super::profile::{ExistingSecurityHeader, InnerSignature, Part, ProcessingInstructions, Profile};
use super::reference::Reference;
use crate::xml::namespace::Namespaces;
use crate::xml::scan::{Amendment, EndTag, Handler, Piece, StartTag};
use crate::xml::splice::Edit;
use ids::Ids;
use part::OpenPart;
use security::Security;
use timestamp::Timestamp;

/// Depths of what SOAP and WS-Security name; the Envelope's is 1.
mod depth {
    pub(super) const ENVELOPE: usize = 1;
    pub(super) const HEADER_OR_BODY: usize = 2;
    pub(super) const BLOCK: usize = 3;
    pub(super) const IN_SECURITY: usize = 4;
    pub(super) const IN_TIMESTAMP: usize = 5;
}

/// A message on its way through the scanner.
pub(super) struct Envelope {
    profile: Arc<Profile>,
    version: Option<SoapVersion>,
    /// The Envelope's prefix.
    prefix: String,
    inside: Inside,
    header_seen: bool,
    body_seen: bool,
    place: Option<Place>,
    /// In scope at `place`.
    namespaces: Option<Namespaces>,
    edits: Vec<Edit>,
    references: Vec<Reference>,
    /// Parts of the message that may still begin.
    parts_left: usize,
    /// The part that the tag at hand begins, by its id.
    begun: Option<String>,
    part: Option<OpenPart>,
    ids: Ids,
    security: Security,
    timestamp: Option<Timestamp>,
    /// The Body gets a declaration of wsu that nothing in scope had before.
    body_declares_wsu: bool,
    inner_signature: bool,
}

/// Which child of the Envelope is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Header,
    Body,
    Other,
}

impl Envelope {
    pub(super) fn new(profile: Arc<Profile>) -> Self {
        // Theirs or ours, there is one.
        let apart = [Part::Timestamp, Part::Token];
        let apart = apart.iter().filter(|part| profile.sign.contains(part)).count();
        Self {
            parts_left: MOST_PARTS - apart,
            profile,
            version: None,
            prefix: String::new(),
            inside: Inside::Other,
            header_seen: false,
            body_seen: false,
            place: None,
            namespaces: None,
            edits: Vec::new(),
            references: Vec::new(),
            begun: None,
            part: None,
            ids: Ids::default(),
            security: Security::None,
            timestamp: None,
            body_declares_wsu: false,
            inner_signature: false,
        }
    }

    /// Known from the Envelope's start tag on.
    pub(super) fn version(&self) -> Option<SoapVersion> {
        self.version
    }

    /// What was found, at the end of a well-formed document.
    pub(super) fn finish(self) -> Result<Outline, Refusal> {
        let (Some(version), Some(place), Some(namespaces), true) =
            (self.version, self.place, self.namespaces, self.body_seen)
        else {
            return Err(Refusal {
                offset: None,
                reason: Reason::NoBody,
            });
        };
        Ok(Outline {
            version,
            prefix: self.prefix,
            place,
            namespaces,
            edits: self.edits,
            references: self.references,
            timestamp: self.timestamp,
            breaks_inner_signature: self.inner_signature,
        })
    }

    fn envelope(&mut self, tag: &StartTag<'_>) -> Result<(), Refusal> {
        self.version = match tag.local_name() {
            b"Envelope" if tag.namespace() == SOAP11.as_bytes() => Some(SoapVersion::Soap11),
            b"Envelope" if tag.namespace() == SOAP12.as_bytes() => Some(SoapVersion::Soap12),
            _ => return refuse(tag, Reason::NoEnvelope),
        };
        self.prefix = String::from_utf8_lossy(tag.namespaces.text(tag.prefix)).into_owned();
        self.place = Some(Place::NewHeader(tag.source.end()));
        self.namespaces = Some(tag.namespaces.here());
        Ok(())
    }

    fn child(&mut self, tag: &StartTag<'_>) -> Result<(), Refusal> {
        self.inside = match tag.local_name() {
            b"Header" if self.is_soap(tag) && self.header_seen => return refuse(tag, Reason::TwoHeaders),
            b"Header" if self.is_soap(tag) && self.body_seen => return refuse(tag, Reason::HeaderAfterBody),
            b"Header" if self.is_soap(tag) => Inside::Header,
            b"Body" if self.is_soap(tag) && self.body_seen => return refuse(tag, Reason::TwoBodies),
            b"Body" if self.is_soap(tag) => Inside::Body,
            _ if !self.body_seen => return refuse(tag, Reason::BeforeBody),
            _ => return refuse(tag, Reason::AfterBody),
        };
        if self.inside == Inside::Header {
            self.place = Some(Place::Header(Opening::of(tag)));
            self.namespaces = Some(tag.namespaces.here());
        }
        self.header_seen |= self.inside == Inside::Header;
        self.body_seen |= self.inside == Inside::Body;
        Ok(())
    }

    /// An inner signature with inclusive C14N digests every namespace in scope, and wsu would be a new one.
    fn look_for_inner_signature(&mut self, tag: &StartTag<'_>) -> Result<(), Refusal> {
        let is_inclusive = |algorithm: &[u8]| {
            names::INCLUSIVE_C14N
                .iter()
                .any(|known| known.as_bytes() == algorithm)
        };
        let says_how = tag.is(DS, "CanonicalizationMethod") || tag.is(DS, "Transform");
        if says_how && tag.attribute("", "Algorithm").is_some_and(is_inclusive) {
            if self.profile.inner_signature == InnerSignature::Reject {
                return refuse(tag, Reason::InnerSignature);
            }
            self.inner_signature = true;
        }
        Ok(())
    }

    fn is_soap(&self, tag: &StartTag<'_>) -> bool {
        self.version
            .is_some_and(|version| tag.namespace() == version.namespace().as_bytes())
    }
}

impl Handler for Envelope {
    type Error = Refusal;

    fn amend(&mut self, tag: &StartTag<'_>) -> Result<Option<Amendment>, Refusal> {
        self.begin_part(tag)
    }

    fn start_tag(&mut self, tag: &StartTag<'_>) -> Result<(), Refusal> {
        match tag.depth {
            depth::ENVELOPE => self.envelope(tag)?,
            depth::HEADER_OR_BODY => self.child(tag)?,
            depth::BLOCK if self.inside == Inside::Header && self.is_our_security(tag) => {
                self.security_header(tag)?
            }
            depth::IN_SECURITY if self.is_in_kept_security() && tag.is(WSU, "Timestamp") => {
                self.timestamp(tag)?
            }
            _ => {
                if let Some(timestamp) = self.open_timestamp() {
                    timestamp.start_tag(tag)?;
                }
            }
        }
        if self.inside == Inside::Body && self.body_declares_wsu {
            self.look_for_inner_signature(tag)?;
        }
        let begins = self.begun.take();
        if !self.is_being_replaced() {
            self.ids
                .meet(tag, begins.as_deref(), self.inside == Inside::Body)?;
        }
        if let Some(id) = begins {
            self.open_part(id, tag);
        }
        if let Some(part) = &mut self.part {
            part.canonicalizer.start_tag(tag);
        }
        Ok(())
    }

    fn end_tag(&mut self, tag: &EndTag<'_>) -> Result<(), Refusal> {
        self.end_part(tag);
        match (tag.depth, self.security) {
            (depth::HEADER_OR_BODY, _) => self.inside = Inside::Other,
            (depth::BLOCK, Security::Open(start)) => {
                if self.profile.existing_security_header == ExistingSecurityHeader::Replace {
                    self.edits.push(Edit::Cut(start..tag.source.end()));
                }
                self.security = Security::Closed;
            }
            (depth::IN_SECURITY, _) => self.end_in_security(tag)?,
            _ => {
                if let Some(timestamp) = self.open_timestamp() {
                    timestamp.end_field();
                }
            }
        }
        Ok(())
    }

    fn text(&mut self, piece: &Piece<'_>) -> Result<(), Refusal> {
        if let Some(part) = &mut self.part {
            part.canonicalizer.piece(piece);
        }
        let timestamp = self.open_timestamp();
        timestamp.map_or(Ok(()), |timestamp| timestamp.text(piece.canonical()))
    }

    fn comment(&mut self, piece: &Piece<'_>) -> Result<(), Refusal> {
        if let Some(part) = &mut self.part {
            part.canonicalizer.comment(piece);
        }
        Ok(())
    }

    fn processing_instruction(&mut self, piece: &Piece<'_>) -> Result<(), Refusal> {
        if piece.depth > 0 && self.profile.processing_instructions == ProcessingInstructions::Reject {
            return Err(Refusal {
                offset: Some(piece.source.start()),
                reason: Reason::ProcessingInstruction,
            });
        }
        if let Some(part) = &mut self.part {
            part.canonicalizer.piece(piece);
        }
        Ok(())
    }

    fn buffer_ends(&mut self, buffer: &[u8]) {
        if let Some(part) = &mut self.part {
            part.canonicalizer.buffer_ends(buffer);
        }
    }
}

fn refuse<T>(tag: &StartTag<'_>, reason: Reason) -> Result<T, Refusal> {
    Err(Refusal {
        offset: Some(tag.source.start()),
        reason,
    })
}
