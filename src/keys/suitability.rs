//! May this key sign for us? Asked when a key arrives and before every activation, so that a bad
//! new key never displaces a working one. Whether anybody trusts its certificate is not asked.

use openssl::bn::BigNum;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Public};
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Verifier};
use time::OffsetDateTime;

use super::Certificate;
use super::material::NotValid;
use super::pkcs11::TokenError;
use super::private_key::{PrivateKey, UnsupportedKey, message_digest};
use super::signer::{KeyType, Scheme, SignatureAlgorithm, SignerError};
use crate::clock::rfc3339;

/// NIST SP 800-131A: shorter moduli no longer sign.
const LEAST_RSA_BITS: usize = 2048;

/// Why a key may not sign, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    /// Certificate and private key are halves of different pairs.
    #[error(
        "the certificate of {subject} does not belong to the private key: import the two that were made together"
    )]
    Mismatch {
        /// Of the certificate.
        subject: String,
    },
    /// The certificate has expired.
    #[error("the certificate of {subject} expired on {}: import a key with a valid one", rfc3339(*.not_after))]
    Expired {
        /// Of the certificate.
        subject: String,
        /// Its last instant.
        not_after: OffsetDateTime,
    },
    /// The key usage extension leaves signatures out.
    #[error(
        "the key usage of the certificate of {subject} does not permit digital signatures: \
             ask its issuer for one with digitalSignature"
    )]
    UsageForbidsSigning {
        /// Of the certificate.
        subject: String,
    },
    /// Many receivers cannot read it.
    #[error("the certificate of {subject}: {}", UnsupportedKey::ExplicitCurve)]
    ExplicitCurve {
        /// Of the certificate.
        subject: String,
    },
    /// Too short.
    #[error("{key_type} is too weak to sign: use RSA of at least {LEAST_RSA_BITS} bits, P-256 or better")]
    TooWeak {
        /// The key's.
        key_type: KeyType,
    },
    /// What the key signs does not verify with its certificate.
    #[error(
        "a trial signature of the key of {subject} did not verify with its certificate: the key is damaged"
    )]
    TrialFailed {
        /// Of the certificate.
        subject: String,
    },
    /// The token that the key is on made no trial signature.
    #[error("the key of {subject} made no trial signature: {problem}")]
    Token {
        /// Of the certificate.
        subject: String,
        /// Why.
        problem: TokenError,
    },
}

pub(super) fn check(
    key: &PrivateKey,
    certificate: &Certificate,
    now: OffsetDateTime,
) -> Result<(), KeyRefused> {
    let subject = || certificate.subject().to_owned();
    let key_type = key.key_type();
    if !key.belongs_to(certificate) {
        return Err(KeyRefused::Mismatch { subject: subject() });
    }
    if certificate.has_explicit_curve() {
        return Err(KeyRefused::ExplicitCurve { subject: subject() });
    }
    if matches!(key_type, KeyType::Rsa { bits } if bits < LEAST_RSA_BITS) {
        return Err(KeyRefused::TooWeak { key_type });
    }
    if !certificate.may_sign() {
        return Err(KeyRefused::UsageForbidsSigning { subject: subject() });
    }
    if let Err(NotValid::Expired(not_after)) = certificate.check_validity(now) {
        let subject = subject();
        return Err(KeyRefused::Expired { subject, not_after });
    }
    match trial_verifies(key, certificate) {
        Ok(true) => Ok(()),
        Err(SignerError::Token(problem)) => Err(KeyRefused::Token {
            subject: subject(),
            problem,
        }),
        Ok(false) | Err(SignerError::AlgorithmMismatch { .. } | SignerError::Failed) => {
            Err(KeyRefused::TrialFailed { subject: subject() })
        }
    }
}

/// Whether what the key signs verifies with the certificate.
pub(super) fn trial_verifies(key: &PrivateKey, certificate: &Certificate) -> Result<bool, SignerError> {
    const MESSAGE: &[u8] = b"countersign: trial signature";
    let algorithm = key.key_type().auto();
    let signature = key.sign_on_trial(algorithm, MESSAGE)?;
    Ok(verifies(certificate.public_key(), algorithm, MESSAGE, &signature).unwrap_or(false))
}

