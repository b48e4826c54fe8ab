//! What a module writes on standard output and standard error goes to the log: so many lines in a time, escaped, none
//! with the PIN in it. It is read to its end, for a module that cannot write waits.

use std::io::{BufRead, BufReader, Read};
use std::process::ChildStderr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use zeroize::Zeroizing;

use super::super::request::Secret;

/// Lines that are logged in [`WINDOW`].
const LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(60);
/// Bytes of a line that are looked at, and characters that are logged.
const MOST_READ: u64 = 4096;
const MOST_SHOWN: usize = 300;

/// What no line of the log may have in it.
#[derive(Clone, Default)]
pub(super) struct Withheld(Arc<Mutex<Option<Zeroizing<String>>>>);

impl Withheld {
    pub(super) fn set(&self, Secret(pin): &Secret) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(pin.clone());
    }

    /// Modules that are traced write it as text or as hexadecimal digits.
    fn is_in(&self, line: &str) -> bool {
        let withheld = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pin) = withheld.as_ref().filter(|pin| !pin.is_empty()) else {
            return false;
        };
        let digits: Zeroizing<String> = pin
            .bytes()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
            .into();
        let packed = line.to_ascii_lowercase().replace([' ', ':'], "");
        line.contains(pin.as_str()) || packed.contains(digits.as_str())
    }
}

/// Until it is closed.
pub(super) fn log(from: Option<ChildStderr>, token: &str, withheld: &Withheld) {
    let Some(from) = from else { return };
    let mut from = BufReader::new(from);
    let mut rate = Rate::default();
    while let Some(line) = next_line(&mut from) {
        if line.is_empty() {
            continue;
        }
        let Some(left_out) = rate.admit(Instant::now()) else {
            continue;
        };
        if withheld.is_in(&line) {
            tracing::warn!(token, "the token's module wrote the PIN; that line is left out");
            continue;
        }
        let says: String = line
            .chars()
            .take(MOST_SHOWN)
            .flat_map(char::escape_debug)
            .collect();
        tracing::info!(token, %says, left_out, "the token's module wrote");
    }
}

/// The beginning of the next line; the rest of a long one is passed over.
fn next_line(from: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    let read = from.by_ref().take(MOST_READ).read_until(b'\n', &mut line).ok()?;
    if read == 0 {
        return None;
    }
    let mut whole = line.ends_with(b"\n");
    while !whole {
        let mut rest = Vec::new();
        let read = from.by_ref().take(MOST_READ).read_until(b'\n', &mut rest).ok()?;
        whole = read == 0 || rest.ends_with(b"\n");
    }
    Some(String::from_utf8_lossy(&line).trim_end().to_owned())
}

/// How many lines came since when.
#[derive(Default)]
struct Rate {
    since: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl Rate {
    /// Whether one may be logged: then, how many before it were not.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now - since >= WINDOW) {
            self.since = Some(now);
            self.lines = 0;
        }
        self.lines += 1;
        if self.lines > LINES {
            self.left_out += 1;
            return None;
        }
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_writes_without_end_has_few_lines_and_they_are_counted() {
        let (mut rate, now) = (Rate::default(), Instant::now());
        let admitted: Vec<_> = (0..1000).filter_map(|_| rate.admit(now)).collect();
        assert_eq!(admitted, [0; LINES as usize]);
        assert_eq!(rate.admit(now + WINDOW), Some(1000 - u64::from(LINES)));
    }

    #[test]
    fn a_long_line_is_passed_over_and_the_next_one_is_read() {
        let text = [vec![b'a'; 10_000], b"\n\nsecond\x1b".to_vec()].concat();
        let mut from = text.as_slice();
        assert_eq!(next_line(&mut from).unwrap().len(), 4096);
        assert_eq!(next_line(&mut from).unwrap(), "");
        assert_eq!(next_line(&mut from).unwrap(), "second\x1b");
        assert_eq!(next_line(&mut from), None);
    }

    #[test]
    fn a_line_with_the_pin_is_known_however_it_is_written() {
        let withheld = Withheld::default();
        assert!(!withheld.is_in("1234"));
        withheld.set(&Secret(Zeroizing::new("12Jk".to_owned())));
        for line in ["pin=12Jk", "00 31 32 4A 6B 00", "31:32:4a:6b"] {
            assert!(withheld.is_in(line), "{line}");
        }
        assert!(!withheld.is_in("12jk"));
    }
}
