//! Handles on the elements of a tree: read only, valid as long as the tree.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ptr::{NonNull, null};

use libxml::bindings::{
    _xmlAttr, _xmlDoc, _xmlNode, xmlChar, xmlElementType, xmlElementType_XML_CDATA_SECTION_NODE,
    xmlElementType_XML_ELEMENT_NODE, xmlElementType_XML_PI_NODE, xmlElementType_XML_TEXT_NODE, xmlNs,
};

use super::{Tree, borrow};

/// One element. Two handles are equal when they are of the same element.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Element<'t> {
    pub(super) raw: NonNull<_xmlNode>,
    tree: PhantomData<&'t Tree>,
}

/// One attribute; a namespace declaration is none.
#[derive(Clone, Copy)]
pub struct Attribute<'t> {
    pub(super) raw: NonNull<_xmlAttr>,
    tree: PhantomData<&'t Tree>,
}

/// One namespace declaration.
#[derive(Clone, Copy)]
pub struct Declaration<'t> {
    pub(super) raw: NonNull<xmlNs>,
    tree: PhantomData<&'t Tree>,
}

impl<'t> Element<'t> {
    pub(super) fn new(raw: NonNull<_xmlNode>) -> Self {
        Self {
            raw,
            tree: PhantomData,
        }
    }

