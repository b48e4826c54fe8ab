//! The PrefixList while libxml2 canonicalises: at each element only those of its prefixes that can matter there.
//!
//! libxml2 looks every prefix of the list up at every element, through all declarations in scope. But below the apex a
//! listed prefix can only be rendered where it is declared anew with another meaning (Exclusive C14N, section 3). Hence
//! the array that libxml2 reads is written anew when it turns to an element, which it tells by asking whether that is
//! visible.

use std::collections::HashMap;
use std::ffi::CString;
use std::ptr::{NonNull, null_mut};

use libxml::bindings::{_xmlNode, xmlChar};

use super::Element;

/// A PrefixList, and what of it matters at the element that libxml2 is at.
pub(super) struct Listed<'p> {
    /// By the prefix as declarations have it, which is empty for `#default`.
    all: HashMap<&'p [u8], *mut xmlChar>,
    apex: NonNull<_xmlNode>,
    /// What libxml2 reads; ends with null.
    array: Vec<*mut xmlChar>,
}

impl<'p> Listed<'p> {
    /// For what is canonicalised from this element on.
    pub(super) fn new(prefixes: &'p [CString], apex: NonNull<_xmlNode>) -> Self {
        let named = |prefix: &'p CString| {
            let name = match prefix.as_bytes() {
                b"#default" => &[],
                name => name,
            };
            (name, prefix.as_ptr().cast_mut().cast())
        };
        let all: HashMap<_, _> = prefixes.iter().map(named).collect();
        Self {
            array: vec![null_mut(); all.len() + 1],
            all,
            apex,
        }
    }

    /// The array that libxml2 is to read, wherever it is.
    pub(super) fn array(&mut self) -> *mut *mut xmlChar {
        self.array.as_mut_ptr()
    }

    /// libxml2 has turned to this element.
    ///
    /// # Safety
    /// It is an element of a live tree, and libxml2 does not read the array meanwhile.
    pub(super) unsafe fn turn_to(&mut self, node: NonNull<_xmlNode>) {
        if self.all.is_empty() {
            return;
        }
        let element = Element::new(node);
        let all = &self.all;
        let mut slots = self.array.iter_mut();
        let mut put = |text: *mut xmlChar| {
            if let Some(slot) = slots.next() {
                *slot = text;
            }
        };
        if node == self.apex {
            all.values().for_each(|text| put(*text));
        } else {
            element
                .declarations()
                .filter(|declaration| {
                    !element
                        .parent()
                        .is_some_and(|outer| outer.has_in_scope(*declaration))
                })
                .filter_map(|declaration| all.get(declaration.prefix().as_bytes()))
                .for_each(|text| put(*text));
        }
        put(null_mut());
    }
}
