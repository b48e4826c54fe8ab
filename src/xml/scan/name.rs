//! Qualified names (Namespaces in XML 1.0, section 4): where one ends and where its local part begins.
//!
//! Nearly all are short and of ASCII; those are read without a branch for each byte. The others go the long way.

use wide::u8x16;

use super::chars;
use super::tag::Fault;
use super::{Limits, Problem};
use crate::xml::word::{WIDTH, Word};

/// A name in the buffer.
#[derive(Clone, Copy)]
pub(super) struct Name {
    pub(super) start: usize,
    pub(super) length: usize,
    /// Bytes before the local part, colon included; `None` for what is a Name, but no qualified one.
    pub(super) local_at: Option<usize>,
}

impl Name {
    /// The name at `at`; `None` if the buffer ends before it certainly does.
    #[inline(always)]
    pub(super) fn read(buffer: &[u8], at: usize, limits: &Limits) -> Result<Option<Self>, Fault> {
        match Self::short(buffer, at) {
            Some(name) if name.length <= limits.name => Ok(Some(name)),
            _ => Self::any(buffer, at, limits),
        }
    }

    /// A qualified name of ASCII, if it and enough behind it to look at are in the buffer.
    #[inline(always)]
    fn short(buffer: &[u8], at: usize) -> Option<Self> {
        let rest = buffer.get(at..)?;
        let bits = NameBits::of(rest);
        let length = bits.length()?;
        let local_at = bits.local_at()?;
        // beyond ASCII a name may go on
        rest.get(length).filter(|after| after.is_ascii())?;
        Some(Self {
            start: at,
            length,
            local_at: Some(local_at),
        })
    }

    #[cold]
    fn any(buffer: &[u8], at: usize, limits: &Limits) -> Result<Option<Self>, Fault> {
        let rest = buffer.get(at..).unwrap_or(&[]);
        let length = chars::name(rest);
        if length > limits.name {
            return Err(Fault(at, Problem::NameTooLong(limits.name)));
        }
        // A character of up to four bytes may be cut by the end of the buffer.
        let cut = match rest.get(length..).unwrap_or(&[]) {
            [ascii, ..] if ascii.is_ascii() => false,
            after => after.len() < 4 && !after.iter().any(u8::is_ascii),
        };
        let name = rest.get(..length).unwrap_or(&[]);
        match length {
            _ if cut => Ok(None),
            0 => Err(Fault(at, Problem::Name)),
            _ => Ok(Some(Self {
                start: at,
                length,
                local_at: local_at(name),
            })),
        }
    }

    /// The byte after it.
    #[inline]
    pub(super) const fn end(&self) -> usize {
        self.start + self.length
    }
}

/// What the bytes from some place on are to names, a bit each, the first one lowest; up to sixty-four bytes, or until
/// a name would end.
#[derive(Clone, Copy, Default)]
struct NameBits {
    /// No ASCII character of a name.
    ends: u64,
    colons: u64,
    /// ASCII characters that an NCName may begin with.
    starts: u64,
}

impl NameBits {
    #[inline]
    fn of(bytes: &[u8]) -> Self {
        let mut bits = Self::default();
        if let Some(block) = bytes.first_chunk::<16>() {
            bits.add(u8x16::new(*block), 0);
        }
        if bits.ends == 0 {
            Self::of_long(bytes)
        } else {
            bits
        }
    }

    #[inline(never)]
    fn of_long(bytes: &[u8]) -> Self {
        let mut bits = Self::default();
        let (blocks, _) = bytes.as_chunks::<16>();
        for (block, at) in blocks.iter().zip([0, 16, 32, 48]) {
            bits.add(u8x16::new(*block), at);
        }
        bits
    }

    #[inline]
    fn add(&mut self, block: u8x16, at: u32) {
        let bits = |these: u8x16| u64::from(these.to_bitmask()) << at;
        let starts = chars::starts_ascii_name(block);
        self.ends |= bits(!(starts | chars::goes_on_in_name(block)));
        self.starts |= bits(starts);
        self.colons |= bits(chars::is(block, b':'));
    }

    /// Bytes before the end, if that was found.
    #[inline]
    fn length(self) -> Option<usize> {
        (self.ends != 0).then_some(self.ends.trailing_zeros() as usize)
    }

    /// Bytes before the local part of a qualified name, if it is one.
    #[inline]
    fn local_at(self) -> Option<usize> {
        let before_end = self.ends.wrapping_sub(1) & !self.ends;
        let colons = self.colons & before_end;
        let local_at = match colons {
            0 => 0,
            _ => colons.trailing_zeros() + 1,
        };
        let is_one = colons & colons.wrapping_sub(1) == 0;
        let both_begin = self.starts & self.starts.wrapping_shr(local_at) & 1 == 1;
        (is_one && both_begin).then_some(local_at as usize)
    }
}

/// Where the local part begins; `None` if the name is no qualified one.
fn local_at(name: &[u8]) -> Option<usize> {
    let Some(colon) = memchr::memchr(b':', name) else {
        return Some(0);
    };
    let local = name.get(colon + 1..).unwrap_or(&[]);
    let is_qualified = colon > 0 && chars::starts_ncname(local) && !local.contains(&b':');
    is_qualified.then_some(colon + 1)
}

/// The name of an element that is open: as little of it as tells its end tag.
pub(super) struct OpenName {
    /// Its first bytes; of a shorter name more than it has.
    word: Word,
    length: usize,
    /// Where what the word has no room for begins in the scanner's `names`.
    rest: usize,
}

impl OpenName {
    /// Keeps what the word has no room for in `names`.
    #[inline(always)]
    pub(super) fn keep(name: &Name, buffer: &[u8], names: &mut Vec<u8>) -> Self {
        let rest = names.len();
        if name.length > WIDTH {
            names.extend_from_slice(buffer.get(name.start + WIDTH..name.end()).unwrap_or(&[]));
        }
        Self {
            word: Word::at(buffer.get(name.start..).unwrap_or(&[])),
            length: name.length,
            rest,
        }
    }

    #[inline]
    pub(super) fn forget(&self, names: &mut Vec<u8>) {
        names.truncate(self.rest);
    }

    #[inline]
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Whether `bytes` begin with it.
    #[inline(always)]
    pub(super) fn begins(&self, bytes: &[u8], names: &[u8]) -> bool {
        Word::at(bytes).shared(self.word) >= self.length.min(WIDTH)
            && (self.length <= WIDTH || bytes.get(WIDTH..self.length) == names.get(self.rest..))
    }

    /// The name as it was written.
    #[cold]
    pub(super) fn written(&self, names: &[u8]) -> Vec<u8> {
        let mut name = self.word.bytes().to_vec();
        name.truncate(self.length);
        name.extend_from_slice(names.get(self.rest..).unwrap_or(&[]));
        name
    }
}
