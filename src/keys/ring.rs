//! One moment's keys of all aliases: an immutable snapshot. A message takes its key from one and
//! keeps it to its end, whatever is switched meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use rpds::{HashTrieMapSync, RedBlackTreeMapSync};
use time::OffsetDateTime;

use super::lifecycle::Lifecycle;
use super::material::NotValid;
use super::reference::{Found, Reference};
use super::{Certificate, Fingerprint, Signer};
use crate::clock::rfc3339;

/// The keys of all aliases. Cheap to clone, and so is a copy with one alias changed, however many there are.
#[derive(Clone)]
pub struct KeyRing {
    aliases: RedBlackTreeMapSync<Arc<str>, Arc<Lifecycle>>,
    index: HashTrieMapSync<Reference, Vec<Holder>>,
    /// They do not sign until an operator has looked; since when.
    unreviewed: RedBlackTreeMapSync<String, OffsetDateTime>,
}

/// A key, by its names.
type Holder = (Arc<str>, Fingerprint);

/// Why an alias has no key that may sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoUsableKey {
    /// No such alias.
    #[error("there is no alias {0:?}")]
    UnknownAlias(String),
    /// No key is active.
    #[error("alias {0:?} has no active key: import one and activate it")]
    NoActiveKey(String),
    /// No key is active, and one will be.
    #[error("no key of alias {alias:?} signs yet: its certificate is not valid, or its time has not come, before {}", rfc3339(*.begins))]
    NotYet {
        /// The alias.
        alias: String,
        /// When one is activated by itself.
        begins: OffsetDateTime,
    },
    /// Its keys may be older than what it had signed with.
    #[error(
        "alias {0:?} is stopped: its keys came from a backup that may be older than what it signed with last. Look at \
         `countersign keys show {0}` and revoke what was revoked since; then say `countersign keys reviewed {0}`"
    )]
    Unreviewed(String),
    /// The active key's certificate says no. Receivers would refuse what it signs.
    #[error("the certificate of the active key of alias {alias:?} {reason}: activate another key")]
    NotValid {
        /// The alias.
        alias: String,
        /// Why.
        reason: NotValid,
    },
}

impl KeyRing {
    /// These aliases with their keys.
    pub(super) fn of(aliases: impl IntoIterator<Item = (String, Lifecycle)>) -> Self {
        let mut ring = Self {
            aliases: RedBlackTreeMapSync::new_sync(),
            index: HashTrieMapSync::new_sync(),
            unreviewed: RedBlackTreeMapSync::new_sync(),
        };
        for (alias, keys) in aliases {
            ring.put(&alias, keys);
        }
        ring
    }

    /// Of these, none signs until an operator has looked.
    pub(super) fn with_unreviewed(mut self, unreviewed: BTreeMap<String, OffsetDateTime>) -> Self {
        self.unreviewed = unreviewed.into_iter().collect();
        self
    }

    /// An operator has looked at this one.
    pub(super) fn with_reviewed(&self, alias: &str) -> Self {
        let mut ring = self.clone();
        ring.unreviewed.remove_mut(alias);
        ring
    }

    /// Since when the alias does not sign because nobody has looked at what a backup brought.
    #[must_use]
    pub fn unreviewed_since(&self, alias: &str) -> Option<OffsetDateTime> {
        self.unreviewed.get(alias).copied()
    }

