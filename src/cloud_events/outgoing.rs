//! What others are told: the one table from [`Event`]s to the CloudEvents that go out. No secret is in them; what a
//! certificate says is public.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::codec::{CloudEvent, Data};
use crate::clock::rfc3339;
use crate::keys::Certificate;
use crate::keys::lifecycle::{Event, Lifecycle, Renewal, RenewalId, RenewalNews};
use crate::spelling::vocabulary;

vocabulary! {
    /// The types of events that go out.
    pub enum OutgoingType {
        /// A key arrived; it does not sign yet.
        KeyPending = "io.countersign.key.pending",
        /// A key signs from now on.
        KeyActivated = "io.countersign.key.activated",
        /// A key was displaced and signs no more.
        KeyRetired = "io.countersign.key.retired",
        /// A key is trusted no more.
        KeyRevoked = "io.countersign.key.revoked",
        /// The active key will expire.
        KeyExpiring = "io.countersign.key.expiring",
        /// A key was activated before its predecessor expired, though not every receiver is known to have it.
        KeyUnconfirmed = "io.countersign.key.activated-unconfirmed",
        /// A key's retention is over.
        KeyPurgeable = "io.countersign.key.purgeable",
        /// The exchange of a key began.
        RenewalStarted = "io.countersign.renewal.started",
        /// The receivers are to take the new certificate.
        RenewalWaiting = "io.countersign.renewal.waiting",
        /// A receiver has it.
        RenewalConfirmed = "io.countersign.renewal.confirmed",
        /// The new key signs.
        RenewalActivated = "io.countersign.renewal.activated",
        /// The receivers have removed the old certificate.
        RenewalCompleted = "io.countersign.renewal.completed",
        /// The exchange was given up.
        RenewalAborted = "io.countersign.renewal.aborted",
        /// New messages wait, those under way come to their end.
        HoldStarted = "io.countersign.hold.started",
        /// Nothing is under way: you may switch now.
        HoldMaySwitch = "io.countersign.hold.may-switch",
        /// The hold has gone on for long, and ends soon.
        HoldEnds = "io.countersign.hold.ends",
        /// The hold has lasted for too long: messages are refused.
        HoldRefuses = "io.countersign.hold.refuses",
        /// Messages go on their way.
        HoldEnded = "io.countersign.hold.ended",
    }
}

/// What one sink is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The sink's name.
    pub sink: String,
    /// `None`: every type.
    pub types: Option<BTreeSet<OutgoingType>>,
    /// `None`: every alias.
    pub aliases: Option<BTreeSet<String>>,
}

impl Subscription {
    fn wants(&self, alias: &str, kind: OutgoingType) -> bool {
        let type_wanted = self.types.as_ref().is_none_or(|types| types.contains(&kind));
        let alias_wanted = self
            .aliases
            .as_ref()
            .is_none_or(|aliases| aliases.contains(alias));
        type_wanted && alias_wanted
    }
}

/// Who tells: one database, wherever it runs, as a URN (RFC 9562).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source(String);

impl Source {
    /// Of the database's id.
    #[must_use]
    pub fn of(id: &[u8]) -> Self {
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(id).for_each(|(byte, own)| *byte = *own);
        let number = u128::from_be_bytes(bytes);
        // Version 4, for it is random; variant as in section 4.1.
        let marked = number & !(0xf << 76) & !(0b11 << 62) | (4 << 76) | (0b10 << 62);
        let digits = format!("{marked:032x}");
        let group = |from, to| digits.get(from..to).unwrap_or_default();
        Self(format!(
            "urn:uuid:{}-{}-{}-{}-{}",
            group(0, 8),
            group(8, 12),
            group(12, 16),
            group(16, 20),
            group(20, 32)
        ))
    }
}

/// An event on its way to the sinks that want it.
pub struct Outgoing<'a> {
    /// To whose key it happened.
    pub alias: &'a str,
    /// What.
    pub event: &'a Event,
    /// The alias's keys after it.
    pub keys: &'a Lifecycle,
    /// When.
    pub at: OffsetDateTime,
    /// The same for every sink and every attempt.
    pub id: String,
}

impl Outgoing<'_> {
    /// The sinks that want it, and what they are told; `None` if nobody is.
    pub fn to<'s>(
        &self,
        source: &Source,
        subscriptions: &'s [Subscription],
    ) -> Option<(Vec<&'s str>, String)> {
        let (kind, data) = describe(self.event, self.keys)?;
        let wanting = subscriptions
            .iter()
            .filter(|subscription| subscription.wants(self.alias, kind));
        let sinks: Vec<_> = wanting.map(|subscription| subscription.sink.as_str()).collect();
        let told = || CloudEvent {
            id: self.id.clone(),
            source: source.0.clone(),
            kind: kind.name().to_owned(),
            subject: Some(self.alias.to_owned()),
            time: Some(self.at),
            extensions: BTreeMap::new(),
            data: Data::Json(data.into()),
        };
        (!sinks.is_empty()).then(|| (sinks, told().to_json()))
    }
}

