//! Any bytes are a fault or none; never a panic, and what is suggested for a fault names it.
#![no_main]

libfuzzer_sys::fuzz_target!(|answer: &[u8]| {
    if let Err(what) = countersign::oracle::read_fault(answer) {
        panic!("{what}");
    }
});
