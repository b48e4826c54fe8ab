//! Private halves at rest: AES-256-GCM under a key that is derived (HKDF-SHA-256) from the master key
//! and the database's own id, with the row's identity as associated data. So a sealed key cannot be
//! moved to another alias, another certificate or another database.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::{hmac, rand};
use zeroize::Zeroizing;

use super::StoreError;
use super::master_key::MasterKey;
use crate::keys::Fingerprint;

/// Seals and opens. Has no `Debug`; its memory belongs to the library, which clears it.
pub(super) struct Sealer {
    halves: LessSafeKey,
    /// Another key, for states of aliases (see [`super::seal`]).
    states: hmac::Key,
}

/// Another key sealed it, or somebody changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unopened;

/// Names the one place in which a sealed value opens.
pub(super) struct Place(Vec<u8>);

impl Place {
    /// A key's private half.
    pub(super) fn private_half(alias: &str, fingerprint: &Fingerprint) -> Self {
        Self([b"private half\0", alias.as_bytes(), b"\0", fingerprint.as_bytes()].concat())
    }

    /// The private half of a key that has no certificate yet.
    pub(super) fn waiting(alias: &str, public_key: &Fingerprint) -> Self {
        Self([b"waiting\0", alias.as_bytes(), b"\0", public_key.as_bytes()].concat())
    }

    /// The value by which a master key is known.
    pub(super) fn check() -> Self {
        Self(b"check\0".to_vec())
    }
}

impl Sealer {
    /// For one database.
    pub(super) fn new(master_key: &MasterKey, database: &[u8]) -> Result<Self, StoreError> {
        let secret = Salt::new(HKDF_SHA256, database).extract(master_key.bytes());
        let key = secret
            .expand(&[b"countersign state, version 1"], &AES_256_GCM)
            .map_err(|_| StoreError::NoRandomness)?;
        let states = secret
            .expand(&[b"state seals of countersign, version 1"], hmac::HMAC_SHA256)
            .map_err(|_| StoreError::NoRandomness)?;
        Ok(Self {
            halves: LessSafeKey::new(UnboundKey::from(key)),
            states: hmac::Key::from(states),
        })
    }

    /// What nobody can make without the master key.
    pub(super) fn mac(&self, message: &[u8]) -> hmac::Tag {
        hmac::sign(&self.states, message)
    }

    /// Nonce, ciphertext, tag. Nonces are random: a database holds far less than the 2^32 values for which that is safe.
    pub(super) fn seal(&self, place: &Place, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(|_| StoreError::NoRandomness)?;
        let mut sealed = plain.to_vec();
        self.halves
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.0.as_slice()),
                &mut sealed,
            )
            .map_err(|_| StoreError::NoRandomness)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    pub(super) fn open(&self, place: &Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(Unopened)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unopened)?;
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let plain = self
            .halves
            .open_in_place(nonce, Aad::from(place.0.as_slice()), &mut buffer);
        let length = plain.map_err(|_| Unopened)?.len();
        buffer.truncate(length);
        Ok(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(key: u8, database: &[u8]) -> Sealer {
        Sealer::new(&MasterKey::of(vec![key; 32]), database).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_only_in_its_place_in_its_database_with_its_key() {
        let (sealer_1, one) = (sealer(1, b"one"), Fingerprint::of(b"one"));
        let place = Place::private_half("orders", &one);
        let sealed = sealer_1.seal(&place, b"secret").unwrap();
        assert_eq!(sealer_1.open(&place, &sealed).unwrap().as_slice(), b"secret");
        for other in [
            Place::private_half("invoices", &one),
            Place::private_half("orders", &Fingerprint::of(b"two")),
            Place::waiting("orders", &one),
            Place::check(),
        ] {
            assert_eq!(sealer_1.open(&other, &sealed), Err(Unopened));
        }
        assert_eq!(sealer(2, b"one").open(&place, &sealed), Err(Unopened));
        assert_eq!(sealer(1, b"two").open(&place, &sealed), Err(Unopened));
    }

    #[test]
    fn not_one_bit_can_be_changed_and_no_two_sealings_are_alike() {
        let sealer = sealer(1, b"one");
        let sealed = sealer.seal(&Place::check(), b"secret").unwrap();
        assert_ne!(sealer.seal(&Place::check(), b"secret").unwrap(), sealed);
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(sealer.open(&Place::check(), &changed), Err(Unopened), "{index}");
        }
        assert_eq!(sealer.open(&Place::check(), &sealed[..20]), Err(Unopened));
        assert_eq!(sealer.open(&Place::check(), b""), Err(Unopened));
    }
}
