//! Keys as rows: what a state has is what its row has, and the tables' own constraints say so too.

use std::collections::{BTreeMap, HashMap};
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use rusqlite::{Connection, Row, Transaction, params};
use time::OffsetDateTime;

use super::error::Failed;
use super::sealing::{Place, Sealer};
use super::{StoreError, use_table, waiting_table};
use crate::cores::cores;
use crate::keys::lifecycle::{Arrival, Entry, Half, KeyState, Lifecycle, Schedule};
use crate::keys::uses::Uses;
use crate::keys::{Certificate, Fingerprint, Identity, KeyMaterial, PrivateKey, Signer, UseCounts};

/// Unix milliseconds: what people and the audit see.
pub(super) fn milliseconds(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

pub(super) fn time(milliseconds: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000).ok()
}

/// Writes what differs between the keys of an alias before and after.
pub(super) fn save(
    transaction: &Transaction<'_>,
    sealer: &Sealer,
    alias: &str,
    [before, after]: [&Lifecycle; 2],
) -> rusqlite::Result<()> {
    let before: BTreeMap<_, _> = before
        .remembered()
        .map(|entry| (entry.fingerprint().clone(), (entry.arrival, entry.state)))
        .collect();
    let mut changed: Vec<_> = after
        .remembered()
        .filter(|entry| {
            before
                .get(entry.fingerprint())
                .is_none_or(|(arrival, state)| *arrival != entry.arrival || *state != entry.state)
        })
        .collect();
    // The displaced key first: at no moment are there two active ones.
    changed.sort_by_key(|entry| matches!(entry.state, KeyState::Active { .. }));
    for entry in changed {
        let known = before.get(entry.fingerprint());
        let arrived = known.is_none_or(|(arrival, _)| *arrival != entry.arrival);
        if arrived {
            insert(transaction, sealer, alias, &entry, after)?;
        }
        update(transaction, alias, &entry)?;
    }
    Ok(())
}

/// A key that arrives, maybe once more after it was discarded.
fn insert(
    transaction: &Transaction<'_>,
    sealer: &Sealer,
    alias: &str,
    entry: &Entry<'_>,
    keys: &Lifecycle,
) -> rusqlite::Result<()> {
    let (identity, fingerprint) = (entry.identity, entry.fingerprint());
    let private_half = keys
        .private_half(fingerprint)
        .map(|signer| seal(sealer, alias, signer))
        .transpose()?;
    transaction.execute(
        "INSERT INTO key (alias, sequence, fingerprint, certificate, key_type, imported, private_half, state) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'pending') \
         ON CONFLICT (alias, fingerprint) DO UPDATE SET sequence = excluded.sequence, imported = excluded.imported, \
         private_half = excluded.private_half, state = 'pending', since = NULL",
        params![
            alias,
            i64::try_from(entry.arrival.sequence).unwrap_or(i64::MAX),
            &**fingerprint,
            identity.certificate().der(),
            identity.key_type().to_string(),
            milliseconds(entry.arrival.at),
            private_half,
        ],
    )?;
    let mut statement = transaction.prepare(
        "INSERT OR REPLACE INTO chain (key, position, certificate) \
         SELECT id, ?3, ?4 FROM key WHERE alias = ?1 AND fingerprint = ?2",
    )?;
    for (position, certificate) in (0_i64..).zip(identity.chain()) {
        statement.execute(params![alias, &**fingerprint, position, certificate.der()])?;
    }
    waiting_table::certified(transaction, alias, identity.certificate())
}

fn seal(sealer: &Sealer, alias: &str, signer: &Signer) -> rusqlite::Result<Vec<u8>> {
    let failed =
        |error: Box<dyn std::error::Error + Send + Sync>| rusqlite::Error::ToSqlConversionFailure(error);
    let plain = signer
        .private_key()
        .to_stored()
        .map_err(|error| failed(error.into()))?;
    let place = Place::private_half(alias, signer.certificate().fingerprint());
    sealer.seal(&place, &plain).map_err(|error| failed(error.into()))
}

/// The state that the key is in now.
fn update(transaction: &Transaction<'_>, alias: &str, entry: &Entry<'_>) -> rusqlite::Result<()> {
    let columns = Columns::of(&entry.state);
    transaction.execute(
        "UPDATE key SET state = ?3, since = ?4, kept_until = ?5, displaced = ?6, displacement = ?7, reason = ?8, \
         activate_at = ?9, activate_replaces = ?10, private_half = iif(?11, NULL, private_half), \
         rolled_back = ?12, activate_first = ?13 WHERE alias = ?1 AND fingerprint = ?2",
        params![
            alias,
            &**entry.fingerprint(),
            columns.state,
            columns.since,
            columns.kept_until,
            columns.displaced,
            columns.displacement,
            columns.reason,
            columns.activate_at,
            columns.activate_replaces,
            matches!(entry.state, KeyState::Purged { .. } | KeyState::Discarded { .. }),
            columns.rolled_back,
            columns.activate_first,
        ],
    )?;
    Ok(())
}

