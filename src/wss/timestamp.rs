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

/// The Expires of a Timestamp that others made, if it is before `now`. What cannot be read is the receiver's
/// to judge.
pub(super) fn expired(expires: &[u8], now: OffsetDateTime) -> Option<String> {
    let text = std::str::from_utf8(expires).ok()?.trim();
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    (at <= now).then(|| text.to_owned())
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
    fn a_timestamp_has_expired_from_its_expires_on() {
        let now = OffsetDateTime::parse("2026-01-02T00:00:00Z", &Rfc3339).unwrap();
        assert_eq!(
            expired(b" 2026-01-02T00:00:00.000Z ", now).as_deref(),
            Some("2026-01-02T00:00:00.000Z")
        );
        assert_eq!(expired(b"2026-01-02T00:00:00.001Z", now), None);
        assert_eq!(expired(b"tomorrow", now), None);
    }
}
