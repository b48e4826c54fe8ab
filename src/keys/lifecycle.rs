//! A key's life: pending → active → retired, and back by rollback. The pure core: a state and a
//! command give the next state and what happened; no clock, no files, no signatures.
//!
//! A key is in exactly one state, and each state owns what it needs; that there is at most one
//! active key is the shape of the type. No transition drops a key.

use std::sync::Arc;

use time::OffsetDateTime;

use super::material::NotValid;
use super::{Fingerprint, Signer};
use crate::event::{Event, Trigger};

/// The keys of one alias.
#[derive(Clone, Default)]
pub struct Lifecycle {
    /// In order of import.
    pending: Vec<Key>,
    active: Option<Active>,
    /// In order of displacement, the latest last.
    retired: Vec<Retired>,
}

/// A key that was imported.
#[derive(Clone)]
pub struct Key {
    /// Signs with it.
    pub signer: Arc<Signer>,
    /// When it was.
    pub imported: OffsetDateTime,
}

#[derive(Clone)]
struct Active {
    key: Key,
    since: OffsetDateTime,
}

#[derive(Clone)]
struct Retired {
    key: Key,
    since: OffsetDateTime,
}

/// The state that a key is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Arrived; does not sign.
    Pending,
    /// Signs.
    Active {
        /// Activated then.
        since: OffsetDateTime,
    },
    /// Signed once; kept for those who still refer to it.
    Retired {
        /// Displaced then.
        since: OffsetDateTime,
    },
}

impl KeyState {
    /// How users read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active { .. } => "active",
            Self::Retired { .. } => "retired",
        }
    }
}

/// What can be asked of the keys of an alias.
pub enum Command {
    /// Take this key in. A fingerprint that is known, in any state, changes nothing.
    Import {
        /// The key.
        signer: Arc<Signer>,
        /// And then?
        then: AfterImport,
    },
    /// Sign with this pending key from now on. Of the active one: nothing to do.
    Activate {
        /// The key.
        fingerprint: Fingerprint,
        /// Only if this one is active now (compare-and-swap).
        replaces: Option<Fingerprint>,
    },
    /// One step back: the key displaced last signs again.
    Rollback,
}

/// Does an imported key sign at once? One that is not valid yet stays pending in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterImport {
    /// No.
    StayPending,
    /// If there is no active key that it would displace.
    ActivateIfNone,
    /// Yes.
    Activate,
}

/// A command that the state does not allow; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such key.
    #[error("there is no key {0} under this alias; import it first")]
    UnknownKey(Fingerprint),
    /// Not pending but retired.
    #[error("key {0} is retired: use rollback, which goes back one step")]
    Retired(Fingerprint),
    /// The active key is another than `replaces` says.
    #[error("{}", not_active(.expected, .active.as_ref()))]
    NotActive {
        /// Named by `replaces`.
        expected: Fingerprint,
        /// What is.
        active: Option<Fingerprint>,
    },
    /// No key has been displaced.
    #[error("no key is retired under this alias, so there is none to go back to")]
    NothingRetired,
    /// Outside its certificate's validity.
    #[error("key {fingerprint} cannot sign now: its certificate {reason}")]
    NotValid {
        /// The key.
        fingerprint: Fingerprint,
        /// Why.
        reason: NotValid,
    },
}

fn not_active(expected: &Fingerprint, active: Option<&Fingerprint>) -> String {
    match active {
        Some(active) => format!("the active key is {active}, not {expected}: look again before you switch"),
        None => format!("no key is active, so {expected} cannot be replaced: leave `replaces` out"),
    }
}

impl Lifecycle {
    /// The state after the command, and what happened on the way (nothing: it was so already).
    ///
    /// # Errors
    /// When the state does not allow the command.
    pub fn apply(&self, command: Command, now: OffsetDateTime) -> Result<(Self, Vec<Event>), Refusal> {
        let mut next = self.clone();
        let events = match command {
            Command::Import { signer, then } => next.import(signer, then, now),
            Command::Activate {
                fingerprint,
                replaces,
            } => next.activate(&fingerprint, replaces, now)?,
            Command::Rollback => next.roll_back(now)?,
        };
        Ok((next, events))
    }

    /// The key that signs.
    #[must_use]
    pub fn active(&self) -> Option<&Key> {
        self.active.as_ref().map(|active| &active.key)
    }