    /// And these, without keys where they are new.
    pub(super) fn with_aliases<'a>(&self, aliases: impl Iterator<Item = &'a String>) -> Self {
        let mut ring = self.clone();
        for alias in aliases {
            if !ring.aliases.contains_key(alias.as_str()) {
                ring.put(alias, Lifecycle::default());
            }
        }
        ring
    }

    /// Another moment's ring.
    pub(super) fn with(&self, alias: &str, keys: Lifecycle) -> Self {
        let mut ring = self.clone();
        ring.put(alias, keys);
        ring
    }

    /// Only what came and what went changes the index: a state is looked up in the keys.
    fn put(&mut self, alias: &str, keys: Lifecycle) {
        let name: Arc<str> = alias.into();
        let before = self.aliases.get(&name).cloned().unwrap_or_default();
        for entry in keys
            .keys()
            .filter(|entry| before.key(entry.fingerprint()).is_none())
        {
            self.enter(&name, entry.identity.certificate());
        }
        for entry in before
            .keys()
            .filter(|entry| keys.key(entry.fingerprint()).is_none())
        {
            self.strike(&name, entry.identity.certificate());
        }
        self.aliases.insert_mut(name, Arc::new(keys));
    }

    fn enter(&mut self, alias: &Arc<str>, certificate: &Certificate) {
        for reference in Reference::all(certificate) {
            let mut holders = self.index.get(&reference).cloned().unwrap_or_default();
            holders.push((alias.clone(), certificate.fingerprint().clone()));
            self.index.insert_mut(reference, holders);
        }
    }

    fn strike(&mut self, alias: &Arc<str>, certificate: &Certificate) {
        for reference in Reference::all(certificate) {
            let mut left = self.index.get(&reference).cloned().unwrap_or_default();
            left.retain(|(holder, key)| holder != alias || key != certificate.fingerprint());
            if left.is_empty() {
                self.index.remove_mut(&reference);
            } else {
                self.index.insert_mut(reference, left);
            }
        }
    }

    /// Every key that answers to the reference, whatever its state.
    #[must_use]
    pub fn find(&self, reference: &Reference) -> Vec<Found> {
        let holders = self.index.get(reference).or_else(|| {
            let reversed = reference.reversed()?;
            self.index.get(&reversed)
        });
        let found = holders.into_iter().flatten().filter_map(|(alias, fingerprint)| {
            let entry = self.aliases.get(alias)?.key(fingerprint)?;
            Some(Found {
                alias: alias.clone(),
                identity: Arc::clone(entry.identity),
                arrival: entry.arrival,
                state: entry.state,
            })
        });
        found.collect()
    }

    /// The key that signs for the alias.
    ///
    /// # Errors
    /// When there is none that may.
    pub fn signer(&self, alias: &str, now: OffsetDateTime) -> Result<Arc<Signer>, NoUsableKey> {
        let keys = self
            .alias(alias)
            .ok_or_else(|| NoUsableKey::UnknownAlias(alias.to_owned()))?;
        if self.unreviewed.contains_key(alias) {
            return Err(NoUsableKey::Unreviewed(alias.to_owned()));
        }
        let active = keys.active().ok_or_else(|| match keys.next_activation() {
            None => NoUsableKey::NoActiveKey(alias.to_owned()),
            Some(begins) => NoUsableKey::NotYet {
                alias: alias.to_owned(),
                begins,
            },
        })?;
        match active.signer().certificate().check_validity(now) {
            Ok(()) => Ok(active.signer().clone()),
            Err(reason) => Err(NoUsableKey::NotValid {
                alias: alias.to_owned(),
                reason,
            }),
        }
    }

    /// The keys of one alias.
    #[must_use]
    pub fn alias(&self, alias: &str) -> Option<&Lifecycle> {
        self.aliases.get(alias).map(Arc::as_ref)
    }

    /// Every alias with its keys, by name.
    pub fn aliases(&self) -> impl Iterator<Item = (&str, &Lifecycle)> {
        self.aliases
            .iter()
            .map(|(alias, keys)| (alias.as_ref(), keys.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::keys::generate::{KeyAlgorithm, SelfSigned};
    use crate::keys::lifecycle::Trigger;
    use crate::keys::lifecycle::{AfterImport, Command, Moment, Origin, Policy, Replacement};
    use crate::keys::{DistinguishedName, Reference};

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn signer(name: &str) -> Arc<Signer> {
        let material = SelfSigned::generate(KeyAlgorithm::P256, name, NOW, DAY * 365)
            .and_then(SelfSigned::into_material)
            .unwrap();
        Arc::new(Signer::new(material, NOW).ok().unwrap())
    }

    fn apply(ring: &KeyRing, alias: &str, command: Command) -> KeyRing {
        let keys = ring.alias(alias).unwrap();
        let applied = keys.apply(command, &Policy::default(), Moment::new(NOW, NOW), "a test");
        ring.with(alias, applied.unwrap().0)
    }

    fn import(ring: &KeyRing, alias: &str, signer: &Arc<Signer>) -> KeyRing {
        let import = Command::Import {
            signer: signer.clone(),
            origin: Origin::Command,
            then: AfterImport::StayPending,
        };
        apply(ring, alias, import)
    }

    fn ring() -> KeyRing {
        let aliases = ["orders", "invoices"].map(|alias| (alias.to_owned(), Lifecycle::default()));
        KeyRing::of(aliases)
    }

    fn found(ring: &KeyRing, reference: &Reference) -> Vec<(String, &'static str)> {
        let found = ring.find(reference).into_iter();
        found
            .map(|key| (key.alias.to_string(), key.state.name()))
            .collect()
    }

    #[test]
    fn a_certificate_is_found_by_everything_it_is_known_by() {
        let signer = signer("Müller, Söhne");
        let ring = import(&ring(), "orders", &signer);
        let certificate = signer.certificate();
        let issuer = |name: &str| {
            let name = DistinguishedName::parse(name).unwrap();
            Reference::IssuerSerial(name, certificate.serial().to_owned())
        };
        for reference in [
            Reference::certificate(certificate.der()),
            Reference::Thumbprint(certificate.thumbprint()),
            Reference::SubjectKeyIdentifier(certificate.subject_key_identifier().unwrap().to_vec()),
            issuer("cn = \"müller,  söhne\""),
        ] {
            assert_eq!(found(&ring, &reference), [("orders".to_owned(), "pending")]);
        }
        assert_eq!(found(&ring, &issuer("CN=Müller")), []);
        assert_eq!(found(&ring, &Reference::certificate(b"another one")), []);
    }

    #[test]
    fn it_is_found_in_every_state_and_no_more_when_it_was_discarded() {
        let (first, second, third) = (signer("One"), signer("Two"), signer("Three"));
        let fingerprint = |signer: &Signer| signer.certificate().fingerprint().clone();
        let state = |ring: &KeyRing, signer: &Signer| {
            let found = found(ring, &Reference::Fingerprint(fingerprint(signer)));
            found.first().map(|(_, state)| *state)
        };
        let activate = |signer: &Signer| Command::Activate {
            fingerprint: fingerprint(signer),
            replaces: None,
            trigger: Trigger::Activate,
            unconfirmed: false,
        };
        let mut ring = [&first, &second, &third]
            .into_iter()
            .fold(ring(), |ring, signer| import(&ring, "orders", signer));
        ring = apply(&ring, "orders", activate(&first));
        assert_eq!(state(&ring, &first), Some("active"));
        ring = apply(&ring, "orders", activate(&second));
        assert_eq!(state(&ring, &first), Some("retired"));
        let revoke = Command::Revoke {
            fingerprint: fingerprint(&second),
            reason: "why not".parse().unwrap(),
            replacement: Some(Replacement::Stop),
        };
        ring = apply(&ring, "orders", revoke);
        assert_eq!(state(&ring, &second), Some("revoked"));
        let purge = Command::Purge {
            fingerprint: fingerprint(&second),
            compromised: true,
        };
        ring = apply(&ring, "orders", purge);
        assert_eq!(state(&ring, &second), Some("purged"));
        let discard = Command::Discard {
            fingerprint: fingerprint(&third),
        };
        ring = apply(&ring, "orders", discard);
        assert_eq!(state(&ring, &third), None);
    }

    #[test]
    fn one_certificate_of_two_aliases_is_found_twice_and_a_ring_of_before_is_as_it_was() {
        let signer = signer("Both");
        let reference = Reference::certificate(signer.certificate().der());
        let one = import(&ring(), "orders", &signer);
        let both = import(&one, "invoices", &signer);
        assert_eq!(found(&one, &reference).len(), 1);
        let mut aliases: Vec<_> = found(&both, &reference)
            .into_iter()
            .map(|(alias, _)| alias)
            .collect();
        aliases.sort();
        assert_eq!(aliases, ["invoices", "orders"]);
        let discard = Command::Discard {
            fingerprint: signer.certificate().fingerprint().clone(),
        };
        let left = apply(&both, "orders", discard);
        assert_eq!(found(&left, &reference), [("invoices".to_owned(), "pending")]);
    }

    #[test]
    fn an_issuer_is_found_with_its_parts_in_either_order() {
        let name = |text| DistinguishedName::parse(text).unwrap();
        let reference = Reference::IssuerSerial(name("CN=a,O=b,C=c"), "1".to_owned());
        let reversed = Reference::IssuerSerial(name("C=c,O=b,CN=a"), "1".to_owned());
        assert_ne!(reference, reversed);
        assert_eq!(reference.reversed(), Some(reversed));
    }
}
