//! Renewals as rows: one each, and one for each of their steps and receivers. A renewal that has changed is written anew.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, Row, Transaction, params};

use super::StoreError;
use super::error::Failed;
use super::key_table::{milliseconds, time};
use crate::keys::Fingerprint;
use crate::keys::lifecycle::{
    Confirmation, Confirmed, Gate, Lifecycle, Link, LinkHash, Renewal, StoredRenewal, Taken,
};

/// Writes what differs between the renewals of an alias before and after.
pub(super) fn save(
    transaction: &Transaction<'_>,
    alias: &str,
    [before, after]: [&Lifecycle; 2],
) -> rusqlite::Result<()> {
    let before = before.renewals();
    for (position, renewal) in after.renewals().iter().enumerate() {
        if before.get(position) == Some(renewal) {
            continue;
        }
        save_renewal(
            transaction,
            alias,
            i64::try_from(position).unwrap_or(i64::MAX),
            renewal,
        )?;
        save_steps(transaction, renewal)?;
        save_receivers(transaction, renewal)?;
    }
    Ok(())
}

fn save_renewal(
    transaction: &Transaction<'_>,
    alias: &str,
    position: i64,
    renewal: &Renewal,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO renewal (id, alias, position, fingerprint, displaced, strategy, goes_on, gate, gate_since, refuses) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
         ON CONFLICT (id) DO UPDATE SET displaced = excluded.displaced, strategy = excluded.strategy, \
         goes_on = excluded.goes_on, gate = excluded.gate, gate_since = excluded.gate_since, refuses = excluded.refuses",
        params![
            &*renewal.id,
            alias,
            position,
            &**renewal.key(),
            renewal.displaced.as_deref(),
            renewal.strategy.name(),
            renewal.is_open(),
            word(renewal.gate),
            renewal.gate.since().map(milliseconds),
            renewal.gate.refuses(),
        ],
    )?;
    Ok(())
}

/// That messages are refused stands in a column of its own.
const fn word(gate: Gate) -> &'static str {
    match gate {
        Gate::Open => "open",
        Gate::Draining { .. } => "draining",
        Gate::Holding { .. } => "holding",
    }
}

/// None is ever taken back.
fn save_steps(transaction: &Transaction<'_>, renewal: &Renewal) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare(
        "INSERT OR IGNORE INTO renewal_step (renewal, position, step, at, by) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (position, taken) in (0_i64..).zip(&renewal.steps) {
        statement.execute(params![
            &*renewal.id,
            position,
            taken.step.name(),
            milliseconds(taken.at),
            taken.by
        ])?;
    }
    Ok(())
}

fn save_receivers(transaction: &Transaction<'_>, renewal: &Renewal) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare(
        "INSERT OR REPLACE INTO renewal_receiver (renewal, position, receiver, confirmed, confirmed_by, link, link_expires, \
         link_spent) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for (position, one) in (0_i64..).zip(&renewal.receivers) {
        let (confirmed, link) = (one.confirmed.as_ref(), one.link.as_ref());
        statement.execute(params![
            &*renewal.id,
            position,
            one.receiver,
            confirmed.map(|confirmed| milliseconds(confirmed.at)),
            confirmed.map(|confirmed| &confirmed.by),
            link.map(|link| link.hash.bytes()),
            link.map(|link| milliseconds(link.expires)),
            link.and_then(|link| link.spent).map(milliseconds),
        ])?;
    }
    Ok(())
}

/// With their aliases, in the order of their start.
pub(super) fn load(connection: &Connection, file: &Path) -> Result<Vec<(String, StoredRenewal)>, StoreError> {
    let mut statement = connection
        .prepare("SELECT id, alias, fingerprint, displaced, strategy, gate, gate_since, refuses FROM renewal ORDER BY alias, position")
        .failed(file)?;
    let rows = statement
        .query_map([], Stored::read)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut steps = steps(connection).failed(file)?;
    let mut receivers = receivers(connection).failed(file)?;
    let renewals = rows.failed(file)?.into_iter().map(|row| {
        let (alias, id) = (row.alias.clone(), row.id.clone());
        let steps = steps.remove(&id).unwrap_or_default();
        let renewal = row.restored(steps, receivers.remove(&id).unwrap_or_default());
        let damaged = || StoreError::Damaged {
            file: file.to_owned(),
            problem: format!("renewal {id} cannot be read"),
        };
        Ok((alias, renewal.ok_or_else(damaged)?))
    });
    renewals.collect()
}

