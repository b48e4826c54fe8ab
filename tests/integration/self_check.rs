//! The self-check: silent about what the signer makes, and never about a message that is not the plain one,
//! rightly signed.

use std::path::Path;
use std::sync::Arc;

use crate::support::corpus::{corpus, files};
use crate::support::foreign::Message;
use crate::support::signing::{NOW, key, message, new_key, sign, try_sign};
use countersign::keys::generate::KeyAlgorithm;
use countersign::keys::{SignatureAlgorithm, Signer};
use countersign::wss::Profile;
use countersign::wss::profile::{
    DigestAlgorithm, ExistingSecurityHeader, InclusivePrefixes, KeyIdentifier, Layout, Part,
};
use countersign::wss::verify::{Expected, SelfCheckError};
use countersign::xml::Limits;

fn signer() -> Arc<Signer> {
    key(KeyAlgorithm::P256)
}

fn check(plain: &[u8], signed: &[u8], profile: &Profile) -> Result<(), SelfCheckError> {
    check_of(plain, signed, profile, &signer(), &Limits::default())
}

/// The same of a message of another key and limits.
fn check_of(
    plain: &[u8],
    signed: &[u8],
    profile: &Profile,
    signer: &Signer,
    limits: &Limits,
) -> Result<(), SelfCheckError> {
    let expected = Expected {
        profile,
        limits,
        certificate: signer.certificate(),
        chain: signer.chain(),
        now: NOW,
    };
    expected.check(plain, signed, &|| true)
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
        let plain = Message::read(&file);
        for &key_identifier in KeyIdentifier::ALL {
            for &layout in Layout::ALL {
                let profile = Profile {
                    key_identifier,
                    layout,
                    ..Profile::default()
                };
                let signed = sign(&plain.bytes, profile.clone(), &signer());
                let checked = check(plain.in_utf8().as_bytes(), &signed, &profile);
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
        let plain = Message::read(&file);
        if let Ok(signed) = try_sign(&plain.bytes, profile.clone(), &signer()) {
            let checked = check(plain.in_utf8().as_bytes(), &signed, &profile);
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
            let checked = check(&message(name), &signed, &profile);
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
            let is_refused = matches!(
                checked,
                Err(SelfCheckError::Parts { .. } | SelfCheckError::Changed(_))
            );
            assert_eq!(is_refused, made.sign != demanded.sign, "{checked:?}");
        }
    }
}

/// Demands that the message can be signed so and passes.
fn passes(plain: &str, profile: &Profile) {
    let signed = sign(plain.as_bytes(), profile.clone(), &signer());
    assert_eq!(check(plain.as_bytes(), &signed, profile), Ok(()), "{plain}");
}

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
const X509_V3: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3";

/// A message whose Envelope has these attributes and holds this beside an empty Header.
fn envelope(attributes: &str, content: &str) -> String {
    format!("<s:Envelope xmlns:s=\"{SOAP}\"{attributes}><s:Header/>{content}</s:Envelope>")
}

/// A message with this in a Security header of its own.
fn secured(content: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"{SOAP}\"><s:Header><o:Security xmlns:o=\"{WSSE}\" xmlns:u=\"{WSU}\">{content}\
         </o:Security></s:Header><s:Body/></s:Envelope>"
    )
}

#[test]
fn every_declaration_around_a_part_is_in_its_prefix_list() {
    for attributes in [
        " xmlns=\"\"",
        " xmlns=\"urn:default\"",
        " xmlns:a=\"urn:a\" xmlns:b=\"urn:a\" xmlns:A=\"urn:b\"",
        " xmlns:wsu=\"urn:not-wsu\" xmlns:wsse=\"urn:not-wsse\" xmlns:ds=\"urn:not-ds\"",
        " xmlns:u=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd\"",
        " xmlns:xml=\"http://www.w3.org/XML/1998/namespace\" xml:lang=\"en\"",
        " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"false\"",
    ] {
        let header = format!("<s:Header{attributes}/>");
        for plain in [
            envelope(attributes, "<s:Body/>"),
            envelope(attributes, "<s:Body xmlns=\"\" xmlns:a=\"urn:c\"><x/></s:Body>"),
            envelope(
                attributes,
                "<Body xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:s=\"urn:s\"/>",
            ),
            envelope("", "<s:Body/>").replace("<s:Header/>", &header),
            envelope(attributes, "<s:Body/>").replace("<s:Header/>", &header),
        ] {
            for &inclusive_prefixes in InclusivePrefixes::ALL {
                let profile = Profile {
                    inclusive_prefixes,
                    ..Profile::default()
                };
                passes(&plain, &profile);
            }
        }
    }
}

