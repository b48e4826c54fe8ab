//! How the receivers' clocks go against ours, by the `Date` of their answers (RFC 9110, section 6.6.1): a Timestamp that
//! lies in a receiver's future, or has expired there, is refused as surely as a wrong key.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use http::header::DATE;
use http::{HeaderMap, Uri};
use time::{Duration, OffsetDateTime};

use crate::clock::rfc3339;
use crate::config::origin;

/// Common stacks allow a Timestamp 60 s into their future; half of that is used up.
const BOUND: Duration = Duration::seconds(30);
/// A receiver whose clock is wrong is told of once in this time.
const QUIET: Duration = Duration::hours(1);

/// How a receiver's clock goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiverClock {
    /// How far it is ahead of ours, to the second; negative where it is behind.
    pub ahead: Duration,
    /// When its last answer came, by our clock.
    pub seen: OffsetDateTime,
}

impl ReceiverClock {
    /// So far from ours that Timestamps may be refused.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        self.ahead.abs() > BOUND
    }
}

/// Those of all receivers that have answered; they outlive configurations.
#[derive(Default)]
pub(super) struct Clocks(Mutex<BTreeMap<String, Entry>>);

struct Entry {
    clock: ReceiverClock,
    warned: Option<OffsetDateTime>,
}

impl Clocks {
    /// An answer of this receiver came.
    pub(super) fn observe(&self, receiver: &Uri, headers: &HeaderMap, now: OffsetDateTime) {
        let Some(date) = date(headers) else { return };
        let clock = ReceiverClock {
            ahead: Duration::seconds((date - now).whole_seconds()),
            seen: now,
        };
        let receiver = origin(receiver);
        let mut clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = clocks
            .entry(receiver.clone())
            .or_insert(Entry { clock, warned: None });
        entry.clock = clock;
        if !clock.is_wrong() || entry.warned.is_some_and(|at| (now - at).abs() < QUIET) {
            return;
        }
        entry.warned = Some(now);
        drop(clocks);
        tracing::warn!(
            receiver,
            seconds_ahead = clock.ahead.whole_seconds(),
            its_date = rfc3339(date),
            "the receiver's clock differs from ours: it may refuse Timestamps; set both by NTP"
        );
    }

    /// The one of this receiver, if it has said what time it is.
    pub(super) fn of(&self, receiver: &Uri) -> Option<ReceiverClock> {
        let clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clocks.get(&origin(receiver)).map(|entry| entry.clock)
    }
}

fn date(headers: &HeaderMap) -> Option<OffsetDateTime> {
    let text = headers.get(DATE)?.to_str().ok()?;
    httpdate::parse_http_date(text).ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn dated(date: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(DATE, HeaderValue::from_static(date))])
    }

    #[test]
    fn a_receivers_clock_is_known_by_its_last_date() {
        let clocks = Clocks::default();
        let receiver: Uri = "https://erp.example.com/orders".parse().unwrap();
        let now = OffsetDateTime::UNIX_EPOCH + Duration::seconds(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        assert_eq!(clocks.of(&receiver), None);
        for headers in [HeaderMap::new(), dated("yesterday")] {
            clocks.observe(&receiver, &headers, now);
            assert_eq!(clocks.of(&receiver), None);
        }
        for (date, ahead) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
            ("Sunday, 06-Nov-94 08:51:37 GMT", 120),
            ("Sun Nov  6 08:49:07 1994", -30),
        ] {
            clocks.observe(&receiver, &dated(date), now);
            let other_path = "https://ERP.example.com/invoices".parse().unwrap();
            let expected = ReceiverClock {
                ahead: Duration::seconds(ahead),
                seen: now,
            };
            assert_eq!(clocks.of(&other_path), Some(expected), "{date}");
        }
        assert_eq!(clocks.of(&"http://erp.example.com/".parse().unwrap()), None);
    }
}