/// The table: type and details of what goes out.
fn describe(event: &Event, keys: &Lifecycle) -> Option<(OutgoingType, Map<String, Value>)> {
    let (kind, more) = match event {
        Event::KeyImported { certificate } => (OutgoingType::KeyPending, pending(certificate)),
        Event::KeyActivated { certificate, trigger } => (
            OutgoingType::KeyActivated,
            json!({"trigger": trigger.name(), "not_after": rfc3339(certificate.not_after())}),
        ),
        Event::KeyRetired {
            kept_until,
            rolled_back,
            ..
        } => (
            OutgoingType::KeyRetired,
            json!({"kept_until": rfc3339(*kept_until), "rolled_back": rolled_back}),
        ),
        Event::KeyRevoked {
            reason,
            stopped,
            kept_until,
            ..
        } => (
            OutgoingType::KeyRevoked,
            json!({"reason": reason.to_string(), "stopped": stopped, "kept_until": rfc3339(*kept_until)}),
        ),
        Event::KeyExpiring { certificate, notice } => (
            OutgoingType::KeyExpiring,
            json!({"within": notice.name(), "not_after": rfc3339(certificate.not_after())}),
        ),
        Event::ActivatedUnconfirmed { receivers, .. } => {
            (OutgoingType::KeyUnconfirmed, json!({"unconfirmed": receivers}))
        }
        Event::KeyPurgeable { .. } => (OutgoingType::KeyPurgeable, json!({})),
        Event::Renewal { renewal, news, .. } => return renewed(event, renewal, news, keys),
        Event::ActivationScheduled { .. }
        | Event::ActivationCancelled { .. }
        | Event::RetentionExtended { .. }
        | Event::KeyDiscarded { .. }
        | Event::KeyPurged { .. } => return None,
    };
    Some((kind, joined([of_key(event.certificate()), more])))
}

/// The same for renewals and holds.
fn renewed(
    event: &Event,
    id: &RenewalId,
    news: &RenewalNews,
    keys: &Lifecycle,
) -> Option<(OutgoingType, Map<String, Value>)> {
    let (kind, more) = match news {
        RenewalNews::Started => (OutgoingType::RenewalStarted, json!({})),
        RenewalNews::Published => (OutgoingType::RenewalWaiting, json!({})),
        RenewalNews::Confirmed { receiver, all } => (
            OutgoingType::RenewalConfirmed,
            json!({"receiver": receiver, "all": all}),
        ),
        RenewalNews::Activated => (OutgoingType::RenewalActivated, json!({})),
        RenewalNews::Completed => (OutgoingType::RenewalCompleted, json!({})),
        RenewalNews::Aborted { reason } => (OutgoingType::RenewalAborted, json!({"reason": reason})),
        RenewalNews::HoldStarted => (OutgoingType::HoldStarted, json!({})),
        RenewalNews::MaySwitch => (OutgoingType::HoldMaySwitch, json!({})),
        RenewalNews::HoldEnds { at, then } => (
            OutgoingType::HoldEnds,
            json!({"at": rfc3339(*at), "then": then.name()}),
        ),
        RenewalNews::HoldRefuses { reason } => (OutgoingType::HoldRefuses, json!({"reason": reason})),
        RenewalNews::HoldEnded { reason } => (OutgoingType::HoldEnded, json!({"reason": reason})),
        // Whoever has it may confirm: it goes to one receiver alone.
        RenewalNews::LinkMade { .. } => return None,
    };
    let renewal = keys.renewals().iter().find(|renewal| renewal.id == *id);
    let own = json!({
        "renewal": id.to_string(),
        "strategy": renewal.map(|renewal| renewal.strategy.name()),
        "receivers": renewal.map(|renewal| receivers(renewal)),
    });
    Some((kind, joined([own, of_key(event.certificate()), more])))
}

/// Whom it concerns, and who has said that it has the new certificate.
fn receivers(renewal: &Renewal) -> Vec<Value> {
    let receivers = renewal.receivers.iter();
    let told = receivers.map(|one| json!({"receiver": one.receiver, "confirmed": one.confirmed.is_some()}));
    told.collect()
}

fn of_key(certificate: &Certificate) -> Value {
    json!({
        "fingerprint": certificate.fingerprint().to_string(),
        "certificate_subject": certificate.subject(),
    })
}

/// All that a receiver needs to trust it.
fn pending(certificate: &Certificate) -> Value {
    let pem = certificate.x509().to_pem().ok();
    json!({
        "issuer": certificate.issuer(),
        "serial": certificate.serial(),
        "not_before": rfc3339(certificate.not_before()),
        "not_after": rfc3339(certificate.not_after()),
        "certificate": pem.and_then(|pem| String::from_utf8(pem).ok()),
    })
}

fn joined<const N: usize>(parts: [Value; N]) -> Map<String, Value> {
    let members = parts.into_iter().filter_map(|part| {
        if let Value::Object(members) = part {
            Some(members)
        } else {
            None
        }
    });
    members.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_a_random_uuid_made_of_the_databases_id() {
        let source = |id: &[u8]| Source::of(id).0;
        assert_eq!(
            source(&[0xff; 16]),
            "urn:uuid:ffffffff-ffff-4fff-bfff-ffffffffffff"
        );
        assert_eq!(source(&[0; 16]), "urn:uuid:00000000-0000-4000-8000-000000000000");
        assert_eq!(
            source(&(1..=16).collect::<Vec<_>>()),
            "urn:uuid:01020304-0506-4708-890a-0b0c0d0e0f10"
        );
    }
}
