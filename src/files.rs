//! Files that others exchange while we run: certificates, keys, tokens, the configuration. Tells when one has changed.
//!
//! They are looked at by name, once in a while, which works where notifications do not: on network file systems, for mounted
//! secrets whose directory is exchanged behind a link, and after editors that write a new file. Contents decide, not
//! time stamps.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{Metadata, metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use zeroize::Zeroizing;

/// SHA-256 of contents.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of a file; `None` if it cannot be read.
    #[must_use]
    pub fn of_file(file: &Path) -> Option<Self> {
        let contents = std::fs::read(file).map(Zeroizing::new).ok()?;
        Some(Self::of([contents.as_slice()]))
    }

    /// Of parts, each with its length.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Self(digest)
    }
}

/// Files, and what they were when looked at last. A file that is not there is as good as any: it may come.
#[derive(Default)]
pub struct Files(BTreeMap<PathBuf, Seen>);

#[derive(Default)]
struct Seen {
    stamp: Option<Stamp>,
    /// The stamp was the same at the two last looks. Before, it may hide a change: clocks of file systems are coarse.
    steady: bool,
    digest: Option<Digest>,
}

/// Device, inode, size, and when contents and inode changed, to the nanosecond.
type Stamp = (u64, u64, u64, [i64; 4]);

impl Files {
    /// Takes in further files as they are now.
    pub fn add(&mut self, files: impl IntoIterator<Item = PathBuf>) {
        for file in files {
            let mut seen = Seen::default();
            seen.look(&file);
            self.0.entry(file).or_insert(seen);
        }
    }

    /// Those that have changed since the last look, by their contents.
    pub fn changed(&mut self) -> Vec<&Path> {
        let files = self.0.iter_mut();
        let changed = files.filter_map(|(file, seen)| seen.look(file).then_some(file.as_path()));
        changed.collect()
    }

    /// Forgets the others, and looks once more at those that were not there: we have made them ourselves meanwhile.
    pub fn keep_only(&mut self, files: &BTreeSet<PathBuf>) {
        self.0.retain(|file, _| files.contains(file));
        for (file, seen) in &mut self.0 {
            if seen.digest.is_none() {
                seen.look(file);
            }
        }
    }
}

impl Seen {
    /// Has it changed?
    fn look(&mut self, file: &Path) -> bool {
        let stamp = metadata(file).ok().map(|metadata| stamp(&metadata));
        let same = stamp.is_some() && stamp == self.stamp;
        if same && self.steady {
            return false;
        }
        let digest = Digest::of_file(file);
        let changed = digest != self.digest;
        *self = Self {
            stamp,
            steady: same,
            digest,
        };
        changed
    }
}

fn stamp(metadata: &Metadata) -> Stamp {
    let times = [
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    ];
    (metadata.dev(), metadata.ino(), metadata.size(), times)
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir, read_to_string, remove_file, rename, write};
    use std::os::unix::fs::symlink;

    use super::*;

    fn watched(file: &Path) -> Files {
        let mut files = Files::default();
        files.add([file.to_owned()]);
        files
    }

    #[test]
    fn contents_decide() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.pem");
        write(&file, "one").unwrap();
        let mut files = watched(&file);
        assert!(files.changed().is_empty());

        write(&file, "one").unwrap();
        assert!(files.changed().is_empty(), "written again, the same");
        write(&file, "two").unwrap();
        assert_eq!(
            files.changed(),
            [file.as_path()],
            "same length, perhaps same time"
        );
        assert!(files.changed().is_empty());
        remove_file(&file).unwrap();
        assert_eq!(files.changed().len(), 1);
        write(&file, "two").unwrap();
        assert_eq!(files.changed().len(), 1);
    }

    #[test]
    fn a_change_within_one_tick_of_the_file_systems_clock_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.pem");
        write(&file, "one").unwrap();
        let mut seen = Seen::default();
        seen.look(&file);
        // As if the clock had stood still since.
        write(&file, "two").unwrap();
        seen.stamp = metadata(&file).ok().map(|metadata| stamp(&metadata));
        assert!(seen.look(&file));
    }

    #[test]
    fn a_mounted_secret_is_exchanged_behind_its_link() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for (version, contents) in [("..1", "one"), ("..2", "two")] {
            create_dir(path(version)).unwrap();
            write(path(version).join("tls.crt"), contents).unwrap();
        }
        symlink("..1", path("..data")).unwrap();
        symlink("..data/tls.crt", path("tls.crt")).unwrap();
        let mut files = watched(&path("tls.crt"));
        files.changed();

        symlink("..2", path("..data_tmp")).unwrap();
        rename(path("..data_tmp"), path("..data")).unwrap();
        assert_eq!(read_to_string(path("tls.crt")).unwrap(), "two");
        assert_eq!(files.changed(), [path("tls.crt").as_path()]);
    }

    #[test]
    fn what_we_make_ourselves_is_no_change() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        let mut files = watched(&file);
        write(&file, "secret").unwrap();
        files.keep_only(&BTreeSet::from([file.clone()]));
        assert!(files.changed().is_empty());
        files.keep_only(&BTreeSet::new());
        write(&file, "other").unwrap();
        assert!(files.changed().is_empty());
    }
}
