//! Our own program, run as users run it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).expect("errors are text"),
        }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("it prints text")
    }
}

/// Runs `countersign` in the directory; arguments are separated by white space.
pub(crate) fn countersign(directory: &Path, arguments: &str) -> Run {
    countersign_reading(directory, arguments.split_whitespace(), b"")
}

/// The same with environment variables.
pub(crate) fn countersign_with(
    directory: &Path,
    arguments: &str,
    environment: &[(&str, std::path::PathBuf)],
) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(arguments.split_whitespace())
        .current_dir(directory)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .output()
        .expect("the program was built");
    Run {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).expect("errors are text"),
    }
}

/// The same with bytes on standard input. There is no terminal to ask for a password.
pub(crate) fn countersign_reading(
    directory: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    input: &[u8],
) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built");
    // A command that refuses its arguments does not read.
    let _ = child.stdin.take().expect("piped").write_all(input);
    Run::of(child.wait_with_output().expect("it ends"))
}

/// `countersign` that runs until it is told to stop.
pub(crate) struct Running {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
}

impl Running {
    /// Starts it.
    pub(crate) fn start(directory: &Path, arguments: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(arguments.split_whitespace())
            .current_dir(directory)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program was built");
        let log = BufReader::new(child.stderr.take().expect("piped")).lines();
        Self { child, log }
    }

    /// The next line of its log that has the words.
    pub(crate) fn logs(&mut self, words: &str) -> String {
        let mut lines = self.log.by_ref().map(|line| line.expect("it logs text"));
        lines
            .find(|line| line.contains(words))
            .unwrap_or_else(|| panic!("it ended without {words:?}"))
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        terminate(&self.child);
        self.child.wait().expect("it ends")
    }
}

/// Sends SIGTERM, with the shell's own `kill`: a small Debian has no program of that name.
pub(crate) fn terminate(child: &Child) {
    let status = Command::new("sh")
        .args(["-c", &format!("kill {}", child.id())])
        .status();
    assert!(status.expect("sh starts").success());
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
