//! What has to hold after every step, found out in another way than the code under test would.

mod renewals;

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::expected::{Expected, State};
use crate::keys::lifecycle::{Entry, Event, KeyState, Trigger};
use crate::keys::occurrence::Occurrence;
use crate::keys::{Fingerprint, Keys};

type Key = (String, String);

/// Remembers what must never be taken back.
#[derive(Default)]
pub(super) struct Witness {
    /// States as the events tell them.
    told: BTreeMap<Key, &'static str>,
    /// The latest date that a key was promised to be kept until.
    promised: BTreeMap<Key, OffsetDateTime>,
    /// Gates as the events tell them, by alias.
    gates: BTreeMap<String, &'static str>,
    /// How often each kind of event was told, by its words for the audit.
    pub(super) heard: BTreeMap<String, u32>,
    records: i64,
    head: [u8; 32],
}

impl Witness {
    pub(super) fn hear(&mut self, occurrence: &Occurrence) {
        let event = &occurrence.event;
        *self.heard.entry(kind(event)).or_default() += 1;
        let key = (
            occurrence.alias.clone(),
            event.certificate().fingerprint().to_string(),
        );
        let (before, after): (&[Option<&str>], _) = match event {
            Event::KeyImported { .. } => (&[None, Some("discarded")], "pending"),
            Event::ActivationScheduled { .. } | Event::ActivationCancelled { .. } => {
                (&[Some("pending")], "pending")
            }
            Event::KeyActivated {
                trigger: Trigger::Rollback | Trigger::Back,
                ..
            } => (&[Some("retired")], "active"),
            Event::KeyActivated {
                trigger: Trigger::Import | Trigger::Schedule,
                ..
            } => (&[Some("pending")], "active"),
            Event::KeyActivated { .. } => (&[Some("pending"), Some("retired")], "active"),
            Event::KeyRetired { .. } => (&[Some("active")], "retired"),
            Event::RetentionExtended { .. } => {
                assert!(matches!(self.told.get(&key), Some(&("retired" | "revoked"))));
                return;
            }
            Event::KeyRevoked { stopped, .. } => {
                assert!(!stopped || self.told[&key] == "active");
                (&[Some("pending"), Some("active"), Some("retired")], "revoked")
            }
            Event::KeyDiscarded { .. } => (&[Some("pending")], "discarded"),
            Event::KeyPurged {
                compromised: true, ..
            } => (&[Some("revoked")], "purged"),
            Event::KeyPurged { .. } => (&[Some("retired"), Some("revoked")], "purged"),
            Event::KeyExpiring { .. } | Event::ActivatedUnconfirmed { .. } => (&[Some("active")], "active"),
            Event::KeyPurgeable { .. } => {
                assert!(matches!(self.told.get(&key), Some(&("retired" | "revoked"))));
                return;
            }
            Event::Renewal { news, .. } => return self.hear_of_renewal(&occurrence.alias, news),
        };
        let was = self.told.insert(key, after);
        assert!(before.contains(&was), "{event:?} of a key that was {was:?}");
    }

    /// The ring is what the model expects, no key is lost, no promise broken, and the events told the same story.
    pub(super) fn compare(
        &mut self,
        keys: &Keys,
        alias: &str,
        expected: &Expected,
        fingerprint: &dyn Fn(usize) -> Fingerprint,
    ) {
        let ring = keys.ring();
        let found: BTreeMap<_, _> = ring
            .alias(alias)
            .unwrap()
            .remembered()
            .map(|entry| (entry.fingerprint().clone(), entry))
            .collect();
        assert_eq!(
            found.len(),
            ring.alias(alias).unwrap().remembered().count(),
            "in two states"
        );
        assert_eq!(
            found.len(),
            expected.keys.len(),
            "a key is lost or came from nowhere"
        );
        for (number, key) in &expected.keys {
            let name = fingerprint(*number);
            let entry = &found[&name];
            assert_eq!(entry.arrival.sequence, key.sequence);
            compare_state(entry, key, fingerprint);
            let known = (alias.to_owned(), name.to_string());
            assert_eq!(
                self.told[&known],
                entry.state.name(),
                "the events tell another story"
            );
            self.hold_to_promise(known, &entry.state);
        }
        let retired = ring.alias(alias).unwrap().keys();
        let retired = retired.filter(|entry| entry.state.name() == "retired");
        let order: Vec<_> = retired.map(|entry| entry.fingerprint().clone()).collect();
        let mut expected: Vec<_> = expected
            .keys
            .iter()
            .filter(|(_, key)| key.state == State::Retired)
            .collect();
        expected.sort_by_key(|(_, key)| std::cmp::Reverse(key.displacement));
        let expected: Vec<_> = expected.iter().map(|(number, _)| fingerprint(**number)).collect();
        assert_eq!(order, expected, "rollback would go back to another key");
    }

