//! Any body is an event or none, in each mode; never a panic. What is read as an event and written again is the same one.
#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    if let Err(what) = countersign::oracle::read_events(body) {
        panic!("{what}");
    }
});
