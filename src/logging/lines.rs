//! How long a line may be, and what may be in it: the one place through which everything goes that is logged.
//!
//! A line quotes what peers sent and what files contain. Whatever that is, a value is one line of bounded length in which
//! nothing moves a terminal or passes for another line (CWE-117, CWE-150).

use std::fmt::{self, Write as _};
use std::io::{self, Stderr, Write, stderr};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{FormatFields, Writer};

use crate::xml::text::Line;

/// Characters of one value. A configuration with ten mistakes is told whole.
const MOST_OF_A_VALUE: usize = 2048;
/// Bytes of all values of a line, after which nothing more is told.
const MOST_OF_A_LINE: usize = 8 * 1024;

/// The values of a line or span as text.
pub(super) struct Bounded;

impl<'writer> FormatFields<'writer> for Bounded {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut text = Text::default();
        fields.record(&mut text);
        writer.write_str(&text.0)
    }
}

#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Those that the bridge from the `log` crate adds are told by the line's beginning.
        if field.name().starts_with("log.") || self.0.len() >= MOST_OF_A_LINE {
            return;
        }
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        if field.name() != "message" {
            self.0.push_str(field.name().trim_start_matches("r#"));
            self.0.push('=');
        }
        let value = format!("{value:?}");
        // Writing to a string does not fail.
        let _ = write!(self.0, "{}", Line(&value, MOST_OF_A_VALUE));
    }
}

/// Standard error, line by line, each a JSON object that has been bounded.
#[derive(Clone, Copy)]
pub(super) struct BoundedJson;

impl<'a> MakeWriter<'a> for BoundedJson {
    type Writer = JsonLine;

    fn make_writer(&'a self) -> JsonLine {
        JsonLine(stderr())
    }
}

pub(super) struct JsonLine(Stderr);

impl Write for JsonLine {
    /// A whole line, as the layer writes them.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if line.len() <= MOST_OF_A_VALUE {
            self.0.write_all(line)?;
        } else {
            self.0.write_all(&shortened(line))?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn shortened(line: &[u8]) -> Vec<u8> {
    let Ok(mut object) = serde_json::from_slice::<Value>(line) else {
        return b"{\"level\":\"ERROR\",\"message\":\"a line could not be logged\"}\n".to_vec();
    };
    let mut left = MOST_OF_A_LINE;
    shorten(&mut object, &mut left);
    let mut line = object.to_string().into_bytes();
    line.push(b'\n');
    line
}

fn shorten(value: &mut Value, left: &mut usize) {
    match value {
        Value::String(text) => {
            let most = MOST_OF_A_VALUE.min(*left);
            *left = left.saturating_sub(text.len());
            if let Some((end, _)) = text.char_indices().nth(most) {
                text.truncate(end);
                text.push('…');
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| shorten(value, left)),
        Value::Object(values) => values.values_mut().for_each(|value| shorten(value, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(log: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .fmt_fields(Bounded)
            .with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), log);
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_looks_as_ever() {
        let line = logged(|| {
            let span = tracing::info_span!("admin", who = %"operator");
            let _entered = span.enter();
            tracing::info!(status = 200, name = "orders", key = ?Some(1), "answered {}", "it");
        });
        let after = line.split_once(" INFO ").unwrap().1;
        assert_eq!(
            after,
            "admin{who=operator}: countersign::logging::lines::tests: answered it status=200 name=\"orders\" key=Some(1)\n"
        );
    }

    #[test]
    fn nothing_in_a_value_ends_the_line_or_moves_a_terminal() {
        let line = logged(|| {
            let hostile = "a\n2026-01-01 ERROR forged\r\u{1b}]0;title\u{7}\u{9b}2J\u{202e}";
            tracing::warn!(path = %hostile, "not let in: {hostile}");
        });
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        assert!(
            !line
                .trim_end()
                .contains(|own: char| own.is_control() || own == '\u{202e}'),
            "{line:?}"
        );
        assert!(
            line.contains(r"path=a\n2026-01-01 ERROR forged\r\u{1b}]0;title\u{7}"),
            "{line}"
        );
    }

    #[test]
    fn a_value_and_a_line_have_their_bounds() {
        let long = "ä".repeat(60_000);
        let line = logged(|| tracing::warn!(path = %long, "short"));
        assert!(line.len() < 2 * MOST_OF_A_VALUE + 200, "{}", line.len());
        let line =
            logged(|| tracing::warn!(%long, b = %long, c = %long, d = %long, e = %long, f = %long, "short"));
        assert!(
            line.len() < MOST_OF_A_LINE + 2 * MOST_OF_A_VALUE + 200,
            "{}",
            line.len()
        );
        let json = serde_json::json!({"a": long, "b": {"c": [long, 1, "d"]}}).to_string();
        let short = shortened(json.as_bytes());
        let read: Value = serde_json::from_slice(&short).unwrap();
        assert!(
            short.len() < 2 * MOST_OF_A_LINE && read["b"]["c"][1] == 1,
            "{}",
            short.len()
        );
    }
}
