//! XML without HTTP and without keys: bytes, events, offsets.
//!
//! The signer's side is ours and streams: [`scan`] reads events, [`namespace`] knows what prefixes
//! mean, [`canonical`] turns a subtree's events into exclusive C14N octets, [`splice`] puts new
//! bytes between old ones. The verifier's side is libxml2, behind [`libxml`] alone.

pub mod canonical;
pub mod encoding;
pub mod namespace;
pub mod scan;
pub mod splice;
pub(crate) mod text;
mod word;

use std::fmt;

pub mod libxml;

/// A place in a document, for people: both count from 1, columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// Line, from 1; CR LF and a lone CR end a line as LF does (XML 1.0, section 2.11).
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
}

impl Position {
    /// The place so many bytes into a document, which is given in pieces and may end before.
    #[must_use]
    pub fn of<'a>(document: impl IntoIterator<Item = &'a [u8]>, offset: u64) -> Self {
        let before = document
            .into_iter()
            .flatten()
            .zip(0..offset)
            .map(|(byte, _)| *byte);
        let mut position = Self { line: 1, column: 1 };
        let mut last = 0;
        for byte in before {
            match byte {
                b'\n' if last == b'\r' => {}
                b'\n' | b'\r' => {
                    position = Self {
                        line: position.line + 1,
                        column: 1,
                    }
                }
                // The following bytes of a character count nothing.
                0x80..=0xBF => {}
                _ => position.column += 1,
            }
            last = byte;
        }
        position
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// What a peer's document may ask of us, against exhaustion (CVE-2013-2160, coercive parsing). Both engines enforce the
/// same limits, and within them the work is linear in the document's bytes. The defaults are several times what messages
/// of real stacks have: 46 declarations in scope, 39 attributes, 17 levels, namespace names of 101 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Elements open at the same time.
    pub depth: usize,
    /// Attributes and namespace declarations on one element.
    pub attributes: usize,
    /// The same on all elements open at the same time: a canonicaliser looks through those that have a prefix.
    pub open_attributes: usize,
    /// Namespace declarations in scope at the same time, those that others hide among them: a parser looks through
    /// them for every name.
    pub declarations: usize,
    /// Different names of elements, attributes and targets, and namespace names, in one document: a parser keeps them all in
    /// a table. Those of the first so many bytes do not count.
    pub names: usize,
    /// Bytes of a namespace name: canonical form may repeat it on every element.
    pub namespace: usize,
    /// Bytes of a name, prefix included.
    pub name: usize,
    /// Bytes of one attribute value, as written.
    pub value: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 256,
            attributes: 256,
            open_attributes: 512,
            declarations: 128,
            names: 65_536,
            namespace: 512,
            name: 1024,
            value: 1024 * 1024,
        }
    }
}