/// A row as it stands.
struct Stored {
    id: String,
    alias: String,
    fingerprint: String,
    displaced: Option<String>,
    strategy: String,
    gate: String,
    gate_since: Option<i64>,
    refuses: bool,
}

impl Stored {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            alias: row.get(1)?,
            fingerprint: row.get(2)?,
            displaced: row.get(3)?,
            strategy: row.get(4)?,
            gate: row.get(5)?,
            gate_since: row.get(6)?,
            refuses: row.get(7)?,
        })
    }

    /// `None` for what no renewal is.
    fn restored(
        self,
        steps: Vec<Option<Taken>>,
        receivers: Vec<Option<Confirmation>>,
    ) -> Option<StoredRenewal> {
        let displaced = self.displaced.as_ref().map(|key| key.parse::<Fingerprint>());
        let since = self.gate_since.and_then(time);
        let gate = match (self.gate.as_str(), since, self.refuses) {
            ("open", None, false) => Gate::Open,
            ("draining", Some(since), false) => Gate::Draining { since },
            ("holding", Some(since), refuses) => Gate::Holding { since, refuses },
            _ => return None,
        };
        Some(StoredRenewal {
            id: self.id.parse().ok()?,
            key: self.fingerprint.parse().ok()?,
            displaced: displaced.transpose().ok()?,
            strategy: self.strategy.parse().ok()?,
            gate,
            steps: steps.into_iter().collect::<Option<_>>()?,
            receivers: receivers.into_iter().collect::<Option<_>>()?,
        })
    }
}

/// By the name of the renewal; `None` for what is none.
type ByRenewal<T> = HashMap<String, Vec<Option<T>>>;

fn steps(connection: &Connection) -> rusqlite::Result<ByRenewal<Taken>> {
    let mut statement =
        connection.prepare("SELECT renewal, step, at, by FROM renewal_step ORDER BY renewal, position")?;
    let mut steps = ByRenewal::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (step, at): (String, i64) = (row.get(1)?, row.get(2)?);
        let by = row.get(3)?;
        let taken = step.parse().ok().zip(time(at));
        let taken = taken.map(|(step, at)| Taken { step, at, by });
        steps.entry(row.get(0)?).or_default().push(taken);
    }
    Ok(steps)
}

fn receivers(connection: &Connection) -> rusqlite::Result<ByRenewal<Confirmation>> {
    let mut statement = connection.prepare(
        "SELECT renewal, receiver, confirmed, confirmed_by, link, link_expires, link_spent FROM renewal_receiver \
         ORDER BY renewal, position",
    )?;
    let mut receivers = ByRenewal::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (confirmed, link) = ((row.get(2)?, row.get(3)?), (row.get(4)?, row.get(5)?));
        let one = confirmation(row.get(1)?, confirmed, link, row.get(6)?);
        receivers.entry(row.get(0)?).or_default().push(one);
    }
    Ok(receivers)
}

/// `None` for what is none, such as half of one.
fn confirmation(
    receiver: String,
    confirmed: (Option<i64>, Option<String>),
    link: (Option<[u8; 32]>, Option<i64>),
    spent: Option<i64>,
) -> Option<Confirmation> {
    let confirmed = match confirmed {
        (None, None) => None,
        (Some(at), Some(by)) => Some(Confirmed { at: time(at)?, by }),
        _ => return None,
    };
    let spent = match spent {
        None => None,
        Some(spent) => Some(time(spent)?),
    };
    let link = match link {
        (None, None) => None,
        (Some(hash), Some(expires)) => Some(Link {
            hash: LinkHash::stored(hash),
            expires: time(expires)?,
            spent,
        }),
        _ => return None,
    };
    Some(Confirmation {
        receiver,
        confirmed,
        link,
    })
}
