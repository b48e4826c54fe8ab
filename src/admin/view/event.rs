//! Events and what became of them, as documents. Of an event only what it should look like: `cloud_events::codec` reads it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// An event in the JSON event format of CloudEvents 1.0; extensions stand beside these attributes.
#[derive(Debug, Clone, PartialEq, ToSchema)]
pub struct EventRequest {
    /// 1.0.
    #[schema(pattern = r"^1\.0$")]
    pub specversion: String,
    /// With the source it names this event and no other.
    #[schema(min_length = 1, max_length = 1024)]
    pub id: String,
    /// Who tells it.
    #[schema(format = "uri-reference", min_length = 1, max_length = 1024)]
    pub source: String,
    /// What is to be done.
    #[schema(
        rename = "type",
        min_length = 1,
        max_length = 1024,
        example = "io.countersign.key.activate"
    )]
    pub kind: String,
    /// The alias.
    #[schema(required = false, min_length = 1, max_length = 1024, example = "orders")]
    pub subject: Option<String>,
    /// When, by the sender's clock; nothing goes by it.
    #[schema(required = false, format = DateTime)]
    pub time: Option<String>,
    /// The details, as the type has them.
    #[schema(required = false, value_type = Option<Object>)]
    pub data: Option<Value>,
}

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventAnswer {
    /// The event's own.
    pub id: String,
    /// applied, ignored or refused.
    pub result: String,
    /// Why, or what was done, in a sentence.
    pub reason: String,
}

/// Of one event, or of each event of a batch in its order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum EventAnswers {
    /// In binary or structured mode.
    One(EventAnswer),
    /// In batched mode.
    Batch(Vec<EventAnswer>),
}