    /// The local name.
    #[must_use]
    pub fn local_name(self) -> Cow<'t, str> {
        // SAFETY: a name ends with NUL and lives as long as the tree
        unsafe { borrow(self.node().name) }
    }

    /// The namespace name; empty for none.
    #[must_use]
    pub fn namespace(self) -> Cow<'t, str> {
        namespace_name(self.node().ns)
    }

    /// The prefix it is written with; empty for none.
    #[must_use]
    pub fn prefix(self) -> Cow<'t, str> {
        prefix_of(self.node().ns)
    }

    /// Is this its name?
    #[must_use]
    pub fn is(self, namespace: &str, local: &str) -> bool {
        is_name(self.node().name, self.node().ns, namespace, local)
    }

    /// The value of an attribute; `namespace` is empty for none.
    #[must_use]
    pub fn attribute(self, namespace: &str, local: &str) -> Option<String> {
        self.attributes()
            .find(|attribute| attribute.is(namespace, local))
            .map(Attribute::value)
    }

    /// Its attributes, as written.
    pub fn attributes(self) -> impl Iterator<Item = Attribute<'t>> {
        let first = NonNull::new(self.node().properties);
        let all = std::iter::successors(first, |at| {
            // SAFETY: an attribute of the tree
            NonNull::new(unsafe { at.as_ref() }.next)
        });
        all.map(|raw| Attribute {
            raw,
            tree: PhantomData,
        })
    }

    /// The namespaces that it declares itself.
    pub fn declarations(self) -> impl Iterator<Item = Declaration<'t>> {
        let all = std::iter::successors(NonNull::new(self.node().nsDef), |at| {
            // SAFETY: a declaration of the tree
            NonNull::new(unsafe { at.as_ref() }.next)
        });
        all.map(|raw| Declaration {
            raw,
            tree: PhantomData,
        })
    }

    /// Is a declaration in scope that says the same, and is not hidden by another?
    pub(super) fn has_in_scope(self, declaration: Declaration<'_>) -> bool {
        let scope = std::iter::successors(Some(self), |at| at.parent());
        let same_prefix = scope
            .flat_map(Self::declarations)
            .find(|outer| outer.prefix() == declaration.prefix());
        same_prefix.is_some_and(|outer| outer.name() == declaration.name())
    }

    /// The element that holds it; none for the document element.
    #[must_use]
    pub fn parent(self) -> Option<Self> {
        as_element(NonNull::new(self.node().parent)?)
    }

    /// Its child elements.
    pub fn children(self) -> impl Iterator<Item = Self> {
        self.nodes().filter_map(as_element)
    }

    /// Itself and every element within, in document order; without recursion.
    pub fn descendants(self) -> impl Iterator<Item = Self> {
        let following = move |at: &Self| {
            let child = at.children().next();
            let ancestors = std::iter::successors(Some(*at), |at| at.parent());
            let mut within = ancestors.take_while(|at| *at != self);
            child.or_else(|| within.find_map(Self::next_sibling))
        };
        std::iter::successors(Some(self), following)
    }

    /// Its character content, when it has no other: `None` if it holds an element, a comment or a
    /// processing instruction (CVE-2025-29775: a comment within a `DigestValue`).
    #[must_use]
    pub fn text(self) -> Option<String> {
        self.nodes().map(text_of).collect()
    }

    /// All character content within it, in document order, whatever else it holds; as deep as the tree's limit.
    #[must_use]
    pub fn content(self) -> String {
        let of_node = |node| match as_element(node) {
            Some(element) => element.content().into(),
            None => text_of(node).unwrap_or_default(),
        };
        self.nodes().map(of_node).collect()
    }

    /// Does it hold a processing instruction, at any depth?
    #[must_use]
    pub fn holds_processing_instruction(self) -> bool {
        let mut nodes = self.descendants().flat_map(Self::nodes);
        nodes.any(|node| kind(node) == xmlElementType_XML_PI_NODE)
    }

    /// Does it hold nothing but elements, not even white space?
    #[must_use]
    pub fn holds_only_elements(self) -> bool {
        self.nodes()
            .all(|node| kind(node) == xmlElementType_XML_ELEMENT_NODE)
    }

    /// What gives its name a namespace; null for none.
    pub(super) fn bound_by(self) -> *mut xmlNs {
        self.node().ns
    }

    /// The local name, as libxml2 keeps it.
    pub(super) fn raw_name(self) -> *const xmlChar {
        self.node().name
    }

    /// Does it hold text, beside its elements, that is more than white space?
    #[must_use]
    pub fn holds_words(self) -> bool {
        let mut texts = self.nodes().filter_map(text_of);
        texts.any(|text| !text.trim_matches([' ', '\t', '\n', '\r']).is_empty())
    }

    fn next_sibling(self) -> Option<Self> {
        siblings(self.node().next).find_map(as_element)
    }

    fn nodes(self) -> impl Iterator<Item = NonNull<_xmlNode>> {
        siblings(self.node().children)
    }

    /// The document it belongs to.
    pub(super) fn document(self) -> NonNull<_xmlDoc> {
        // SAFETY: every node of a parsed tree has its document, which is live as long as the tree
        unsafe { NonNull::new_unchecked(self.node().doc) }
    }

    /// For one look at a field: canonicalisation writes to nodes, so no reference is kept.
    fn node(&self) -> &_xmlNode {
        // SAFETY: the tree keeps the node alive, and nothing writes to it meanwhile
        unsafe { self.raw.as_ref() }
    }
}

impl<'t> Attribute<'t> {
    /// Is this its name? `namespace` is empty for none.
    #[must_use]
    pub fn is(self, namespace: &str, local: &str) -> bool {
        is_name(self.attribute().name, self.attribute().ns, namespace, local)
    }

    /// Is it written with this prefix? None has the empty one.
    #[must_use]
    pub fn has_prefix(self, prefix: &str) -> bool {
        let written = prefix_of(self.attribute().ns);
        !written.is_empty() && written == prefix
    }

    /// The normalised value.
    #[must_use]
    pub fn value(self) -> String {
        siblings(self.attribute().children).filter_map(text_of).collect()
    }

    /// What gives its name a namespace; null for none.
    pub(super) fn bound_by(self) -> *mut xmlNs {
        self.attribute().ns
    }

    /// The local name, as libxml2 keeps it.
    pub(super) fn raw_name(self) -> *const xmlChar {
        self.attribute().name
    }

    /// Is it left out for now?
    pub(super) fn is_marked(self) -> bool {
        !self.attribute()._private.is_null()
    }

