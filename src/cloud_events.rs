//! CloudEvents: how they are read and written, which of them go out, and how they are delivered. What decides about keys
//! knows nothing of them; the store puts those that go out into its outbox.

pub mod codec;
pub mod delivery;
pub mod outgoing;
