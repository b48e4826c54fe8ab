//! What is known of the time after a backup: by the database that is there, by the end of the audit that is kept beside it, and
//! by what somebody has kept elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rusqlite::OptionalExtension;

use super::audit_table::AuditTrail;
use super::backup::unusable;
use super::error::Failed;
use super::kept_head::{self, Kept};
use super::restore::Restoring;
use super::{StoreError, schema};
use crate::keys::audit::{Chain, PUBLIC_KEY, Record};
use crate::keys::{Fingerprint, Reason};

/// A key that must not sign again.
pub(super) struct Withdrawn {
    pub(super) alias: String,
    pub(super) key: Fingerprint,
    /// SHA-256 of its public key, where that is known.
    pub(super) public_key: Option<Fingerprint>,
    pub(super) reason: Reason,
    pub(super) purged: bool,
}

/// What a backup lacks.
pub(super) enum Loss {
    /// It has everything that is known to have been.
    Nothing,
    /// These records came after it.
    Records(Vec<Record>),
    /// It is older, and nobody can tell by what.
    Older,
    /// Nothing tells whether it is.
    NotKnown,
}

pub(super) struct Known {
    /// Ends of the audit, at some time or other, in hex.
    heads: BTreeSet<String>,
    /// Of the database that is there, if its audit is whole.
    there: Option<Vec<Record>>,
    /// All that were read anywhere, for what they say of revocations.
    records: Vec<Record>,
}

impl Known {
    pub(super) fn gather(directory: &Path, to: &Path, restoring: &Restoring<'_>) -> Result<Self, StoreError> {
        let mut known = Self {
            heads: restoring.head.iter().map(ToString::to_string).collect(),
            there: None,
            records: Vec::new(),
        };
        if let Kept::Head(head) = kept_head::read(directory)
            && head.records > 0
        {
            known.heads.insert(head.to_string());
        }
        if schema::exists(to).is_ok_and(|exists| exists)
            && let Ok(records) = AuditTrail::at(to).read(0, u32::MAX)
        {
            // Its keys may have been changed; what was revoked its audit says all the same.
            known.there = known.chained(&records).then(|| records.clone());
            known.records.extend(records);
        }
        if let Some(file) = restoring.audit {
            let records = exported(file)?;
            known.chained(&records);
            known.records.extend(records);
        }
        Ok(known)
    }

    /// Whether they are a whole audit, from its beginning; then its end is known.
    fn chained(&mut self, records: &[Record]) -> bool {
        let mut chain = Chain::default();
        let whole = (1..).zip(records).all(|(number, record)| {
            chain.link(record.clone());
            record.sequence == number
        });
        if whole && !records.is_empty() {
            self.heads.insert(chain.head().to_string());
        }
        whole
    }

    /// What the backup lacks of it.
    pub(super) fn loss(&self, backup: &Path) -> Result<Loss, StoreError> {
        let connection = schema::open_read_only(backup)?;
        let has = |head: &String| {
            let statement = "SELECT 1 FROM audit WHERE lower(hex(hash)) = ?1";
            let found = connection.query_row(statement, [head], |_| Ok(())).optional();
            found.map(|found| found.is_some()).failed(backup)
        };
        let mut missing = self
            .heads
            .iter()
            .map(has)
            .collect::<Result<Vec<_>, _>>()?
            .into_iter();
        if self.heads.is_empty() {
            return Ok(Loss::NotKnown);
        }
        if missing.all(|has| has) {
            return Ok(Loss::Nothing);
        }
        let (end, _) = super::audit_table::end(&connection).failed(backup)?;
        let end = end.head();
        Ok(
            match self
                .there
                .as_ref()
                .map(|records| after(records, &end.to_string(), &self.heads))
            {
                Some(Some(records)) => Loss::Records(records),
                _ => Loss::Older,
            },
        )
    }