/// A state in the columns of its row.
#[derive(Default)]
struct Columns {
    state: String,
    since: Option<i64>,
    kept_until: Option<i64>,
    displaced: Option<i64>,
    displacement: Option<i64>,
    reason: Option<String>,
    activate_at: Option<i64>,
    activate_replaces: Option<String>,
    rolled_back: bool,
    activate_first: bool,
}

impl Columns {
    fn of(state: &KeyState) -> Self {
        let mut columns = Self {
            state: state.name().to_owned(),
            since: state.since().map(milliseconds),
            kept_until: state.kept_until().map(milliseconds),
            rolled_back: state.is_rolled_back(),
            ..Self::default()
        };
        match state {
            KeyState::Pending { schedule } => {
                columns.activate_first = schedule.as_ref().is_some_and(|schedule| schedule.first);
                columns.activate_at = schedule.as_ref().map(|schedule| milliseconds(schedule.at));
                let replaces = schedule.as_ref().and_then(|schedule| schedule.replaces.as_ref());
                columns.activate_replaces = replaces.map(Fingerprint::to_string);
            }
            KeyState::Active { kept_until, .. } => columns.kept_until = kept_until.map(milliseconds),
            KeyState::Retired { displacement, .. } => {
                columns.displacement = i64::try_from(*displacement).ok()
            }
            KeyState::Revoked {
                reason, displaced, ..
            } => {
                columns.reason = Some(reason.to_string());
                columns.displaced = Some(milliseconds(*displaced));
            }
            KeyState::Purged { .. } | KeyState::Discarded { .. } => {}
        }
        columns
    }

    /// From the seventh column on.
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            state: row.get(7)?,
            since: row.get(8)?,
            kept_until: row.get(9)?,
            displaced: row.get(10)?,
            displacement: row.get(11)?,
            reason: row.get(12)?,
            activate_at: row.get(13)?,
            activate_replaces: row.get(14)?,
            rolled_back: row.get(15)?,
            activate_first: row.get(16)?,
        })
    }

    /// `None` for what no state has.
    fn state(&self) -> Option<KeyState> {
        let since = self.since.and_then(time);
        let kept_until = self.kept_until.and_then(time);
        match self.state.as_str() {
            "pending" => {
                let at = self.activate_at.map(|at| time(at).ok_or(())).transpose().ok()?;
                let replaces = self.activate_replaces.as_ref().map(|replaces| replaces.parse());
                let replaces = replaces.transpose().ok()?;
                let first = self.activate_first;
                let schedule = at.map(|at| Schedule { at, replaces, first });
                Some(KeyState::Pending { schedule })
            }
            "active" => Some(KeyState::Active {
                since: since?,
                kept_until,
            }),
            "retired" => Some(KeyState::Retired {
                since: since?,
                displacement: self.displacement?.try_into().ok()?,
                kept_until: kept_until?,
                rolled_back: self.rolled_back,
            }),
            "revoked" => Some(KeyState::Revoked {
                since: since?,
                displaced: self.displaced.and_then(time)?,
                reason: self.reason.as_ref()?.parse().ok()?,
                kept_until: kept_until?,
            }),
            "purged" => Some(KeyState::Purged { since: since? }),
            "discarded" => Some(KeyState::Discarded { since: since? }),
            _ => None,
        }
    }
}

/// A row as it stands.
struct Stored {
    id: i64,
    alias: String,
    sequence: i64,
    certificate: Vec<u8>,
    key_type: String,
    imported: i64,
    private_half: Option<Vec<u8>>,
    columns: Columns,
}

impl Stored {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            alias: row.get(1)?,
            sequence: row.get(2)?,
            certificate: row.get(3)?,
            key_type: row.get(4)?,
            imported: row.get(5)?,
            private_half: row.get(6)?,
            columns: Columns::read(row)?,
        })
    }
}

