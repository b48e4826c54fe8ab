//! Characters: which XML allows where, and what references stand for (XML 1.0, sections 2.2, 2.3 and 4.1).
//! Works on bytes that are known to be UTF-8.

use wide::u8x16;

use super::Problem;

/// Bytes of a run that needs no look: not markup, not forbidden, and the same in canonical text.
pub(super) fn plain_text(bytes: &[u8]) -> usize {
    run(bytes, stops_text)
}

/// The same for an attribute value, up to either quote.
pub(super) fn plain_value(bytes: &[u8]) -> usize {
    run(bytes, stops_value)
}

/// The same inside a comment, processing instruction or CDATA section.
pub(super) fn plain_section(bytes: &[u8]) -> usize {
    run(bytes, stops_section)
}

/// White space, section 2.3.
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Bytes of white space at the start.
pub(super) fn spaces(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| !is_space(*byte))
        .unwrap_or(bytes.len())
}

/// Bytes of the Name at the start, as far as it goes in `bytes`; 0 if none begins there.
pub(super) fn name(bytes: &[u8]) -> usize {
    if !bytes.first().is_some_and(|first| starts_name(*first, bytes)) {
        return 0;
    }
    let ascii = run(bytes, stops_name);
    match bytes.get(ascii) {
        Some(byte) if !byte.is_ascii() => ascii + wide_name(bytes.get(ascii..).unwrap_or(&[])),
        _ => ascii,
    }
}

/// The rest of a name from its first character beyond ASCII on.
fn wide_name(bytes: &[u8]) -> usize {
    /// Far beyond any limit on names; keeps many such names in one buffer from costing its length each.
    const WINDOW: usize = 4096;
    let valid = complete_utf8(bytes.get(..WINDOW.min(bytes.len())).unwrap_or(&[]));
    valid
        .char_indices()
        .find(|(_, c)| !is_name_char(*c))
        .map_or(valid.len(), |(at, _)| at)
}

fn starts_name(first: u8, bytes: &[u8]) -> bool {
    if first.is_ascii() {
        return first == b':' || first == b'_' || first.is_ascii_alphabetic();
    }
    complete_utf8(bytes.get(..4.min(bytes.len())).unwrap_or(&[]))
        .chars()
        .next()
        .is_some_and(is_name_start)
}

/// Whether this could be an NCName's first character (Namespaces, section 3).
pub(super) fn starts_ncname(bytes: &[u8]) -> bool {
    bytes
        .first()
        .is_some_and(|first| *first != b':' && starts_name(*first, bytes))
}

/// The text up to a character that the buffer cuts in two.
fn complete_utf8(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(cut) => bytes
            .get(..cut.valid_up_to())
            .and_then(|valid| std::str::from_utf8(valid).ok())
            .unwrap_or(""),
    }
}