    /// Every key that was revoked or purged, once.
    pub(super) fn withdrawn(&self) -> Vec<Withdrawn> {
        let mut withdrawn: BTreeMap<(String, String), Withdrawn> = BTreeMap::new();
        for record in &self.records {
            let (Some(alias), Some(key)) = (&record.alias, &record.key) else {
                continue;
            };
            let purged = record.what == "key-purged";
            if !purged && record.what != "key-revoked" && record.what != "key-barred" {
                continue;
            }
            let reason = record
                .detail
                .get("reason")
                .map_or("its private key was destroyed", String::as_str);
            let (Ok(fingerprint), Ok(reason)) = (key.parse(), reason.parse()) else {
                continue;
            };
            let one = withdrawn
                .entry((alias.clone(), key.clone()))
                .or_insert_with(|| Withdrawn {
                    alias: alias.clone(),
                    key: fingerprint,
                    public_key: None,
                    reason,
                    purged,
                });
            one.purged |= purged;
            let public_key = record.detail.get(PUBLIC_KEY).and_then(|key| key.parse().ok());
            one.public_key = one.public_key.take().or(public_key);
        }
        withdrawn.into_values().collect()
    }
}

/// The records after this end, if it is of one of them, and all other known ends are, too.
fn after(records: &[Record], end: &str, heads: &BTreeSet<String>) -> Option<Vec<Record>> {
    let mut chain = Chain::default();
    let hashes: Vec<_> = records
        .iter()
        .map(|record| {
            chain.link(record.clone());
            chain.head().to_string()
        })
        .collect();
    let place = hashes.iter().position(|hash| hash == end)?;
    let all = heads.iter().all(|head| hashes.contains(head));
    all.then(|| records.iter().skip(place + 1).cloned().collect())
}

/// A record a line.
fn exported(file: &Path) -> Result<Vec<Record>, StoreError> {
    let text = fs::read_to_string(file).map_err(|error| unusable(file, &error.to_string()))?;
    let records = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(serde_json::from_str);
    let records: Result<_, _> = records.collect();
    records.map_err(|error| {
        let problem = format!("is not what `countersign audit show --json` prints: {error}");
        unusable(file, &problem)
    })
}

impl Loss {
    /// For the audit.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing that is known",
            Self::Records(_) => "records that are known",
            Self::Older => "records that are not known",
            Self::NotKnown => "not known",
        }
    }

    /// Which of these aliases may be older than what they had signed with.
    pub(super) fn stopped(&self, aliases: Vec<String>) -> BTreeSet<String> {
        match self {
            Self::Nothing => BTreeSet::new(),
            Self::Records(records) => {
                let changed: BTreeSet<_> = records.iter().filter_map(|record| record.alias.clone()).collect();
                aliases
                    .into_iter()
                    .filter(|alias| changed.contains(alias))
                    .collect()
            }
            Self::Older | Self::NotKnown => aliases.into_iter().collect(),
        }
    }

    /// What an operator has to accept, and what follows.
    pub(super) fn sentence(&self) -> Option<String> {
        /// More are not read at three in the morning.
        const SHOWN: usize = 10;
        let what = match self {
            Self::Nothing => return None,
            Self::Records(records) => {
                let shown = records.iter().take(SHOWN).map(|record| {
                    let (alias, key) = (record.alias.as_deref(), record.key.as_deref());
                    format!("\n  {} {} {} {}", record.at, record.what, alias.unwrap_or("-"), key.unwrap_or("-"))
                });
                let shown: String = shown.collect();
                let more = records.len().saturating_sub(SHOWN);
                let more = if more == 0 { String::new() } else { format!("\n  and {more} more") };
                format!("the backup is older than the database that is there; what came after it would be lost:{shown}{more}\n")
            }
            Self::Older => "the backup is older than what the proxy did last; what came after it is lost. ".to_owned(),
            Self::NotKnown => "nothing here tells whether the proxy did more after this backup was made. If you have the head of \
                 its audit (the metric countersign_audit_head_info, or what `countersign audit verify` printed), say it with \
                 --head. "
                .to_owned(),
        };
        Some(format!(
            "{what}If there is no later backup, repeat with --accept-older (and with --audit FILE, if you have what `countersign \
             audit show --json` printed later): keys that are known to be revoked stay so, and aliases that may be older are \
             stopped, and their messages refused, until you have looked and said `countersign keys reviewed ALIAS`"
        ))
    }
}
