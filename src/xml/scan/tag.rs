//! The start tag, letter by letter (XML 1.0, section 3.1): names, attributes, values and their canonical
//! text. What the prefixes mean is not looked at here.

use std::ops::Range;

use super::Amendment;
use super::Problem;
use super::chars::{self, Checked};
use super::name::Name;
use crate::xml::Limits;
use crate::xml::namespace::Prefix;
use crate::xml::word::Word;

/// A problem and its place in the buffer.
pub(super) struct Fault(pub(super) usize, pub(super) Problem);

/// One attribute; its ranges are of the buffer the tag stands in.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// What its prefix is, by number; [`Prefix::NONE`] until it is looked at.
    pub prefix: Prefix,
    pub(super) name: Text,
    /// The local part's word, once it is looked at.
    pub(super) word: Word,
    /// Whether it stands as canonical form writes it, the space before it included.
    pub(super) as_written: bool,
    /// Bytes of `name` before the local part, colon included; `None` for what is no qualified name.
    pub(super) local_at: Option<usize>,
    pub(super) value: Text,
}

/// A name, or a canonical value.
#[derive(Debug, Clone)]
pub(super) enum Text {
    /// As written, in the buffer.
    Written(Range<usize>),
    /// Not as written: in [`Lexer::made`].
    Made(Range<usize>),
}

impl Text {
    #[inline]
    fn bytes<'a>(&self, buffer: &'a [u8], made: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Written(range) => buffer.get(range.clone()),
            Self::Made(range) => made.get(range.clone()),
        }
        .unwrap_or(&[])
    }

    pub(super) fn length(&self) -> usize {
        match self {
            Self::Written(range) | Self::Made(range) => range.len(),
        }
    }

    /// Where it begins in the buffer; 0 if it isn't there.
    pub(super) fn start(&self) -> usize {
        match self {
            Self::Written(range) => range.start,
            Self::Made(_) => 0,
        }
    }
}

impl Attribute {
    pub(super) fn name<'a>(&self, buffer: &'a [u8], made: &'a [u8]) -> &'a [u8] {
        self.name.bytes(buffer, made)
    }

    pub(super) fn local_name<'a>(&self, buffer: &'a [u8], made: &'a [u8]) -> &'a [u8] {
        self.name(buffer, made)
            .get(self.local_at.unwrap_or(0)..)
            .unwrap_or(&[])
    }

    /// The whole attribute and the space before it, if it stands as canonical form writes it.
    pub(super) fn as_written<'a>(&self, buffer: &'a [u8]) -> Option<&'a [u8]> {
        match (&self.name, &self.value) {
            (Text::Written(name), Text::Written(value)) if self.as_written => {
                buffer.get(name.start - 1..value.end + 1)
            }
            _ => None,
        }
    }

    /// The canonical value.
    pub(super) fn value<'a>(&self, buffer: &'a [u8], made: &'a [u8]) -> &'a [u8] {
        self.value.bytes(buffer, made)
    }
}

/// A start tag, taken apart.
pub(super) struct Lexed {
    pub(super) name: Name,
    /// The byte after `>`.
    pub(super) end: usize,
    pub(super) is_empty: bool,
    /// Separators and values are as canonical form writes them, but for the `/` of an empty-element tag; the order of
    /// attributes is not looked at.
    pub(super) is_canonical: bool,
}

/// Reads start tags; keeps its room from tag to tag.
#[derive(Default)]
pub(super) struct Lexer {
    pub(super) attributes: Vec<Attribute>,
    /// The places in `attributes` in canonical order; empty if they stand in it.
    pub(super) order: Vec<usize>,
    /// Whether a declaration may be among the attributes: some name begins with an x.
    pub(super) may_declare: bool,
    /// Names and values that do not stand in the buffer.
    pub(super) made: Vec<u8>,
}

