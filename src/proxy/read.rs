//! Step 3: a request's body becomes a [`PlainMessage`], read while it arrives.
//!
//! Everything that a sender can make us keep is bounded here: the bytes of one message, the bytes of
//! all messages together, and the time it takes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, request};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout, timeout_at};

use super::exchange::Exchange;
use super::load::{Exhausted, Part, Portion};
use super::media_type::MediaType;
use super::route::Route;
use crate::config::ProxyConfig;
use crate::wss::{MessageError, PlainMessage, Protection, SignedMessage, SoapVersion};

mod coding;

pub(super) use coding::{CodingError, Decoding};

/// After a refusal, the rest of the body is read up to this many bytes and this long, so that the
/// connection can be used again; past that it is closed.
const DRAIN_BYTES: usize = 8 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// Bytes that are read before others have their turn: some milliseconds at most, whatever is in them.
const AT_A_TURN: usize = 64 * 1024;

/// A whole message and the memory that it is allowed to take. A clone is the same message: it is kept where it may have
/// to be signed once more.
#[derive(Clone)]
pub(super) struct Received {
    pub(super) message: Arc<PlainMessage>,
    pub(super) memory: Arc<Reservation>,
}

/// Why no message was read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// `Content-Type` says that it is not a SOAP message.
    #[error("{0}; send Content-Type text/xml (SOAP 1.1) or application/soap+xml (SOAP 1.2)")]
    MediaType(String),
    /// SOAP with attachments, or MTOM.
    #[error(
        "attachments are not supported yet; send the SOAP envelope alone, as text/xml or application/soap+xml"
    )]
    Multipart,
    /// Compressed in a way that we do not read.
    #[error(transparent)]
    Coding(#[from] CodingError),
    /// Besides chunks.
    #[error("the transfer coding {0} is not supported; send the message with Content-Length, or chunked")]
    TransferCoding(String),
    /// An `Expect` other than 100-continue.
    #[error("the expectation {0} cannot be met; leave out the Expect field")]
    Expectation(String),
    /// Over `max_message`.
    #[error("the message is larger than {0} bytes; send a smaller one, or raise max_message")]
    TooLarge(usize),
    /// Over `max_buffered`.
    #[error("too many messages are under way; send it again later")]
    Overloaded(#[from] Exhausted),
    /// The sender went silent, or took too long altogether.
    #[error("the message did not arrive in time; send it again, faster")]
    TooSlow,
    /// The sender broke off, or broke HTTP.
    #[error("the message broke off: {0}; send it again")]
    BrokenOff(#[source] hyper::Error),
    /// Not a message that we sign.
    #[error(transparent)]
    Message(#[from] MessageError),
}

/// What all readers share.
pub(super) struct Reading {
    max_message: usize,
}

impl Reading {
    /// Before any configuration.
    pub(super) const fn nothing() -> Self {
        Self { max_message: 0 }
    }

    /// Within the configuration's bounds.
    pub(super) const fn within(config: &ProxyConfig) -> Self {
        let max_message = config.max_message;
        Self { max_message }
    }

    /// Reads the whole message. Once it is transcoded, the head says so.
    pub(super) async fn message(
        &self,
        head: &mut request::Parts,
        body: &mut RequestBody,
        route: &Route,
        exchange: &mut Exchange,
    ) -> Result<Received, ReadError> {
        let media_type = admitted(&head.headers)?;
        let room = &route.room.bytes;
        self.expect(declared_length(&head.headers), room)?;
        let mut decoding = Decoding::of(&head.headers)?;
        let mut reader = route.protection.read(media_type.charset());
        let (mut length, mut memory, mut read) = (0, room.take(0)?, 0);
        while let Some(chunk) = body.next(exchange.deadline()).await? {
            decoding.feed(chunk);
            while let Some(mut piece) = decoding.next()? {
                length += piece.len();
                if length > self.max_message {
                    return Err(ReadError::TooLarge(self.max_message));
                }
                room.more(&mut memory, piece.len())?;
                while !piece.is_empty() {
                    let turn = piece.split_to(piece.len().min(AT_A_TURN - read));
                    read += turn.len();
                    let fed = reader.feed(turn);
                    exchange.soap_version_read(reader.soap_version());
                    fed?;
                    if read == AT_A_TURN {
                        read = 0;
                        yield_now().await;
                    }
                }
            }
        }
        decoding.finish()?;
        let message = reader.finish()?;
        remark(&message, route);
        if let Some(content_type) = message.transcoded().then(|| media_type.in_utf8()).flatten() {
            head.headers.insert(CONTENT_TYPE, content_type);
        }
        Ok(Received {
            message: Arc::new(message),
            memory: Arc::new(Reservation(memory)),
        })
    }

    /// A sample that is here already, as if a flow had sent it.
    pub(super) fn sample(
        headers: &mut HeaderMap,
        bytes: Bytes,
        protection: &Protection,
    ) -> Result<PlainMessage, ReadError> {
        let media_type = admitted(headers)?;
        let mut reader = protection.read(media_type.charset());
        reader.feed(bytes)?;
        let message = reader.finish()?;
        if let Some(content_type) = message.transcoded().then(|| media_type.in_utf8()).flatten() {
            headers.insert(CONTENT_TYPE, content_type);
        }
        Ok(message)
    }

    /// Refuses at once what would be refused on the way. Nothing is reserved yet: who declares much and sends little
    /// would take it from others.
    fn expect(&self, declared: Option<u64>, room: &Portion) -> Result<(), ReadError> {
        let Some(length) = declared else {
            return Ok(());
        };
        match usize::try_from(length) {
            Ok(length) if length <= self.max_message && room.has(length) => Ok(()),
            Ok(length) if length <= self.max_message => Err(Exhausted.into()),
            _ => Err(ReadError::TooLarge(self.max_message)),
        }
    }
}

/// Logs what is odd about a message that we sign all the same.
fn remark(message: &PlainMessage, route: &Route) {
    let (disagreement, breaks) = (message.encoding_disagreement(), message.breaks_inner_signature());
    if disagreement.is_none() && !breaks {
        return;
    }
    let Some(omitted) = route.remarks.due() else {
        return;
    };
    if let Some(disagreement) = disagreement {
        tracing::warn!(route = route.name, omitted, "{disagreement}");
    }
    if breaks {
        tracing::warn!(
            route = route.name,
            omitted,
            "the Body carries a signature of its own that our wsu:Id may break; \
             if its receiver refuses it, ask the sender for exclusive canonicalization"
        );
    }
}

/// A share of `max_buffered`; given back when dropped.
pub(super) struct Reservation(Part);

impl Reservation {
    /// For a message of so many bytes.
    pub(super) fn of(room: &Portion, bytes: usize) -> Result<Self, Exhausted> {
        room.take(bytes).map(Self)
    }

    /// What the message takes.
    pub(super) fn bytes(&self) -> usize {
        self.0.amount()
    }
}

/// What a message takes until it has been sent: as it came, and what signing put into it.
pub(super) struct Outlay {
    _plain: Arc<Reservation>,
    _inserted: Reservation,
}

impl Outlay {
    /// For a signed message, as far as it is larger than what it was made of.
    pub(super) fn of(
        room: &Portion,
        signed: &SignedMessage,
        plain: Arc<Reservation>,
    ) -> Result<Self, Exhausted> {
        let bytes: usize = signed.segments().iter().map(Bytes::len).sum();
        Ok(Self {
            _inserted: Reservation::of(room, bytes.saturating_sub(plain.bytes()))?,
            _plain: plain,
        })
    }
}

/// The body of a request, which is read, or drained, or left alone.
pub(super) struct RequestBody {
    incoming: Incoming,
    /// The next bytes come within this time.
    gap: Duration,
    /// The sender waits for "100 Continue", which the first read sends.
    waits: bool,
}

impl RequestBody {
    /// The body that belongs to the head.
    pub(super) fn new(head: &request::Parts, incoming: Incoming, gap: Duration) -> Self {
        Self {
            incoming,
            gap,
            waits: head.headers.contains_key(EXPECT),
        }
    }

    /// There is none, and there will not be.
    pub(super) fn is_empty(&self) -> bool {
        self.incoming.is_end_stream()
    }

    /// The next bytes; `None` at the end. Trailer fields end here.
    async fn next(&mut self, deadline: Instant) -> Result<Option<Bytes>, ReadError> {
        self.waits = false;
        loop {
            let frame = timeout_at(deadline, timeout(self.gap, self.incoming.frame())).await;
            let Ok(Ok(frame)) = frame else {
                return Err(ReadError::TooSlow);
            };
            let Some(frame) = frame.transpose().map_err(ReadError::BrokenOff)? else {
                return Ok(None);
            };
            if let Ok(chunk) = frame.into_data() {
                return Ok(Some(chunk));
            }
        }
    }

    /// Reads what is left and forgets it; if it is urgent, only what has come already. False if the connection cannot
    /// be used again.
    pub(super) async fn drain(&mut self, urgent: bool) -> bool {
        let rest = async {
            let mut left = DRAIN_BYTES;
            while let Some(frame) = self.incoming.frame().await {
                let Ok(frame) = frame else { return false };
                let Some(less) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else {
                    return false;
                };
                left = less;
            }
            true
        };
        let patience = if urgent { Duration::ZERO } else { DRAIN_TIME };
        !self.waits && timeout(patience, rest).await.unwrap_or(false)
    }
}

/// The SOAP version that a `Content-Type` speaks of.
pub(super) fn soap_version(headers: &HeaderMap) -> SoapVersion {
    match headers.get(CONTENT_TYPE).map(MediaType::parse) {
        Some(Ok(media_type)) if media_type.essence() == SOAP12_TYPE => SoapVersion::Soap12,
        _ => SoapVersion::Soap11,
    }
}

const SOAP11_TYPE: &str = "text/xml";
const SOAP12_TYPE: &str = "application/soap+xml";

/// Checks everything that a head says about its message.
fn admitted(headers: &HeaderMap) -> Result<MediaType, ReadError> {
    if let Some(other) = headers
        .get_all(EXPECT)
        .iter()
        .find(|value| !is(value, "100-continue"))
    {
        return Err(ReadError::Expectation(shown(other)));
    }
    if let Some(other) = headers
        .get_all(TRANSFER_ENCODING)
        .iter()
        .find(|value| !is(value, "chunked"))
    {
        return Err(ReadError::TransferCoding(shown(other)));
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return Err(ReadError::MediaType(
            "the request has no Content-Type, or several".to_owned(),
        ));
    };
    let media_type = MediaType::parse(value)
        .map_err(|problem| ReadError::MediaType(format!("{} {problem}", shown(value))))?;
    match media_type.essence() {
        SOAP11_TYPE | SOAP12_TYPE => Ok(media_type),
        "multipart/related" => Err(ReadError::Multipart),
        other => Err(ReadError::MediaType(format!("{other} is not a SOAP message"))),
    }
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is(value: &HeaderValue, word: &str) -> bool {
    value
        .as_bytes()
        .trim_ascii()
        .eq_ignore_ascii_case(word.as_bytes())
}

fn shown(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}
