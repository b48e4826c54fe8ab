//! Any text is a configuration or a list of mistakes; never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = countersign::config::Config::parse(text, std::path::Path::new("countersign.toml"));
});