    /// For one look at a field, like [`Element::node`].
    fn attribute(&self) -> &_xmlAttr {
        // SAFETY: the tree keeps the attribute alive, and nothing writes to it
        unsafe { self.raw.as_ref() }
    }
}

impl Declaration<'_> {
    /// Is it left out for now?
    pub(super) fn is_marked(self) -> bool {
        // SAFETY: a declaration of the tree
        !unsafe { self.raw.as_ref() }._private.is_null()
    }

    /// Whether both declare the same prefix for the same namespace.
    #[must_use]
    pub fn says_the_same(self, other: Declaration<'_>) -> bool {
        self.prefix() == other.prefix() && self.name() == other.name()
    }

    /// The prefix; empty for the default namespace.
    #[must_use]
    pub fn prefix(&self) -> Cow<'_, str> {
        prefix_of(self.raw.as_ptr())
    }

    /// The namespace name; empty where the default namespace is undeclared.
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        namespace_name(self.raw.as_ptr())
    }
}

fn siblings(first: *mut _xmlNode) -> impl Iterator<Item = NonNull<_xmlNode>> {
    std::iter::successors(NonNull::new(first), |at| {
        // SAFETY: a node of the tree
        NonNull::new(unsafe { at.as_ref() }.next)
    })
}

pub(super) fn kind(node: NonNull<_xmlNode>) -> xmlElementType {
    // SAFETY: a node of the tree
    unsafe { node.as_ref() }.type_
}

pub(super) fn as_element<'t>(node: NonNull<_xmlNode>) -> Option<Element<'t>> {
    (kind(node) == xmlElementType_XML_ELEMENT_NODE).then(|| Element::new(node))
}

fn text_of<'t>(node: NonNull<_xmlNode>) -> Option<Cow<'t, str>> {
    let text = [
        xmlElementType_XML_TEXT_NODE,
        xmlElementType_XML_CDATA_SECTION_NODE,
    ]
    .contains(&kind(node));
    // SAFETY: a node of the tree
    let content = unsafe { node.as_ref() }.content;
    // SAFETY: the content of a text is null, or ends with NUL and lives as long as the tree
    text.then(|| unsafe { borrow(content) })
}

fn namespace_name<'t>(declaration: *const xmlNs) -> Cow<'t, str> {
    // SAFETY: null, or a text that ends with NUL and lives as long as the tree
    unsafe { borrow(name_of(declaration)) }
}

fn name_of(declaration: *const xmlNs) -> *const xmlChar {
    // SAFETY: null, or a declaration that lives as long as the tree
    unsafe { declaration.as_ref() }.map_or(null(), |declaration| declaration.href)
}

/// Whether a local name and what binds it, of the tree, are this name.
fn is_name(name: *const xmlChar, bound_by: *const xmlNs, namespace: &str, local: &str) -> bool {
    // SAFETY: a name ends with NUL and lives as long as the tree
    let is_local = unsafe { says(name, local) };
    // SAFETY: null, or a text that ends with NUL and lives as long as the tree
    is_local && unsafe { says(name_of(bound_by), namespace) }
}

/// Whether a text of libxml2's, null being empty, is this one; it is read no further than that takes.
///
/// # Safety
/// `text` is null or ends with NUL.
unsafe fn says(text: *const xmlChar, expected: &str) -> bool {
    if text.is_null() {
        return expected.is_empty();
    }
    let mut at = text;
    for octet in expected.bytes() {
        // SAFETY: everything before was no NUL
        if octet == 0 || unsafe { at.read() } != octet {
            return false;
        }
        // SAFETY: this was no NUL either
        at = unsafe { at.add(1) };
    }
    // SAFETY: as above
    let end = unsafe { at.read() };
    end == 0
}

pub(super) fn prefix_of<'t>(declaration: *const xmlNs) -> Cow<'t, str> {
    // SAFETY: null, or a declaration that lives as long as the tree
    let prefix = unsafe { declaration.as_ref() }.map_or(null(), |declaration| declaration.prefix);
    // SAFETY: null, or a text that ends with NUL and lives as long as the tree
    unsafe { borrow(prefix) }
}
