//! Canonical XML by libxml2, of a document or of one element with all it holds.
//!
//! The time is linear in the size of what is canonicalised: the element is taken out of its
//! surroundings for as long as it lasts, and visibility is one look at a mark.

use std::ffi::{CString, c_char, c_int, c_void};
use std::io::Write;
use std::ptr::{NonNull, null_mut};

use libxml::bindings::{
    _xmlDoc, _xmlNode, xmlC14NExecute, xmlC14NIsVisibleCallback, xmlC14NMode, xmlC14NMode_XML_C14N_1_0,
    xmlC14NMode_XML_C14N_1_1, xmlC14NMode_XML_C14N_EXCLUSIVE_1_0, xmlChar, xmlElementType_XML_ELEMENT_NODE,
    xmlGetLastError, xmlOutputBufferClose, xmlOutputBufferCreateIO, xmlResetLastError,
    xmlSetStructuredErrorFunc,
};

use super::{Element, Tree, borrow};
use crate::spelling::vocabulary;

vocabulary! {
    /// The canonical forms.
    pub enum Mode {
        /// Exclusive XML Canonicalization 1.0.
        Exclusive = "exclusive",
        /// Canonical XML 1.0.
        Inclusive = "inclusive",
        /// Canonical XML 1.1.
        Inclusive11 = "inclusive-1.1",
    }
}

/// A canonical form with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalForm {
    /// Which form.
    pub mode: Mode,
    /// Are comments part of it?
    pub with_comments: bool,
    /// `InclusiveNamespaces/@PrefixList` of the exclusive form; `#default` is the default namespace.
    pub prefixes: Vec<String>,
}

impl CanonicalForm {
    /// Without comments and without prefixes.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            with_comments: false,
            prefixes: Vec::new(),
        }
    }
}

/// There is no canonical form: nothing of what was written may be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no canonical form: {0}")]
pub struct CanonicalError(String);

impl Tree {
    /// The canonical form of the document.
    ///
    /// # Errors
    /// When libxml2 finds none.
    pub fn canonicalize(&self, form: &CanonicalForm) -> Result<Vec<u8>, CanonicalError> {
        let mut octets = Vec::new();
        execute(self.document.0, None, form, &mut octets)?;
        Ok(octets)
    }
}

impl Element<'_> {
    /// The canonical form of the element with all it holds, as a subset of its document.
    ///
    /// # Errors
    /// When libxml2 finds none.
    pub fn canonicalize(self, form: &CanonicalForm) -> Result<Vec<u8>, CanonicalError> {
        let mut octets = Vec::new();
        self.canonicalize_to(form, &mut octets)?;
        Ok(octets)
    }

    /// The same, written as it is made: a digest need not keep it.
    ///
    /// # Errors
    /// When libxml2 finds none, or `out` fails; then what was written is worth nothing.
    pub fn canonicalize_to(self, form: &CanonicalForm, out: &mut dyn Write) -> Result<(), CanonicalError> {
        let isolated = Isolated::new(self);
        execute(isolated.document, Some(is_visible), form, out)
    }
}

/// While it lives the document seems to begin and end with one element, whose ancestors are
/// marked: they still lend their namespaces and `xml:` attributes, but are not visible.
struct Isolated {
    document: NonNull<_xmlDoc>,
    apex: NonNull<_xmlNode>,
    first: *mut _xmlNode,
    next: *mut _xmlNode,
}

impl Isolated {
    fn new(element: Element<'_>) -> Self {
        let apex = element.raw;
        let document = element.document();
        mark_ancestors(element, NonNull::<c_void>::dangling().as_ptr());
        // SAFETY: the tree is of this thread, and no reference into it is held
        let first = unsafe { std::mem::replace(&mut (*document.as_ptr()).children, apex.as_ptr()) };
        // SAFETY: as above
        let next = unsafe { std::mem::replace(&mut (*apex.as_ptr()).next, null_mut()) };
        Self {
            document,
            apex,
            first,
            next,
        }
    }
}

impl Drop for Isolated {
    fn drop(&mut self) {
        // SAFETY: as when they were changed
        unsafe { (*self.apex.as_ptr()).next = self.next };
        // SAFETY: as above
        unsafe { (*self.document.as_ptr()).children = self.first };
        mark_ancestors(Element::new(self.apex), null_mut());
    }
}

fn mark_ancestors(element: Element<'_>, mark: *mut c_void) {
    for ancestor in std::iter::successors(element.parent(), |at| at.parent()) {
        // SAFETY: a node of a live tree of this thread; libxml2 leaves `_private` to applications
        unsafe { (*ancestor.raw.as_ptr())._private = mark };
    }
}

