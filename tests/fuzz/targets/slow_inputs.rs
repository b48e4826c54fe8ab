//! No shape of message takes either engine more than its size is worth.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(what) = countersign::oracle::slow_inputs(bytes) {
        panic!("{what}");
    }
});
