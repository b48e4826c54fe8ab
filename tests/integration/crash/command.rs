//! What an operator asks for, and what becomes of keys and renewal by it, as plain data.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Random;
use crate::support::admin::{new_key, pem};
use crate::support::clock::now;

/// What an operator sees.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// With their states, in the order of the API.
    pub(super) keys: Vec<(String, String)>,
    /// That goes on.
    pub(super) renewal: Option<Renewal>,
}

#[derive(Debug, Clone)]
pub(super) struct Renewal {
    /// Not known before it was seen.
    pub(super) id: String,
    pub(super) key: String,
    pub(super) step: String,
    pub(super) gate: String,
}

type InShort<'a> = (BTreeMap<&'a str, &'a str>, Option<[&'a str; 3]>);

impl Seen {
    /// What can be foretold.
    pub(super) fn in_short(&self) -> InShort<'_> {
        let keys = self
            .keys
            .iter()
            .map(|(key, state)| (key.as_str(), state.as_str()));
        let renewal = self.renewal.as_ref();
        let renewal = renewal.map(|one| [one.key.as_str(), one.step.as_str(), one.gate.as_str()]);
        (keys.collect(), renewal)
    }

    pub(super) fn is_held(&self) -> bool {
        self.renewal
            .as_ref()
            .is_some_and(|renewal| renewal.gate != "open")
    }

    fn put(&mut self, key: &str, state: &str) {
        self.keys.retain(|(known, _)| known != key);
        self.keys.push((key.to_owned(), state.to_owned()));
    }

    /// The key that was displaced last signs again.
    fn go_back(&mut self) {
        let last = self.keys.iter().find(|(_, state)| state == "retired");
        let last = last.expect("chosen so").0.clone();
        self.switch_to(&last);
    }

    /// The active key, if there is one, is displaced by this one.
    fn switch_to(&mut self, key: &str) {
        let active = self.keys.iter().find(|(_, state)| state == "active");
        if let Some((displaced, _)) = active.cloned() {
            self.put(&displaced, "retired");
        }
        self.put(key, "active");
    }
}

/// What an operator asks for.
#[derive(Debug, Clone)]
pub(super) enum Command {
    Import {
        pem: Vec<u8>,
        fingerprint: String,
    },
    Activate(String),
    Rollback {
        replaces: String,
    },
    Revoke {
        key: String,
        successor: Option<String>,
    },
    Discard(String),
    Purge(String),
    Start(String),
    /// A step of the renewal of this name.
    Step(Verb, String),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Verb {
    Publish,
    Hold,
    Confirm,
    Resume,
    Complete,
    Abort,
}

impl Command {
    /// One that the states allow.
    pub(super) fn any(random: &mut Random, seen: &Seen) -> Self {
        match &seen.renewal {
            Some(renewal) => Self::of_renewal(random, renewal),
            None => Self::of_keys(random, &seen.keys),
        }
    }

    /// While a renewal goes on, whoever operates it leaves its key alone.
    fn of_renewal(random: &mut Random, renewal: &Renewal) -> Self {
        let verbs: &[Verb] = match (renewal.step.as_str(), renewal.gate.as_str()) {
            ("created", _) => &[Verb::Publish, Verb::Hold, Verb::Hold, Verb::Abort],
            ("published", _) => &[Verb::Hold, Verb::Hold, Verb::Abort],
            (_, "holding") => &[Verb::Confirm, Verb::Resume, Verb::Complete, Verb::Abort],
            _ => &[Verb::Confirm, Verb::Complete],
        };
        match random.below(6) {
            0 => Self::import(),
            _ => Self::Step(*random.pick(verbs), renewal.id.clone()),
        }
    }