/// Only nodes within the apex and its ancestors are asked about. Of anything but an element, its
/// element decides. (Elements, attributes, namespaces and texts have their type in one place.)
unsafe extern "C" fn is_visible(_: *mut c_void, node: *mut _xmlNode, parent: *mut _xmlNode) -> c_int {
    // SAFETY: libxml2 passes a node of the document
    let is_element = unsafe { (*node).type_ } == xmlElementType_XML_ELEMENT_NODE;
    let decides = NonNull::new(if is_element { node } else { parent });
    // SAFETY: as above; `_private` comes first in every node
    decides
        .is_none_or(|element| unsafe { element.as_ref() }._private.is_null())
        .into()
}

/// Runs libxml2's canonicaliser over all the document shows.
fn execute(
    document: NonNull<_xmlDoc>,
    visibility: xmlC14NIsVisibleCallback,
    form: &CanonicalForm,
    out: &mut dyn Write,
) -> Result<(), CanonicalError> {
    let prefixes = form.prefixes.iter().map(|prefix| CString::new(prefix.as_str()));
    let prefixes: Vec<_> = prefixes
        .collect::<Result<_, _>>()
        .map_err(|nul| CanonicalError(nul.to_string()))?;
    let mut list: Vec<*mut xmlChar> = prefixes
        .iter()
        .map(|prefix| prefix.as_ptr().cast_mut().cast())
        .collect();
    list.push(null_mut());

    let mut sink = Sink { out, written: 0 };
    let trap = ErrorTrap::set();
    // SAFETY: the sink outlives the buffer, which is closed below
    let buffer = unsafe { xmlOutputBufferCreateIO(Some(write), None, (&raw mut sink).cast(), null_mut()) };
    let (mode, comments) = (mode_number(form.mode), c_int::from(form.with_comments));
    // SAFETY: live document, a list that ends with null, a buffer without encoder
    let executed = unsafe {
        xmlC14NExecute(
            document.as_ptr(),
            visibility,
            null_mut(),
            mode,
            list.as_mut_ptr(),
            comments,
            buffer,
        )
    };
    // SAFETY: made above, and closed once; null is refused by both
    let closed = unsafe { xmlOutputBufferClose(buffer) };
    match executed >= 0 && closed >= 0 && sink.written > 0 {
        true => Ok(()),
        false => Err(trap.error()),
    }
}

fn mode_number(mode: Mode) -> c_int {
    let number: xmlC14NMode = match mode {
        Mode::Exclusive => xmlC14NMode_XML_C14N_EXCLUSIVE_1_0,
        Mode::Inclusive => xmlC14NMode_XML_C14N_1_0,
        Mode::Inclusive11 => xmlC14NMode_XML_C14N_1_1,
    };
    number.cast_signed()
}

/// Where canonical octets go. An empty canonical form is a failure that was not reported: it
/// must never be digested (CVE-2025-66568).
struct Sink<'o> {
    out: &'o mut dyn Write,
    written: usize,
}

unsafe extern "C" fn write(sink: *mut c_void, octets: *const c_char, length: c_int) -> c_int {
    // SAFETY: the sink that the buffer was made with, in use nowhere else
    let sink = unsafe { &mut *sink.cast::<Sink<'_>>() };
    // SAFETY: libxml2 passes so many octets
    let octets = unsafe { std::slice::from_raw_parts(octets.cast::<u8>(), length.cast_unsigned() as usize) };
    sink.written += octets.len();
    match sink.out.write_all(octets) {
        Ok(()) => length,
        Err(_) => -1,
    }
}

/// While it lives, libxml2's errors on this thread do not go to standard error. Canonicalisation
/// has no context of its own that could tell them.
struct ErrorTrap;

impl ErrorTrap {
    fn set() -> Self {
        // SAFETY: both touch what libxml2 keeps for this thread
        unsafe { xmlResetLastError() };
        // SAFETY: as above; the handler needs no data
        unsafe { xmlSetStructuredErrorFunc(null_mut(), Some(keep_quiet)) };
        Self
    }

    fn error(self) -> CanonicalError {
        // SAFETY: touches what libxml2 keeps for this thread
        let error = unsafe { xmlGetLastError() };
        // SAFETY: null, or an error that stays until the next one
        let error = unsafe { error.as_ref() };
        // SAFETY: a message is null or ends with NUL
        let message = error.map(|error| unsafe { borrow(error.message.cast()) }.trim_end().to_owned());
        CanonicalError(message.unwrap_or_else(|| "libxml2 gives no reason".to_owned()))
    }
}

impl Drop for ErrorTrap {
    fn drop(&mut self) {
        // SAFETY: as when it was set
        unsafe { xmlSetStructuredErrorFunc(null_mut(), None) };
    }
}

/// Generic, because the type of the second argument differs between versions of libxml2.
unsafe extern "C" fn keep_quiet<E>(_: *mut c_void, _: E) {}
