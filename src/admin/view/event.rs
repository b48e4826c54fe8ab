//! What became of events, as a document.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
