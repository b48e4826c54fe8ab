//! SoftHSM2: tokens in a directory of their own, which a process finds by `SOFTHSM2_CONF`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tool::openssl;

pub(crate) const PIN: &str = "pin-of-orders";

/// Tokens.
pub(crate) struct SoftHsm {
    directory: PathBuf,
    module: PathBuf,
}

impl SoftHsm {
    /// Without a token yet, in a new directory.
    pub(crate) fn new(directory: PathBuf) -> Self {
        fs::create_dir_all(directory.join("tokens")).expect("a directory");
        let configuration = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            directory.join("tokens").display()
        );
        fs::write(directory.join("softhsm2.conf"), configuration).expect("a file");
        fs::write(directory.join("pin"), format!("{PIN}\n")).expect("a file");
        let places = [
            "/usr/lib/softhsm",
            "/usr/lib64/softhsm",
            "/usr/local/lib/softhsm",
            "/usr/lib64/pkcs11",
        ];
        let modules = places.map(|place| Path::new(place).join("libsofthsm2.so"));
        let module = modules.into_iter().find(|module| module.exists());
        Self {
            directory,
            module: module.expect("SoftHSM2 is installed: `scripts/setup test` does it where there is apt"),
        }
    }

    /// What a process finds it by.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.directory.join("softhsm2.conf")
    }

    /// Where tokens are.
    pub(crate) fn tokens(&self) -> PathBuf {
        self.directory.join("tokens")
    }

    pub(crate) fn pin_file(&self) -> PathBuf {
        self.directory.join("pin")
    }

    /// A new token.
    pub(crate) fn init(&self, token: &str) {
        self.run(
            "softhsm2-util",
            &[
                "--init-token",
                "--free",
                "--label",
                token,
                "--pin",
                PIN,
                "--so-pin",
                "12345678",
            ],
        );
    }

    /// Puts a new key with its self-signed certificate on the token; `algorithm` is what `openssl genpkey` calls it.
    /// Returns the certificate in DER.
    pub(crate) fn add_key(&self, token: &str, label: &str, id: &str, algorithm: &str) -> Vec<u8> {
        let at = &self.directory;
        openssl(at, &format!("genpkey -algorithm {algorithm} -out key.pem"));
        openssl(
            at,
            &format!(
                "req -x509 -new -days 30 -key key.pem -subj /CN={label}-{id} -outform DER -out certificate.der"
            ),
        );
        self.import(token, label, id, "key.pem", Some("certificate.der"));
        fs::remove_file(at.join("key.pem")).expect("it was made");
        fs::read(at.join("certificate.der")).expect("it was made")
    }

    /// Puts a new key on the token with as many certificates as there are lifetimes, in days. Returns them in DER.
    pub(crate) fn add_key_certified(
        &self,
        token: &str,
        label: &str,
        id: &str,
        lifetimes: &[u32],
    ) -> Vec<Vec<u8>> {
        let at = &self.directory;
        openssl(
            at,
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem",
        );
        self.import(token, label, id, "key.pem", None);
        let certified = lifetimes.iter().map(|days| {
            openssl(
                at,
                &format!("req -x509 -new -days {days} -key key.pem -subj /CN={label} -outform DER -out certificate.der"),
            );
            self.write_certificate(token, label, id, "certificate.der");
            fs::read(at.join("certificate.der")).expect("it was made")
        });
        certified.collect()
    }

    /// Puts files of its directory on the token.
    pub(crate) fn import(&self, token: &str, label: &str, id: &str, key: &str, certificate: Option<&str>) {
        let options = ["--token", token, "--label", label, "--id", id, "--pin", PIN];
        self.run("softhsm2-util", &[&["--import", key], &options[..]].concat());
        if let Some(file) = certificate {
            self.write_certificate(token, label, id, file);
        }
    }

    fn write_certificate(&self, token: &str, label: &str, id: &str, file: &str) {
        let module = self.module.to_str().expect("UTF-8");
        self.run(
            "pkcs11-tool",
            &[
                "--module",
                module,
                "--token-label",
                token,
                "--login",
                "--pin",
                PIN,
                "--write-object",
                file,
                "--type",
                "cert",
                "--id",
                id,
                "--label",
                label,
            ],
        );
    }

    /// Takes a private key off the token.
    pub(crate) fn delete_key(&self, token: &str, id: &str) {
        let (module, object) = (
            self.module(),
            ["--delete-object", "--type", "privkey", "--id", id],
        );
        let options = [
            "--module",
            &module,
            "--token-label",
            token,
            "--login",
            "--pin",
            PIN,
        ];
        self.run("pkcs11-tool", &[&options[..], &object].concat());
    }

    pub(crate) fn module(&self) -> String {
        self.module.to_str().expect("UTF-8").to_owned()
    }

    /// A module that writes down every call, and hands it on to the one in `PKCS11SPY`.
    pub(crate) fn spy(&self) -> String {
        let places = [
            "/usr/lib/x86_64-linux-gnu",
            "/usr/lib/aarch64-linux-gnu",
            "/usr/lib64",
            "/usr/lib",
        ];
        let spies = places.map(|place| format!("{place}/pkcs11-spy.so"));
        let spy = spies.into_iter().find(|spy| Path::new(spy).exists());
        spy.expect("OpenSC is installed: `scripts/setup test` does it where there is apt")
    }

    /// A `source` that names a key of it.
    pub(crate) fn source(&self, uri: &str) -> String {
        self.source_with(uri, "")
    }

    /// The same, and more.
    pub(crate) fn source_with(&self, uri: &str, more: &str) -> String {
        format!(
            "source = {{ pkcs11 = {{ module = \"{}\", uri = \"pkcs11:{uri}\", pin_file = \"{}\" }}{more} }}",
            self.module.display(),
            self.pin_file().display()
        )
    }

    /// A `source` that reaches it through another module, with further settings of `pkcs11`.
    pub(crate) fn source_through(&self, module: &str, uri: &str, settings: &str) -> String {
        let pin_file = self.pin_file();
        let separator = if settings.is_empty() { "" } else { ", " };
        format!(
            "source = {{ pkcs11 = {{ module = \"{module}\", uri = \"pkcs11:{uri}\", pin_file = \"{}\"{separator}{settings} }} }}",
            pin_file.display()
        )
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(program);
        let command = command
            .args(arguments)
            .current_dir(&self.directory)
            .env("SOFTHSM2_CONF", self.configuration());
        let output = command.output().unwrap_or_else(|error| {
            panic!("{program}: {error}; `scripts/setup test` installs it where there is apt")
        });
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?} failed: {errors}");
    }
}
