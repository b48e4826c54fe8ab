//! What the first engine signs the second accepts, however it arrives.
#![no_main]

libfuzzer_sys::fuzz_target!(|message: &str| {
    if let Err(what) = countersign::oracle::sign_and_verify(message, message.len() % 97 + 1) {
        panic!("{what}");
    }
});
