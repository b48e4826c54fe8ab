//! Exclusive XML Canonicalization 1.0 of one element and what is in it, as its events pass by.
//!
//! Octets go to a [`Sink`], usually a digest. A run of input that already is canonical goes there as the
//! slice it is. The other canonical forms are the second engine's.

use std::ops::Range;

use super::Limits;
use super::namespace::{Binding, Namespaces, Prefix};
use super::scan::{EndTag, Error, Handler, Piece, Scanner, StartTag};

/// Where canonical octets go.
pub trait Sink {
    /// The next octets.
    fn write(&mut self, octets: &[u8]);
}

impl Sink for Vec<u8> {
    fn write(&mut self, octets: &[u8]) {
        self.extend_from_slice(octets);
    }
}

/// Whether comments are part of the canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comments {
    /// `http://www.w3.org/2001/10/xml-exc-c14n#`
    Omitted,
    /// `http://www.w3.org/2001/10/xml-exc-c14n#WithComments`
    Kept,
}

/// The canonical form of one element in the making.
pub struct Canonicalizer<S> {
    sink: S,
    comments: Comments,
    /// The InclusiveNamespaces PrefixList, sorted; [`Prefix::NONE`] is `#default`.
    inclusive: Vec<Prefix>,
    /// The namespace nodes that stand on the open elements of the output.
    rendered: Vec<Rendered>,
    /// For each prefix the declaration that was rendered innermost.
    innermost: Vec<Option<Binding>>,
    /// Elements open in the output.
    depth: usize,
    /// The part of the current buffer that is canonical as it lies there and not yet written.
    run: Range<usize>,
    /// Short pieces on their way to the sink.
    staged: Vec<u8>,
    to_render: Vec<Prefix>,
}

struct Rendered {
    prefix: Prefix,
    /// What was rendered before.
    outer: Option<Binding>,
    /// Of the element it stands on.
    depth: usize,
}

/// How long a run may grow: what was just scanned is still in the processor's cache when it is digested.
const CACHED: usize = 64 << 10;
/// Octets from which on a piece goes to the sink by itself.
const LONG: usize = 512;
/// Room for shorter ones; a sink is called for about so many octets.
const STAGE: usize = (2 << 10) - LONG;

impl<S: Sink> Canonicalizer<S> {
    /// Begins before the start tag of the element.
    pub fn new(sink: S, mut inclusive: Vec<Prefix>, comments: Comments) -> Self {
        inclusive.sort_unstable();
        Self {
            sink,
            comments,
            inclusive,
            rendered: Vec::with_capacity(8),
            innermost: Vec::with_capacity(8),
            depth: 0,
            run: 0..0,
            staged: Vec::with_capacity(LONG),
            to_render: Vec::new(),
        }
    }

    /// A start tag.
    #[inline(always)]
    pub fn start_tag(&mut self, tag: &StartTag<'_>) {
        let is_apex = self.depth == 0;
        self.depth += 1;
        self.choose_namespaces(tag, is_apex);
        if tag.is_canonical && self.to_render.is_empty() {
            self.tag_as_written(tag);
        } else {
            self.flush(tag.source.buffer);
            self.render(tag);
        }
    }

    #[inline(always)]
    fn tag_as_written(&mut self, tag: &StartTag<'_>) {
        let Range { start, end } = tag.source.span;
        if tag.is_empty {
            self.as_written(tag.source.buffer, &(start..end - "/>".len()));
            self.flush(tag.source.buffer);
            self.stage(b">");
        } else {
            self.as_written(tag.source.buffer, &(start..end));
        }
    }

    /// An end tag; whether it was the element's own.
    #[inline(always)]
    pub fn end_tag(&mut self, tag: &EndTag<'_>) -> bool {
        if tag.is_canonical {
            self.as_written(tag.source.buffer, &tag.source.span);
        } else {
            self.flush(tag.source.buffer);
            for part in [&b"</"[..], tag.name, b">"] {
                self.stage(part);
            }
        }
        if self.run.end > self.run.start + CACHED {
            self.flush(tag.source.buffer);
        }
        while let Some(rendered) = self.rendered.pop_if(|rendered| rendered.depth >= self.depth) {
            self.remember(rendered.prefix, rendered.outer);
        }
        self.depth = self.depth.saturating_sub(1);
        self.depth == 0
    }

    /// Text or a part of a processing instruction.
    #[inline(always)]
    pub fn piece(&mut self, piece: &Piece<'_>) {
        match piece.replaced {
            None => self.as_written(piece.source.buffer, &piece.source.span),
            Some(canonical) => {
                self.flush(piece.source.buffer);
                self.stage(canonical);
            }
        }
    }

    /// A part of a comment.
    pub fn comment(&mut self, piece: &Piece<'_>) {
        match self.comments {
            Comments::Kept => self.piece(piece),
            Comments::Omitted => self.flush(piece.source.buffer),
        }
    }

