//! Foreign programs that make test material, or judge ours.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// Runs `openssl` in the directory; arguments are separated by white space.
pub(crate) fn openssl(directory: &Path, arguments: &str) -> String {
    run(directory, "openssl", arguments.split_whitespace())
}

/// Runs a program in the directory, demands that it succeeds, and returns its standard output.
pub(crate) fn run(
    directory: &Path,
    program: &str,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> String {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory);
    let output = command.output().expect("the program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {errors}");
    String::from_utf8(output.stdout).expect("it prints text")
}

/// Runs a program in the directory and tells whether it succeeds.
pub(crate) fn succeeds(
    directory: &Path,
    program: &str,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory);
    let output = command.output().expect("the program starts");
    output.status.success()
}

/// Whether a program of an optional installation is there; says what is left out if not.
pub(crate) fn is_there(program: &str, left_out: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    if !there {
        println!("{program} is not installed: {left_out} left out");
    }
    there
}
