//! A Timestamp that the message already has in our Security header: signed as it is, but not where no receiver takes it.
//! A message that is sure to be refused is better refused here, with a sentence for its sender.

use std::time::Duration;

use time::OffsetDateTime;

use super::depth;
use crate::wss::error::{Reason, Refusal};
use crate::wss::names::WSU;
use crate::wss::timestamp::parse;
use crate::xml::scan::StartTag;

/// What some receiver allows the clock of a sender to be ahead; most allow a minute.
const MOST_SKEW: Duration = Duration::from_secs(5 * 60);

/// What was read of it.
#[derive(Default)]
pub(in crate::wss) struct Timestamp {
    /// Bytes of the document before it.
    start: u64,
    created: Option<Vec<u8>>,
    expires: Option<Vec<u8>>,
    is_open: bool,
    at: Option<Field>,
}

#[derive(Clone, Copy)]
enum Field {
    Created,
    Expires,
}

impl Timestamp {
    pub(super) fn beginning_at(start: u64) -> Self {
        Self {
            start,
            is_open: true,
            ..Self::default()
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Of something in it.
    pub(super) fn start_tag(&mut self, tag: &StartTag<'_>) -> Result<(), Refusal> {
        let is = |local| tag.depth == depth::IN_TIMESTAMP && tag.is(WSU, local);
        self.at = match (&self.created, &self.expires) {
            (None, None) if is("Created") => Some(Field::Created),
            (Some(_), None) if is("Expires") => Some(Field::Expires),
            _ => return Err(self.refused(NOT_THESE)),
        };
        // One without text is there, too.
        self.text(&[])
    }

    /// Canonical, of its own or within it.
    pub(super) fn text(&mut self, text: &[u8]) -> Result<(), Refusal> {
        let field = match self.at {
            Some(Field::Created) => &mut self.created,
            Some(Field::Expires) => &mut self.expires,
            None if is_white_space(text) => return Ok(()),
            None => return Err(self.refused(NOT_THESE)),
        };
        field.get_or_insert_default().extend_from_slice(text);
        Ok(())
    }

    pub(super) fn end_field(&mut self) {
        self.at = None;
    }

    pub(super) fn end(&mut self) -> Result<(), Refusal> {
        self.is_open = false;
        match self.created {
            Some(_) => Ok(()),
            None => Err(self.refused(NOT_THESE)),
        }
    }

    /// Whether a receiver may take it at `now`. Where it names no zone, that is not known.
    pub(in crate::wss) fn check(&self, now: OffsetDateTime) -> Result<(), Refusal> {
        let read = |text: &Option<Vec<u8>>| text.as_deref().map(|text| self.instant(text)).transpose();
        let (created, expires) = (read(&self.created)?.flatten(), read(&self.expires)?.flatten());
        let text = |field: &Option<Vec<u8>>| {
            String::from_utf8_lossy(field.as_deref().unwrap_or(&[]))
                .trim()
                .to_owned()
        };
        let refused = |reason| {
            Err(Refusal {
                offset: Some(self.start),
                reason,
            })
        };
        match (created, expires) {
            (_, Some(expires)) if expires <= now => refused(Reason::Expired(text(&self.expires))),
            (Some(created), _) if created > now + MOST_SKEW => {
                refused(Reason::FromTheFuture(text(&self.created)))
            }
            (Some(created), Some(expires)) if expires <= created => {
                refused(Reason::Timestamp("expires before it was created"))
            }
            _ => Ok(()),
        }
    }

    fn instant(&self, text: &[u8]) -> Result<Option<OffsetDateTime>, Refusal> {
        let text = String::from_utf8_lossy(text);
        let text = text.trim();
        match parse(text) {
            Some(at) => Ok(Some(at)),
            None if parse(&format!("{text}Z")).is_some() => Ok(None),
            None => Err(self.refused("holds what is no time; write it like 2026-01-31T12:00:00Z")),
        }
    }

    fn refused(&self, what: &'static str) -> Refusal {
        Refusal {
            offset: Some(self.start),
            reason: Reason::Timestamp(what),
        }
    }
}

const NOT_THESE: &str = "has not just one Created and after it at most one Expires";

/// In canonical text a carriage return is a reference.
fn is_white_space(canonical: &[u8]) -> bool {
    let mut rest = canonical;
    while let [first, after @ ..] = rest {
        rest = match first {
            b' ' | b'\t' | b'\n' => after,
            _ => match rest.strip_prefix(b"&#xD;") {
                Some(after) => after,
                None => return false,
            },
        };
    }
    true
}