    /// All keys: the active one, the pending ones in order of import, the retired ones, latest first.
    pub fn keys(&self) -> impl Iterator<Item = (&Key, KeyState)> {
        let active = self
            .active
            .iter()
            .map(|Active { key, since }| (key, KeyState::Active { since: *since }));
        let pending = self.pending.iter().map(|key| (key, KeyState::Pending));
        let retired = self.retired.iter().rev();
        let retired = retired.map(|Retired { key, since }| (key, KeyState::Retired { since: *since }));
        active.chain(pending).chain(retired)
    }

    /// The key of this fingerprint.
    #[must_use]
    pub fn key(&self, fingerprint: &Fingerprint) -> Option<(&Key, KeyState)> {
        self.keys().find(|(key, _)| key.fingerprint() == fingerprint)
    }

    fn import(&mut self, signer: Arc<Signer>, then: AfterImport, now: OffsetDateTime) -> Vec<Event> {
        let certificate = signer.certificate().clone();
        if self.key(certificate.fingerprint()).is_some() {
            return Vec::new();
        }
        let key = Key {
            signer,
            imported: now,
        };
        let imported = Event::KeyImported { certificate };
        let at_once = match then {
            AfterImport::StayPending => false,
            AfterImport::ActivateIfNone => self.active.is_none(),
            AfterImport::Activate => true,
        };
        if !at_once || key.check_validity(now).is_err() {
            self.pending.push(key);
            return vec![imported];
        }
        [vec![imported], self.switch_to(key, Trigger::Import, now)].concat()
    }

    fn activate(
        &mut self,
        fingerprint: &Fingerprint,
        replaces: Option<Fingerprint>,
        now: OffsetDateTime,
    ) -> Result<Vec<Event>, Refusal> {
        let active = self.active().map(Key::fingerprint);
        if active == Some(fingerprint) {
            return Ok(Vec::new());
        }
        if let Some(expected) = replaces
            && active != Some(&expected)
        {
            let active = active.cloned();
            return Err(Refusal::NotActive { expected, active });
        }
        let Some(index) = self
            .pending
            .iter()
            .position(|key| key.fingerprint() == fingerprint)
        else {
            return Err(match self.key(fingerprint) {
                Some(_) => Refusal::Retired(fingerprint.clone()),
                None => Refusal::UnknownKey(fingerprint.clone()),
            });
        };
        let key = self.pending.remove(index);
        key.check_validity(now)?;
        Ok(self.switch_to(key, Trigger::Activate, now))
    }

    fn roll_back(&mut self, now: OffsetDateTime) -> Result<Vec<Event>, Refusal> {
        let Retired { key, .. } = self.retired.pop().ok_or(Refusal::NothingRetired)?;
        key.check_validity(now)?;
        Ok(self.switch_to(key, Trigger::Rollback, now))
    }

    fn switch_to(&mut self, key: Key, trigger: Trigger, now: OffsetDateTime) -> Vec<Event> {
        let certificate = key.signer.certificate().clone();
        let mut events = vec![Event::KeyActivated { certificate, trigger }];
        if let Some(Active { key, .. }) = self.active.replace(Active { key, since: now }) {
            let certificate = key.signer.certificate().clone();
            self.retired.push(Retired { key, since: now });
            events.push(Event::KeyRetired { certificate });
        }
        events
    }
}

