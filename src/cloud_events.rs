//! CloudEvents: how they are read and written, which of them go out, and how they are delivered. An edge: nothing that decides
//! about keys knows of it.

pub mod codec;
pub mod delivery;
pub mod outgoing;
