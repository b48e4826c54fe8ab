//! A PKCS#11 module around SoftHSM2 that does what a test says: hangs, fails, crashes, signs wrongly; of one token, of all,
//! for as long as the test wants. Its source, `tests/shim/shim.c`, has the table of rules.
//!
//! ```ignore
//! let (hsm, shim) = (SoftHsm::new(place.path("hsm")), Shim::new(&place.path("shim")));
//! hsm.init("signing");
//! hsm.add_key("signing", "orders", "01", "RSA");
//! let source = hsm.source_through(&shim.module(), "token=signing;object=orders", "timeout = \"2s\"");
//! let served = shim.environment(&hsm).into_iter()
//!     .fold(place, |place, (name, value)| place.environment(name, value))
//!     .serve(&sections).await;
//! shim.rules("C_Sign token=signing hang");   // from now on
//! shim.rules("");                            // who hung goes on, all is well
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::softhsm::SoftHsm;

/// The module, and what it is told.
pub(crate) struct Shim {
    directory: PathBuf,
}

impl Shim {
    /// Without a rule, in a new directory.
    pub(crate) fn new(directory: &Path) -> Self {
        fs::create_dir_all(directory).expect("a directory");
        let shim = Self {
            directory: directory.to_owned(),
        };
        shim.rules("");
        shim
    }

    /// The path of the module.
    pub(crate) fn module(&self) -> String {
        compiled().to_str().expect("UTF-8").to_owned()
    }

    /// What a process has to have.
    pub(crate) fn environment(&self, hsm: &SoftHsm) -> [(&'static str, PathBuf); 4] {
        [
            ("SOFTHSM2_CONF", hsm.configuration()),
            ("SHIM_MODULE", hsm.module().into()),
            ("SHIM_RULES", self.directory.join("rules")),
            ("SHIM_CALLS", self.directory.join("calls")),
        ]
    }

    /// From now on these rules hold, a line each, and no others.
    pub(crate) fn rules(&self, rules: &str) {
        let unfinished = self.directory.join("unfinished");
        fs::write(&unfinished, format!("{rules}\n")).expect("a file");
        fs::rename(unfinished, self.directory.join("rules")).expect("a file");
    }

    /// How often a function was called for a token; where it is about none, for `""`.
    pub(crate) fn calls(&self, function: &str, token: &str) -> usize {
        let calls = fs::read_to_string(self.directory.join("calls")).unwrap_or_default();
        let of = |line: &&str| line.splitn(3, ' ').skip(1).eq([function, token]);
        calls.lines().filter(of).count()
    }
}

/// Compiled once in a process.
fn compiled() -> &'static Path {
    static MODULE: OnceLock<PathBuf> = OnceLock::new();
    MODULE.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shim/shim.c");
        let at = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (unfinished, module) = (
            at.join(format!("shim-{}.so", std::process::id())),
            at.join("shim.so"),
        );
        let mut compiler = Command::new("cc");
        let compiler = compiler
            .args([
                "-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o",
            ])
            .arg(&unfinished)
            .arg(source)
            .args(["-ldl", "-lpthread"]);
        let output = compiler
            .output()
            .expect("a C compiler is installed: `scripts/setup test` does it");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        // Another process may have loaded the one that is there.
        fs::rename(unfinished, &module).expect("a file");
        module
    })
}
