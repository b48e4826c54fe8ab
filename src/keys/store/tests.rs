//! What a database keeps, which ones are refused, and what it never shows.

mod events;
mod faults;
mod migrated;
mod refused;
mod remembered;
mod renewals;
mod restored;
mod sealed;
mod secrets;
mod trouble;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use tempfile::TempDir;
use time::OffsetDateTime;

use super::*;
use crate::keys::Certificate;
use crate::keys::generate::{KeyAlgorithm, SelfSigned};
use crate::keys::lifecycle::{Arrival, KeyState, Policy, Replacement, Schedule};
use crate::keys::{AfterImport, KeyMaterial, Keys, PrivateKey};

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const ALIAS: &str = "orders";

/// The store of a directory, with a master key of its own.
pub(in crate::keys) fn open(directory: &Path) -> Store {
    // A process that another test starts at this moment has the lock, too, until it begins with its own program.
    let began = tokio::time::Instant::now();
    loop {
        match try_open(directory) {
            Err(StoreError::Locked { .. }) if began.elapsed() < Duration::from_secs(5) => {
                std::thread::yield_now();
            }
            opened => return opened.unwrap(),
        }
    }
}

pub(in crate::keys) fn try_open(directory: &Path) -> Result<Store, StoreError> {
    Store::open(
        StateDirectory::lock(directory)?,
        &MasterKeyFile::locate(None, None, directory),
    )
}

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn keys(directory: &Path) -> Keys {
    let policies = BTreeMap::from([(ALIAS.to_owned(), Policy::default())]);
    Keys::open(open(directory), &policies, Vec::new(), NOW).unwrap()
}

/// Key pairs that are valid for a year; made once, for some take long.
static PAIRS: LazyLock<Vec<(Vec<u8>, Certificate)>> = LazyLock::new(|| {
    let pair = |number: usize| {
        let algorithm = if number == 0 {
            KeyAlgorithm::Rsa2048
        } else {
            KeyAlgorithm::P256
        };
        let pair = SelfSigned::generate(algorithm, "Test", NOW, DAY * 365).unwrap();
        let material = pair.into_material().unwrap();
        let private_half = material.private_key.to_stored().unwrap().to_vec();
        (private_half, material.certificate)
    };
    (0..6).map(pair).collect()
});

fn material(number: usize) -> KeyMaterial {
    let (private_half, certificate) = &PAIRS[number];
    let key = openssl::pkey::PKey::private_key_from_pkcs8(private_half).unwrap();
    KeyMaterial {
        private_key: PrivateKey::new(key).unwrap(),
        certificate: certificate.clone(),
        chain: vec![PAIRS[5].1.clone()],
    }
}

/// The same key pair under a certificate of its own.
fn certified_again(number: usize) -> KeyMaterial {
    let (private_half, certificate) = &PAIRS[number];
    let key = openssl::pkey::PKey::private_key_from_pkcs8(private_half).unwrap();
    let mut again = openssl::x509::X509Builder::new().unwrap();
    let old = certificate.x509();
    again.set_version(2).unwrap();
    again.set_subject_name(old.subject_name()).unwrap();
    again.set_issuer_name(old.subject_name()).unwrap();
    again.set_not_before(old.not_before()).unwrap();
    again.set_not_after(old.not_after()).unwrap();
    again.set_pubkey(&key).unwrap();
    again.sign(&key, openssl::hash::MessageDigest::sha512()).unwrap();
    let again = Certificate::from_der(&again.build().to_der().unwrap()).unwrap();
    KeyMaterial {
        certificate: again,
        ..material(number)
    }
}

fn fingerprint(number: usize) -> Fingerprint {
    PAIRS[number].1.fingerprint().clone()
}

fn import(keys: &Keys, number: usize, then: AfterImport) {
    let operator = keys.by(Author::cli());
    operator.import(ALIAS, material(number), then, NOW).unwrap();
}

/// As if we had written what somebody else did.
fn seal_again(directory: &Path) {
    let key = MasterKeyFile::locate(None, None, directory);
    let (mut connection, sealer, _) = schema::open(&database(directory), &key).unwrap();
    let transaction = connection.transaction().unwrap();
    let (mut chain, at) = audit_table::end(&transaction).unwrap();
    let links = seal::link_all(&transaction, &sealer, &mut chain, &Author::cli(), at).unwrap();
    audit_table::append(&transaction, &links, at).unwrap();
    transaction.commit().unwrap();
}

/// Number, state, and when it was imported and by which place in the sequence.
type Seen = (usize, KeyState, Arrival);

fn seen(keys: &Keys) -> Vec<Seen> {
    let ring = keys.ring();
    let number = |fingerprint: &Fingerprint| {
        let pair = PAIRS
            .iter()
            .position(|(_, known)| known.fingerprint() == fingerprint);
        pair.unwrap()
    };
    let entries = ring.alias(ALIAS).unwrap().remembered();
    entries
        .map(|entry| (number(entry.fingerprint()), entry.state, entry.arrival))
        .collect()
}
