//! What the demo plays with: keys made for it, a configuration, and a directory that vanishes.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::Plan;
use crate::cli::CliError;
use crate::config::Config;
use crate::keys::Fingerprint;
use crate::keys::generate::{GenerateError, KeyAlgorithm, SelfSigned};
use crate::keys::lifecycle::Strategy;

/// Of every key.
pub(super) const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Far below the time between two swaps.
const SETTLE: &str = "50ms";

/// The directory, the aliases and the keys.
pub(super) struct Scene {
    directory: TempDir,
    cast: Cast,
    strategy: Strategy,
    /// In the order of their use: the first one of each alias whose keys are exchanged, then the others.
    pub(super) keys: Vec<DemoKey>,
}

/// How many aliases there are, and what each is for. They are known by their numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cast {
    /// All of them.
    pub(super) all: usize,
    /// The first ones, which messages are signed for.
    pub(super) busy: usize,
}

impl Cast {
    /// The first ones, whose keys are exchanged: as many others as there are busy ones, too.
    pub(super) fn switched(self) -> usize {
        self.all.min(self.busy * 2)
    }
}

/// The alias of this number.
pub(super) fn alias(number: usize) -> String {
    format!("demo-{}", number + 1)
}

/// Where flows post to for this alias.
pub(super) fn path(number: usize) -> String {
    format!("/{}", alias(number))
}

/// A key that is imported while messages flow.
pub(super) struct DemoKey {
    /// The number of the alias that it is for.
    pub(super) alias: usize,
    pub(super) name: String,
    pub(super) fingerprint: Fingerprint,
    /// Private key and certificate.
    pub(super) pem: Zeroizing<Vec<u8>>,
    pub(super) certificate: Vec<u8>,
}

impl Scene {
    /// Makes a key for each switched alias and as many more as there are swaps, each alias's of the plan's algorithm or else
    /// RSA and P-256 in turn; and the file of those certificates that the receiver trusts first.
    pub(super) fn set(plan: &Plan, cast: Cast, now: OffsetDateTime) -> Result<Self, CliError> {
        let keys = (0..cast.switched() + plan.swaps).map(|number| {
            let (round, alias) = (number / cast.switched(), number % cast.switched());
            let in_turn = match (round + alias) % 2 {
                0 => KeyAlgorithm::Rsa2048,
                _ => KeyAlgorithm::P256,
            };
            DemoKey::generate(number + 1, alias, plan.algorithm.unwrap_or(in_turn), now)
        });
        let keys: Result<Vec<_>, _> = keys.collect();
        let scene = Self {
            cast,
            strategy: plan.strategy,
            directory: tempfile::tempdir().map_err(CliError::failed)?,
            keys: keys.map_err(CliError::failed)?,
        };
        let trusted = match plan.strategy {
            // Each new one before it signs.
            Strategy::PrePublish => scene.keys.len(),
            Strategy::Hold | Strategy::ReceiverLed => cast.switched(),
        };
        let trusted = scene.keys.iter().take(trusted);
        let certificates: Vec<_> = trusted.map(|key| key.certificate.as_slice()).collect();
        fs::write(scene.trust(), certificates.concat()).map_err(CliError::failed)?;
        Ok(scene)
    }

    /// Whom the receiver trusts first.
    pub(super) fn trust(&self) -> PathBuf {
        self.file("trust.pem")
    }

    /// The operator's.
    pub(super) fn token(&self) -> PathBuf {
        self.file("state/admin-token")
    }

    /// A route to the receiver for each busy alias; no alias has a key yet.
    pub(super) fn configuration(&self, receiver: SocketAddr) -> Result<Config, CliError> {
        let listeners = "proxy.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\n".to_owned();
        let strategy = self.strategy;
        let aliases = (0..self.cast.all).map(|number| {
            let alias = alias(number);
            format!("[alias.{alias}]\nstrategy = \"{strategy}\"\nsettle = \"{SETTLE}\"\n")
        });
        let route = match strategy {
            Strategy::ReceiverLed => "key_refused = [\"countersign\"]\n",
            Strategy::PrePublish | Strategy::Hold => "",
        };
        let routes = (0..self.cast.busy).map(|number| {
            let (alias, path) = (alias(number), path(number));
            format!(
                "[[route]]\nname = \"{alias}\"\npath = \"{path}\"\nreceiver = \"http://{receiver}/\"\n\
                 alias = \"{alias}\"\n{route}"
            )
        });
        let text: String = [listeners].into_iter().chain(aliases).chain(routes).collect();
        Config::parse(&text, &self.file("demo.toml")).map_err(CliError::failed)
    }

    fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl DemoKey {
    fn generate(
        number: usize,
        alias: usize,
        algorithm: KeyAlgorithm,
        now: OffsetDateTime,
    ) -> Result<Self, GenerateError> {
        let name = format!("key {number}, {algorithm}");
        let key = SelfSigned::generate(algorithm, &name, now, LIFETIME)?;
        let certificate = key.certificate_pem()?;
        let pem = Zeroizing::new([key.private_key_pem()?.as_slice(), &certificate].concat());
        let fingerprint = key.into_material()?.certificate.fingerprint().clone();
        Ok(Self {
            alias,
            name,
            fingerprint,
            pem,
            certificate,
        })
    }
}
