//! The self-check: silent about what the signer makes, and never about a message that is not the plain one,
//! rightly signed.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use countersign::keys::Signer;
use countersign::keys::generate::KeyAlgorithm;
use countersign::wss::Profile;
use countersign::wss::profile::{ExistingSecurityHeader, KeyIdentifier, Layout, Part};
use countersign::wss::verify::{SelfCheckError, self_check};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::corpus::{corpus, files};
use crate::support::signing::{NOW, key, message, new_key, sign, try_sign};

fn signer() -> Arc<Signer> {
    key(KeyAlgorithm::P256)
}

fn check(plain: &[u8], signed: &[u8], profile: &Profile) -> Result<(), SelfCheckError> {
    self_check(plain, signed, profile, signer().certificate(), NOW)
}

/// When a Timestamp that the message had before is still good.
fn in_time(signed: &[u8]) -> OffsetDateTime {
    let signed = String::from_utf8_lossy(signed);
    let created = signed
        .split_once("Created>")
        .and_then(|(_, rest)| rest.split_once("</"));
    created.map_or(NOW, |(created, _)| {
        OffsetDateTime::parse(created, &Rfc3339).unwrap()
    })
}

/// What the check says of a message that was signed after this was replaced in it.
fn of_changed(name: &str, from: &str, to: &str) -> Result<(), SelfCheckError> {
    let plain = String::from_utf8_lossy(&message(name)).into_owned();
    assert_eq!(plain.matches(from).count(), 1, "{from:?} in {name}");
    let profile = Profile::default();
    let signed = sign(plain.replace(from, to).as_bytes(), profile.clone(), &signer());
    check(plain.as_bytes(), &signed, &profile)
}

#[test]
fn whatever_the_signer_makes_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages");
    for file in files(&folder, "xml") {
        let plain = fs::read(&file).unwrap();
        for &key_identifier in KeyIdentifier::ALL {
            for &layout in Layout::ALL {
                let profile = Profile {
                    key_identifier,
                    layout,
                    ..Profile::default()
                };
                let signed = sign(&plain, profile.clone(), &signer());
                let checked = self_check(
                    &plain,
                    &signed,
                    &profile,
                    signer().certificate(),
                    in_time(&signed),
                );
                assert_eq!(checked, Ok(()), "{} {key_identifier} {layout}", file.display());
            }
        }
    }
}

#[test]
fn foreign_messages_pass() {
    let Some(corpus) = corpus("foreign messages") else {
        return;
    };
    let profile = Profile::default();
    let mut passed = 0;
    for file in files(&corpus.join("soap"), "xml") {
        let plain = fs::read(&file).unwrap();
        if let Ok(signed) = try_sign(&plain, profile.clone(), &signer()) {
            let checked = self_check(
                &plain,
                &signed,
                &profile,
                signer().certificate(),
                in_time(&signed),
            );
            assert_eq!(checked, Ok(()), "{}", file.display());
            passed += 1;
        }
    }
    assert!(passed > 250, "{passed} messages");
}

#[test]
fn an_existing_security_header_may_be_extended_or_replaced() {
    for name in [
        "security-header-empty",
        "security-header-with-timestamp",
        "security-header-with-username-token",
    ] {
        for existing_security_header in [ExistingSecurityHeader::Extend, ExistingSecurityHeader::Replace] {
            let profile = Profile {
                existing_security_header,
                ..Profile::default()
            };
            let signed = sign(&message(name), profile.clone(), &signer());
            let checked = self_check(
                &message(name),
                &signed,
                &profile,
                signer().certificate(),
                in_time(&signed),
            );
            assert_eq!(checked, Ok(()), "{name} {existing_security_header}");
        }
    }
}

#[test]
fn every_part_may_be_signed() {
    let sign_parts = vec![
        Part::Timestamp,
        Part::Token,
        Part::Addressing,
        Part::Header {
            namespace: "http://www.w3.org/2005/08/addressing".into(),
            local: "To".into(),
        },
    ];
    for sign_parts in [sign_parts, vec![Part::Body], vec![Part::Body, Part::Timestamp]] {
        let profile = Profile {
            sign: sign_parts,
            ..Profile::default()
        };
        let signed = sign(&message("ws-addressing"), profile.clone(), &signer());
        assert_eq!(
            check(&message("ws-addressing"), &signed, &profile),
            Ok(()),
            "{:?}",
            profile.sign
        );
    }
}

