//! Passwords: from a file, or asked for on the terminal without showing them.

use std::path::Path;

use zeroize::Zeroizing;

use super::CliError;
use crate::keys::source::read_password;

/// Reads the password from `file`, or asks the terminal for the one of `what`.
///
/// # Errors
/// When the file cannot be read, or there is no terminal to ask.
pub fn read(file: Option<&Path>, what: &Path) -> Result<Zeroizing<String>, CliError> {
    match file {
        Some(file) => read_password(file).map_err(CliError::failed),
        None => prompt(what),
    }
}

fn prompt(what: &Path) -> Result<Zeroizing<String>, CliError> {
    let what = what.display();
    rpassword::prompt_password(format!("Password of {what}: "))
        .map(Zeroizing::new)
        .map_err(|_| {
            CliError::Failed(format!(
                "{what} needs a password and there is no terminal to ask; pass --password-file"
            ))
        })
}
