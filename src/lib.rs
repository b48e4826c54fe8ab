//! countersign signs outbound SOAP messages with WS-Security and exchanges the signing key with
//! no downtime.
//!
//! ```text
//! a message's way   flow ─ proxy/accept ─ proxy/route ─ wss (sign) ─ proxy/forward ─ receiver
//!                   flow ─ proxy/reply ──────────────────────────────── response ───┘
//! a key's life      keys/source ─ keys/lifecycle: pending ─ active ─ retired ─ keys (ring) ─ wss
//! ```

#[cfg(all(feature = "sabotage", not(debug_assertions)))]
compile_error!("the feature `sabotage` breaks the signer on purpose, for tests; no product is built with it");

pub mod admin;
pub mod app;
pub mod aside;
mod causes;
mod certificates;
pub mod cli;
pub mod clock;
pub mod cloud_events;
pub mod config;
mod cores;
mod durable;
pub mod files;
pub mod keys;
pub mod listener;
pub mod logging;
pub mod metrics;
pub mod open_files;
#[doc(hidden)]
pub mod oracle;
pub mod proxy;
pub mod public;
pub mod receiver;
mod spelling;
pub mod tls;
pub mod wss;
pub mod xml;