#[test]
fn nothing_may_be_lost_or_added_outside_the_insertion() {
    for (name, from, to) in [
        ("soap11", "bolt", "bol"),
        ("soap11", "    <o:Order", "   <o:Order"),
        ("soap11", "number=\"4711\"", "number=\"4712\""),
        ("soap11", "number=\"4711\"", ""),
        ("soap11", "<o:Item>", "<o:Item xmlns:x=\"urn:x\">"),
        ("soap11", "<o:Quantity>40</o:Quantity>", ""),
        (
            "soap11",
            "</o:Order>",
            "</o:Order><o:Order xmlns:o=\"urn:example:orders\"/>",
        ),
        ("soap11", "</soapenv:Envelope>", "</soapenv:Envelope><!-- x -->"),
        (
            "soap11",
            "<soapenv:Header/>",
            "<soapenv:Header><x/></soapenv:Header>",
        ),
        ("soap11", "<soapenv:Header/>", ""),
        ("soap11", "<soapenv:Body>", "<soapenv:Body x=\"\">"),
        ("soap11", "40", "<!-- x -->40"),
        ("soap11", "40", "<?x?>40"),
    ] {
        let checked = of_changed(name, from, to);
        assert!(
            matches!(checked, Err(SelfCheckError::Changed(_))),
            "{from:?} to {to:?}: {checked:?}"
        );
    }
}

#[test]
fn what_has_the_same_canonical_form_is_the_same() {
    assert_eq!(of_changed("soap11", "bolt", "b&#x6f;lt"), Ok(()));
    assert_eq!(
        of_changed("soap11", "<soapenv:Header/>", "<soapenv:Header></soapenv:Header>"),
        Ok(())
    );
}

#[test]
fn a_message_that_others_would_refuse_does_not_leave() {
    let profile = Profile::default();
    let plain = message("soap11");
    let signed = String::from_utf8(sign(&plain, profile.clone(), &signer())).unwrap();
    let (_, digest) = signed.split_once("<ds:DigestValue>").unwrap();
    let (digest, _) = digest.split_once('<').unwrap();
    let id = {
        let (_, rest) = signed.split_once("<soapenv:Body ").unwrap();
        let (_, rest) = rest.split_once("wsu:Id=\"").unwrap();
        rest.split_once('"').unwrap().0
    };
    for broken in [
        signed.replacen(digest, &format!("{}=", "A".repeat(43)), 1),
        signed.replace("<ds:SignatureValue>", "<ds:SignatureValue>AAAA"),
        signed.replace(&format!("\"#{id}\""), "\"#other\""),
        signed.replace(&format!("wsu:Id=\"{id}\""), "wsu:Id=\"other\""),
        signed.replace("ecdsa-sha256", "ecdsa-sha384"),
        signed.replace("xml-exc-c14n#\"", "xml-exc-c14n#WithComments\""),
        signed.replace("<wsu:Created>2", "<wsu:Created>3"),
        signed.replace("</ds:KeyInfo>", "<ds:KeyName/></ds:KeyInfo>"),
    ] {
        assert_ne!(broken, signed);
        let checked = check(&plain, broken.as_bytes(), &profile);
        assert!(matches!(checked, Err(SelfCheckError::Output(_))), "{checked:?}");
    }
}

#[test]
fn the_key_is_the_one_that_was_to_sign() {
    let other = new_key(KeyAlgorithm::P256, "Other");
    let profile = Profile::default();
    let signed = sign(&message("soap11"), profile.clone(), &other);
    let checked = check(&message("soap11"), &signed, &profile);
    let expected = SelfCheckError::Certificate {
        found: "CN=Other".into(),
        expected: "CN=Test".into(),
    };
    assert_eq!(checked, Err(expected));
}

#[test]
fn the_parts_signed_are_those_of_the_profile() {
    let profiles = [
        vec![Part::Body],
        vec![Part::Body, Part::Timestamp],
        vec![Part::Body, Part::Timestamp, Part::Addressing],
    ]
    .map(|sign| Profile {
        sign,
        ..Profile::default()
    });
    for made in &profiles {
        let signed = sign(&message("ws-addressing"), made.clone(), &signer());
        for demanded in &profiles {
            let checked = check(&message("ws-addressing"), &signed, demanded);
            let same = made.sign == demanded.sign;
            assert!(
                matches!(checked, Err(SelfCheckError::Parts { .. })) != same,
                "{checked:?}"
            );
        }
    }
}
