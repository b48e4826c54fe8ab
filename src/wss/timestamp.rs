//! `wsu:Timestamp` (WSS 1.1.1, section 10; BSP R3203 to R3227).

use std::time::Duration;

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::names::WSU;

/// A Timestamp that begins `now`.
pub(super) fn element(id: &str, now: OffsetDateTime, lifetime: Duration) -> String {
    let (created, expires) = (instant(now), instant(now + lifetime));
    format!(
        r#"<wsu:Timestamp xmlns:wsu="{WSU}" wsu:Id="{id}"><wsu:Created>{created}</wsu:Created><wsu:Expires>{expires}</wsu:Expires></wsu:Timestamp>"#
    )
}

/// UTC with `Z` and three decimals (BSP R3217, R3220).
fn instant(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    let ((year, month, day), (hour, minute, second, millisecond)) =
        (at.to_calendar_date(), at.to_hms_milli());
    let month = u8::from(month);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

/// An `xs:dateTime` with its zone, without white space around it. RFC 3339 knows other separators and second 60 besides,
/// which no receiver reads.
pub(super) fn parse(text: &str) -> Option<OffsetDateTime> {
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"-:.+TZ".contains(&byte));
    let is_leap_second = text.get(17..19) == Some("60");
    if !is_plain || is_leap_second {
        return None;
    }
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_utc_with_three_decimals() {
        let at = OffsetDateTime::parse("2026-01-02T03:04:05.6789+02:00", &Rfc3339).unwrap();
        assert_eq!(instant(at), "2026-01-02T01:04:05.678Z");
    }

    #[test]
    fn an_instant_is_read_as_xml_schema_writes_it_and_in_no_other_way() {
        for text in [
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05.678901Z",
            "2026-01-02T03:04:05+00:00",
            "2026-01-02T05:04:05+02:00",
        ] {
            assert!(parse(text).is_some(), "{text}");
        }
        for text in [
            "2026-01-02t03:04:05Z",
            "2026-01-02T03:04:05z",
            "2026-01-02_03:04:05Z",
            "2026-01-02 03:04:05Z",
            "2026-01-02T24:00:00Z",
            "2026-12-31T23:59:60Z",
            "2026-01-02T03:04:05",
            "2026-01-02",
            "tomorrow",
            "",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