/// The keys of every alias, in the order of their import.
pub(super) fn load(
    connection: &Connection,
    sealer: &Sealer,
    file: &Path,
) -> Result<BTreeMap<String, Lifecycle>, StoreError> {
    let rows = rows(connection).failed(file)?;
    let mut chains = chains(connection).failed(file)?;
    let uses = use_table::load(connection).failed(file)?;
    let rows = rows.into_iter().map(|row| Reading {
        chain: chains.remove(&row.id).unwrap_or_default(),
        uses: uses.get(&row.id).copied().unwrap_or_default(),
        row,
    });
    let reader = Reader { sealer, file };
    let mut aliases: BTreeMap<String, Lifecycle> = BTreeMap::new();
    for (alias, half, arrival, state) in reader.read_all(&rows.collect::<Vec<_>>())? {
        let keys = aliases.entry(alias).or_default();
        keys.remember(half, arrival, state)
            .map_err(|error| reader.damaged(&error))?;
    }
    Ok(aliases)
}

fn rows(connection: &Connection) -> rusqlite::Result<Vec<Stored>> {
    let mut statement = connection.prepare(
        "SELECT id, alias, sequence, certificate, key_type, imported, private_half, state, since, kept_until, \
         displaced, displacement, reason, activate_at, activate_replaces, rolled_back, activate_first FROM key ORDER BY alias, sequence",
    )?;
    statement.query_map([], Stored::read)?.collect()
}

/// Certificates in DER, by the row of their key.
fn chains(connection: &Connection) -> rusqlite::Result<HashMap<i64, Vec<Vec<u8>>>> {
    let mut statement = connection.prepare("SELECT key, certificate FROM chain ORDER BY key, position")?;
    let mut chains: HashMap<_, Vec<_>> = HashMap::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        chains.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    Ok(chains)
}

/// All that is stored of a key.
struct Reading {
    row: Stored,
    chain: Vec<Vec<u8>>,
    uses: UseCounts,
}

type Remembered = (String, Half, Arrival, KeyState);

struct Reader<'a> {
    sealer: &'a Sealer,
    file: &'a Path,
}

impl Reader<'_> {
    /// On every core: OpenSSL takes half a millisecond to read a key and its certificate, and there may be thousands.
    fn read_all(&self, readings: &[Reading]) -> Result<Vec<Remembered>, StoreError> {
        let cores = cores();
        let share = readings.len().div_ceil(cores).max(1);
        thread::scope(|scope| {
            let readers: Vec<_> = readings
                .chunks(share)
                .map(|share| scope.spawn(|| share.iter().map(|reading| self.read(reading)).collect()))
                .collect();
            let mut all = Vec::with_capacity(readings.len());
            for reader in readers {
                let read: Result<Vec<_>, _> = reader.join().unwrap_or_else(|panic| resume_unwind(panic));
                all.extend(read?);
            }
            Ok(all)
        })
    }

    fn read(&self, reading: &Reading) -> Result<Remembered, StoreError> {
        let Reading { row, chain, uses } = reading;
        let certificate = self.certificate(&row.certificate)?;
        let chain = chain.iter().map(|der| self.certificate(der));
        let chain = chain.collect::<Result<_, _>>()?;
        let half = match &row.private_half {
            Some(sealed) => {
                let private_key = self.open(&row.alias, &certificate, sealed)?;
                let material = KeyMaterial {
                    private_key,
                    certificate,
                    chain,
                };
                Half::Private(Signer::restored(material, Uses::resumed(*uses)).into())
            }
            None => {
                let key_type = row.key_type.parse().map_err(|error| self.damaged(&error))?;
                Half::Public(Identity::new(certificate, chain, key_type, Uses::resumed(*uses)))
            }
        };
        let arrival = Arrival {
            at: time(row.imported).unwrap_or(OffsetDateTime::UNIX_EPOCH),
            sequence: row.sequence.unsigned_abs(),
        };
        let state = row
            .columns
            .state()
            .ok_or_else(|| self.damaged(&format!("key {} is in no state", row.id)))?;
        Ok((row.alias.clone(), half, arrival, state))
    }

    fn certificate(&self, der: &[u8]) -> Result<Certificate, StoreError> {
        Certificate::from_der(der).map_err(|error| self.damaged(&error))
    }

    fn open(&self, alias: &str, certificate: &Certificate, sealed: &[u8]) -> Result<PrivateKey, StoreError> {
        let fingerprint = certificate.fingerprint();
        let place = Place::private_half(alias, fingerprint);
        let plain = self
            .sealer
            .open(&place, sealed)
            .map_err(|_| self.damaged(&format!("the private half of key {fingerprint} does not open")))?;
        PrivateKey::from_stored(&plain, certificate).map_err(|error| self.damaged(&error))
    }

    fn damaged(&self, problem: &impl ToString) -> StoreError {
        StoreError::Damaged {
            file: self.file.to_owned(),
            problem: problem.to_string(),
        }
    }
}