#[test]
fn what_the_sender_wrote_into_its_security_header_is_not_judged() {
    let token = format!("<o:BinarySecurityToken ValueType=\"{X509_V3}\">no certificate");
    let end = "</o:BinarySecurityToken>";
    let timestamp = "<u:Timestamp><u:Created>2026-01-01T00:00:00Z</u:Created></u:Timestamp>";
    for content in [
        format!("{token}{end}"),
        format!("{token}<x/>{end}{token}{end}"),
        format!("<x/>{timestamp}{token}{end}"),
        format!("{token}{end}{timestamp}"),
        "<d:Signature xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\"/>".to_owned(),
        "<!-- a comment --><?an instruction?>text<x/><x/><x u:Id=\"x\"/>".to_owned(),
    ] {
        for &layout in Layout::ALL {
            for &key_identifier in KeyIdentifier::ALL {
                let profile = Profile {
                    layout,
                    key_identifier,
                    ..Profile::default()
                };
                passes(&secured(&content), &profile);
            }
        }
    }
}

#[test]
fn only_what_the_profile_has_may_come_into_a_security_header() {
    let plain = secured("<x/>");
    let profile = Profile::default();
    let signed = String::from_utf8(sign(plain.as_bytes(), profile.clone(), &signer())).unwrap();
    for changed in [
        signed.replace("<x/>", ""),
        signed.replace("<x/>", "<x/><x/>"),
        signed.replace("<x/>", "<x u:Id=\"x\"/>"),
        signed.replace("<x/>", "<u:Timestamp/>"),
        signed.replace("<ds:KeyInfo>", "<ds:KeyInfo><?x?>"),
        signed
            .replace("<wsu:Timestamp", "<x/><wsu:Timestamp")
            .replace("<x/></o", "</o"),
    ] {
        assert_ne!(changed, signed);
        let checked = check(plain.as_bytes(), changed.as_bytes(), &profile);
        let is_found = matches!(
            checked,
            Err(SelfCheckError::Changed(_) | SelfCheckError::Header(_))
        );
        assert!(is_found, "{checked:?}");
    }
}

#[test]
fn a_message_at_its_limits_has_room_for_the_insertion() {
    let limits = Limits {
        depth: 3,
        attributes: 4,
        open_attributes: 6,
        declarations: 4,
        names: 8,
        namespace: 41,
        name: 10,
        value: 41,
    };
    let of_limits = |plain: &str, profile: &Profile| {
        let signed = sign(plain.as_bytes(), profile.clone(), &signer());
        check_of(plain.as_bytes(), &signed, profile, &signer(), &limits)
    };
    let body = "<s:Body a=\"1\" b=\"2\" c=\"3\" d=\"4\"><x/></s:Body>";
    for (key_identifier, include_token) in [
        (KeyIdentifier::BinarySecurityToken, true),
        (KeyIdentifier::PkiPath, true),
        (KeyIdentifier::IssuerSerial, false),
        (KeyIdentifier::Thumbprint, true),
    ] {
        let profile = Profile {
            key_identifier,
            include_token,
            sign: vec![Part::Body, Part::Timestamp, Part::Token],
            ..Profile::default()
        };
        assert_eq!(
            of_limits(&envelope("", body), &profile),
            Ok(()),
            "{key_identifier}"
        );
    }
    let beyond = body.replace("<x/>", "<x><y/></x>");
    let checked = of_limits(&envelope("", &beyond), &Profile::default());
    assert!(matches!(checked, Err(SelfCheckError::Input(_))), "{checked:?}");
}

#[test]
fn as_many_references_and_prefixes_as_it_takes_may_come_in() {
    let header = |number| format!("<a:To xmlns:a=\"http://www.w3.org/2005/08/addressing\">{number}</a:To>");
    let headers: String = (0..29).map(header).collect();
    let prefixes: String = (0..120)
        .map(|number| format!(" xmlns:p{number}=\"urn:p\""))
        .collect();
    let plain =
        envelope(&prefixes, "<s:Body/>").replace("<s:Header/>", &format!("<s:Header>{headers}</s:Header>"));
    let profile = Profile {
        sign: vec![Part::Body, Part::Addressing],
        ..Profile::default()
    };
    passes(&plain, &profile);
}

#[test]
fn the_token_may_be_signed_however_it_is_named() {
    for &key_identifier in KeyIdentifier::ALL {
        for include_token in [true, false] {
            let profile = Profile {
                key_identifier,
                include_token,
                sign: vec![Part::Body, Part::Token],
                ..Profile::default()
            };
            let plain = message("soap11");
            if let Ok(signed) = try_sign(&plain, profile.clone(), &signer()) {
                let checked = check(&plain, &signed, &profile);
                assert_eq!(checked, Ok(()), "{key_identifier} {include_token}");
            }
        }
    }
}

