//! Why a key was revoked, in the words of whoever did it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// One line that ends up in log and audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(Arc<str>);

/// Bytes; a sentence or two.
const LONGEST: usize = 500;

/// Not something that can stand in a line of the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a reason is one line of text, at most {LONGEST} bytes long: say in a few words why the key is revoked"
)]
pub struct NotAReason;

impl FromStr for Reason {
    type Err = NotAReason;

    fn from_str(text: &str) -> Result<Self, NotAReason> {
        let text = text.trim();
        let fits = !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control);
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(NotAReason)
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_that_says_something() {
        assert_eq!(
            " laptop stolen ".parse::<Reason>().unwrap().to_string(),
            "laptop stolen"
        );
        for text in ["", "  ", "two\nlines", &"x".repeat(LONGEST + 1)] {
            assert_eq!(text.parse::<Reason>(), Err(NotAReason), "{text}");
        }
    }
}
