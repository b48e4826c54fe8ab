//! The JSON event format, and JSON in which no name occurs twice: readers that disagree on which one counts can be
//! told different things by the same event.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{Attributes, CloudEvent, Data, Kind, NotACloudEvent, kind_of_data, known_attribute};

/// Any JSON value, strictly.
pub(super) fn parse(text: &[u8]) -> Result<Value, NotACloudEvent> {
    serde_json::from_slice::<Strict>(text)
        .map(|Strict(value)| value)
        .map_err(|error| NotACloudEvent::Json(error.to_string()))
}

/// One event in the JSON event format.
pub(super) fn event(value: Value) -> Result<CloudEvent, NotACloudEvent> {
    let Value::Object(mut members) = value else {
        return Err(NotACloudEvent::Json("an event is an object".to_owned()));
    };
    let media_type = match members.remove("datacontenttype") {
        None | Some(Value::Null) => None,
        Some(Value::String(media_type)) => Some(media_type),
        Some(_) => return Err(not_text("datacontenttype")),
    };
    let data = data(&mut members, media_type.as_deref())?;
    let mut attributes = Attributes::new();
    for (name, value) in members {
        if let Some(value) = canonical(&name, value)? {
            attributes.insert(name, value);
        }
    }
    CloudEvent::of(attributes, data)
}

/// Section 3.1.2.
fn data(members: &mut Map<String, Value>, media_type: Option<&str>) -> Result<Data, NotACloudEvent> {
    let kind = media_type.map_or(Ok(Kind::Json), kind_of_data)?;
    match (members.remove("data"), members.remove("data_base64"), kind) {
        (None, None | Some(Value::Null), _) => Ok(Data::Absent),
        (Some(data), None | Some(Value::Null), Kind::Json) => Ok(Data::Json(data)),
        (Some(Value::String(_)), None | Some(Value::Null), Kind::Other) => Ok(Data::Other),
        (None, Some(Value::String(encoded)), kind) => {
            let plain = STANDARD
                .decode(encoded)
                .map_err(|_| NotACloudEvent::Json("data_base64 is not Base64".to_owned()))?;
            match kind {
                Kind::Json => parse(&plain).map(Data::Json),
                Kind::Other => Ok(Data::Other),
            }
        }
        (Some(_), Some(_), _) => Err(NotACloudEvent::Json(
            "it has both data and data_base64".to_owned(),
        )),
        (Some(_), None, Kind::Other) => Err(not_text("data")),
        (None, Some(_), _) => Err(not_text("data_base64")),
    }
}

/// Section 2.2: attributes of the specification are text; extensions may be numbers and truth values, too; null is as
/// good as absent.
fn canonical(name: &str, value: Value) -> Result<Option<String>, NotACloudEvent> {
    match (value, known_attribute(name)) {
        (Value::Null, _) => Ok(None),
        (Value::String(text), _) => Ok(Some(text)),
        (Value::Bool(truth), None) => Ok(Some(truth.to_string())),
        // The specification's integers are of 32 bits; others are taken as they stand.
        (Value::Number(number), None) if number.is_i64() => Ok(Some(number.to_string())),
        (_, Some(known)) => Err(not_text(known)),
        (_, None) => Err(NotACloudEvent::Attribute {
            name: "of an extension",
            problem: "is neither text nor a whole number nor true or false",
        }),
    }
}

const fn not_text(name: &'static str) -> NotACloudEvent {
    NotACloudEvent::Attribute {
        name,
        problem: "is not text",
    }
}

/// A value in which no object has a name twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any).map(Self)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(truth.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(element)) = elements.next_element()? {
            list.push(element);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let Strict(value) = members.next_value()?;
            if object.insert(name, value).is_some() {
                return Err(de::Error::custom("a name occurs twice in one object"));
            }
        }
        Ok(object.into())
    }
}
