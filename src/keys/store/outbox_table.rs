//! Events on their way out as rows, written in the transaction of what they tell of.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use time::OffsetDateTime;

use super::key_table::{milliseconds, time};
use super::outbox::Lying;
use crate::cloud_events::outgoing::{Outgoing, Source, Subscription};

/// One row a sink that wants the event.
pub(super) fn append(
    transaction: &Transaction<'_>,
    source: &Source,
    subscriptions: &[Subscription],
    outgoing: &Outgoing<'_>,
) -> rusqlite::Result<Vec<Lying>> {
    let Some((sinks, event)) = outgoing.to(source, subscriptions) else {
        return Ok(Vec::new());
    };
    let mut statement =
        transaction.prepare("INSERT INTO outbox (sink, alias, at, event) VALUES (?1, ?2, ?3, ?4)")?;
    let rows = sinks.into_iter().map(|sink| {
        let at = milliseconds(outgoing.at);
        let sequence = statement.insert(params![sink, outgoing.alias, at, event])?;
        Ok(Lying {
            sink: sink.to_owned(),
            alias: outgoing.alias.to_owned(),
            sequence,
            at: outgoing.at,
        })
    });
    rows.collect()
}

/// All of them, in their order.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Vec<Lying>> {
    let mut statement =
        connection.prepare("SELECT sink, alias, sequence, at FROM outbox ORDER BY sequence")?;
    let rows = statement.query_map([], |row| {
        Ok(Lying {
            sink: row.get(0)?,
            alias: row.get(1)?,
            sequence: row.get(2)?,
            at: time(row.get(3)?).unwrap_or(OffsetDateTime::UNIX_EPOCH),
        })
    })?;
    rows.collect()
}

/// The event as it is sent; `None` if it is not there any more.
pub(super) fn event(connection: &Connection, sequence: i64) -> rusqlite::Result<Option<String>> {
    let statement = "SELECT event FROM outbox WHERE sequence = ?1";
    connection
        .query_row(statement, [sequence], |row| row.get(0))
        .optional()
}

pub(super) fn delete(transaction: &Transaction<'_>, sequence: i64) -> rusqlite::Result<()> {
    transaction
        .execute("DELETE FROM outbox WHERE sequence = ?1", [sequence])
        .map(drop)
}

/// Nobody is left to take them.
pub(super) fn delete_sink(transaction: &Transaction<'_>, sink: &str) -> rusqlite::Result<()> {
    transaction
        .execute("DELETE FROM outbox WHERE sink = ?1", [sink])
        .map(drop)
}
