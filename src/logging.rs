//! Where log lines go: standard error, as text or JSON. What they say is decided where it happens; none
//! carries a message's content or a secret. What others wrote is bounded and escaped on its way out, in `lines`.

use std::io::{IsTerminal, stderr};
use std::sync::OnceLock;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry, reload};

use crate::config::{LogConfig, LogFormat, LogLevel};

mod lines;
mod seldom;

pub use seldom::Seldom;

use lines::{Bounded, BoundedJson};

/// How much is logged, once logging has started: for the whole process, as logging is.
static LEVEL: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Starts logging for the whole process; once.
///
/// # Errors
/// When it was started before.
pub fn start(config: LogConfig) -> Result<(), TryInitError> {
    let lines = match config.format {
        LogFormat::Text => tracing_subscriber::fmt::layer()
            .with_ansi(stderr().is_terminal())
            .fmt_fields(Bounded)
            .with_writer(stderr)
            .boxed(),
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(BoundedJson)
            .boxed(),
    };
    let (targets, handle) = reload::Layer::new(targets(config.level));
    tracing_subscriber::registry()
        .with(lines.with_filter(targets))
        .try_init()?;
    LEVEL.get_or_init(|| handle);
    Ok(())
}

/// From now on this much is logged. Without logging, nothing to do.
pub fn set_level(level: LogLevel) {
    let Some(handle) = LEVEL.get() else { return };
    if let Err(error) = handle.reload(targets(level)) {
        tracing::error!(%error, "the log level stays as it is");
    }
}

/// The level is about us; libraries speak up when something is wrong.
fn targets(config: LogLevel) -> Targets {
    let level = level(config);
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("countersign", level)
}

const fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}
