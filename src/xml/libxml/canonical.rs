//! Canonical XML by libxml2, of a document or of one element with all it holds.
//!
//! The time is linear in the size of what is canonicalised: the element is taken out of its surroundings for as long
//! as it lasts, visibility is one look at a mark, and a PrefixList is only what matters at each element. Only the
//! inclusive forms cost the product of elements and declarations in scope: no message is canonicalised by them.

use std::ffi::{CString, c_char, c_int, c_void};
use std::io::Write;
use std::ptr::{NonNull, null_mut};

use libxml::bindings::{
    _xmlDoc, _xmlNode, xmlC14NExecute, xmlC14NMode, xmlC14NMode_XML_C14N_1_0, xmlC14NMode_XML_C14N_1_1,
    xmlC14NMode_XML_C14N_EXCLUSIVE_1_0, xmlOutputBufferClose, xmlOutputBufferCreateIO,
};

use super::errors::Errors;
use super::listed::Listed;
use super::visibility::{Isolated, is_visible};
use super::{Element, Tree};
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
        execute(self.document.0, self.root, form, &mut octets)?;
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
        execute(isolated.document(), self.raw, form, out)
    }
}

/// Runs libxml2's canonicaliser over all the document shows, which begins with `apex`.
fn execute(
    document: NonNull<_xmlDoc>,
    apex: NonNull<_xmlNode>,
    form: &CanonicalForm,
    out: &mut dyn Write,
) -> Result<(), CanonicalError> {
    let prefixes = form.prefixes.iter().map(|prefix| CString::new(prefix.as_str()));
    let prefixes: Vec<_> = prefixes
        .collect::<Result<_, _>>()
        .map_err(|nul| CanonicalError(nul.to_string()))?;
    let mut listed = Listed::new(&prefixes, apex);
    let list = listed.array();

    let mut sink = Sink { out, written: 0 };
    let errors = Errors::kept();
    // SAFETY: the sink outlives the buffer, which is closed below
    let buffer = unsafe { xmlOutputBufferCreateIO(Some(write), None, (&raw mut sink).cast(), null_mut()) };
    let (mode, comments) = (mode_number(form.mode), c_int::from(form.with_comments));
    // SAFETY: live document, a list that ends with null and outlives the call, a buffer without encoder
    let executed = unsafe {
        xmlC14NExecute(
            document.as_ptr(),
            Some(is_visible),
            (&raw mut listed).cast(),
            mode,
            list,
            comments,
            buffer,
        )
    };
    // SAFETY: made above, and closed once; null is refused by both
    let closed = unsafe { xmlOutputBufferClose(buffer) };
    match executed >= 0 && closed >= 0 && sink.written > 0 {
        true => Ok(()),
        false => {
            let reason = errors.first();
            Err(CanonicalError(
                reason.unwrap_or_else(|| "libxml2 gives no reason".to_owned()),
            ))
        }
    }
}

/// libxml2 keeps an ampersand of a namespace name as `&#38;` and writes it as it keeps it; C14N 1.0, section 2.3, has
/// `&amp;`, which is as long.
pub(super) fn spell_namespace_names(element: Element<'_>) {
    for declaration in element.declarations() {
        // SAFETY: a declaration of the tree
        let name = unsafe { declaration.raw.as_ref() }.href.cast_mut();
        for (at, _) in declaration.name().into_owned().match_indices("&#38;") {
            // SAFETY: five octets from here on are part of the name
            let ampersand = unsafe { name.add(at) };
            // SAFETY: the declaration owns its name, and no reference to it is held
            unsafe { ampersand.copy_from_nonoverlapping(b"&amp;".as_ptr(), 5) };
        }
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
