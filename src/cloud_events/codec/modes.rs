//! The three content modes of the HTTP protocol binding, told by the media type (section 3).

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::Value;

use super::{
    Attributes, BATCHED, CloudEvent, Data, Kind, LARGEST_BATCH, NotACloudEvent, Received, STRUCTURED, field,
    is_utf8, json, kind_of_data,
};

/// What the names of attributes are prefixed with.
const PREFIX: &str = "ce-";
/// What the media types of events begin with, whatever their format.
const FAMILY: &str = "application/cloudevents";

impl Received {
    /// Reads the events of one request.
    ///
    /// # Errors
    /// When it is none, or one of a batch is none; then nobody acts on any of them.
    pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, NotACloudEvent> {
        let coding = headers.get(CONTENT_ENCODING);
        if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(NotACloudEvent::MediaType("the body is compressed"));
        }
        let media_type = media_type(headers)?;
        let (essence, parameters) = media_type.split_once(';').unwrap_or((media_type, ""));
        let essence = essence.trim().to_ascii_lowercase();
        if !essence.starts_with(FAMILY) {
            return binary(headers, media_type, body).map(|event| Self::One(event.into()));
        }
        if !is_utf8(parameters) {
            return Err(NotACloudEvent::MediaType("the character set is another one"));
        }
        match essence.as_str() {
            STRUCTURED => json::event(json::parse(body)?).map(|event| Self::One(event.into())),
            BATCHED => batch(json::parse(body)?).map(Self::Batch),
            _ => Err(NotACloudEvent::MediaType("this event format is not read here")),
        }
    }
}

/// Empty where there is none.
fn media_type(headers: &HeaderMap) -> Result<&str, NotACloudEvent> {
    let mut fields = headers.get_all(CONTENT_TYPE).into_iter();
    let media_type = fields.next().map_or(Ok(""), |field| field.to_str());
    match (media_type, fields.next()) {
        (Ok(media_type), None) => Ok(media_type),
        _ => Err(NotACloudEvent::MediaType("the media type cannot be read")),
    }
}

fn batch(value: Value) -> Result<Vec<CloudEvent>, NotACloudEvent> {
    let Value::Array(events) = value else {
        return Err(NotACloudEvent::Json("a batch is a list".to_owned()));
    };
    if events.len() > LARGEST_BATCH {
        return Err(NotACloudEvent::TooMany(events.len()));
    }
    events.into_iter().map(json::event).collect()
}

/// Section 3.1: attributes in header fields, the data in the body.
fn binary(headers: &HeaderMap, media_type: &str, body: &[u8]) -> Result<CloudEvent, NotACloudEvent> {
    let mut attributes = Attributes::new();
    for name in headers.keys() {
        let Some(attribute) = name.as_str().strip_prefix(PREFIX) else {
            continue;
        };
        let mut fields = headers.get_all(name).into_iter();
        let value = fields.next().and_then(|value| field::decode(value.as_bytes()));
        let value = value.filter(|_| fields.next().is_none());
        let value = value.ok_or(NotACloudEvent::Attribute {
            name: "in a ce- header field",
            problem: "occurs twice, or is not percent-encoded as the HTTP binding says",
        })?;
        attributes.insert(attribute.to_owned(), value);
    }
    if attributes.is_empty() {
        return Err(NotACloudEvent::MediaType("the request has no CloudEvent"));
    }
    if attributes.contains_key("datacontenttype") {
        return Err(NotACloudEvent::Attribute {
            name: "datacontenttype",
            problem: "is a ce- header field: in binary mode it is Content-Type",
        });
    }
    CloudEvent::of(attributes, data(media_type, body)?)
}

/// Senders of an event without data leave their usual Content-Type there.
fn data(media_type: &str, body: &[u8]) -> Result<Data, NotACloudEvent> {
    let kind = if media_type.is_empty() {
        Kind::Json
    } else {
        kind_of_data(media_type)?
    };
    match kind {
        _ if body.is_empty() => Ok(Data::Absent),
        Kind::Json => json::parse(body).map(Data::Json),
        Kind::Other => Ok(Data::Other),
    }
}
