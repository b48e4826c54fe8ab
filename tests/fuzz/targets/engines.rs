//! Scanner and libxml2 agree over any document: the same verdict, the same canonical octets.
#![no_main]

use countersign::oracle::compare;

libfuzzer_sys::fuzz_target!(|document: &str| {
    for prefixes in [&[][..], &["a", "soap", "#default"]] {
        if let Err(difference) = compare(document, prefixes) {
            panic!("{difference:?} over {document:?}");
        }
    }
});