    fn hold_to_promise(&mut self, key: Key, state: &KeyState) {
        let kept = kept_until(state);
        let promised = self.promised.get(&key).copied();
        if matches!(
            state,
            KeyState::Active { .. } | KeyState::Retired { .. } | KeyState::Revoked { .. }
        ) {
            assert!(
                kept >= promised,
                "retention was shortened: {promised:?} to {kept:?}"
            );
        }
        if let Some(kept) = kept {
            self.promised.insert(key, kept);
        }
    }

    /// By SQL of its own: the database is what the ring is.
    pub(super) fn compare_with_database(&self, keys: &Keys) {
        Self::compare_renewals_with_database(keys);
        let ring = keys.ring();
        let remembered = ring.aliases().flat_map(|(alias, keys)| {
            keys.remembered().map(move |entry| {
                let milliseconds =
                    |time: OffsetDateTime| i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap();
                let kept = kept_until(&entry.state);
                (
                    (alias.to_owned(), entry.fingerprint().to_string()),
                    (
                        entry.state.name().to_owned(),
                        kept.map(milliseconds),
                        entry.state.since().map(milliseconds),
                        matches!(entry.state.name(), "purged" | "discarded"),
                    ),
                )
            })
        });
        let remembered: BTreeMap<Key, _> = remembered.collect();
        let store = keys.writer();
        let mut statement = store
            .connection()
            .prepare("SELECT alias, fingerprint, state, kept_until, since, private_half IS NULL FROM key")
            .unwrap();
        let stored: BTreeMap<Key, (String, Option<i64>, Option<i64>, bool)> = statement
            .query_map([], |row| {
                let key = (row.get(0)?, row.get(1)?);
                Ok((key, (row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?)))
            })
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(stored, remembered);
        let most: i64 = store
            .connection()
            .query_row(
                "SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM key WHERE state = 'active' GROUP BY alias)",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert!(most <= 1, "an alias has {most} active keys");
    }

    /// With OpenSSL's SHA-256: every record since the last step follows the one before it.
    pub(super) fn follow_audit(&mut self, keys: &Keys) {
        let store = keys.writer();
        let mut statement = store
            .connection()
            .prepare("SELECT sequence, record, hash FROM audit WHERE sequence > ?1 ORDER BY sequence")
            .unwrap();
        let new: Vec<(i64, String, [u8; 32])> = statement
            .query_map([self.records], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        for (sequence, record, hash) in new {
            assert_eq!(sequence, self.records + 1);
            assert_eq!(
                openssl::sha::sha256(&[&self.head, record.as_bytes()].concat()),
                hash
            );
            (self.records, self.head) = (sequence, hash);
        }
        let head = keys.store_status().audit_head();
        assert_eq!(i64::try_from(head.records).unwrap(), self.records);
        let hex: String = self.head.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(head.to_string(), hex);
    }
}

/// What happened, and why where that matters.
fn kind(event: &Event) -> String {
    let (what, detail) = crate::keys::audit::describe(event);
    let why = detail
        .iter()
        .find(|(name, _)| matches!(*name, "trigger" | "within" | "all"));
    why.map_or_else(|| what.to_owned(), |(_, why)| format!("{what} {why}"))
}

/// Also of an active key that was retired before.
fn kept_until(state: &KeyState) -> Option<OffsetDateTime> {
    if let KeyState::Active { kept_until, .. } = state {
        return *kept_until;
    }
    state.kept_until()
}

fn compare_state(entry: &Entry<'_>, key: &super::expected::Key, fingerprint: &dyn Fn(usize) -> Fingerprint) {
    let expected = match key.state {
        State::Pending => "pending",
        State::Active => "active",
        State::Retired => "retired",
        State::Revoked => "revoked",
        State::Purged => "purged",
        State::Discarded => "discarded",
    };
    assert_eq!(entry.state.name(), expected);
    assert_eq!(entry.state.is_rolled_back(), key.rolled_back);
    match &entry.state {
        KeyState::Pending { schedule } => {
            let schedule = schedule.clone();
            let schedule = schedule.map(|schedule| (schedule.at, schedule.replaces, schedule.first));
            let expected = key.schedule;
            let expected = expected.map(|(at, replaces, first)| (at, replaces.map(fingerprint), first));
            assert_eq!(schedule, expected);
        }
        KeyState::Active { kept_until, .. } => assert_eq!(*kept_until, key.kept_until),
        KeyState::Retired { kept_until, .. } | KeyState::Revoked { kept_until, .. } => {
            assert_eq!(Some(*kept_until), key.kept_until);
        }
        KeyState::Purged { .. } | KeyState::Discarded { .. } => {}
    }
}