#[test]
fn the_ultimate_receiver_may_be_named() {
    const ULTIMATE: &str = "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver";
    for actor in ["", ULTIMATE, "urn:actor"] {
        let profile = Profile {
            actor: Some(actor.to_owned()),
            ..Profile::default()
        };
        for name in ["soap11", "soap12", "no-header", "security-header-empty"] {
            let plain = message(name);
            let signed = sign(&plain, profile.clone(), &signer());
            assert_eq!(check(&plain, &signed, &profile), Ok(()), "{name} {actor}");
        }
    }
}

#[test]
fn a_security_header_of_another_actor_is_no_part() {
    let profile = Profile {
        sign: vec![
            Part::Body,
            Part::Header {
                namespace: WSSE.to_owned(),
                local: "Security".to_owned(),
            },
        ],
        ..Profile::default()
    };
    let plain = message("security-header-of-another-actor");
    let signed = sign(&plain, profile.clone(), &signer());
    assert_eq!(check(&plain, &signed, &profile), Ok(()));
}

#[test]
fn the_algorithms_are_those_of_the_profile() {
    let rsa = key(KeyAlgorithm::Rsa2048);
    let plain = message("soap11");
    let [default, old] = [
        Profile::default(),
        Profile {
            signature_algorithm: Some(SignatureAlgorithm::RsaSha1),
            digest_algorithm: DigestAlgorithm::Sha1,
            ..Profile::default()
        },
    ];
    let mixed = Profile {
        digest_algorithm: DigestAlgorithm::Sha1,
        ..default.clone()
    };
    let profiles = [default, old, mixed];
    for made in &profiles {
        let signed = sign(&plain, made.clone(), &rsa);
        for profile in &profiles {
            let checked = check_of(&plain, &signed, profile, &rsa, &Limits::default());
            match made == profile {
                true => assert_eq!(checked, Ok(())),
                false => assert!(
                    matches!(checked, Err(SelfCheckError::Algorithm { .. })),
                    "{checked:?}"
                ),
            }
        }
    }
}

#[test]
fn the_prefix_of_an_id_rebinds_nothing() {
    let plain = envelope(" xmlns:wsu=\"urn:other\"", "<s:Body><wsu:Payload/></s:Body>");
    let profile = Profile::default();
    passes(&plain, &profile);
    let bound_within =
        format!("<s:Body><x xmlns:wsu=\"{WSU}\" wsu:Id=\"x\"/><wsu:y xmlns:wsu=\"urn:y\"/></s:Body>");
    passes(&envelope("", &bound_within), &profile);

    let good = plain.replace("wsu", "own");
    let signed = String::from_utf8(sign(good.as_bytes(), profile.clone(), &signer())).unwrap();
    assert_eq!(check(good.as_bytes(), signed.as_bytes(), &profile), Ok(()));
    let (before, body) = signed.split_once("<s:Body ").unwrap();
    let rebound = [
        before,
        "<s:Body ",
        &body.replace("wsu:", "own:").replace(":wsu=", ":own="),
    ]
    .concat();
    let checked = check(good.as_bytes(), rebound.as_bytes(), &profile);
    let reason = SelfCheckError::Changed("the prefix of an id meant something else");
    assert_eq!(checked, Err(reason));
}

#[test]
fn a_message_with_more_parts_than_receivers_take_is_refused_before_it_is_read_to_its_end() {
    let block = "<a:To xmlns:a=\"http://www.w3.org/2005/08/addressing\"/>";
    let of_blocks = |count: usize, sign: &[Part]| {
        let header = format!("<s:Header>{}</s:Header>", block.repeat(count));
        let plain = envelope("", "<s:Body/>").replace("<s:Header/>", &header);
        let profile = Profile {
            sign: sign.to_vec(),
            ..Profile::default()
        };
        let signed = try_sign(plain.as_bytes(), profile.clone(), &signer())?;
        assert_eq!(check(plain.as_bytes(), &signed, &profile), Ok(()));
        Ok::<_, String>(())
    };
    let of_theirs = [Part::Body, Part::Addressing];
    let with_ours = [Part::Body, Part::Timestamp, Part::Token, Part::Addressing];
    for (sign, most) in [(&of_theirs[..], 29), (&with_ours, 27)] {
        assert_eq!(of_blocks(most, sign), Ok(()));
        let refusal = of_blocks(most + 1, sign).unwrap_err();
        assert!(refusal.contains("more than 30 parts to sign"), "{refusal}");
    }
}
