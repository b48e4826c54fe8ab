//! The second engine on what the signer makes: all of it verifies, and no byte of it may change.

use std::fs;
use std::ops::Range;
use std::path::Path;

use countersign::keys::SignatureAlgorithm;
use countersign::keys::generate::KeyAlgorithm;
use countersign::wss::Profile;
use countersign::wss::policy::Sha1;
use countersign::wss::profile::{DigestAlgorithm, InclusivePrefixes, KeyIdentifier, Layout, Part};
use countersign::wss::verify::{Place, Stale, Trust, Untrusted, VerifyError};
use memchr::memmem;

use crate::support::corpus::files;
use crate::support::signing::{NOW, key, message, new_key, sign, trusting, verify, verify_at};

#[test]
fn every_key_identifier_verifies_with_every_type_of_key() {
    for &algorithm in KeyAlgorithm::ALL {
        let key = key(algorithm);
        for &key_identifier in KeyIdentifier::ALL {
            for include_token in [false, true] {
                let profile = Profile {
                    key_identifier,
                    include_token,
                    ..Profile::default()
                };
                let signed = sign(&message("soap11"), profile, &key);
                let made_by = verify(&trusting(&key), &signed, |message| {
                    message.body_signature().certificate.clone()
                });
                assert_eq!(
                    made_by.as_ref(),
                    Ok(key.certificate()),
                    "{algorithm} {key_identifier} {include_token}"
                );
            }
        }
    }
}

#[test]
fn every_signature_algorithm_verifies() {
    for &of_key in KeyAlgorithm::ALL {
        let key = key(of_key);
        let mut verifier = trusting(&key);
        verifier.policy.sha1 = Sha1::Allowed;
        for &algorithm in SignatureAlgorithm::ALL {
            if algorithm.fits(key.key_type()) {
                let profile = Profile {
                    signature_algorithm: Some(algorithm),
                    ..Profile::default()
                };
                let signed = sign(&message("soap12"), profile, &key);
                let made = verify(&verifier, &signed, |message| message.body_signature().algorithm);
                assert_eq!(made, Ok(algorithm), "{of_key}");
            }
        }
    }
}

#[test]
fn every_digest_algorithm_and_layout_verifies() {
    let key = key(KeyAlgorithm::P256);
    let mut verifier = trusting(&key);
    verifier.policy.sha1 = Sha1::Allowed;
    for &digest_algorithm in DigestAlgorithm::ALL {
        for &layout in Layout::ALL {
            for &inclusive_prefixes in InclusivePrefixes::ALL {
                let profile = Profile {
                    digest_algorithm,
                    layout,
                    inclusive_prefixes,
                    ..Profile::default()
                };
                let signed = sign(&message("unused-prefixes"), profile, &key);
                let used = verify(&verifier, &signed, |message| {
                    message
                        .body_signature()
                        .parts
                        .iter()
                        .all(|part| part.digest_algorithm == digest_algorithm)
                });
                assert_eq!(used, Ok(true), "{digest_algorithm} {layout} {inclusive_prefixes}");
            }
        }
    }
}

#[test]
fn sha1_is_refused_unless_it_is_allowed() {
    let key = key(KeyAlgorithm::Rsa2048);
    let digest = Profile {
        digest_algorithm: DigestAlgorithm::Sha1,
        ..Profile::default()
    };
    let value = Profile {
        signature_algorithm: Some(SignatureAlgorithm::RsaSha1),
        ..Profile::default()
    };
    for profile in [digest, value] {
        let refused = verify(&trusting(&key), sign(&message("soap11"), profile, &key), |_| ());
        assert!(matches!(refused, Err(VerifyError::Policy(_))), "{refused:?}");
    }
}

#[test]
fn every_part_that_can_be_signed_is_reported() {
    let key = key(KeyAlgorithm::P256);
    let sign_parts = vec![Part::Body, Part::Timestamp, Part::Token, Part::Addressing];
    for &key_identifier in KeyIdentifier::ALL {
        if key_identifier == KeyIdentifier::X509Data {
            continue; // It has no token reference that a transform could follow
        }
        let profile = Profile {
            sign: sign_parts.clone(),
            key_identifier,
            ..Profile::default()
        };
        let signed = sign(&message("ws-addressing"), profile, &key);
        let places = verify(&trusting(&key), &signed, |message| {
            message
                .body_signature()
                .parts
                .iter()
                .map(|part| part.place.clone())
                .collect::<Vec<_>>()
        });
        let places = places.unwrap_or_else(|refused| panic!("{key_identifier}: {refused}"));
        for place in [Place::Body, Place::Timestamp, Place::Token] {
            assert!(places.contains(&place), "{key_identifier}: {place}");
        }
        assert!(
            places
                .iter()
                .any(|place| matches!(place, Place::Header(name) if name.local == "MessageID"))
        );
    }
}

#[test]
fn every_message_of_ours_verifies() {
    let key = key(KeyAlgorithm::P256);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages");
    for file in files(&folder, "xml") {
        let mut verifier = trusting(&key);
        verifier.policy.clock_skew = std::time::Duration::from_secs(100 * 365 * 24 * 60 * 60);
        let verified = verify(
            &verifier,
            sign(&fs::read(&file).unwrap(), Profile::default(), &key),
            |_| (),
        );
        assert_eq!(verified, Ok(()), "{}", file.display());
    }
}