    /// No later event refers to this buffer.
    pub fn buffer_ends(&mut self, buffer: &[u8]) {
        self.flush(buffer);
        self.run = 0..0;
    }

    /// The sink, once it has everything. `buffer` is that of the last event.
    pub fn finish(mut self, buffer: &[u8]) -> S {
        self.flush(buffer);
        self.sink.write(&self.staged);
        self.sink
    }

    #[inline(always)]
    fn as_written(&mut self, buffer: &[u8], span: &Range<usize>) {
        if self.run.end != span.start {
            self.flush(buffer);
            self.run.start = span.start;
        }
        self.run.end = span.end;
    }

    fn flush(&mut self, buffer: &[u8]) {
        let run = std::mem::replace(&mut self.run, 0..0);
        if !run.is_empty() {
            self.stage(buffer.get(run).unwrap_or(&[]));
        }
    }

    fn stage(&mut self, octets: &[u8]) {
        if octets.len() >= LONG || self.staged.len() >= STAGE {
            self.sink.write(&self.staged);
            self.staged.clear();
        }
        if octets.len() >= LONG {
            self.sink.write(octets);
        } else {
            self.staged.extend_from_slice(octets);
        }
    }

    /// Which declarations the start tag has in canonical form (Exclusive C14N, section 3).
    #[inline(always)]
    fn choose_namespaces(&mut self, tag: &StartTag<'_>, is_apex: bool) {
        self.to_render.clear();
        self.choose(tag.prefix, tag.namespaces);
        for attribute in tag.attributes {
            if attribute.prefix != Prefix::NONE {
                self.choose(attribute.prefix, tag.namespaces);
            }
        }
        if !self.inclusive.is_empty() && (is_apex || tag.namespaces.mark() != tag.mark) {
            self.choose_listed(tag, is_apex);
        }
    }

    /// The prefixes of the list are rendered at the apex, and where they are declared anew.
    fn choose_listed(&mut self, tag: &StartTag<'_>, is_apex: bool) {
        if is_apex {
            let inclusive = std::mem::take(&mut self.inclusive);
            for prefix in &inclusive {
                self.choose(*prefix, tag.namespaces);
            }
            self.inclusive = inclusive;
        } else {
            for prefix in tag.namespaces.bound_since(tag.mark) {
                if self.inclusive.binary_search(&prefix).is_ok() {
                    self.choose(prefix, tag.namespaces);
                }
            }
        }
    }

    /// Renders the prefix here unless its nearest rendered ancestor says the same.
    #[inline(always)]
    fn choose(&mut self, prefix: Prefix, namespaces: &Namespaces) {
        let binding = namespaces.binding(prefix);
        let outer = self.innermost.get(prefix.index()).copied().flatten();
        if outer != binding && prefix != Prefix::XML {
            self.choose_new(prefix, namespaces, outer, binding);
        }
    }

    /// The same, where another declaration is in force than was rendered.
    fn choose_new(
        &mut self,
        prefix: Prefix,
        namespaces: &Namespaces,
        outer: Option<Binding>,
        binding: Option<Binding>,
    ) {
        let name = |binding: Option<Binding>| binding.map_or(&[][..], |binding| namespaces.name(binding));
        if name(outer) == name(binding) {
            return;
        }
        self.to_render.push(prefix);
        self.remember(prefix, binding);
        self.rendered.push(Rendered {
            prefix,
            outer,
            depth: self.depth,
        });
    }

    fn remember(&mut self, prefix: Prefix, rendered: Option<Binding>) {
        if self.innermost.len() <= prefix.index() {
            self.innermost.resize(prefix.index() + 1, None);
        }
        if let Some(innermost) = self.innermost.get_mut(prefix.index()) {
            *innermost = rendered;
        }
    }

    fn render(&mut self, tag: &StartTag<'_>) {
        let mut prefixes = std::mem::take(&mut self.to_render);
        prefixes.sort_by_key(|prefix| tag.namespaces.text(*prefix));
        self.stage(b"<");
        self.stage(tag.name());
        for prefix in &prefixes {
            self.stage(if *prefix == Prefix::NONE {
                b" xmlns"
            } else {
                b" xmlns:"
            });
            self.stage(tag.namespaces.text(*prefix));
            self.value(tag.namespaces.resolve(*prefix));
        }
        self.to_render = prefixes;
        for attribute in tag.in_canonical_order() {
            if let Some(written) = tag.attribute_as_written(attribute) {
                self.stage(written);
                continue;
            }
            self.stage(b" ");
            self.stage(tag.attribute_name(attribute));
            self.value(tag.value(attribute));
        }
        self.stage(b">");
    }

    fn value(&mut self, value: &[u8]) {
        self.stage(b"=\"");
        self.stage(value);
        self.stage(b"\"");
    }
}

