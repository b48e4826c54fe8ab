//! Files that others exchange while we run: certificates, keys, tokens, the configuration. The one place that reads them,
//! and that tells when one has changed.
//!
//! What lies there is a stranger's: only regular files of bounded size are read, without waiting for a pipe's other end,
//! and beside everything else, for a network file system may never answer. They are looked at by name, once in a while,
//! which works where notifications do not: on network file systems, for mounted secrets whose directory is exchanged behind
//! a link, and after editors that write a new file. Contents decide, not time stamps.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{Metadata, OpenOptions, metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use crate::aside;

/// Bytes; a keystore with its chain is a few thousand, all authorities of the world are a quarter of it.
const LARGEST: u64 = 1024 * 1024;
/// Bytes of a configuration; one of 10,000 aliases has a few million.
const LARGEST_CONFIGURATION: u64 = 64 * 1024 * 1024;
/// A file system that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// The contents of a file.
///
/// # Errors
/// When it cannot be read, is no regular file or has more than 1 MiB.
pub fn read(file: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    beside(file, |file| read_up_to(file, LARGEST))
}

/// The text of a file.
///
/// # Errors
/// As [`read`], and when it is not UTF-8.
pub fn read_text(file: &Path) -> io::Result<Zeroizing<String>> {
    text(&read(file)?)
}

/// The text of a configuration, which may have 64 MiB.
///
/// # Errors
/// As [`read_text`].
pub fn read_configuration(file: &Path) -> io::Result<Zeroizing<String>> {
    text(&beside(file, |file| read_up_to(file, LARGEST_CONFIGURATION))?)
}

/// Whether others than its owner may read a file.
///
/// # Errors
/// When that cannot be told.
pub fn others_may_read(file: &Path) -> io::Result<bool> {
    beside(file, |file| Ok(metadata(file)?.permissions().mode() & 0o077 != 0))
}

fn text(bytes: &[u8]) -> io::Result<Zeroizing<String>> {
    let text = std::str::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, NO_TEXT))?;
    Ok(Zeroizing::new(text.to_owned()))
}

const NO_TEXT: &str = "it is not UTF-8 text";

fn beside<T: Send + 'static>(
    file: &Path,
    read: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let path = file.to_owned();
    let read = aside::within(PATIENCE, &directory(file), move || read(&path));
    read.unwrap_or_else(|hangs| Err(io::Error::new(io::ErrorKind::TimedOut, hangs)))
}

/// Where one file hangs, the others there do.
fn directory(file: &Path) -> String {
    file.parent().unwrap_or(file).display().to_string()
}

fn read_up_to(file: &Path, largest: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    // To open a pipe waits for its other end, unless told not to; reading a regular file is the same either way.
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or_default();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(file)?;
    let metadata = opened.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, NO_FILE));
    }
    let too_large = || {
        let sentence = format!("it has more than {} MiB, which no such file needs", largest >> 20);
        io::Error::new(io::ErrorKind::FileTooLarge, sentence)
    };
    if metadata.len() > largest {
        return Err(too_large());
    }
    // With room for what is expected, so that no copy of a secret is left behind by growing.
    let room = usize::try_from(metadata.len()).unwrap_or_default() + 1;
    let mut contents = Zeroizing::new(Vec::with_capacity(room));
    opened.take(largest + 1).read_to_end(&mut contents)?;
    if contents.len() as u64 > largest {
        return Err(too_large()); // it has grown, or did not know its size
    }
    Ok(contents)
}

const NO_FILE: &str = "it is not a regular file, but a directory, a pipe or a device";

/// SHA-256 of contents.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of a file; `None` if it cannot be read.
    #[must_use]
    pub fn of_file(file: &Path) -> Option<Self> {
        beside(file, |file| Ok(Self::now_of(file))).ok()?
    }

    fn now_of(file: &Path) -> Option<Self> {
        let contents = read_up_to(file, LARGEST_CONFIGURATION).ok()?;
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

#[derive(Clone, Default)]
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
        let new = files.into_iter().filter(|file| !self.0.contains_key(file));
        let new: BTreeMap<_, _> = new.map(|file| (file, Seen::default())).collect();
        self.0.extend(new.clone());
        self.look(new);
    }

    /// Those that have changed since the last look, by their contents. Where the file system does not answer, nothing is
    /// known to have.
    pub fn changed(&mut self) -> Vec<PathBuf> {
        self.look(self.0.clone())
    }

    /// Forgets the others.
    pub fn forget_others(&mut self, files: &BTreeSet<PathBuf>) {
        self.0.retain(|file, _| files.contains(file));
    }

    /// Forgets the others, and looks once more at those that were not there: we have made them ourselves meanwhile.
    pub fn keep_only(&mut self, files: &BTreeSet<PathBuf>) {
        self.forget_others(files);
        let missing = self.0.iter().filter(|(_, seen)| seen.digest.is_none());
        let missing = missing.map(|(file, seen)| (file.clone(), seen.clone())).collect();
        self.look(missing);
    }

    /// Looks at some, a directory at a time.
    fn look(&mut self, some: BTreeMap<PathBuf, Seen>) -> Vec<PathBuf> {
        let mut directories: BTreeMap<String, Vec<(PathBuf, Seen)>> = BTreeMap::new();
        for (file, seen) in some {
            directories
                .entry(directory(&file))
                .or_default()
                .push((file, seen));
        }
        let mut changed = Vec::new();
        for (directory, mut files) in directories {
            let looked = aside::within(PATIENCE, &directory, move || {
                let looks = files.iter_mut().map(|(file, seen)| seen.look(file));
                let changed: Vec<_> = looks.collect();
                (files, changed)
            });
            let Ok((files, have_changed)) = looked else {
                continue;
            };
            for ((file, seen), has_changed) in files.into_iter().zip(have_changed) {
                changed.extend(has_changed.then(|| file.clone()));
                self.0.insert(file, seen);
            }
        }
        changed
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
        let digest = Digest::now_of(file);
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
            std::slice::from_ref(&file),
            "same length, perhaps same time"
        );
        assert!(files.changed().is_empty());
        remove_file(&file).unwrap();
        assert_eq!(files.changed().len(), 1);
        write(&file, "two").unwrap();
        assert_eq!(files.changed().len(), 1);
    }

    #[test]
    fn only_regular_files_of_bounded_size_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let pipe = path("pipe");
        assert!(
            std::process::Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        std::fs::File::create(path("large"))
            .unwrap()
            .set_len(LARGEST + 1)
            .unwrap();
        write(path("latin1"), b"\xe9").unwrap();
        for (file, words) in [
            (pipe.clone(), "not a regular file"),
            (directory.path().to_owned(), "not a regular file"),
            ("/dev/zero".into(), "not a regular file"),
            // Its size is told as nought.
            ("/proc/self/status".into(), ""),
            (path("large"), "more than 1 MiB"),
            (path("latin1"), "not UTF-8"),
            (path("none"), "No such file"),
        ] {
            let read = read_text(&file).map_or_else(|error| error.to_string(), |_| String::new());
            assert!(
                read.contains(words) && read.is_empty() == words.is_empty(),
                "{file:?}: {read}"
            );
        }
        let mut files = watched(&pipe);
        assert!(files.changed().is_empty());
        remove_file(&pipe).unwrap();
        write(&pipe, "a key").unwrap();
        assert_eq!(files.changed(), [pipe]);
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
        assert_eq!(files.changed(), [path("tls.crt")]);
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