    fn of_keys(random: &mut Random, keys: &[(String, String)]) -> Self {
        let mut some = |wanted: &str| {
            let keys: Vec<_> = keys.iter().filter(|(_, state)| state == wanted).collect();
            (!keys.is_empty()).then(|| random.pick(&keys).0.clone())
        };
        let (pending, active, retired, revoked) =
            (some("pending"), some("active"), some("retired"), some("revoked"));
        match (random.below(13), pending, active, retired, revoked) {
            (1 | 2, Some(key), ..) => Self::Activate(key),
            (3, _, Some(replaces), Some(_), _) => Self::Rollback { replaces },
            (4, Some(successor), Some(key), ..) => Self::Revoke {
                key,
                successor: Some(successor),
            },
            (5, _, _, Some(key), _) => Self::Revoke { key, successor: None },
            (6, Some(key), ..) => Self::Discard(key),
            (7 | 8, _, _, _, Some(key)) => Self::Purge(key),
            (9..=12, Some(key), ..) => Self::Start(key),
            _ => Self::import(),
        }
    }

    fn import() -> Self {
        let key = new_key("Next");
        let material = countersign::keys::source::from_pem(&pem(&key), None, now()).expect("a key");
        Self::Import {
            pem: pem(&key),
            fingerprint: material.certificate.fingerprint().to_string(),
        }
    }

    /// What is seen when all of it has happened.
    pub(super) fn outcome(&self, seen: &Seen) -> Seen {
        let mut after = seen.clone();
        match self {
            Self::Import { fingerprint, .. } => after.put(fingerprint, "pending"),
            Self::Activate(key) => after.switch_to(key),
            Self::Rollback { .. } => after.go_back(),
            Self::Revoke { key, successor } => {
                after.put(key, "revoked");
                if let Some(successor) = successor {
                    after.put(successor, "active");
                }
            }
            Self::Discard(key) => after.keys.retain(|(known, _)| known != key),
            Self::Purge(key) => after.put(key, "purged"),
            Self::Start(key) => {
                after.renewal = Some(Renewal {
                    id: String::new(),
                    key: key.clone(),
                    step: "created".to_owned(),
                    gate: "open".to_owned(),
                });
            }
            Self::Step(verb, _) => verb.take(&mut after),
        }
        after
    }

    pub(super) fn request(&self) -> (String, &'static str, Vec<u8>) {
        let key = |key: &str, verb: &str| format!("/api/v1/aliases/orders/keys/{key}/{verb}");
        let json = |value: Value| value.to_string().into_bytes();
        let (path, body) = match self {
            Self::Import { pem, .. } => {
                let path = "/api/v1/aliases/orders/keys".to_owned();
                return (path, "application/x-pem-file", pem.clone());
            }
            Self::Activate(name) => (key(name, "activate"), json(json!({"unconfirmed": true}))),
            Self::Rollback { replaces } => {
                let path = "/api/v1/aliases/orders/rollback".to_owned();
                (path, json(json!({"replaces": replaces})))
            }
            Self::Revoke { key: name, successor } => {
                let body = match successor {
                    Some(successor) => json!({"reason": "a test", "successor": successor}),
                    None => json!({"reason": "a test"}),
                };
                (key(name, "revoke"), json(body))
            }
            Self::Discard(name) => (key(name, "discard"), Vec::new()),
            Self::Purge(name) => (key(name, "purge"), json(json!({"compromised": true}))),
            Self::Start(name) => {
                let path = "/api/v1/aliases/orders/renewals".to_owned();
                (path, json(json!({"key": name})))
            }
            Self::Step(verb, renewal) => {
                let path = format!("/api/v1/renewals/{renewal}/{}", verb.word());
                (path, Vec::new())
            }
        };
        (path, "application/json", body)
    }
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Hold => "hold",
            Self::Confirm => "confirm",
            Self::Resume => "resume",
            Self::Complete => "complete",
            Self::Abort => "abort",
        }
    }

    /// A hold is seen when its drain is over.
    fn take(self, seen: &mut Seen) {
        let renewal = seen.renewal.as_mut().expect("chosen so");
        let (step, gate) = match self {
            Self::Publish => ("published", "open"),
            Self::Hold => ("activated", "holding"),
            Self::Confirm | Self::Resume => ("activated", "open"),
            Self::Abort if renewal.gate == "holding" => {
                seen.renewal = None;
                seen.go_back();
                return;
            }
            Self::Complete | Self::Abort => {
                seen.renewal = None;
                return;
            }
        };
        (renewal.step, renewal.gate) = (step.to_owned(), gate.to_owned());
        let key = renewal.key.clone();
        if matches!(self, Self::Hold) {
            seen.switch_to(&key);
        }
    }
}
