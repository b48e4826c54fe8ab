//! What the demo plays with: keys made for it, a configuration, and a directory that vanishes.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::cli::CliError;
use crate::config::Config;
use crate::keys::Fingerprint;
use crate::keys::generate::{GenerateError, KeyAlgorithm, SelfSigned};

/// The alias whose keys come and go.
pub(super) const ALIAS: &str = "demo";
/// Where flows post to.
pub(super) const PATH: &str = "/demo";

const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The directory and the keys.
pub(super) struct Scene {
    directory: TempDir,
    /// In the order of their use.
    pub(super) keys: Vec<DemoKey>,
}

/// A key that is imported while messages flow.
pub(super) struct DemoKey {
    pub(super) name: String,
    pub(super) fingerprint: Fingerprint,
    /// Private key and certificate.
    pub(super) pem: Zeroizing<Vec<u8>>,
    certificate: Vec<u8>,
}

impl Scene {
    /// Makes as many keys, and the file of their certificates that the receiver trusts.
    pub(super) fn set(keys: u32, now: OffsetDateTime) -> Result<Self, CliError> {
        let keys: Result<Vec<_>, _> = (1..=keys).map(|number| DemoKey::generate(number, now)).collect();
        let scene = Self {
            directory: tempfile::tempdir().map_err(CliError::failed)?,
            keys: keys.map_err(CliError::failed)?,
        };
        let certificates: Vec<_> = scene.keys.iter().map(|key| key.certificate.as_slice()).collect();
        fs::write(scene.trust(), certificates.concat()).map_err(CliError::failed)?;
        Ok(scene)
    }

    /// Every certificate: the receiver trusts each new one before it signs.
    pub(super) fn trust(&self) -> PathBuf {
        self.file("trust.pem")
    }

    /// The operator's.
    pub(super) fn token(&self) -> PathBuf {
        self.file("state/admin-token")
    }

    /// One route to the receiver; its alias has no key yet.
    pub(super) fn configuration(&self, receiver: SocketAddr) -> Result<Config, CliError> {
        let text = format!(
            r#"
            proxy.listen = "127.0.0.1:0"
            admin.listen = "127.0.0.1:0"
            [alias.{ALIAS}]
            [[route]]
            name = "demo"
            path = "{PATH}"
            receiver = "http://{receiver}/"
            alias = "{ALIAS}"
            "#
        );
        Config::parse(&text, &self.file("demo.toml")).map_err(CliError::failed)
    }

    fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl DemoKey {
    /// RSA and P-256 in turn.
    fn generate(number: u32, now: OffsetDateTime) -> Result<Self, GenerateError> {
        let algorithm = if number % 2 == 1 {
            KeyAlgorithm::Rsa2048
        } else {
            KeyAlgorithm::P256
        };
        let name = format!("key {number}, {algorithm}");
        let key = SelfSigned::generate(algorithm, &name, now, LIFETIME)?;
        let certificate = key.certificate_pem()?;
        let pem = Zeroizing::new([key.private_key_pem()?.as_slice(), &certificate].concat());
        let fingerprint = key.into_material()?.certificate.fingerprint().clone();
        Ok(Self {
            name,
            fingerprint,
            pem,
            certificate,
        })
    }
}
