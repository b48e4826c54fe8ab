//! Whether two documents show the same, but for nodes that are left out of each: names by prefix and namespace,
//! declarations and attributes in their order, texts, comments, processing instructions.
//!
//! One walk through both at once, linear in their size: canonical forms, which could be compared as well, cost the
//! product of elements and declarations in scope where every namespace counts.

use std::collections::HashMap;
use std::ffi::CStr;
use std::iter::zip;
use std::ptr::NonNull;

use libxml::bindings::{
    _xmlNode, xmlChar, xmlElementType_XML_CDATA_SECTION_NODE, xmlElementType_XML_COMMENT_NODE,
    xmlElementType_XML_PI_NODE, xmlElementType_XML_TEXT_NODE, xmlNs,
};

use super::element::{as_element, kind, prefix_of};
use super::visibility::{Marks, Node};
use super::{Attribute, Declaration, Element, Tree};

/// Compares the documents, each without these nodes and what they hold. `goes_on` is asked now and then; `None`: it
/// said no.
#[must_use]
pub fn same(
    one: (&Tree, &[Node<'_>]),
    other: (&Tree, &[Node<'_>]),
    goes_on: &dyn Fn() -> bool,
) -> Option<bool> {
    /// Nodes between two questions.
    const OFTEN: usize = 1 << 10;
    let mut marks = Marks::default();
    one.1.iter().chain(other.1).for_each(|node| marks.hide(*node));
    let mut pair = Pair {
        one: Walk::through(one.0),
        other: Walk::through(other.0),
        namespaces: HashMap::new(),
    };
    loop {
        for _ in 0..OFTEN {
            let is_same = pair.goes_on_the_same();
            if !is_same || pair.is_over() {
                return Some(is_same);
            }
        }
        if !goes_on() {
            return None;
        }
    }
}

struct Pair<'t, 'u> {
    one: Walk<'t>,
    other: Walk<'u>,
    /// Which declaration of the one is which of the other.
    namespaces: HashMap<*mut xmlNs, *mut xmlNs>,
}

impl Pair<'_, '_> {
    fn is_over(&self) -> bool {
        self.one.next.is_none() && self.other.next.is_none()
    }

    /// Goes past the text, and what comes behind it.
    fn goes_on_the_same(&mut self) -> bool {
        if !self.says_the_same() {
            return false;
        }
        match (self.one.step(), self.other.step()) {
            (Some(Shown::Opens(one)), Some(Shown::Opens(other))) => self.opens_the_same(one, other),
            (Some(Shown::Closes), Some(Shown::Closes)) | (None, None) => true,
            (Some(Shown::Comment(one)), Some(Shown::Comment(other))) => one == other,
            (Some(Shown::Instruction(one)), Some(Shown::Instruction(other))) => one == other,
            _ => false,
        }
    }

    /// What is left out may part a text that is one in the other document.
    fn says_the_same(&mut self) -> bool {
        let (mut one, mut other): (&[u8], &[u8]) = (&[], &[]);
        loop {
            one = if one.is_empty() { self.one.text() } else { one };
            other = if other.is_empty() {
                self.other.text()
            } else {
                other
            };
            let shared = one.len().min(other.len());
            if shared == 0 {
                return one.len() == other.len();
            }
            let ((one_first, one_rest), (other_first, other_rest)) =
                (one.split_at(shared), other.split_at(shared));
            if one_first != other_first {
                return false;
            }
            (one, other) = (one_rest, other_rest);
        }
    }

    fn opens_the_same(&mut self, one: Element<'_>, other: Element<'_>) -> bool {
        let [declared, declared_there] = [one, other].map(shown_declarations);
        if declared.len() != declared_there.len() {
            return false;
        }
        for (one, other) in zip(declared, declared_there) {
            if !one.says_the_same(other) {
                return false;
            }
            self.namespaces.insert(one.raw.as_ptr(), other.raw.as_ptr());
        }
        let mut attributes = shown_attributes(one);
        let mut attributes_there = shown_attributes(other);
        let is_named = self.means_the_same(one.bound_by(), other.bound_by())
            && octets(one.raw_name()) == octets(other.raw_name());
        is_named
            && loop {
                match (attributes.next(), attributes_there.next()) {
                    (Some(one), Some(other)) if self.is_same_attribute(one, other) => {}
                    (None, None) => break true,
                    _ => break false,
                }
            }
    }

    fn is_same_attribute(&self, one: Attribute<'_>, other: Attribute<'_>) -> bool {
        self.means_the_same(one.bound_by(), other.bound_by())
            && octets(one.raw_name()) == octets(other.raw_name())
            && one.value() == other.value()
    }

    /// Is the prefix declared in the same place? That of `xml` is declared in none.
    fn means_the_same(&self, one: *mut xmlNs, other: *mut xmlNs) -> bool {
        let is_xml = |declaration| prefix_of(declaration) == "xml";
        match self.namespaces.get(&one) {
            Some(counterpart) => *counterpart == other,
            None => one.is_null() && other.is_null() || is_xml(one) && is_xml(other),
        }
    }
}

fn shown_declarations(element: Element<'_>) -> Vec<Declaration<'_>> {
    element
        .declarations()
        .filter(|declaration| !declaration.is_marked())
        .collect()
}

fn shown_attributes(element: Element<'_>) -> impl Iterator<Item = Attribute<'_>> {
    element.attributes().filter(|attribute| !attribute.is_marked())
}

/// What a document shows, piece by piece.
enum Shown<'t> {
    Opens(Element<'t>),
    Closes,
    Comment(&'t [u8]),
    /// Target and data.
    Instruction([&'t [u8]; 2]),
}

/// A way through a tree, without recursion.
struct Walk<'t> {
    /// The node to look at next.
    next: Option<NonNull<_xmlNode>>,
    /// What it holds has been seen.
    leaves: bool,
    tree: std::marker::PhantomData<&'t Tree>,
}

impl<'t> Walk<'t> {
    fn through(tree: &'t Tree) -> Self {
        // SAFETY: the document is live, and nothing writes to it meanwhile
        let first = unsafe { tree.document.0.as_ref() }.children;
        let mut walk = Self {
            next: NonNull::new(first),
            leaves: false,
            tree: std::marker::PhantomData,
        };
        walk.skip_marked();
        walk
    }

    /// The next part of a text; empty where something else comes.
    fn text(&mut self) -> &'t [u8] {
        while let Some(node) = self.next.filter(|_| !self.leaves) {
            let texts = [
                xmlElementType_XML_TEXT_NODE,
                xmlElementType_XML_CDATA_SECTION_NODE,
            ];
            if !texts.contains(&kind(node)) {
                break;
            }
            self.pass(node);
            let text = content(node);
            if !text.is_empty() {
                return text;
            }
        }
        &[]
    }

    /// The next of what is no text.
    fn step(&mut self) -> Option<Shown<'t>> {
        let node = self.next?;
        if self.leaves {
            self.pass(node);
            return Some(Shown::Closes);
        }
        if let Some(element) = as_element(node) {
            // SAFETY: a node of the tree
            match NonNull::new(unsafe { node.as_ref() }.children) {
                Some(child) => {
                    self.next = Some(child);
                    self.skip_marked();
                }
                None => self.leaves = true,
            }
            return Some(Shown::Opens(element));
        }
        self.pass(node);
        Some(match kind(node) {
            // SAFETY: a target ends with NUL and lives as long as the tree
            kind if kind == xmlElementType_XML_PI_NODE => {
                // SAFETY: a node of the tree
                Shown::Instruction([octets(unsafe { node.as_ref() }.name), content(node)])
            }
            kind => {
                debug_assert_eq!(kind, xmlElementType_XML_COMMENT_NODE, "no other nodes are made");
                Shown::Comment(content(node))
            }
        })
    }

    /// Goes on behind the node and all it holds.
    fn pass(&mut self, node: NonNull<_xmlNode>) {
        self.go_behind(node);
        self.skip_marked();
    }

    fn skip_marked(&mut self) {
        while let Some(node) = self.next.filter(|node| !self.leaves && is_marked(*node)) {
            self.go_behind(node);
        }
    }

    fn go_behind(&mut self, node: NonNull<_xmlNode>) {
        // SAFETY: a node of the tree
        let node = unsafe { node.as_ref() };
        let sibling = NonNull::new(node.next);
        self.leaves = sibling.is_none();
        self.next =
            sibling.or_else(|| NonNull::new(node.parent).filter(|parent| as_element(*parent).is_some()));
    }
}

fn is_marked(node: NonNull<_xmlNode>) -> bool {
    // SAFETY: a node of the tree
    !unsafe { node.as_ref() }._private.is_null()
}

fn content<'t>(node: NonNull<_xmlNode>) -> &'t [u8] {
    // SAFETY: a node of the tree
    octets(unsafe { node.as_ref() }.content)
}

/// A text of the tree, null being empty.
fn octets<'t>(text: *const xmlChar) -> &'t [u8] {
    match text.is_null() {
        true => &[],
        // SAFETY: it ends with NUL and lives as long as the tree
        false => unsafe { CStr::from_ptr(text.cast()) }.to_bytes(),
    }
}