#[test]
fn no_covered_byte_may_change() {
    let key = key(KeyAlgorithm::P256);
    let signed = sign(&message("soap11"), Profile::default(), &key);
    let verifier = trusting(&key);
    assert_eq!(verify(&verifier, &signed, |_| ()), Ok(()));
    let covered = [
        "<soapenv:Body ",
        "<wsu:Timestamp ",
        "<ds:SignedInfo>",
        "<ds:SignatureValue>",
    ];
    let mut changed = 0;
    for at in covered.into_iter().flat_map(|start| element(&signed, start)) {
        let mut message = signed.clone();
        message[at] ^= 1;
        assert!(
            verify(&verifier, &message, |_| ()).is_err(),
            "{}",
            String::from_utf8_lossy(&message)
        );
        message.remove(at);
        assert!(
            verify(&verifier, &message, |_| ()).is_err(),
            "{}",
            String::from_utf8_lossy(&message)
        );
        changed += 2;
    }
    assert!(changed > 3000, "{changed} changes");
}

/// Where the element that begins so stands, from its start tag to its end tag.
fn element(message: &[u8], start: &str) -> Range<usize> {
    let begin = memmem::find(message, start.as_bytes()).unwrap_or_else(|| panic!("{start}"));
    let name = start.trim_matches(['<', '>', ' ']);
    let end = format!("</{name}>");
    begin..memmem::find(message, end.as_bytes()).unwrap() + end.len()
}

#[test]
fn a_certificate_in_the_message_makes_nobody_trusted() {
    let (key, other) = (key(KeyAlgorithm::P256), new_key(KeyAlgorithm::P256, "Other"));
    let signed = sign(&message("soap11"), Profile::default(), &key);
    let mut verifier = trusting(&key);
    verifier.trust = Trust::default();
    let refused = verify(&verifier, &signed, |_| ()).unwrap_err();
    assert!(
        matches!(
            &refused,
            VerifyError::NotTrusted {
                reason: Untrusted::NoTrust,
                ..
            }
        ),
        "{refused}"
    );
    let fingerprint = key.certificate().fingerprint();
    let sentence = format!("the signature is valid, signed by CN=Test sha256:{fingerprint}; not trusted: ");
    assert!(refused.to_string().starts_with(&sentence), "{refused}");

    let refused = verify(&trusting(&other), &signed, |_| ()).unwrap_err();
    assert!(
        matches!(
            refused,
            VerifyError::NotTrusted {
                reason: Untrusted::NoPath(_),
                ..
            }
        ),
        "{refused}"
    );
}

#[test]
fn a_certificate_that_is_only_referred_to_must_be_at_hand() {
    let (key, other) = (key(KeyAlgorithm::P256), new_key(KeyAlgorithm::P256, "Test"));
    let referring = [
        KeyIdentifier::IssuerSerial,
        KeyIdentifier::SubjectKeyIdentifier,
        KeyIdentifier::Thumbprint,
    ];
    for key_identifier in referring {
        let signed = sign(
            &message("soap11"),
            Profile {
                key_identifier,
                ..Profile::default()
            },
            &key,
        );
        let refused = verify(&trusting(&other), &signed, |_| ());
        assert!(
            matches!(refused, Err(VerifyError::UnknownKey(_))),
            "{key_identifier}: {refused:?}"
        );
    }
}

#[test]
fn a_trusted_certificate_counts_only_while_it_is_valid() {
    let key = key(KeyAlgorithm::P256);
    let profile = Profile {
        timestamp: None,
        sign: vec![Part::Body],
        ..Profile::default()
    };
    let signed = sign(&message("soap11"), profile, &key);
    let verifier = trusting(&key);
    let day = time::Duration::DAY;
    assert_eq!(verify_at(&verifier, &signed, NOW + day / 2), Ok(()));
    for (now, reason) in [(NOW - day, "not yet valid"), (NOW + 2 * day, "expired")] {
        let refused = verify_at(&verifier, &signed, now).unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
    }
}

#[test]
fn a_timestamp_is_fresh_within_the_skew_of_clocks() {
    let key = key(KeyAlgorithm::P256);
    let signed = sign(&message("soap11"), Profile::default(), &key);
    let verifier = trusting(&key);
    let second = time::Duration::SECOND;
    for fresh in [NOW - 60 * second, NOW, NOW + 359 * second] {
        assert_eq!(verify_at(&verifier, &signed, fresh), Ok(()), "{fresh}");
    }
    let stale = verify_at(&verifier, &signed, NOW + 360 * second);
    assert_eq!(
        stale,
        Err(VerifyError::Expired(Stale::Expired(NOW + 300 * second)))
    );
    let early = verify_at(&verifier, &signed, NOW - 61 * second);
    assert!(early.is_err());
}

#[test]
fn a_security_header_is_read_by_its_actor_alone() {
    let key = key(KeyAlgorithm::P256);
    for name in ["soap11", "soap12"] {
        let profile = Profile {
            actor: Some("urn:example:gateway".into()),
            ..Profile::default()
        };
        let signed = sign(&message(name), profile, &key);
        let mut verifier = trusting(&key);
        let refused = verify(&verifier, &signed, |_| ());
        assert!(matches!(refused, Err(VerifyError::Unsigned(_))), "{refused:?}");
        verifier.actor = Some("urn:example:gateway".into());
        assert_eq!(verify(&verifier, &signed, |_| ()), Ok(()));
    }
}
