//! New bytes between old ones: the message's own bytes are shared, never copied, and nothing but the edits
//! changes.

use std::ops::Range;

use bytes::Bytes;

/// One change of a document; offsets are of the document before any.
#[derive(Debug, Clone)]
pub enum Edit {
    /// These bytes go in before the byte at the offset.
    Insert(u64, Bytes),
    /// These bytes go out.
    Cut(Range<u64>),
}

impl Edit {
    const fn at(&self) -> u64 {
        match self {
            Self::Insert(at, _) => *at,
            Self::Cut(range) => range.start,
        }
    }
}

/// The document with the edits, as segments in order. Edits at one offset keep their order.
#[must_use]
pub fn splice(document: &[Bytes], edits: &[Edit]) -> Vec<Bytes> {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|edit| edit.at());
    let mut output = Output {
        document,
        segment: 0,
        within: 0,
        at: 0,
        written: Vec::new(),
    };
    for edit in edits {
        output.advance(edit.at(), true);
        match edit {
            Edit::Insert(_, bytes) => output.written.push(bytes.clone()),
            Edit::Cut(range) => output.advance(range.end, false),
        }
    }
    output.advance(u64::MAX, true);
    output.written
}

struct Output<'a> {
    document: &'a [Bytes],
    segment: usize,
    within: usize,
    at: u64,
    written: Vec<Bytes>,
}

impl Output<'_> {
    /// Goes on to the offset, with or without what is on the way.
    fn advance(&mut self, to: u64, keep: bool) {
        while self.at < to {
            let Some(segment) = self.document.get(self.segment) else {
                return;
            };
            let wanted = usize::try_from(to - self.at).unwrap_or(usize::MAX);
            let end = segment.len().min(self.within.saturating_add(wanted));
            if keep && end > self.within {
                self.written.push(segment.slice(self.within..end));
            }
            self.at += (end - self.within) as u64;
            self.within = end;
            if end == segment.len() {
                self.segment += 1;
                self.within = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_fall_where_they_should_whatever_the_segments() {
        let document = b"<a>old</a>";
        let edits = [
            Edit::Insert(10, Bytes::from_static(b"!")),
            Edit::Cut(3..6),
            Edit::Insert(3, Bytes::from_static(b"new")),
            Edit::Insert(0, Bytes::from_static(b"?")),
        ];
        for size in 1..=document.len() {
            let segments: Vec<Bytes> = document.chunks(size).map(Bytes::copy_from_slice).collect();
            assert_eq!(
                splice(&segments, &edits).concat(),
                b"?<a>new</a>!",
                "in segments of {size}"
            );
        }
    }
}
