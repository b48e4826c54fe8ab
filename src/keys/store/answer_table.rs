//! Answered events as rows. Those that changed something are written in the transaction of the change.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use time::OffsetDateTime;

use super::key_table::milliseconds;
use crate::keys::answer::{Answer, Cause, Remembered, Verdict};

/// How long a repetition is told from a new event; senders give up long before.
const KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// Rows; then no new event is acted on before old ones may be forgotten.
const MOST: i64 = 100_000;

/// What the event was answered, if it was.
pub(super) fn find(connection: &Connection, cause: &Cause) -> rusqlite::Result<Option<Remembered>> {
    let statement = "SELECT result, reason, type, alias FROM answer WHERE source = ?1 AND id = ?2";
    let row = connection.query_row(statement, (&cause.source, &cause.id), |row| {
        let verdict: String = row.get(0)?;
        let reason: Option<String> = row.get(1)?;
        Ok(Remembered {
            answer: Answer {
                // The table holds no other words.
                verdict: verdict.parse().unwrap_or(Verdict::Refused),
                reason: reason.unwrap_or_default(),
            },
            kind: row.get(2)?,
            alias: row.get(3)?,
        })
    });
    row.optional()
}

/// Whether another event can be remembered.
pub(super) fn has_room(connection: &Connection, now: OffsetDateTime) -> rusqlite::Result<bool> {
    let statement = "SELECT count(*) < ?1 FROM answer WHERE at >= ?2";
    connection.query_row(statement, (MOST, oldest_kept(now)), |row| row.get(0))
}

/// Remembers the answer, unless the event has one; forgets those that are old enough.
pub(super) fn insert(
    connection: &Connection,
    cause: &Cause,
    alias: &str,
    answer: &Answer,
    now: OffsetDateTime,
) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM answer WHERE at < ?1", [oldest_kept(now)])?;
    connection.execute(
        "INSERT INTO answer (source, id, type, alias, at, result, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
         ON CONFLICT DO NOTHING",
        params![
            cause.source,
            cause.id,
            cause.kind,
            alias,
            milliseconds(now),
            answer.verdict.name(),
            answer.reason,
        ],
    )?;
    Ok(())
}

fn oldest_kept(now: OffsetDateTime) -> i64 {
    milliseconds(now - KEPT)
}
