//! Confirmation links: whoever has one says, once, that a receiver has the new certificate. Only the hash of its token is
//! kept, so that neither the database nor a backup confirms anything.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

use super::Moment;
use super::Refusal;

/// For how long a link is good; a receiver's administrator may be on holiday.
const GOOD_FOR: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The secret part of a link: 256 random bits in base64url. Shown once, to whoever made it.
pub struct LinkToken(String);

/// SHA-256 of a token: what is kept of it.
#[derive(Clone, Copy)]
pub struct LinkHash([u8; 32]);

/// A link as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::keys) struct Link {
    pub(in crate::keys) hash: LinkHash,
    pub(in crate::keys) expires: OffsetDateTime,
    /// When it was used.
    pub(in crate::keys) spent: Option<OffsetDateTime>,
}

impl LinkToken {
    pub(in crate::keys) fn random() -> Result<Self, Unspecified> {
        let mut random = [0; 32];
        rand::fill(&mut random)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(random)))
    }

    /// What stands in the link's address.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }

    pub(in crate::keys) fn hash(&self) -> LinkHash {
        LinkHash::of(&self.0)
    }
}

impl fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkToken(...)")
    }
}

impl LinkHash {
    /// Of a token, or of whatever somebody takes for one.
    #[must_use]
    pub fn of(token: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref()); // SHA-256 has 32 bytes
        Self(hash)
    }

    pub(in crate::keys) fn stored(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    pub(in crate::keys) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// In the same time whatever differs.
impl PartialEq for LinkHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for LinkHash {}

impl fmt::Debug for LinkHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkHash(...)")
    }
}

impl Link {
    /// A clock that is put back makes no link live longer.
    pub(super) fn new(hash: LinkHash, moment: Moment) -> Self {
        Self {
            hash,
            expires: moment.latest + GOOD_FOR,
            spent: None,
        }
    }

    pub(in crate::keys) fn is_expired(&self, moment: Moment) -> bool {
        moment.latest >= self.expires
    }

    pub(super) fn spend(&mut self, moment: Moment) -> Result<(), Refusal> {
        if self.spent.is_some() {
            return Err(Refusal::LinkSpent);
        }
        if self.is_expired(moment) {
            return Err(Refusal::LinkExpired(self.expires));
        }
        self.spent = Some(moment.now);
        Ok(())
    }
}
