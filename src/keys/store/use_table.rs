//! What keys were used for, as rows.

use std::collections::HashMap;

use rusqlite::{Connection, Row, Transaction, params};
use time::OffsetDateTime;

use crate::keys::{Count, Fingerprint, UseCounts};

pub(super) fn save<'a>(
    transaction: &Transaction<'_>,
    uses: impl Iterator<Item = (&'a str, &'a Fingerprint, UseCounts)>,
) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare(
        "INSERT OR REPLACE INTO uses (key, signed, last_signed, looked_up, last_looked_up) \
         SELECT id, ?3, ?4, ?5, ?6 FROM key WHERE alias = ?1 AND fingerprint = ?2",
    )?;
    for (alias, fingerprint, UseCounts { signed, looked_up }) in uses {
        statement.execute(params![
            alias,
            &**fingerprint,
            times(signed),
            seconds(signed),
            times(looked_up),
            seconds(looked_up)
        ])?;
    }
    Ok(())
}

/// By the row of the key.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<HashMap<i64, UseCounts>> {
    let mut statement =
        connection.prepare("SELECT key, signed, last_signed, looked_up, last_looked_up FROM uses")?;
    let counts = statement.query_map([], |row| {
        let counts = UseCounts {
            signed: count(row, 1)?,
            looked_up: count(row, 3)?,
        };
        Ok((row.get(0)?, counts))
    })?;
    counts.collect()
}

fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<Count> {
    let last: Option<i64> = row.get(column + 1)?;
    Ok(Count {
        times: row.get::<_, i64>(column)?.unsigned_abs(),
        last: last.and_then(|last| OffsetDateTime::from_unix_timestamp(last).ok()),
    })
}

fn times(count: Count) -> i64 {
    i64::try_from(count.times).unwrap_or(i64::MAX)
}

fn seconds(count: Count) -> Option<i64> {
    count.last.map(OffsetDateTime::unix_timestamp)
}
