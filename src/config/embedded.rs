//! The configuration that `countersign serve` runs without a file.

use std::path::Path;

use super::{Config, ConfigErrors};

const TEXT: &str = include_str!("embedded.toml");

impl Config {
    /// The embedded default: proxy on 127.0.0.1:8080, admin on 127.0.0.1:9090, `state/` in the
    /// working directory, and one route `/demo` to a receiver on 127.0.0.1:8081.
    ///
    /// # Errors
    /// Never, as a test shows; it is read like any other configuration.
    pub fn embedded() -> Result<Self, ConfigErrors> {
        Self::parse(TEXT, Path::new("embedded.toml"))
    }
}