/// Canonicalises the root element of a document that is at hand as a whole.
///
/// `namespaces` are those in scope around it; `inclusive` is the PrefixList, `#default` included.
///
/// # Errors
/// When the document is not well-formed or beyond the limits.
pub fn canonicalize<'a, S: Sink>(
    document: &[u8],
    limits: Limits,
    mut namespaces: Namespaces,
    inclusive: impl IntoIterator<Item = &'a str>,
    comments: Comments,
    sink: S,
) -> Result<S, Error> {
    let number = |prefix: &str| {
        namespaces.number(if prefix == "#default" {
            b""
        } else {
            prefix.as_bytes()
        })
    };
    let inclusive = inclusive.into_iter().map(number).collect();
    let mut root = Root {
        canonicalizer: Canonicalizer::new(sink, inclusive, comments),
    };
    let mut scanner = Scanner::within(limits, namespaces);
    scanner.feed(document, &mut root)?;
    scanner.finish(&mut root)?;
    Ok(root.canonicalizer.finish(&[]))
}

struct Root<S> {
    canonicalizer: Canonicalizer<S>,
}

impl<S: Sink> Handler for Root<S> {
    type Error = Error;

    #[inline(always)]
    fn start_tag(&mut self, tag: &StartTag<'_>) -> Result<(), Error> {
        self.canonicalizer.start_tag(tag);
        Ok(())
    }

    #[inline(always)]
    fn end_tag(&mut self, tag: &EndTag<'_>) -> Result<(), Error> {
        self.canonicalizer.end_tag(tag);
        Ok(())
    }

    #[inline(always)]
    fn text(&mut self, piece: &Piece<'_>) -> Result<(), Error> {
        self.canonicalizer.piece(piece);
        Ok(())
    }

    fn comment(&mut self, piece: &Piece<'_>) -> Result<(), Error> {
        if piece.depth > 0 {
            self.canonicalizer.comment(piece);
        }
        Ok(())
    }

    fn processing_instruction(&mut self, piece: &Piece<'_>) -> Result<(), Error> {
        if piece.depth > 0 {
            self.canonicalizer.piece(piece);
        }
        Ok(())
    }

    fn buffer_ends(&mut self, buffer: &[u8]) {
        self.canonicalizer.buffer_ends(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(document: &str, inclusive: &[&str]) -> String {
        let inclusive = inclusive.iter().copied();
        let octets = canonicalize(
            document.as_bytes(),
            Limits::default(),
            Namespaces::new(),
            inclusive,
            Comments::Omitted,
            Vec::new(),
        );
        String::from_utf8(octets.unwrap()).unwrap()
    }

    #[test]
    fn only_visibly_used_prefixes_are_rendered_and_each_once() {
        let document = r#"<a:x xmlns:a="urn:a" xmlns:b="urn:b"><a:y b:k="1"/><b:z/></a:x>"#;
        let expected =
            r#"<a:x xmlns:a="urn:a"><a:y xmlns:b="urn:b" b:k="1"></a:y><b:z xmlns:b="urn:b"></b:z></a:x>"#;
        assert_eq!(canonical(document, &[]), expected);
    }

    #[test]
    fn prefixes_of_the_list_are_rendered_where_they_are_declared() {
        let document = r#"<x xmlns="urn:d" xmlns:a="urn:a"><y xmlns:a="urn:2">a:q</y></x>"#;
        assert_eq!(canonical(document, &["a"]), document);
    }

    #[test]
    fn text_and_values_take_their_canonical_letters() {
        let document = "<x a='\"\t&#9;&gt;' ><![CDATA[<&]]>&#13;>\r\n</x>";
        let expected = "<x a=\"&quot; &#x9;>\">&lt;&amp;&#xD;&gt;\n</x>";
        assert_eq!(canonical(document, &[]), expected);
    }

    #[test]
    fn the_default_namespace_is_undeclared_where_it_was_rendered() {
        let document = r#"<x xmlns="urn:d"><y xmlns=""/></x>"#;
        assert_eq!(
            canonical(document, &[]),
            r#"<x xmlns="urn:d"><y xmlns=""></y></x>"#
        );
        assert_eq!(canonical(r#"<x><y xmlns=""/></x>"#, &[]), "<x><y></y></x>");
    }

    #[test]
    fn chunks_make_no_difference() {
        let document = "\u{FEFF}<?xml version='1.0'?><!-- é --><a:x xmlns:a='urn:a' k='1 &amp; 2'\n>é&#x41;\r\n]]<![CDATA[<]]>]]&gt;<?p  d?><a:é xmlns=''/></a:x\n>\r\n";
        let whole = canonical(document, &[]);
        for size in 1..document.len() {
            let mut root = Root {
                canonicalizer: Canonicalizer::new(Vec::new(), Vec::new(), Comments::Omitted),
            };
            let mut scanner = Scanner::new(Limits::default());
            for chunk in document.as_bytes().chunks(size) {
                scanner.feed(chunk, &mut root).unwrap();
            }
            scanner.finish(&mut root).unwrap();
            assert_eq!(
                String::from_utf8(root.canonicalizer.finish(&[])).unwrap(),
                whole,
                "in chunks of {size}"
            );
        }
    }
}
