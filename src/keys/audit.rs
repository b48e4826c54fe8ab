//! Who did what, when, from where: records that are only ever added to, each bound to all before it.
//!
//! A record's text is JSON, written once in the order of [`Record`]'s fields and kept as it is. Its hash is
//! SHA-256 over the hash before it (32 bytes, nought before the first) and that text. So a record that is
//! changed, missing or moved breaks the chain; one that was cut off at the end shows to whoever kept
//! a later head.

mod author;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::fingerprint::hex;
use super::waiting::Waiting;
use crate::clock::rfc3339;
use crate::keys::lifecycle::Event;
pub use author::Author;
pub(super) use words::describe;

/// Of a key that is revoked or barred: SHA-256 of its public key, in [`Record::detail`].
pub(super) const PUBLIC_KEY: &str = "public_key";

/// One thing that happened. The order of fields is that of the text that is hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number, from 1.
    pub sequence: u64,
    /// When, by the wall clock.
    pub at: String,
    /// What, in the past tense.
    pub what: String,
    /// To whose key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub alias: Option<String>,
    /// To which key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
    /// What else there is to say, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub detail: BTreeMap<String, String>,
    /// By whom.
    pub author: Author,
    /// SHA-256 of everything that is stored of the alias after this.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<String>,
    /// Over the same, and the place of this record, under a key that is derived from the master key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seal: Option<String>,
}

impl Record {
    /// Something that happened to a key.
    #[must_use]
    pub(super) fn of(alias: &str, event: &Event, author: &Author, now: OffsetDateTime) -> Self {
        let (what, detail) = describe(event);
        let detail = detail.into_iter().map(|(name, value)| (name.to_owned(), value));
        Self {
            alias: Some(alias.to_owned()),
            key: Some(event.certificate().fingerprint().to_string()),
            detail: detail.collect(),
            ..Self::note(what, author, now)
        }
    }

    /// Something that happened to a key that has no certificate yet.
    pub(super) fn of_waiting(
        what: &str,
        alias: &str,
        waiting: &Waiting,
        author: &Author,
        now: OffsetDateTime,
    ) -> Self {
        let detail = [
            ("public_key", waiting.public_key().to_string()),
            ("subject", waiting.subject().to_owned()),
        ];
        Self {
            alias: Some(alias.to_owned()),
            detail: detail.map(|(name, value)| (name.to_owned(), value)).into(),
            ..Self::note(what, author, now)
        }
    }

    /// Something that was done with an alias, or with the proxy, and to no key.
    #[must_use]
    pub(super) fn told(
        what: &str,
        alias: Option<&str>,
        detail: BTreeMap<String, String>,
        author: &Author,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            alias: alias.map(ToOwned::to_owned),
            detail,
            ..Self::note(what, author, now)
        }
    }

    /// Something that happened to no key in particular.
    pub(super) fn note(what: &str, author: &Author, now: OffsetDateTime) -> Self {
        Self {
            sequence: 0, // given when it is linked
            at: rfc3339(now),
            what: what.to_owned(),
            alias: None,
            key: None,
            detail: BTreeMap::new(),
            author: author.clone(),
            state: None,
            seal: None,
        }
    }
}

/// A SHA-256.
pub(super) type Hash = [u8; 32];

/// The end of the chain: how many records there are, and the hash of the last one, which stands for them all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// How many.
    pub records: u64,
    hash: Hash,
}

impl Head {
    pub(super) fn new(records: u64, hash: Hash) -> Self {
        Self { records, hash }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.hash))
    }
}

/// As it is kept beside the database: the number of records, and the hash.
impl FromStr for Head {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<Self, NotAHead> {
        let not_a_head = || NotAHead(text.chars().take(80).collect());
        let (records, hash) = text.trim_end().split_once(' ').ok_or_else(not_a_head)?;
        let KeptHead(hash) = hash.parse()?;
        let digits = (0..32).map(|index| u8::from_str_radix(hash.get(2 * index..2 * index + 2)?, 16).ok());
        let hash: Option<Vec<u8>> = digits.collect();
        let hash = hash
            .and_then(|hash| hash.try_into().ok())
            .ok_or_else(not_a_head)?;
        Ok(Self::new(records.parse().map_err(|_| not_a_head())?, hash))
    }
}