/// `NameStartChar`, section 2.3, beyond ASCII.
const fn is_name_start(c: char) -> bool {
    matches!(c,
        '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}'
        | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
        | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

/// `NameChar`, section 2.3.
fn is_name_char(c: char) -> bool {
    match u8::try_from(c) {
        Ok(byte) if byte.is_ascii() => is_ascii_name(byte),
        _ => is_name_start(c) || matches!(c, '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}'),
    }
}

const fn is_ascii_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_' | b'-' | b'.')
}

/// `Char`, section 2.2.
pub(super) const fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// What a byte that ended a run is, where only its being allowed is in question.
pub(super) enum Checked {
    /// So many bytes are allowed characters.
    Allowed(usize),
    /// The character is cut by the end of the buffer.
    Cut,
}

/// Looks at a byte that might begin a forbidden character: a control, U+FFFE or U+FFFF.
pub(super) fn check(bytes: &[u8]) -> Result<Checked, Problem> {
    match bytes {
        [0xEF, 0xBF, 0xBE, ..] => Err(Problem::Character(0xFFFE)),
        [0xEF, 0xBF, 0xBF, ..] => Err(Problem::Character(0xFFFF)),
        [0xEF, _, _, ..] => Ok(Checked::Allowed(3)),
        [0xEF, ..] | [] => Ok(Checked::Cut),
        [control @ (0..=8 | 0x0B | 0x0C | 0x0E..=0x1F), ..] => Err(Problem::Character(u32::from(*control))),
        _ => Ok(Checked::Allowed(1)),
    }
}

/// A reference at the start of `bytes`: its length and its character; `None` if it is cut by the buffer's end.
pub(super) fn reference(bytes: &[u8]) -> Result<Option<(usize, char)>, Problem> {
    /// `&#x` and as many leading zeros as anybody could want.
    const LONGEST: usize = 64;
    let within = bytes.get(..LONGEST.min(bytes.len())).unwrap_or(&[]);
    let Some(end) = memchr::memchr(b';', within) else {
        let could_go_on = within
            .get(1..)
            .unwrap_or(&[])
            .iter()
            .all(|byte| *byte == b'#' || is_ascii_name(*byte));
        return if bytes.len() < LONGEST && could_go_on {
            Ok(None)
        } else {
            Err(Problem::Reference)
        };
    };
    let character = match within.get(1..end).unwrap_or(&[]) {
        [b'#', b'x', hex @ ..] => numeric(hex, 16)?,
        [b'#', decimal @ ..] => numeric(decimal, 10)?,
        b"lt" => '<',
        b"gt" => '>',
        b"amp" => '&',
        b"apos" => '\'',
        b"quot" => '"',
        other if !other.is_empty() && name(other) == other.len() => {
            return Err(Problem::Entity(String::from_utf8_lossy(other).into_owned()));
        }
        _ => return Err(Problem::Reference),
    };
    Ok(Some((end + 1, character)))
}

fn numeric(digits: &[u8], radix: u32) -> Result<char, Problem> {
    let text = std::str::from_utf8(digits).map_err(|_| Problem::Reference)?;
    if text.is_empty() || !text.bytes().all(|digit| char::from(digit).is_digit(radix)) {
        return Err(Problem::Reference);
    }
    let number = u32::from_str_radix(text, radix).map_err(|_| Problem::Character(u32::MAX))?;
    char::from_u32(number)
        .filter(|c| is_char(*c))
        .ok_or(Problem::Character(number))
}

/// A character in canonical text (C14N 1.0, section 2.3).
pub(super) fn canonical_text(c: char, room: &mut [u8; 4]) -> &[u8] {
    match c {
        '&' => b"&amp;",
        '<' => b"&lt;",
        '>' => b"&gt;",
        '\r' => b"&#xD;",
        _ => c.encode_utf8(room).as_bytes(),
    }
}

/// A character in a canonical attribute value (C14N 1.0, section 2.3).
pub(super) fn canonical_value(c: char, room: &mut [u8; 4]) -> &[u8] {
    match c {
        '&' => b"&amp;",
        '<' => b"&lt;",
        '"' => b"&quot;",
        '\t' => b"&#x9;",
        '\n' => b"&#xA;",
        '\r' => b"&#xD;",
        _ => c.encode_utf8(room).as_bytes(),
    }
}

/// Bytes before the first that stops; NUL always does. Sixteen are looked at together, without a branch.
#[inline]
fn run(bytes: &[u8], stops: impl Fn(u8x16) -> u8x16) -> usize {
    let first = |block: [u8; 16]| stops(u8x16::new(block)).to_bitmask().trailing_zeros() as usize;
    // Most runs end here.
    if let Some(block) = bytes.first_chunk::<16>()
        && let found @ ..16 = first(*block)
    {
        return found;
    }
    let (blocks, rest) = bytes.as_chunks::<16>();
    for (number, block) in blocks.iter().enumerate() {
        let found = first(*block);
        if found < block.len() {
            return number * block.len() + found;
        }
    }
    let mut last = [0; 16];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    bytes.len() - rest.len() + first(last).min(rest.len())
}

#[inline]
pub(super) fn is(bytes: u8x16, byte: u8) -> u8x16 {
    bytes.simd_eq(u8x16::splat(byte))
}

fn is_at_most(bytes: u8x16, byte: u8) -> u8x16 {
    bytes.min(u8x16::splat(byte)).simd_eq(bytes)
}

/// Markup, what canonical text writes otherwise, and what may begin a forbidden character.
fn stops_text(bytes: u8x16) -> u8x16 {
    is(bytes, b'<') | is(bytes, b'&') | is(bytes, b'>') | is(bytes, b']') | may_be_forbidden(bytes)
}

/// Quotes, markup, and all white space but the space.
fn stops_value(bytes: u8x16) -> u8x16 {
    let markup = is(bytes, b'<') | is(bytes, b'&') | is(bytes, b'"') | is(bytes, b'\'');
    markup | is_at_most(bytes, 0x1F) | is(bytes, 0xEF)
}

/// What ends a comment, a processing instruction or a CDATA section as well.
fn stops_section(bytes: u8x16) -> u8x16 {
    stops_text(bytes) | is(bytes, b'-') | is(bytes, b'?')
}

/// Everything but [`is_ascii_name`].
fn stops_name(bytes: u8x16) -> u8x16 {
    !(starts_ascii_name(bytes) | goes_on_in_name(bytes))
}

/// ASCII letters and the underscore.
#[inline]
pub(super) fn starts_ascii_name(bytes: u8x16) -> u8x16 {
    let letter = is_at_most((bytes | u8x16::splat(0x20)) - u8x16::splat(b'a'), 25);
    letter | is(bytes, b'_')
}

/// What else a name may have of ASCII: all from `-` to `:`, but no `/`.
#[inline]
pub(super) fn goes_on_in_name(bytes: u8x16) -> u8x16 {
    is_at_most(bytes - u8x16::splat(b'-'), b':' - b'-') & !is(bytes, b'/')
}

/// A control (CR among them, for its line end), or the first byte of U+FFFE and U+FFFF.
fn may_be_forbidden(bytes: u8x16) -> u8x16 {
    let control = is_at_most(bytes, 0x1F) & !(is(bytes, b'\t') | is(bytes, b'\n'));
    control | is(bytes, 0xEF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_the_standard_says() {
        assert_eq!(reference(b"&lt;x"), Ok(Some((4, '<'))));
        assert_eq!(reference(b"&#x41;"), Ok(Some((6, 'A'))));
        assert_eq!(reference(b"&#0065;"), Ok(Some((7, 'A'))));
        assert_eq!(reference(b"&#x1F60"), Ok(None));
        assert_eq!(reference(b"& "), Err(Problem::Reference));
        assert_eq!(reference(b"&#;"), Err(Problem::Reference));
        assert_eq!(reference(b"&#+5;"), Err(Problem::Reference));
        assert_eq!(reference(b"&#0;"), Err(Problem::Character(0)));
        assert_eq!(reference(b"&#xD800;"), Err(Problem::Character(0xD800)));
        assert_eq!(reference(b"&nbsp;"), Err(Problem::Entity("nbsp".into())));
    }

    #[test]
    fn names_end_where_the_standard_ends_them() {
        assert_eq!(name(b"a:b-c.d_1 x"), 9);
        assert_eq!(name(b"1a"), 0);
        assert_eq!(name("é·x=".as_bytes()), "é·x".len());
        assert_eq!(name("a×b".as_bytes()), 1);
    }

    #[test]
    fn a_run_ends_at_each_byte_that_stops_wherever_it_stands() {
        let stops_as = |name: &str, run: fn(&[u8]) -> usize, stops: &dyn Fn(u8) -> bool| {
            for byte in 0..=u8::MAX {
                for at in 0..40 {
                    let mut bytes = [b'a'; 40];
                    bytes[at] = byte;
                    assert_eq!(
                        run(&bytes),
                        if stops(byte) { at } else { 40 },
                        "{name}: {byte:#04x} at {at}"
                    );
                }
            }
        };
        let forbidden = |byte: u8| byte == 0xEF || (byte < 0x20 && byte != b'\t' && byte != b'\n');
        stops_as("text", plain_text, &move |byte| {
            forbidden(byte) || b"<&>]".contains(&byte)
        });
        stops_as("value", plain_value, &|byte| {
            byte == 0xEF || byte < 0x20 || b"<&\"'".contains(&byte)
        });
        stops_as("section", plain_section, &move |byte| {
            forbidden(byte) || b"<&>]-?".contains(&byte)
        });
        stops_as("name", |bytes| run(bytes, stops_name), &|byte| {
            !is_ascii_name(byte)
        });
    }
}
