//! What the scanner tells: events, each with its place and what canonical form makes of it.

use std::ops::Range;

use super::name::Name;
use super::tag::Attribute;
use super::{Error, resolve};
use crate::xml::namespace::{Mark, Namespaces, Prefix};

/// Takes the events of a document in their order.
pub trait Handler {
    /// What it refuses; a scanner's error is one of its own.
    type Error: From<Error>;

    /// What this start tag will have that it does not have yet; its event then shows it as it will be.
    ///
    /// # Errors
    /// Whatever ends the reading.
    fn amend(&mut self, _tag: &StartTag<'_>) -> Result<Option<Amendment>, Self::Error> {
        Ok(None)
    }

    /// A start tag, or the first half of an empty-element tag.
    ///
    /// # Errors
    /// Whatever ends the reading; so everywhere below.
    fn start_tag(&mut self, tag: &StartTag<'_>) -> Result<(), Self::Error>;

    /// An end tag, or the second half of an empty-element tag.
    ///
    /// # Errors
    /// As above.
    fn end_tag(&mut self, tag: &EndTag<'_>) -> Result<(), Self::Error>;

    /// Character data in content; also the delimiters of CDATA sections, whose canonical text is empty.
    ///
    /// # Errors
    /// As above.
    fn text(&mut self, piece: &Piece<'_>) -> Result<(), Self::Error>;

    /// A part of a comment, delimiters included.
    ///
    /// # Errors
    /// As above.
    fn comment(&mut self, piece: &Piece<'_>) -> Result<(), Self::Error>;

    /// A part of a processing instruction, delimiters included.
    ///
    /// # Errors
    /// As above.
    fn processing_instruction(&mut self, piece: &Piece<'_>) -> Result<(), Self::Error>;

    /// No later event refers to these bytes.
    fn buffer_ends(&mut self, buffer: &[u8]);
}

/// An attribute that will be inserted into a start tag.
pub struct Amendment {
    /// The attribute's prefix.
    pub prefix: String,
    /// The namespace name that the prefix is declared for on the same tag; `None` where it is in scope.
    pub declare: Option<&'static str>,
    /// The attribute's local name.
    pub local: &'static str,
    /// Its value; letters that need no escaping.
    pub value: String,
}

/// Bytes of the document: the buffer at hand, and where in it.
#[derive(Clone)]
pub struct Source<'a> {
    /// What lies contiguous in memory.
    pub buffer: &'a [u8],
    /// Bytes of the document before the buffer.
    pub base: u64,
    /// The event's own bytes.
    pub span: Range<usize>,
}

impl<'a> Source<'a> {
    /// The bytes as written.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.buffer.get(self.span.clone()).unwrap_or(&[])
    }

    /// Bytes of the document before the event.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.base + self.span.start as u64
    }

    /// Bytes of the document before the event's end.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.base + self.span.end as u64
    }
}

/// A stretch of text, comment or processing instruction.
pub struct Piece<'a> {
    /// Where it stands.
    pub source: Source<'a>,
    /// Its canonical text where that differs from the bytes as written.
    pub replaced: Option<&'a [u8]>,
    /// How many elements are open around it.
    pub depth: usize,
}

impl<'a> Piece<'a> {
    /// Its canonical text (C14N 1.0, section 2.3).
    #[must_use]
    pub fn canonical(&self) -> &'a [u8] {
        self.replaced.unwrap_or_else(|| self.source.bytes())
    }
}

/// A start tag; its own declarations are in force.
pub struct StartTag<'a> {
    /// Where it stands.
    pub source: Source<'a>,
    /// The prefix of its name.
    pub prefix: Prefix,
    /// How many elements are open with it; the root's is 1.
    pub depth: usize,
    /// Whether it is an empty-element tag.
    pub is_empty: bool,
    /// Whether its separators, its values and the order of its attributes are as canonical form writes them, and
    /// it declares nothing. An empty-element tag has a `/` too much all the same.
    pub is_canonical: bool,
    /// All that is in scope.
    pub namespaces: &'a Namespaces,
    /// Where its own declarations begin.
    pub mark: Mark,
    /// Its attributes in their order, without declarations.
    pub attributes: &'a [Attribute],
    pub(super) order: &'a [usize],
    pub(super) name: Name,
    /// Bytes of the name before the local part, colon included.
    pub(super) local_at: usize,
    pub(super) values: &'a [u8],
}

impl<'a> StartTag<'a> {
    /// The name as written.
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        self.source
            .buffer
            .get(self.name.start..self.name.end())
            .unwrap_or(&[])
    }

    /// The name without its prefix.
    #[must_use]
    pub fn local_name(&self) -> &'a [u8] {
        self.name().get(self.local_at..).unwrap_or(&[])
    }

    /// The element's namespace name; empty for none.
    #[must_use]
    pub fn namespace(&self) -> &'a [u8] {
        self.namespaces.resolve(self.prefix)
    }

    /// Whether the element has this expanded name.
    #[must_use]
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.local_name() == local.as_bytes() && self.namespace() == namespace.as_bytes()
    }

    /// Offset in the document of the byte after the name.
    #[must_use]
    pub fn after_name(&self) -> u64 {
        self.source.base + self.name.end() as u64
    }

    /// An attribute's name as written.
    #[must_use]
    pub fn attribute_name(&self, attribute: &Attribute) -> &'a [u8] {
        attribute.name(self.source.buffer, self.values)
    }

    /// An attribute's name without its prefix.
    #[must_use]
    pub fn attribute_local_name(&self, attribute: &Attribute) -> &'a [u8] {
        self.attribute_name(attribute)
            .get(attribute.local_at.unwrap_or(0)..)
            .unwrap_or(&[])
    }

    /// An attribute's namespace name; empty for none, also where there is a default namespace.
    #[must_use]
    pub fn attribute_namespace(&self, attribute: &Attribute) -> &'a [u8] {
        resolve::namespace(self.namespaces, attribute)
    }

    /// An attribute's canonical value (C14N 1.0, section 2.3), without quotes.
    #[must_use]
    pub fn value(&self, attribute: &Attribute) -> &'a [u8] {
        attribute.value(self.source.buffer, self.values)
    }

    /// The whole attribute and the space before it, if it stands as canonical form writes it.
    #[must_use]
    pub fn attribute_as_written(&self, attribute: &Attribute) -> Option<&'a [u8]> {
        attribute.as_written(self.source.buffer)
    }

    /// Its attributes in canonical order: by namespace name, then by local name (C14N 1.0, section 2.2).
    pub fn in_canonical_order(&self) -> impl Iterator<Item = &'a Attribute> {
        let attributes = self.attributes;
        let as_written = if self.order.is_empty() { attributes } else { &[] };
        let sorted = self.order.iter().filter_map(|at| attributes.get(*at));
        as_written.iter().chain(sorted)
    }

    /// The canonical value of the attribute with this expanded name.
    #[must_use]
    pub fn attribute(&self, namespace: &str, local: &str) -> Option<&'a [u8]> {
        let found = self.attributes.iter().find(|attribute| {
            self.attribute_local_name(attribute) == local.as_bytes()
                && self.attribute_namespace(attribute) == namespace.as_bytes()
        });
        found.map(|attribute| self.value(attribute))
    }
}

/// An end tag; the element's declarations are still in force.
pub struct EndTag<'a> {
    /// Where it stands; no bytes for an empty-element tag.
    pub source: Source<'a>,
    /// The name as written.
    pub name: &'a [u8],
    /// How many elements are open, this one included.
    pub depth: usize,
    /// Whether it is written as canonical form writes it.
    pub is_canonical: bool,
}
