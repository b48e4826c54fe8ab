//! Text that others wrote, on its way into a document of ours: shown to people, or kept to the letter.

use std::fmt::{self, Display, Write};

/// Character data for people. It may quote what a peer sent: nothing of that becomes markup, and what
/// XML 1.0 has no place for (section 2.2) is replaced.
pub(crate) struct Text<'a>(pub(crate) &'a str);

/// One line for people and logs, of at most so many characters: what is not for reading is an escape.
pub(crate) struct Line<'a>(pub(crate) &'a str, pub(crate) usize);

/// Lines for people: what is not for reading is an escape, but for the ends of lines.
pub(crate) struct Lines<'a>(pub(crate) &'a str);

/// JSON for programs, which a terminal may show all the same: what is not for reading is an escape of JSON's.
pub(crate) struct Json<'a>(pub(crate) &'a str);

/// An attribute's value or character data that a parser gives back to the letter: white space that it would
/// normalise (sections 2.11 and 3.3.3) is written as references. What XML has no place for must not be in it.
pub(crate) struct Exact<'a>(pub(crate) &'a str);

/// XML 1.0, section 2.2.
pub(crate) const fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                // A parser reads it as a line feed.
                '\r' => f.write_char(char::REPLACEMENT_CHARACTER)?,
                _ if is_allowed(character) => f.write_char(character)?,
                _ => f.write_char(char::REPLACEMENT_CHARACTER)?,
            }
        }
        Ok(())
    }
}

impl Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text, most) = *self;
        for character in text.chars().take(most) {
            readable(character, f)?;
        }
        match text.chars().nth(most) {
            Some(_) => f.write_char('…'),
            None => Ok(()),
        }
    }
}

impl Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\n' => f.write_char('\n')?,
                other => readable(other, f)?,
            }
        }
        Ok(())
    }
}

impl Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            let is_shown = is_readable(character) || character == '\n';
            match u16::try_from(u32::from(character)) {
                Ok(unit) if !is_shown => write!(f, "\\u{unit:04x}")?,
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// Quotation marks need no escape outside of them.
fn is_readable(character: char) -> bool {
    matches!(character, '"' | '\'' | '\\') || character.escape_debug().len() == 1
}

fn readable(character: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if is_readable(character) {
        f.write_char(character)
    } else {
        write!(f, "{}", character.escape_debug())
    }
}

impl Display for Exact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\t' | '\n' | '\r' => write!(f, "&#x{:X};", u32::from(character))?,
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_exact_has_no_character_that_a_parser_would_change() {
        assert_eq!(
            Exact("<\"a\"> & 'b'\r\n\té").to_string(),
            "&lt;&quot;a&quot;&gt; &amp; 'b'&#xD;&#xA;&#x9;é"
        );
    }

    #[test]
    fn what_a_peer_sent_stays_text() {
        assert_eq!(
            Text("a<b>&\"c\"\u{0}\u{FFFF}\r").to_string(),
            "a&lt;b&gt;&amp;\"c\"\u{FFFD}\u{FFFD}\u{FFFD}"
        );
    }

    #[test]
    fn a_line_is_one_line_of_bounded_length_and_nothing_in_it_moves_a_terminal() {
        assert_eq!(
            Line("\"Zugriff\"\n\u{202e}\u{85}\u{1b}[1m ä", 99).to_string(),
            r#""Zugriff"\n\u{202e}\u{85}\u{1b}[1m ä"#
        );
        assert_eq!(Line("ääää", 3).to_string(), "äää…");
        assert_eq!(Lines("a\nb\u{1b}[2J\r").to_string(), "a\nb\\u{1b}[2J\\r");
    }

    #[test]
    fn json_stays_the_same_value_and_moves_no_terminal() {
        let text = "{\n\"a\":\"\u{7f}\u{9b}2J\u{202e}ä😀\"}";
        let shown = Json(text).to_string();
        assert!(!shown.contains(|own: char| own != '\n' && own.is_control()) && !shown.contains('\u{202e}'));
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&shown), value(text));
    }
}