impl Lexer {
    /// Reads the start tag whose `<` is at `at`; `None` if the buffer ends within it.
    #[inline(always)]
    pub(super) fn start_tag(
        &mut self,
        buffer: &[u8],
        at: usize,
        limits: &Limits,
    ) -> Result<Option<Lexed>, Fault> {
        self.attributes.clear();
        self.order.clear();
        self.made.clear();
        self.may_declare = false;
        let Some(name) = Name::read(buffer, at + 1, limits)? else {
            return Ok(None);
        };
        if buffer.get(name.end()) == Some(&b'>') {
            return Ok(Some(Lexed {
                name,
                end: name.end() + 1,
                is_empty: false,
                is_canonical: true,
            }));
        }
        let mut cursor = name.end();
        let mut is_canonical = true;
        loop {
            let rest = buffer.get(cursor..).unwrap_or(&[]);
            let space = match rest {
                [b'>', ..] => 0,
                [b' ', next, ..] if !chars::is_space(*next) => 1,
                _ => chars::spaces(rest),
            };
            let lexed = |length, is_empty, is_canonical| {
                Ok(Some(Lexed {
                    name,
                    end: cursor + space + length,
                    is_empty,
                    is_canonical,
                }))
            };
            match rest.get(space..).unwrap_or(&[]) {
                [b'>', ..] => return lexed(1, false, is_canonical && space == 0),
                [b'/', b'>', ..] => return lexed(2, true, is_canonical && space == 0),
                [] | [b'/'] => return Ok(None),
                [b'/', ..] => return fault(cursor + space, "`/` without `>`"),
                _ if space == 0 => return fault(cursor, "white space is missing"),
                _ => {}
            }
            let Some((end, as_written)) = self.attribute(buffer, cursor + space, limits)? else {
                return Ok(None);
            };
            is_canonical &= space == 1 && as_written;
            cursor = end;
        }
    }

    /// One attribute: the byte after it, and whether it and the space before it are written as canonical form writes
    /// them.
    #[inline]
    fn attribute(
        &mut self,
        buffer: &[u8],
        at: usize,
        limits: &Limits,
    ) -> Result<Option<(usize, bool)>, Fault> {
        if self.attributes.len() >= limits.attributes {
            return Err(Fault(at, Problem::TooManyAttributes(limits.attributes)));
        }
        let Some(name) = Name::read(buffer, at, limits)? else {
            return Ok(None);
        };
        let Some((quote_at, quote)) = quote(buffer, name.end())? else {
            return Ok(None);
        };
        let Some((value, end)) = self.value(buffer, quote_at + 1, quote, limits)? else {
            return Ok(None);
        };
        let follows_space = at.checked_sub(1).and_then(|before| buffer.get(before)) == Some(&b' ');
        let as_written =
            follows_space && quote == b'"' && quote_at == name.end() + 1 && matches!(value, Text::Written(_));
        self.may_declare |= buffer.get(name.start) == Some(&b'x');
        self.attributes.push(Attribute {
            prefix: Prefix::NONE,
            word: Word::of_short(b""),
            as_written,
            name: Text::Written(name.start..name.end()),
            local_at: name.local_at,
            value,
        });
        Ok(Some((end, as_written)))
    }

    /// The value that begins at `start`, and the byte after its quote.
    #[inline]
    fn value(
        &mut self,
        buffer: &[u8],
        start: usize,
        quote: u8,
        limits: &Limits,
    ) -> Result<Option<(Text, usize)>, Fault> {
        let end = start + chars::plain_value(buffer.get(start..).unwrap_or(&[]));
        if buffer.get(end) == Some(&quote) && end - start <= limits.value {
            return Ok(Some((Text::Written(start..end), end + 1)));
        }
        self.any_value(buffer, start, quote, limits)
    }

