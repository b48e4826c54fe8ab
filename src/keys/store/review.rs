//! The store's part in what a restored backup leaves to be looked at.

use std::collections::BTreeMap;

use rusqlite::Transaction;
use time::OffsetDateTime;

use super::error::Failed;
use super::sealing::Sealer;
use super::{Store, StoreError, nothing_to_tell, review_table};
use crate::keys::audit::{Author, PUBLIC_KEY, Record};
use crate::keys::{Certificate, Fingerprint, Reason};

impl Store {
    /// Since when which aliases wait for an operator to look at them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(in crate::keys) fn load_unreviewed(&self) -> Result<BTreeMap<String, OffsetDateTime>, StoreError> {
        review_table::load(self.database.connection()?).failed(self.database.file())
    }

    /// An operator has looked at an alias.
    ///
    /// # Errors
    /// When the database cannot be written to; then the alias goes on to wait.
    pub(in crate::keys) fn reviewed(
        &mut self,
        alias: &str,
        author: &Author,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let record = Record::told("alias-reviewed", Some(alias), BTreeMap::new(), author, now);
        let work = |transaction: &Transaction<'_>, _: &Sealer| review_table::reviewed(transaction, alias);
        self.record(Some(alias), [record], now, work, nothing_to_tell)
    }

    /// From now on a key is not taken in, and, where its public key is known, no other certificate of its key pair.
    ///
    /// # Errors
    /// When the database cannot be written to.
    pub(in crate::keys) fn bar(
        &mut self,
        alias: &str,
        key: &Fingerprint,
        public_key: Option<&Fingerprint>,
        reason: &Reason,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut detail = BTreeMap::from([("reason".to_owned(), reason.to_string())]);
        detail.extend(public_key.map(|key| (PUBLIC_KEY.to_owned(), key.to_string())));
        let record = Record {
            key: Some(key.to_string()),
            ..Record::told("key-barred", Some(alias), detail, &Author::restore(), now)
        };
        let work = |transaction: &Transaction<'_>, _: &Sealer| {
            for barred in [key].into_iter().chain(public_key) {
                review_table::bar(transaction, alias, barred, &reason.to_string())?;
            }
            Ok(())
        };
        self.record(Some(alias), [record], now, work, nothing_to_tell)
    }

    /// Why the key of a certificate is not taken in; `None`: it may be.
    ///
    /// # Errors
    /// When that cannot be read.
    pub(in crate::keys) fn barred(
        &self,
        alias: &str,
        certificate: &Certificate,
    ) -> Result<Option<String>, StoreError> {
        let either = (certificate.fingerprint(), &certificate.public_key_fingerprint());
        review_table::barred(self.database.connection()?, alias, either).failed(self.database.file())
    }
}
