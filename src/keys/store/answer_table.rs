//! Answered events as rows. Those that changed something are written in the transaction of the change.
//!
//! Each caller has a bound of its own, within which old answers yield to new ones: whatever one sends, it takes nothing from
//! another one.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use time::OffsetDateTime;

use super::key_table::milliseconds;
use crate::keys::answer::{Answer, Cause, Remembered, Verdict};

/// How long a repetition is told from a new event; senders give up long before.
const KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// Rows of one caller.
const MOST: i64 = 100_000;

/// What the event was answered, if it was. Of the answers of earlier versions nobody knows to whom they were given: they
/// count for whoever sends the same.
pub(super) fn find(
    connection: &Connection,
    cause: &Cause,
    alias: &str,
) -> rusqlite::Result<Option<Remembered>> {
    let statement = "SELECT result, reason, type, alias, digest FROM answer WHERE source = ?1 AND id = ?2 \
                     AND (caller = ?3 OR caller = '' AND type = ?4 AND alias = ?5) ORDER BY caller DESC LIMIT 1";
    let Cause {
        source,
        id,
        caller,
        kind,
        ..
    } = cause;
    let row = connection.query_row(statement, (source, id, caller, kind, alias), |row| {
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
            digest: row.get(4)?,
        })
    });
    row.optional()
}

/// Remembers the answer, unless the event has one; forgets what is old enough, and what is beyond the caller's bound.
pub(super) fn insert(
    connection: &Connection,
    cause: &Cause,
    alias: &str,
    answer: &Answer,
    now: OffsetDateTime,
) -> rusqlite::Result<()> {
    let oldest_kept = milliseconds(now - KEPT);
    connection.execute("DELETE FROM answer WHERE at < ?1", [oldest_kept])?;
    connection.execute(
        "INSERT INTO answer (caller, source, id, type, alias, at, result, reason, digest) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        params![
            cause.caller,
            cause.source,
            cause.id,
            cause.kind,
            alias,
            milliseconds(now),
            answer.verdict.name(),
            answer.reason,
            cause.digest,
        ],
    )?;
    connection.execute(
        "DELETE FROM answer WHERE (caller, source, id) IN \
         (SELECT caller, source, id FROM answer WHERE caller = ?1 ORDER BY at DESC LIMIT -1 OFFSET ?2)",
        (&cause.caller, MOST),
    )?;
    Ok(())
}
