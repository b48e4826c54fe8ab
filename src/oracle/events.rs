//! CloudEvents held against themselves: what is read, written and read again is the same event.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use time::OffsetDateTime;

use crate::cloud_events::codec::{BATCHED, CloudEvent, Data, Received, STRUCTURED};

/// Reads a body as an event in each mode; in binary mode its first five lines are header fields.
///
/// # Errors
/// What was read, written and read again is another event.
pub fn read_events(body: &[u8]) -> Result<(), String> {
    let mut lines = body.splitn(6, |byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    for name in ["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-subject"] {
        if let Some(value) = lines.next().and_then(|line| HeaderValue::from_bytes(line).ok()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let binary = Received::read(&headers, lines.next().unwrap_or_default());
    let structured = Received::read(&of_type(STRUCTURED), body);
    let batched = Received::read(&of_type(BATCHED), body);
    for received in [binary, structured, batched].into_iter().flatten() {
        let events = match received {
            Received::One(event) => vec![*event],
            Received::Batch(events) => events,
        };
        events.into_iter().try_for_each(read_again)?;
    }
    Ok(())
}

fn read_again(mut event: CloudEvent) -> Result<(), String> {
    if event.data == Data::Other {
        // Which is not kept.
        event.data = Data::Absent;
    }
    // To the millisecond is how times are written.
    event.time = event.time.map(OffsetDateTime::truncate_to_millisecond);
    let written = event.to_json();
    match Received::read(&of_type(STRUCTURED), written.as_bytes()) {
        Ok(Received::One(again)) if *again == event => Ok(()),
        other => Err(format!(
            "{event:?} was written as {written} and read as {other:?}"
        )),
    }
}

fn of_type(media_type: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))])
}
