//! CloudEvents 1.0: what an event is, whoever made it and however it came.
//!
//! Read strictly, since keys change by it: a required attribute that is missing, a name that occurs twice or a value of
//! another type makes it no CloudEvent. Extensions that nobody here knows are tolerated, as the specification asks. Knows
//! neither keys nor connections.

use std::collections::BTreeMap;

use fluent_uri::{Uri, UriRef};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clock::rfc3339;

mod field;
mod json;
mod modes;
#[cfg(test)]
mod tests;

/// The only version there is.
const VERSION: &str = "1.0";
/// One event as JSON.
pub const STRUCTURED: &str = "application/cloudevents+json";
/// A list of events as JSON.
pub const BATCHED: &str = "application/cloudevents-batch+json";
/// Events of one batch: each may wait for the disk.
pub const LARGEST_BATCH: usize = 100;
/// Bytes of one attribute's value; it may end up in the database and the log.
const LONGEST: usize = 1024;

/// Something that happened, as one system tells another.
#[derive(Debug, Clone, PartialEq)]
pub struct CloudEvent {
    /// With the source it names this event and no other.
    pub id: String,
    /// Who tells it: a URI reference.
    pub source: String,
    /// What kind of thing happened.
    pub kind: String,
    /// To what.
    pub subject: Option<String>,
    /// When, by the sender's clock.
    pub time: Option<OffsetDateTime>,
    /// Further attributes by name, in their canonical string form.
    pub extensions: BTreeMap<String, String>,
    /// The details.
    pub data: Data,
}

/// The details of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// There are none.
    Absent,
    /// A JSON value.
    Json(Value),
    /// Something that is no JSON; it is not kept.
    Other,
}

/// What came with one request.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    /// In binary or structured mode.
    One(Box<CloudEvent>),
    /// In batched mode, in their order.
    Batch(Vec<CloudEvent>),
}

/// Not a CloudEvent. No sentence repeats a value that came: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotACloudEvent {
    /// Another media type, character set or coding.
    #[error(
        "{0}: send a CloudEvent as {STRUCTURED}, as {BATCHED}, or in binary mode with ce- header fields; in UTF-8 and not compressed"
    )]
    MediaType(&'static str),
    /// More events than are taken at once.
    #[error("the batch has {0} events: send at most {LARGEST_BATCH} in one")]
    TooMany(usize),
    /// The body is not the JSON that it should be.
    #[error("the body is not JSON as a CloudEvent has it: {0}")]
    Json(String),
    /// An attribute that every event has is not there.
    #[error("the attribute {0} is missing or empty: every CloudEvent has specversion, id, source and type")]
    Missing(&'static str),
    /// Another version of the specification.
    #[error("specversion is not 1.0, the only version that is read here")]
    Version,
    /// A value that the attribute cannot have.
    #[error("the attribute {name} {problem}")]
    Attribute {
        /// Of the attribute; a known one, or "of an extension".
        name: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// Attributes by name, in their canonical string form.
type Attributes = BTreeMap<String, String>;

impl CloudEvent {
    /// Of attributes that were read, `datacontenttype` left out.
    fn of(mut attributes: Attributes, data: Data) -> Result<Self, NotACloudEvent> {
        attributes
            .iter()
            .try_for_each(|(name, value)| check_attribute(name, value))?;
        let mut required = |name| {
            let value = attributes.remove(name).filter(|value| !value.is_empty());
            value.ok_or(NotACloudEvent::Missing(name))
        };
        if required("specversion")? != VERSION {
            return Err(NotACloudEvent::Version);
        }
        let (id, source, kind) = (required("id")?, required("source")?, required("type")?);
        check(
            "source",
            UriRef::parse(source.as_str()).is_ok(),
            "is not a URI reference",
        )?;
        let subject = attributes.remove("subject");
        check(
            "subject",
            subject.as_deref() != Some(""),
            "is empty: leave it out",
        )?;
        let schema = attributes.remove("dataschema");
        let is_uri = schema.is_none_or(|schema| Uri::parse(schema.as_str()).is_ok());
        check("dataschema", is_uri, "is not a URI")?;
        let time = attributes.remove("time").map(|time| moment(&time)).transpose()?;
        Ok(Self {
            id,
            source,
            kind,
            subject,
            time,
            extensions: attributes,
            data,
        })
    }

    /// In the JSON event format, as structured mode sends it.
    #[must_use]
    pub fn to_json(&self) -> String {
        let (data, media_type) = match &self.data {
            Data::Json(data) => (Some(data), Some("application/json")),
            Data::Absent | Data::Other => (None, None),
        };
        let format = Format {
            specversion: VERSION,
            id: &self.id,
            source: &self.source,
            kind: &self.kind,
            subject: self.subject.as_deref(),
            time: self.time.map(rfc3339),
            datacontenttype: media_type,
            extensions: &self.extensions,
            data,
        };
        // Text, and maps with text as keys: serde_json writes them all.
        serde_json::to_string(&format).unwrap_or_default()
    }
}

/// The JSON event format, in the order in which people read it.
#[derive(Serialize)]
struct Format<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    datacontenttype: Option<&'static str>,
    #[serde(flatten)]
    extensions: &'a Attributes,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
}

/// The specification's own name, if it is one; `datacontenttype` belongs to the data.
fn known_attribute(name: &str) -> Option<&'static str> {
    const KNOWN: [&str; 7] = [
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "dataschema",
    ];
    KNOWN.into_iter().find(|known| *known == name)
}

/// CloudEvents 1.0, "Type System" and "Naming Conventions".
fn check_attribute(name: &str, value: &str) -> Result<(), NotACloudEvent> {
    let shown = known_attribute(name).unwrap_or("of an extension");
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    check(
        shown,
        !name.is_empty() && name.bytes().all(plain),
        "has a name of other characters than a-z and 0-9",
    )?;
    check(shown, value.len() <= LONGEST, "is longer than 1024 bytes")?;
    check(
        shown,
        !value.chars().any(char::is_control),
        "has a control character",
    )
}

fn moment(text: &str) -> Result<OffsetDateTime, NotACloudEvent> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| NotACloudEvent::Attribute {
        name: "time",
        problem: "is not a time by RFC 3339, as 2030-01-31T22:00:00Z",
    })
}

fn check(name: &'static str, right: bool, problem: &'static str) -> Result<(), NotACloudEvent> {
    if right {
        Ok(())
    } else {
        Err(NotACloudEvent::Attribute { name, problem })
    }
}

/// What `datacontenttype` says of the details.
enum Kind {
    Json,
    Other,
}

/// RFC 2045: type, subtype, parameters.
fn kind_of_data(media_type: &str) -> Result<Kind, NotACloudEvent> {
    let wrong = |problem| NotACloudEvent::Attribute {
        name: "datacontenttype",
        problem,
    };
    let (essence, parameters) = media_type.split_once(';').unwrap_or((media_type, ""));
    let essence = essence.trim().to_ascii_lowercase();
    let (_, subtype) = essence
        .split_once('/')
        .ok_or_else(|| wrong("is not a media type"))?;
    if subtype != "json" && !subtype.ends_with("+json") {
        return Ok(Kind::Other);
    }
    if is_utf8(parameters) {
        Ok(Kind::Json)
    } else {
        Err(wrong("names another character set than UTF-8"))
    }
}

/// Whether the parameters of a media type leave it at UTF-8.
fn is_utf8(parameters: &str) -> bool {
    parameters.split(';').all(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, "utf-8"));
        let value = value.trim().trim_matches('"');
        !name.trim().eq_ignore_ascii_case("charset") || value.eq_ignore_ascii_case("utf-8")
    })
}
