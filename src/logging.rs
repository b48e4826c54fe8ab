//! Where log lines go: standard error, as text or JSON. What they say is decided where it happens; none
//! carries a message's content or a secret.

use std::io::{IsTerminal, stderr};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{LogConfig, LogFormat, LogLevel};

/// Starts logging for the whole process; once.
///
/// # Errors
/// When it was started before.
pub fn start(config: LogConfig) -> Result<(), TryInitError> {
    let lines = match config.format {
        LogFormat::Text => tracing_subscriber::fmt::layer()
            .with_ansi(stderr().is_terminal())
            .with_writer(stderr)
            .boxed(),
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(stderr)
            .boxed(),
    };
    // The level is about us; libraries speak up when something is wrong.
    let level = level(config.level);
    let targets = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("countersign", level);
    tracing_subscriber::registry()
        .with(lines.with_filter(targets))
        .try_init()
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