impl Key {
    /// Its name.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        self.signer.certificate().fingerprint()
    }

    fn check_validity(&self, now: OffsetDateTime) -> Result<(), Refusal> {
        self.signer
            .certificate()
            .check_validity(now)
            .map_err(|reason| Refusal::NotValid {
                fingerprint: self.fingerprint().clone(),
                reason,
            })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::LazyLock;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::generate::{KeyAlgorithm, SelfSigned};
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn day(number: u32) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + DAY * number
    }

    /// Keys that become valid one after the other and expire likewise, each after 40 days.
    static KEYS: LazyLock<Vec<Arc<Signer>>> =
        LazyLock::new(|| (0..6).map(|number| key(number * 10)).collect());

    fn key(valid_from: u32) -> Arc<Signer> {
        let material = SelfSigned::generate(KeyAlgorithm::P256, "Test", day(valid_from), DAY * 40)
            .and_then(SelfSigned::into_material)
            .unwrap();
        Arc::new(
            Signer::new(material, day(valid_from))
                .map_err(|refused| refused.to_string())
                .unwrap(),
        )
    }

    fn fingerprint(number: usize) -> Fingerprint {
        KEYS[number].certificate().fingerprint().clone()
    }

    fn import(number: usize, then: AfterImport) -> Command {
        Command::Import {
            signer: KEYS[number].clone(),
            then,
        }
    }

    fn activate(number: usize, replaces: Option<usize>) -> Command {
        Command::Activate {
            fingerprint: fingerprint(number),
            replaces: replaces.map(fingerprint),
        }
    }

    /// The state after commands that all are allowed, on a day when keys 0 to 3 are valid.
    fn after(commands: impl IntoIterator<Item = Command>) -> Lifecycle {
        commands.into_iter().fold(Lifecycle::default(), |state, command| {
            state.apply(command, day(30)).unwrap().0
        })
    }

    fn names(state: &Lifecycle) -> Vec<(usize, &'static str)> {
        let number = |key: &Key| {
            KEYS.iter()
                .position(|known| Arc::ptr_eq(known, &key.signer))
                .unwrap()
        };
        state
            .keys()
            .map(|(key, state)| (number(key), state.name()))
            .collect()
    }

    #[test]
    fn an_imported_key_is_pending_until_it_is_activated_and_then_retired_by_the_next() {
        let state = after([
            import(0, AfterImport::StayPending),
            import(1, AfterImport::StayPending),
        ]);
        assert_eq!(names(&state), [(0, "pending"), (1, "pending")]);
        let (state, _) = state.apply(activate(0, None), day(30)).unwrap();
        let (state, events) = state.apply(activate(1, None), day(31)).unwrap();
        assert_eq!(names(&state), [(1, "active"), (0, "retired")]);
        assert_eq!(
            state.key(&fingerprint(0)).unwrap().1,
            KeyState::Retired { since: day(31) }
        );
        let certificate = |number: usize| KEYS[number].certificate().clone();
        let activated = Event::KeyActivated {
            certificate: certificate(1),
            trigger: Trigger::Activate,
        };
        assert_eq!(
            events,
            [
                activated,
                Event::KeyRetired {
                    certificate: certificate(0)
                }
            ]
        );
    }

    #[test]
    fn the_first_key_of_a_source_is_activated_and_no_later_one() {
        let state = after([
            import(0, AfterImport::ActivateIfNone),
            import(1, AfterImport::ActivateIfNone),
        ]);
        assert_eq!(names(&state), [(0, "active"), (1, "pending")]);
    }

    #[test]
    fn a_key_that_is_not_valid_yet_never_displaces_one_that_is() {
        let state = after([
            import(0, AfterImport::ActivateIfNone),
            import(5, AfterImport::Activate),
        ]);
        assert_eq!(names(&state), [(0, "active"), (5, "pending")]);
        let refusal = state.apply(activate(5, None), day(30)).err().unwrap();
        assert!(
            refusal
                .to_string()
                .contains("is not valid before 1970-02-20T00:00:00Z"),
            "{refusal}"
        );
    }

    #[test]
    fn what_is_so_already_is_no_event() {
        let state = after([import(0, AfterImport::Activate), import(1, AfterImport::Activate)]);
        for known in [
            import(0, AfterImport::Activate),
            import(1, AfterImport::StayPending),
            activate(1, None),
            activate(1, Some(0)),
        ] {
            let (same, events) = state.apply(known, day(31)).unwrap();
            assert_eq!((names(&same), events), (names(&state), Vec::new()));
        }
    }

    #[test]
    fn compare_and_swap_fails_when_another_key_is_active() {
        let state = after([
            import(0, AfterImport::Activate),
            import(1, AfterImport::Activate),
            import(2, AfterImport::StayPending),
        ]);
        let refused = Refusal::NotActive {
            expected: fingerprint(0),
            active: Some(fingerprint(1)),
        };
        assert_eq!(state.apply(activate(2, Some(0)), day(30)).err(), Some(refused));
        let (state, _) = state.apply(activate(2, Some(1)), day(30)).unwrap();
        assert_eq!(names(&state), [(2, "active"), (1, "retired"), (0, "retired")]);
    }

    #[test]
    fn a_retired_key_comes_back_by_rollback_only_one_step() {
        let state = after([0, 1, 2].map(|number| import(number, AfterImport::Activate)));
        assert_eq!(
            state.apply(activate(0, None), day(30)).err(),
            Some(Refusal::Retired(fingerprint(0)))
        );
        let (state, _) = state.apply(Command::Rollback, day(30)).unwrap();
        assert_eq!(names(&state), [(1, "active"), (2, "retired"), (0, "retired")]);
        let (state, _) = state.apply(Command::Rollback, day(30)).unwrap();
        assert_eq!(names(&state), [(2, "active"), (1, "retired"), (0, "retired")]);
    }

    #[test]
    fn there_is_no_way_back_to_nothing_or_to_an_expired_key() {
        let state = after([import(0, AfterImport::Activate)]);
        assert_eq!(
            state.apply(Command::Rollback, day(30)).err(),
            Some(Refusal::NothingRetired)
        );
        let (state, _) = state.apply(import(3, AfterImport::Activate), day(30)).unwrap();
        let refusal = state.apply(Command::Rollback, day(41)).err().unwrap();
        assert!(
            refusal.to_string().contains("expired on 1970-02-10T00:00:00Z"),
            "{refusal}"
        );
    }

    /// A command that can be printed.
    #[derive(Debug, Clone)]
    enum Step {
        Import(usize, AfterImport),
        Activate(usize, Option<usize>),
        Rollback,
    }

    impl Step {
        fn any() -> impl Strategy<Value = Self> {
            let number = 0..KEYS.len();
            let then = prop_oneof![
                Just(AfterImport::StayPending),
                Just(AfterImport::ActivateIfNone),
                Just(AfterImport::Activate),
            ];
            let replaces = proptest::option::of(number.clone());
            prop_oneof![
                (number.clone(), then).prop_map(|(number, then)| Self::Import(number, then)),
                (number, replaces).prop_map(|(number, replaces)| Self::Activate(number, replaces)),
                Just(Self::Rollback),
            ]
        }

        fn command(self) -> Command {
            match self {
                Self::Import(number, then) => import(number, then),
                Self::Activate(number, replaces) => activate(number, replaces),
                Self::Rollback => Command::Rollback,
            }
        }
    }

    /// The states of all keys as their events tell them.
    #[derive(Default)]
    struct Told(BTreeMap<Fingerprint, &'static str>);

    impl Told {
        fn hear(&mut self, event: &Event) {
            let (certificate, before, after) = match event {
                Event::KeyImported { certificate } => (certificate, &[None][..], "pending"),
                Event::KeyActivated {
                    certificate,
                    trigger: Trigger::Rollback,
                } => (certificate, &[Some("retired")][..], "active"),
                Event::KeyActivated { certificate, .. } => (certificate, &[Some("pending")][..], "active"),
                Event::KeyRetired { certificate } => (certificate, &[Some("active")][..], "retired"),
            };
            let was = self.0.insert(certificate.fingerprint().clone(), after);
            assert!(before.contains(&was), "{event:?} of a key that was {was:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        #[test]
        fn no_sequence_of_commands_loses_a_key_or_leaves_an_alias_without_one(
            steps in proptest::collection::vec((Step::any(), 0..100_u32), 1..60)
        ) {
            let (mut state, mut told, mut imported) = (Lifecycle::default(), Told::default(), BTreeSet::new());
            for (step, today) in steps {
                if let Step::Import(number, _) = step {
                    imported.insert(fingerprint(number));
                }
                let before = state.active().map(|key| key.fingerprint().clone());
                let Ok((next, events)) = state.apply(step.command(), day(today)) else { continue };
                events.iter().for_each(|event| told.hear(event));
                state = next;

                let held: BTreeMap<_, _> =
                    state.keys().map(|(key, state)| (key.fingerprint().clone(), state.name())).collect();
                prop_assert_eq!(state.keys().count(), held.len(), "a key is in two states");
                prop_assert!(held.keys().eq(&imported), "a key is lost or came from nowhere");
                prop_assert_eq!(&held, &told.0, "the events tell another story");
                prop_assert!(held.values().filter(|state| **state == "active").count() <= 1);
                let active = state.active();
                prop_assert!(before.is_none() || active.is_some(), "the alias lost its active key");
                if let Some(key) = active && before.as_ref() != Some(key.fingerprint()) {
                    prop_assert!(key.check_validity(day(today)).is_ok(), "activated outside its validity");
                }
            }
        }
    }
}
