//! Files that are whole or not there: written beside their place, and on the disk before they have their name.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A new file that its owner alone reads; what is there already stays as it is.
///
/// # Errors
/// When it cannot be written, or is there.
pub(crate) fn write_new(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut unfinished = tempfile::Builder::new()
        .prefix(".unfinished-")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(directory_of(file))?;
    unfinished.write_all(bytes)?;
    unfinished.as_file().sync_all()?;
    unfinished.persist_noclobber(file).map_err(|error| error.error)?;
    sync_directory_of(file)
}

/// A new name is only safe when its directory is written.
///
/// # Errors
/// When it cannot be.
pub(crate) fn sync_directory_of(file: &Path) -> io::Result<()> {
    File::open(directory_of(file))?.sync_all()
}

/// The file of this name and a suffix.
pub(crate) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn directory_of(file: &Path) -> &Path {
    let directory = file.parent();
    let named = directory.filter(|directory| !directory.as_os_str().is_empty());
    named.unwrap_or_else(|| Path::new("."))
}