    /// The same, for one with more in it than plain characters.
    fn any_value(
        &mut self,
        buffer: &[u8],
        start: usize,
        quote: u8,
        limits: &Limits,
    ) -> Result<Option<(Text, usize)>, Fault> {
        let mut canonical: Option<usize> = None;
        let mut kept = start;
        let mut cursor = start;
        loop {
            cursor += chars::plain_value(buffer.get(cursor..).unwrap_or(&[]));
            if cursor - start > limits.value {
                return Err(Fault(start, Problem::ValueTooLong(limits.value)));
            }
            let rest = buffer.get(cursor..).unwrap_or(&[]);
            if rest.first() == Some(&quote) {
                break;
            }
            let mut room = [0; 4];
            let stop = Stop::read(rest, &mut room).map_err(|problem| Fault(cursor, problem))?;
            let Some(Stop { length, replacement }) = stop else {
                return Ok(None);
            };
            if let Some(replacement) = replacement.filter(|new| Some(*new) != rest.get(..length)) {
                canonical.get_or_insert(self.made.len());
                self.made
                    .extend_from_slice(buffer.get(kept..cursor).unwrap_or(&[]));
                self.made.extend_from_slice(replacement);
                kept = cursor + length;
            }
            cursor += length;
        }
        let value = match canonical {
            None => Text::Written(start..cursor),
            Some(from) => {
                self.made
                    .extend_from_slice(buffer.get(kept..cursor).unwrap_or(&[]));
                Text::Made(from..self.made.len())
            }
        };
        Ok(Some((value, cursor + 1)))
    }

    /// Adds what will be inserted, as if it were there.
    pub(super) fn amend(&mut self, amendment: &Amendment, prefix: Prefix) {
        self.order.clear();
        let start = self.made.len();
        self.made
            .extend_from_slice(format!("{}:{}", amendment.prefix, amendment.local).as_bytes());
        let end = self.made.len();
        self.made.extend_from_slice(amendment.value.as_bytes());
        self.attributes.push(Attribute {
            prefix,
            word: Word::of(amendment.local.as_bytes(), amendment.local.len()),
            as_written: false,
            name: Text::Made(start..end),
            local_at: Some(amendment.prefix.len() + 1),
            value: Text::Made(end..self.made.len()),
        });
    }
}

/// What stopped a run within a value.
struct Stop<'a> {
    length: usize,
    /// What it is in canonical text, unless as written.
    replacement: Option<&'a [u8]>,
}

impl<'a> Stop<'a> {
    /// `None` if the buffer ends within it.
    fn read(rest: &[u8], room: &'a mut [u8; 4]) -> Result<Option<Self>, Problem> {
        let stop = |length, replacement| Some(Self { length, replacement });
        Ok(match rest {
            [b'<', ..] => return Err(Problem::LessThanInValue),
            [b'"', ..] => stop(1, Some(b"&quot;")),
            [b'\'', ..] => stop(1, None),
            // section 3.3.3, after line ends have become one line feed (section 2.11)
            [b'\t' | b'\n', ..] => stop(1, Some(b" ")),
            [b'\r', b'\n', ..] => stop(2, Some(b" ")),
            [b'\r', _, ..] => stop(1, Some(b" ")),
            [b'\r'] | [] => None,
            [b'&', ..] => match chars::reference(rest)? {
                Some((length, character)) => stop(length, Some(chars::canonical_value(character, room))),
                None => None,
            },
            _ => match chars::check(rest)? {
                Checked::Allowed(length) => stop(length, None),
                Checked::Cut => None,
            },
        })
    }
}

/// The quote after an attribute's name, and where it is; `None` if the buffer ends before it.
#[inline]
fn quote(buffer: &[u8], name_end: usize) -> Result<Option<(usize, u8)>, Fault> {
    if let Some([b'=', b'"']) = buffer.get(name_end..name_end + 2) {
        return Ok(Some((name_end + 1, b'"')));
    }
    let Some(equals) = after_space(buffer, name_end) else {
        return Ok(None);
    };
    if buffer.get(equals) != Some(&b'=') {
        return fault(equals, "`=` is missing after an attribute's name");
    }
    let Some(quote_at) = after_space(buffer, equals + 1) else {
        return Ok(None);
    };
    match buffer.get(quote_at) {
        Some(quote @ (b'"' | b'\'')) => Ok(Some((quote_at, *quote))),
        _ => fault(quote_at, "an attribute's value is not in quotes"),
    }
}

/// The first byte at or after `at` that is no white space; `None` if the buffer ends before it.
fn after_space(buffer: &[u8], at: usize) -> Option<usize> {
    let rest = buffer.get(at..)?;
    let space = chars::spaces(rest);
    (space < rest.len()).then_some(at + space)
}

fn fault<T>(at: usize, what: &'static str) -> Result<T, Fault> {
    Err(Fault(at, Problem::StartTag(what)))
}
