//! libxml2's errors that belong to no parser, as those of converting an encoding and of canonicalising: kept here,
//! for libxml2 would write them to standard error, a peer's bytes among them.

use std::cell::RefCell;
use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr::null_mut;

use libxml::bindings::{_xmlError, xmlGetLastError, xmlSetStructuredErrorFunc};

use super::borrow;

thread_local! {
    static FIRST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// While it lives, takes what goes wrong on this thread, which it stays on.
pub(super) struct Errors(PhantomData<*const ()>);

impl Errors {
    /// From now on.
    pub(super) fn kept() -> Self {
        FIRST.take();
        // SAFETY: touches what libxml2 keeps for this thread; the handler needs no data
        unsafe { xmlSetStructuredErrorFunc(null_mut(), Some(note)) };
        Self(PhantomData)
    }

    /// The first of them, in libxml2's words.
    #[expect(clippy::unused_self, reason = "none are kept without it")]
    pub(super) fn first(&self) -> Option<String> {
        FIRST.with_borrow(Clone::clone)
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        // SAFETY: as when it was set
        unsafe { xmlSetStructuredErrorFunc(null_mut(), None) };
    }
}

/// What an error says, on one line.
///
/// # Safety
/// Its message is null, or ends with NUL and stays meanwhile.
pub(super) unsafe fn sentence(error: &_xmlError) -> String {
    // SAFETY: the caller's promise
    let message = unsafe { borrow(error.message.cast()) };
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The error is asked of the thread: the type of the second argument differs between versions of libxml2.
unsafe extern "C" fn note<E>(_: *mut c_void, _: E) {
    // SAFETY: touches what libxml2 keeps for this thread
    let error = unsafe { xmlGetLastError() };
    // SAFETY: null, or the error that is being raised
    let error = unsafe { error.as_ref() };
    // SAFETY: it stays until the next one
    let sentence = error.map(|error| unsafe { sentence(error) });
    FIRST.with_borrow_mut(|first| {
        first.get_or_insert_with(|| sentence.unwrap_or_default());
    });
}
