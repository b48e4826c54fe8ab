//! `[log]`: what is logged, and how.

use super::table::Table;
use super::value;
use crate::spelling::vocabulary;

vocabulary! {
    /// How a log line looks.
    pub enum LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

vocabulary! {
    /// The least that is logged.
    pub enum LogLevel {
        /// What needs somebody.
        Error = "error",
        /// What may need somebody soon.
        Warn = "warn",
        /// What happened.
        Info = "info",
        /// What happened to each message.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// The least that is logged.
    pub level: LogLevel,
    /// Whether it has what the faults of receivers say, which may quote a message.
    pub receiver_text: bool,
}

impl LogConfig {
    pub(super) fn from_table(table: &mut Table<'_>) -> Self {
        Self {
            format: table.optional("format", value::word).unwrap_or(LogFormat::Text),
            level: table.optional("level", value::word).unwrap_or(LogLevel::Info),
            receiver_text: table.optional("receiver_text", value::boolean).unwrap_or(true),
        }
    }
}
