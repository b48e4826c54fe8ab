//! Which nodes canonicalisation shows: all but those that are marked, for as long as it lasts, and
//! those whose element is.
//!
//! The mark is `_private`, which libxml2 leaves to applications. Asking costs two looks, whatever the size
//! of the document.

use std::ffi::{c_int, c_void};
use std::ptr::{NonNull, null_mut};

use libxml::bindings::{
    _xmlDoc, _xmlNode, xmlElementType_XML_ELEMENT_NODE, xmlElementType_XML_NAMESPACE_DECL, xmlNs,
};

use super::listed::Listed;
use super::{Attribute, Declaration, Element};

/// A node that can be left out.
#[derive(Clone, Copy)]
pub enum Node<'t> {
    /// With everything it holds.
    Element(Element<'t>),
    /// An attribute.
    Attribute(Attribute<'t>),
    /// A namespace declaration.
    Declaration(Declaration<'t>),
}

/// Marks, which go when this does.
#[derive(Default)]
pub(super) struct Marks(Vec<*mut *mut c_void>);

impl Marks {
    /// Marks the node itself, not what it holds.
    pub(super) fn hide(&mut self, node: Node<'_>) {
        match node {
            Node::Element(element) => self.mark(element),
            Node::Attribute(attribute) => {
                // SAFETY: an attribute of a live tree
                self.put(unsafe { &raw mut (*attribute.raw.as_ptr())._private });
            }
            Node::Declaration(declaration) => {
                // SAFETY: a declaration of a live tree
                self.put(unsafe { &raw mut (*declaration.raw.as_ptr())._private });
            }
        }
    }

    fn mark(&mut self, element: Element<'_>) {
        // SAFETY: an element of a live tree
        self.put(unsafe { &raw mut (*element.raw.as_ptr())._private });
    }

    fn put(&mut self, field: *mut *mut c_void) {
        // SAFETY: a field of a node of a live tree, which is of this thread; no reference to it is held
        unsafe { field.write(NonNull::<c_void>::dangling().as_ptr()) };
        self.0.push(field);
    }
}

impl Drop for Marks {
    fn drop(&mut self) {
        for field in &self.0 {
            // SAFETY: as when it was marked
            unsafe { field.write(null_mut()) };
        }
    }
}

/// While it lives the document seems to begin and end with one element, whose ancestors are
/// marked: they still lend their namespaces and `xml:` attributes, but are not shown.
pub(super) struct Isolated {
    document: NonNull<_xmlDoc>,
    apex: NonNull<_xmlNode>,
    first: *mut _xmlNode,
    next: *mut _xmlNode,
    _ancestors: Marks,
}

impl Isolated {
    pub(super) fn new(element: Element<'_>) -> Self {
        let (document, apex) = (element.document(), element.raw);
        let mut ancestors = Marks::default();
        std::iter::successors(element.parent(), |at| at.parent())
            .for_each(|ancestor| ancestors.mark(ancestor));
        // SAFETY: the tree is of this thread, and no reference into it is held
        let first = unsafe { std::mem::replace(&mut (*document.as_ptr()).children, apex.as_ptr()) };
        // SAFETY: as above
        let next = unsafe { std::mem::replace(&mut (*apex.as_ptr()).next, null_mut()) };
        Self {
            document,
            apex,
            first,
            next,
            _ancestors: ancestors,
        }
    }

    pub(super) fn document(&self) -> NonNull<_xmlDoc> {
        self.document
    }
}

impl Drop for Isolated {
    fn drop(&mut self) {
        // SAFETY: as when they were changed
        unsafe { (*self.apex.as_ptr()).next = self.next };
        // SAFETY: as above
        unsafe { (*self.document.as_ptr()).children = self.first };
    }
}

/// Asked of every node before libxml2 looks at it. Elements, attributes, namespaces and texts have their type in one
/// place; `_private` comes first in all of them but namespaces. A text is shown if its element is.
pub(super) unsafe extern "C" fn is_visible(
    listed: *mut c_void,
    node: *mut _xmlNode,
    parent: *mut _xmlNode,
) -> c_int {
    // SAFETY: libxml2 passes a node of the document
    let kind = unsafe { (*node).type_ };
    let mark = if kind == xmlElementType_XML_NAMESPACE_DECL {
        // SAFETY: its type says that it is a namespace
        unsafe { (*node.cast::<xmlNs>())._private }
    } else {
        // SAFETY: as above
        unsafe { (*node)._private }
    };
    let is_element = kind == xmlElementType_XML_ELEMENT_NODE;
    if is_element && let Some(node) = NonNull::new(node) {
        // SAFETY: what libxml2 was given to pass on, in use nowhere else
        let listed = unsafe { &mut *listed.cast::<Listed<'_>>() };
        // SAFETY: an element of the document; libxml2 reads the list after this
        unsafe { listed.turn_to(node) };
    }
    // SAFETY: null, or the element of the node
    let parent = unsafe { parent.as_ref() }.filter(|_| !is_element);
    (mark.is_null() && parent.is_none_or(|parent| parent._private.is_null())).into()
}