/// A head that somebody kept, to hold the chain against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptHead(String);

/// Not a head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no head of an audit: give the 64 hex digits that metrics and `audit verify` show")]
pub struct NotAHead(String);

impl FromStr for KeptHead {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<Self, NotAHead> {
        let whole = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if whole {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(NotAHead(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for KeptHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The chain up to here; grows by linking.
#[derive(Debug, Clone, Default)]
pub(super) struct Chain(Head);

/// A record as it is stored.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) sequence: u64,
    pub(super) text: String,
    pub(super) hash: Hash,
}

impl Link {
    /// Names the record wherever it is told: with the database's id, no other one has this name, for the hash stands
    /// for everything before it.
    pub(super) fn name(&self) -> String {
        let [a, b, c, d, e, f, g, h, ..] = self.hash;
        format!("{}-{}", self.sequence, hex(&[a, b, c, d, e, f, g, h]))
    }
}

impl Chain {
    pub(super) fn at(head: Head) -> Self {
        Self(head)
    }

    pub(super) fn head(&self) -> Head {
        self.0.clone()
    }

    /// Links a record that seals an alias: what seals it is asked with the record's number and the hash before it.
    pub(super) fn link_sealed(
        &mut self,
        mut record: Record,
        state: String,
        seal: impl FnOnce(u64, &Hash) -> String,
    ) -> Link {
        record.state = Some(state);
        record.seal = Some(seal(self.0.records + 1, &self.0.hash));
        self.link(record)
    }

    pub(super) fn link(&mut self, mut record: Record) -> Link {
        record.sequence = self.0.records + 1;
        // Strings, numbers and maps of strings: there is nothing in it that JSON could not write.
        let text = serde_json::to_string(&record).unwrap_or_default();
        self.0 = Head::new(record.sequence, hash(&self.0.hash, &text));
        Link {
            sequence: record.sequence,
            text,
            hash: self.0.hash,
        }
    }

    /// Holds the next stored record against all before it.
    fn follow(&mut self, link: &Link) -> Result<Record, BrokenChain> {
        let expected = self.0.records + 1;
        if link.sequence != expected {
            return Err(BrokenChain::Missing(expected));
        }
        let record = serde_json::from_str::<Record>(&link.text).ok();
        let record = record.filter(|record| record.sequence == expected);
        let follows = hash(&self.0.hash, &link.text) == link.hash;
        let record = record.filter(|_| follows).ok_or(BrokenChain::Changed(expected))?;
        self.0 = Head::new(expected, link.hash);
        Ok(record)
    }
}

fn hash(previous: &Hash, text: &str) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(previous);
    context.update(text.as_bytes());
    context.finish().as_ref().try_into().unwrap_or_default() // SHA-256 has 32 bytes
}

/// The audit is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokenChain {
    /// A number is not there.
    #[error("record {0} is missing")]
    Missing(u64),
    /// Not as it was written.
    #[error("record {0} was changed, or does not follow the one before it")]
    Changed(u64),
    /// The kept head is of no record that is there.
    #[error(
        "no record has the head {head}: records after record {records} were removed, or all were written anew"
    )]
    HeadNotFound {
        /// What was kept.
        head: KeptHead,
        /// How many there are.
        records: u64,
    },
}

/// Verifies a whole chain; a head that was kept must be that of one of its records.
pub(super) struct Verification {
    chain: Chain,
    kept: Option<KeptHead>,
    found: bool,
}

impl Verification {
    pub(super) fn new(kept: Option<KeptHead>) -> Self {
        Self {
            chain: Chain::default(),
            found: kept.is_none(),
            kept,
        }
    }

