//! What an event asks for: its type and its data. A field that the type does not have makes it none. No sentence repeats
//! what came.

use std::str::FromStr;

use http::Uri;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cloud_events::codec::Data;
use crate::config::origin;
use crate::keys::lifecycle::{RenewalId, Replacement, Schedule};
use crate::keys::{Fingerprint, Reason};
use crate::spelling::vocabulary;

vocabulary! {
    /// The types of events that something is done for.
    pub enum EventType {
        /// Look at the alias's source now.
        KeyImport = "io.countersign.key.import",
        /// Sign with a pending key.
        KeyActivate = "io.countersign.key.activate",
        /// One step back.
        KeyRollback = "io.countersign.key.rollback",
        /// Trust a key no more.
        KeyRevoke = "io.countersign.key.revoke",
        /// A receiver has the new certificate.
        RenewalConfirm = "io.countersign.renewal.confirm",
        /// Let new messages wait while those under way come to their end.
        HoldStart = "io.countersign.hold.start",
        /// Let messages go on their way.
        HoldEnd = "io.countersign.hold.end",
    }
}

/// What is to be done for an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Instruction {
    Import,
    /// Which, instead of which, and whether though its receivers are not known to have it.
    Activate(Fingerprint, Option<Fingerprint>, bool),
    ActivateAt(Fingerprint, Schedule, bool),
    /// Away from which.
    Rollback(Option<Fingerprint>),
    Revoke(Fingerprint, Reason, Option<Replacement>),
    /// Which renewal, and which receiver.
    Confirm(RenewalId, String),
    StartHold,
    EndHold,
}

impl Instruction {
    /// Reads the data of an event.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub(super) fn of(kind: EventType, data: &Data) -> Result<Self, String> {
        let fields = |known| Fields::of(kind, data, known);
        match kind {
            EventType::KeyImport => fields(&[]).map(|_| Self::Import),
            EventType::KeyActivate => activate(&fields(&["fingerprint", "replaces", "at", "unconfirmed"])?),
            EventType::KeyRollback => {
                let replaces = fields(&["replaces"])?.fingerprint("replaces")?;
                Ok(Self::Rollback(replaces))
            }
            EventType::KeyRevoke => revoke(&fields(&["fingerprint", "reason", "successor"])?),
            EventType::RenewalConfirm => confirm(&fields(&["renewal", "receiver"])?),
            EventType::HoldStart => fields(&[]).map(|_| Self::StartHold),
            EventType::HoldEnd => fields(&[]).map(|_| Self::EndHold),
        }
    }

    /// Why it changed nothing.
    pub(super) const fn nothing_to_do(&self) -> &'static str {
        match self {
            Self::Import => "the alias's source has no new key",
            Self::Activate(..) => "the key is the active one already",
            Self::ActivateAt(..) => "the key will be activated at that time already",
            Self::Rollback(_) => "there was nothing to go back from",
            Self::Revoke(..) => "the key is revoked already",
            Self::Confirm(..) => "the receiver has confirmed already",
            Self::StartHold => "messages are held already",
            Self::EndHold => "no messages are held",
        }
    }

    /// The key that it activates.
    pub(super) const fn activated_key(&self) -> Option<&Fingerprint> {
        match self {
            Self::Activate(key, ..) | Self::ActivateAt(key, ..) => Some(key),
            Self::Import
            | Self::Rollback(_)
            | Self::Revoke(..)
            | Self::Confirm(..)
            | Self::StartHold
            | Self::EndHold => None,
        }
    }
}

fn activate(fields: &Fields) -> Result<Instruction, String> {
    let fingerprint = fields.fingerprint("fingerprint")?;
    let fingerprint = fingerprint.ok_or_else(|| fields.missing("fingerprint"))?;
    let replaces = fields.fingerprint("replaces")?;
    let unconfirmed = fields.flag("unconfirmed")?;
    Ok(match fields.time("at")? {
        None => Instruction::Activate(fingerprint, replaces, unconfirmed),
        Some(at) => {
            let first = false;
            Instruction::ActivateAt(fingerprint, Schedule { at, replaces, first }, unconfirmed)
        }
    })
}

fn revoke(fields: &Fields) -> Result<Instruction, String> {
    let fingerprint = fields.fingerprint("fingerprint")?;
    let fingerprint = fingerprint.ok_or_else(|| fields.missing("fingerprint"))?;
    let reason = fields.text("reason")?.ok_or_else(|| fields.missing("reason"))?;
    let reason = Reason::from_str(reason).map_err(|error| error.to_string())?;
    let successor = fields.fingerprint("successor")?;
    Ok(Instruction::Revoke(
        fingerprint,
        reason,
        successor.map(Replacement::Successor),
    ))
}

fn confirm(fields: &Fields) -> Result<Instruction, String> {
    let renewal = fields.text("renewal")?.ok_or_else(|| fields.missing("renewal"))?;
    let renewal = renewal
        .parse()
        .map_err(|_| "renewal is not the name of one: `r-` and 16 hex digits".to_owned())?;
    let receiver = fields
        .text("receiver")?
        .ok_or_else(|| fields.missing("receiver"))?;
    // However its address is spelled; what is none is not told in an answer, which is kept.
    let address = receiver.parse::<Uri>().ok().filter(|uri| uri.scheme().is_some());
    let address = address
        .ok_or_else(|| "receiver is not the address of one, as https://erp.example.com:443".to_owned())?;
    Ok(Instruction::Confirm(renewal, origin(&address)))
}

/// The data of an event, all of whose fields are known.
struct Fields {
    kind: EventType,
    members: Map<String, Value>,
}

