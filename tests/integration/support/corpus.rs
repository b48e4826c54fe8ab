//! Where the foreign test data is: `COUNTERSIGN_CORPUS`, or beside the package.

use std::path::{Path, PathBuf};

/// The corpus, or a word about what the test leaves out without it.
pub(crate) fn corpus(left_out: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let corpus = std::env::var_os("COUNTERSIGN_CORPUS").map_or(beside, PathBuf::from);
    if !corpus.is_dir() {
        println!("no corpus at {}: left out: {left_out}", corpus.display());
        return None;
    }
    Some(corpus)
}

/// The files of a folder with this ending, in the order of their names.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = folder
        .read_dir()
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|has| has == ending));
    files.sort();
    files
}