    pub(super) fn next(&mut self, link: &Link) -> Result<Record, BrokenChain> {
        let record = self.chain.follow(link)?;
        if let Some(kept) = &self.kept {
            self.found |= kept.0 == self.chain.head().to_string();
        }
        Ok(record)
    }

    pub(super) fn finish(self) -> Result<Head, BrokenChain> {
        match self.kept {
            Some(head) if !self.found => Err(BrokenChain::HeadNotFound {
                head,
                records: self.chain.head().records,
            }),
            _ => Ok(self.chain.head()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(length: u64) -> (Vec<Link>, Vec<String>) {
        let mut chain = Chain::default();
        let author = Author::token("operator").at("127.0.0.1:4711");
        (0..length)
            .map(|number| {
                let now = OffsetDateTime::UNIX_EPOCH + time::Duration::hours(i64::try_from(number).unwrap());
                let link = chain.link(Record::note("key-imported", &author, now));
                let head = chain.head().to_string();
                (link, head)
            })
            .unzip()
    }

    fn verify(links: &[Link], kept: Option<&str>) -> Result<Head, BrokenChain> {
        let mut verification = Verification::new(kept.map(|head| head.parse().unwrap()));
        for link in links {
            verification.next(link)?;
        }
        verification.finish()
    }

    #[test]
    fn a_record_is_text_that_other_programs_can_hash() {
        let (links, heads) = chain(1);
        let text = "{\"sequence\":1,\"at\":\"1970-01-01T00:00:00Z\",\"what\":\"key-imported\",\
                    \"author\":{\"who\":\"token\",\"name\":\"operator\",\"from\":\"127.0.0.1:4711\"}}";
        assert_eq!(links[0].text, text);
        // printf '\0%.0s' … | cat - text | sha256sum
        let preimage = [&[0; 32], text.as_bytes()].concat();
        assert_eq!(heads[0], hex(&openssl::sha::sha256(&preimage)));
    }

    #[test]
    fn a_chain_as_it_was_written_is_whole_and_has_its_heads() {
        let (links, heads) = chain(5);
        assert_eq!(verify(&links, None).unwrap().to_string(), heads[4]);
        for head in &heads {
            assert_eq!(verify(&links, Some(head)).unwrap().records, 5);
        }
        assert_eq!(verify(&[], None), Ok(Head::default()));
    }

    #[test]
    fn a_changed_record_is_found() {
        let (mut links, _) = chain(5);
        links[2].text = links[2].text.replace("operator", "somebody");
        assert_eq!(verify(&links, None), Err(BrokenChain::Changed(3)));
        // With a hash of its own it does not fit what follows.
        links[2].hash = hash(&links[1].hash, &links[2].text);
        assert_eq!(verify(&links, None), Err(BrokenChain::Changed(4)));
    }

    #[test]
    fn a_missing_record_is_found() {
        let (mut links, _) = chain(5);
        links.remove(2);
        assert_eq!(verify(&links, None), Err(BrokenChain::Missing(3)));
        for link in &mut links[2..] {
            link.sequence -= 1;
        }
        assert_eq!(verify(&links, None), Err(BrokenChain::Changed(3)));
        let (links, _) = chain(5);
        assert_eq!(verify(&links[1..], None), Err(BrokenChain::Missing(1)));
    }

    #[test]
    fn records_in_another_order_are_found() {
        let (mut links, _) = chain(5);
        links.swap(1, 2);
        let (one, other) = (links[1].sequence, links[2].sequence);
        (links[1].sequence, links[2].sequence) = (other, one);
        assert_eq!(verify(&links, None), Err(BrokenChain::Changed(2)));
    }

    #[test]
    fn records_that_were_cut_off_at_the_end_are_found_by_a_head_that_was_kept() {
        let (links, heads) = chain(5);
        assert!(verify(&links[..3], None).is_ok());
        assert!(verify(&links[..3], Some(&heads[2])).is_ok());
        let broken = verify(&links[..3], Some(&heads[4])).unwrap_err().to_string();
        assert!(broken.contains("records after record 3 were removed"), "{broken}");
    }
}