/// With OpenSSL, so that the two libraries check each other. ECDSA values are r||s, each as long as the curve's order (XML
/// Signature 1.1, section 6.4.3).
pub(super) fn verifies(
    key: &PKey<Public>,
    algorithm: SignatureAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, ErrorStack> {
    let (scheme, hash) = algorithm.parts();
    let mut verifier = match hash {
        Some(hash) => Verifier::new(message_digest(hash), key)?,
        None => Verifier::new_without_digest(key)?,
    };
    match scheme {
        Scheme::RsaPss => {
            verifier.set_rsa_padding(Padding::PKCS1_PSS)?;
            verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
            verifier.verify_oneshot(signature, message)
        }
        Scheme::Ecdsa
            if signature.len() != 2 * usize::try_from(key.bits().div_ceil(8)).unwrap_or_default() =>
        {
            Ok(false)
        }
        Scheme::Ecdsa => verifier.verify_oneshot(&der(signature)?, message),
        Scheme::RsaPkcs1 | Scheme::Ed25519 => verifier.verify_oneshot(signature, message),
    }
}

/// OpenSSL wants r and s in a SEQUENCE.
fn der(fixed_length: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let (r, s) = fixed_length.split_at(fixed_length.len() / 2);
    EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?.to_der()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use openssl::asn1::{Asn1Integer, Asn1Time};
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::Private;
    use openssl::rsa::Rsa;
    use openssl::x509::extension::KeyUsage;
    use openssl::x509::{X509, X509Builder};

    use super::super::generate::{KeyAlgorithm, SelfSigned};
    use super::super::{KeyMaterial, Signer, SignerError};
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn generated(algorithm: KeyAlgorithm) -> KeyMaterial {
        SelfSigned::generate(algorithm, "Test", NOW, DAY)
            .unwrap()
            .into_material()
            .unwrap()
    }

    fn p521() -> KeyMaterial {
        let group = EcGroup::from_curve_name(Nid::SECP521R1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        certified(key, KeyUsage::new().digital_signature())
    }

    fn certified(key: PKey<Private>, usage: &KeyUsage) -> KeyMaterial {
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder
            .set_serial_number(&Asn1Integer::from_bn(&BigNum::from_u32(1).unwrap()).unwrap())
            .unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.set_not_before(&Asn1Time::from_unix(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::from_unix(60).unwrap()).unwrap();
        builder.append_extension(usage.build().unwrap()).unwrap();
        sign(&mut builder, &key);
        let certificate = Certificate::from_der(&builder.build().to_der().unwrap()).unwrap();
        KeyMaterial {
            private_key: PrivateKey::new(key).unwrap(),
            certificate,
            chain: Vec::new(),
        }
    }

    fn sign(builder: &mut X509Builder, key: &PKey<Private>) {
        builder.sign(key, MessageDigest::sha256()).unwrap();
    }

    #[test]
    fn openssl_verifies_what_every_fitting_pair_of_key_and_algorithm_signs() {
        let keys = KeyAlgorithm::ALL.iter().copied().map(generated).chain([p521()]);
        for material in keys {
            let signer = Signer::new(material, NOW)
                .map_err(|refused| refused.to_string())
                .unwrap();
            for &algorithm in SignatureAlgorithm::ALL {
                let key_type = signer.key_type();
                match signer.sign(algorithm, b"message") {
                    Ok(value) => {
                        let key = signer.certificate().public_key();
                        assert!(algorithm.fits(key_type));
                        assert!(
                            verifies(key, algorithm, b"message", &value).unwrap(),
                            "{key_type} {algorithm}"
                        );
                        assert!(
                            !verifies(key, algorithm, b"messagf", &value).unwrap(),
                            "{key_type} {algorithm}"
                        );
                    }
                    Err(error) => {
                        assert!(!algorithm.fits(key_type));
                        assert_eq!(error, SignerError::AlgorithmMismatch { algorithm, key_type });
                    }
                }
            }
        }
    }

    #[test]
    fn an_ecdsa_value_has_the_length_of_its_curve_whatever_library_signed() {
        for (material, length) in [
            (generated(KeyAlgorithm::P256), 64),
            (generated(KeyAlgorithm::P384), 96),
            (p521(), 132),
        ] {
            let algorithms = [
                SignatureAlgorithm::EcdsaSha256,
                SignatureAlgorithm::EcdsaSha384,
                SignatureAlgorithm::EcdsaSha512,
            ];
            for algorithm in algorithms {
                for message in 0..20_u8 {
                    let value = material.private_key.sign(algorithm, &[message]).unwrap();
                    assert_eq!(value.len(), length, "{algorithm}");
                }
            }
        }
    }

    #[test]
    fn halves_of_different_pairs_are_refused() {
        let (one, other) = (generated(KeyAlgorithm::P256), generated(KeyAlgorithm::P256));
        let refused = check(&one.private_key, &other.certificate, NOW);
        assert!(matches!(refused, Err(KeyRefused::Mismatch { .. })), "{refused:?}");
    }

    #[test]
    fn an_expired_certificate_is_refused_after_its_last_instant() {
        let key = generated(KeyAlgorithm::P256);
        assert_eq!(check(&key.private_key, &key.certificate, NOW + DAY), Ok(()));
        let refused = check(
            &key.private_key,
            &key.certificate,
            NOW + DAY + Duration::from_secs(1),
        );
        assert!(matches!(refused, Err(KeyRefused::Expired { .. })), "{refused:?}");
    }

    #[test]
    fn the_key_usage_decides_where_there_is_one() {
        let key = || PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let encrypts = certified(key(), KeyUsage::new().key_encipherment());
        let refused = check(&encrypts.private_key, &encrypts.certificate, NOW);
        assert!(
            matches!(refused, Err(KeyRefused::UsageForbidsSigning { .. })),
            "{refused:?}"
        );
        let signs = certified(key(), KeyUsage::new().non_repudiation());
        assert_eq!(check(&signs.private_key, &signs.certificate, NOW), Ok(()));
    }

    #[test]
    fn short_rsa_is_refused() {
        let key = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
        let weak = certified(key, KeyUsage::new().digital_signature());
        let refused = check(&weak.private_key, &weak.certificate, NOW);
        assert_eq!(
            refused,
            Err(KeyRefused::TooWeak {
                key_type: KeyType::Rsa { bits: 1024 }
            })
        );
    }

    #[test]
    fn curves_of_no_xml_signature_algorithm_are_not_supported() {
        let group = EcGroup::from_curve_name(Nid::SECP256K1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let error = PrivateKey::new(key).map(drop).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("keys of type secp256k1 are not supported"),
            "{error}"
        );
    }
}
