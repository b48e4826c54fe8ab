//! libxml2 as it comes: parser, tree and canonicaliser with nothing of ours around them, neither limits nor checks
//! nor a choice of nodes. The least that anybody could spend with it.
#![expect(unsafe_code, reason = "libxml2 is a C library")]

use std::ffi::{c_char, c_int, c_void};
use std::ptr::{null, null_mut};

use libxml::bindings::{
    xmlC14NExecute, xmlC14NMode_XML_C14N_EXCLUSIVE_1_0, xmlFreeDoc, xmlOutputBufferClose,
    xmlOutputBufferCreateIO, xmlParserOption_XML_PARSE_HUGE, xmlParserOption_XML_PARSE_NONET, xmlReadMemory,
};

use crate::{Sha256, sha256};

pub(crate) fn digest(message: &str) -> Vec<u8> {
    libxml::init_parser();
    let size = c_int::try_from(message.len()).unwrap();
    let options = (xmlParserOption_XML_PARSE_HUGE | xmlParserOption_XML_PARSE_NONET).cast_signed();
    // SAFETY: so many bytes are there
    let document = unsafe { xmlReadMemory(message.as_ptr().cast(), size, null(), null(), options) };
    assert!(!document.is_null(), "not well-formed");
    let mut digest = sha256();
    // SAFETY: the digest outlives the buffer, which is closed below
    let buffer = unsafe { xmlOutputBufferCreateIO(Some(write), None, (&raw mut digest).cast(), null_mut()) };
    let mode = xmlC14NMode_XML_C14N_EXCLUSIVE_1_0.cast_signed();
    // SAFETY: a live document, no list of prefixes, a buffer without encoder
    let executed = unsafe { xmlC14NExecute(document, None, null_mut(), mode, null_mut(), 0, buffer) };
    // SAFETY: made above, and closed once
    let closed = unsafe { xmlOutputBufferClose(buffer) };
    // SAFETY: made above, and freed once
    unsafe { xmlFreeDoc(document) };
    assert!(executed >= 0 && closed >= 0, "no canonical form");
    digest.0.finish().as_ref().to_vec()
}

unsafe extern "C" fn write(digest: *mut c_void, octets: *const c_char, length: c_int) -> c_int {
    // SAFETY: the digest that the buffer was made with, in use nowhere else
    let digest = unsafe { &mut *digest.cast::<Sha256>() };
    // SAFETY: libxml2 passes so many octets
    let octets = unsafe { std::slice::from_raw_parts(octets.cast(), length.cast_unsigned() as usize) };
    digest.0.update(octets);
    length
}
