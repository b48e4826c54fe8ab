//! An event with its circumstances, as it is told: after the change was made, so that every new message sees it by then.

use std::time::Duration;

use time::OffsetDateTime;

use super::lifecycle::Event;

/// An event and its circumstances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// Whose key it is.
    pub alias: String,
    /// When.
    pub at: OffsetDateTime,
    /// From the command to the instant at which every new message was subject to it.
    pub took: Duration,
    /// Of that, the exchange of the keys in memory.
    pub publishing: Duration,
    /// What.
    pub event: Event,
}

/// Is told of everything that happens, in order; must be quick, since the next command waits.
pub type Subscriber = Box<dyn Fn(&Occurrence) + Send + Sync>;

/// The log's subscriber.
pub fn log(occurrence: &Occurrence) {
    let (alias, event) = (&occurrence.alias, &occurrence.event);
    let certificate = event.certificate();
    let (key, subject) = (certificate.fingerprint(), certificate.subject());
    let what = event.words();
    let renewal = event.renewal().map(tracing::field::display);
    if event.needs_attention() {
        tracing::warn!(%alias, renewal, %key, %subject, "{what}");
    } else {
        tracing::info!(%alias, renewal, %key, %subject, "{what}");
    }
}
