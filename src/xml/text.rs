//! Text that others wrote, on its way into a document of ours.

use std::fmt::{self, Display, Write};

/// Character data of an element. It may quote what a peer sent: nothing of that becomes markup, and what
/// XML 1.0 has no place for (section 2.2) is replaced.
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '\t' | '\n' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'.. => {
                    f.write_char(character)?
                }
                _ => f.write_char(char::REPLACEMENT_CHARACTER)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_sent_stays_text() {
        assert_eq!(
            Text("a<b>&\"c\"\u{0}\u{FFFF}\r").to_string(),
            "a&lt;b&gt;&amp;\"c\"\u{FFFD}\u{FFFD}\u{FFFD}"
        );
    }
}