impl Fields {
    /// Without data, or with null, there are none.
    fn of(kind: EventType, data: &Data, known: &[&str]) -> Result<Self, String> {
        let members = match data {
            Data::Absent | Data::Json(Value::Null) => Map::new(),
            Data::Json(Value::Object(members)) => members.clone(),
            Data::Json(_) | Data::Other => return Err(format!("the data of {kind} is a JSON object")),
        };
        if members.keys().all(|name| known.contains(&name.as_str())) {
            return Ok(Self { kind, members });
        }
        Err(if known.is_empty() {
            format!("{kind} has no data; what it is for is said by its subject")
        } else {
            format!(
                "the data has a field that {kind} does not have; it has {}",
                known.join(", ")
            )
        })
    }

    fn missing(&self, name: &str) -> String {
        format!("the data of {} has no {name}", self.kind)
    }

    /// Null is as good as absent.
    fn text(&self, name: &str) -> Result<Option<&str>, String> {
        match self.members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{name} is not text")),
        }
    }

    fn fingerprint(&self, name: &str) -> Result<Option<Fingerprint>, String> {
        let fingerprint = self.text(name)?.map(Fingerprint::from_str).transpose();
        fingerprint.map_err(|_| format!("{name} is not the SHA-256 of a certificate in 64 hex digits"))
    }

    fn flag(&self, name: &str) -> Result<bool, String> {
        match self.members.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(format!("{name} is neither true nor false")),
        }
    }

    fn time(&self, name: &str) -> Result<Option<OffsetDateTime>, String> {
        let time = self.text(name)?.map(|text| OffsetDateTime::parse(text, &Rfc3339));
        time.transpose()
            .map_err(|_| format!("{name} is not a time by RFC 3339, as 2030-01-31T22:00:00Z"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(kind: EventType, data: Value) -> Result<Instruction, String> {
        Instruction::of(kind, &Data::Json(data))
    }

    #[test]
    fn data_are_read_as_the_type_has_them() {
        let (one, two) = ("1".repeat(64), "2".repeat(64));
        let (first, second): (Fingerprint, Fingerprint) = (one.parse().unwrap(), two.parse().unwrap());
        assert_eq!(
            read(
                EventType::KeyActivate,
                json!({"fingerprint": one, "replaces": two, "at": null})
            ),
            Ok(Instruction::Activate(first.clone(), Some(second.clone()), false))
        );
        assert_eq!(
            read(
                EventType::KeyActivate,
                json!({"fingerprint": one, "at": "1970-01-01T01:00:00+01:00"})
            ),
            Ok(Instruction::ActivateAt(
                first.clone(),
                Schedule {
                    at: OffsetDateTime::UNIX_EPOCH,
                    replaces: None,
                    first: false
                },
                false
            ))
        );
        assert_eq!(
            read(
                EventType::KeyRevoke,
                json!({"fingerprint": one, "reason": "stolen", "successor": two})
            ),
            Ok(Instruction::Revoke(
                first,
                "stolen".parse().unwrap(),
                Some(Replacement::Successor(second))
            ))
        );
        assert_eq!(
            read(
                EventType::RenewalConfirm,
                json!({"renewal": "r-0123456789abcdef", "receiver": "https://ERP.example.com/in"})
            ),
            Ok(Instruction::Confirm(
                "r-0123456789abcdef".parse().unwrap(),
                "https://erp.example.com:443".to_owned()
            ))
        );
        for data in [Data::Absent, Data::Json(json!(null)), Data::Json(json!({}))] {
            assert_eq!(
                Instruction::of(EventType::KeyRollback, &data),
                Ok(Instruction::Rollback(None))
            );
        }
    }

    #[test]
    fn other_data_are_refused_in_words_that_do_not_repeat_them() {
        let one = "1".repeat(64);
        for (kind, data, words) in [
            (EventType::KeyActivate, json!({}), "no fingerprint"),
            (EventType::KeyActivate, json!([]), "a JSON object"),
            (
                EventType::KeyActivate,
                json!({"fingerprint": "hush"}),
                "64 hex digits",
            ),
            (EventType::KeyActivate, json!({"fingerprint": 1}), "not text"),
            (
                EventType::KeyActivate,
                json!({"fingerprint": one, "hush": 1}),
                "it has fingerprint, replaces, at, unconfirmed",
            ),
            (
                EventType::KeyActivate,
                json!({"fingerprint": one, "at": "hush"}),
                "RFC 3339",
            ),
            (EventType::KeyRevoke, json!({"fingerprint": one}), "no reason"),
            (
                EventType::KeyRevoke,
                json!({"fingerprint": one, "reason": "hush\nhush"}),
                "one line of text",
            ),
            (EventType::KeyRollback, json!({"hush": 1}), "it has replaces"),
            (
                EventType::KeyActivate,
                json!({"fingerprint": one, "unconfirmed": "hush"}),
                "neither true nor false",
            ),
            (EventType::HoldStart, json!({"hush": 1}), "has no data"),
            (
                EventType::RenewalConfirm,
                json!({"renewal": "hush", "receiver": "https://erp"}),
                "16 hex digits",
            ),
            (
                EventType::RenewalConfirm,
                json!({"renewal": "r-0123456789abcdef"}),
                "no receiver",
            ),
            (
                EventType::RenewalConfirm,
                json!({"renewal": "r-0123456789abcdef", "receiver": "hush"}),
                "not the address of one",
            ),
        ] {
            let refused = read(kind, data.clone()).unwrap_err();
            assert!(
                refused.contains(words) && !refused.contains("hush"),
                "{data}: {refused}"
            );
        }
    }
}
