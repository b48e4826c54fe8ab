//! What current stacks really write is read, some of it by setting; and what is read by some and not by others is refused.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use countersign::keys::generate::KeyAlgorithm;
use countersign::keys::{Certificate, KeyMaterial, PrivateKey, SignatureAlgorithm, Signer};
use countersign::wss::names::{BASE64_BINARY, ENVELOPED_SIGNATURE, EXC_C14N, X509_SKI};
use countersign::wss::policy::SignedTimestamp;
use countersign::wss::verify::VerifyError;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey, PointConversionForm};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::sha::sha1;
use openssl::x509::{X509, X509Name};

use crate::support::forge::{envelope, forge, signature, x509_data};
use crate::support::signing::{NOW, key, trusting, verify};

const ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::EcdsaSha256;
const BODY: &str = "<s:Body wsu:Id=\"body\"><pay/></s:Body>";

fn trusted() -> Arc<Signer> {
    key(KeyAlgorithm::P256)
}

/// Of Body and, where there is one, Timestamp, told by this.
fn signed(timestamp: &str, key_info: &str) -> String {
    let ids: &[&str] = if timestamp.is_empty() {
        &["body"]
    } else {
        &["body", "time"]
    };
    let security = format!(
        "<wsse:Security>{timestamp}{}</wsse:Security>",
        signature(ids, ALGORITHM, key_info)
    );
    forge(&envelope(&security, BODY), &trusted(), ALGORITHM)
}

fn timestamp(created: &str, expires: &str) -> String {
    format!(
        "<wsu:Timestamp wsu:Id=\"time\"><wsu:Created>{created}</wsu:Created><wsu:Expires>{expires}</wsu:Expires></wsu:Timestamp>"
    )
}

fn reference(inner: &str) -> String {
    format!("<wsse:SecurityTokenReference>{inner}</wsse:SecurityTokenReference>")
}

fn issuer_serial(serial: &str) -> String {
    format!(
        "<ds:X509IssuerSerial><ds:X509IssuerName>CN=Test</ds:X509IssuerName><ds:X509SerialNumber>{serial}</ds:X509SerialNumber>\
         </ds:X509IssuerSerial>"
    )
}

fn verdict(message: &str) -> Result<(), VerifyError> {
    verify(&trusting(&trusted()), message, |_| ())
}

#[track_caller]
fn assert_refused(message: &str, words: &str) {
    let refused = verdict(message).unwrap_err().to_string();
    assert!(refused.contains(words), "{refused}: {message}");
}

#[test]
fn a_certificate_may_be_told_by_its_subject_besides() {
    let serial = trusted().certificate().serial().to_owned();
    let told = |subject: &str| {
        let data = format!(
            "<ds:X509Data>{}<ds:X509SubjectName>{subject}</ds:X509SubjectName></ds:X509Data>",
            issuer_serial(&serial)
        );
        signed("", &reference(&data))
    };
    assert_eq!(verdict(&told("CN=Test")), Ok(()));
    // All of it is about one certificate.
    assert_refused(&told("CN=Other"), "is not at hand: issuer CN=Test, serial number");
    let alone = "<ds:X509Data><ds:X509SubjectName>CN=Test</ds:X509SubjectName></ds:X509Data>";
    assert_refused(
        &signed("", &reference(alone)),
        "X509SubjectName, which is not known",
    );
    let twice = format!("<ds:X509Data>{0}{0}</ds:X509Data>", issuer_serial(&serial));
    assert_refused(&signed("", &reference(&twice)), "X509Data has not exactly");
    let other = format!(
        "<ds:X509Data>{}<ds:X509CRL>AA==</ds:X509CRL></ds:X509Data>",
        issuer_serial(&serial)
    );
    assert_refused(&signed("", &reference(&other)), "X509CRL, which is not known");
}

#[test]
fn the_enveloped_signature_transform_is_nothing_to_a_part_that_holds_no_signature() {
    let transform = format!("<ds:Transform Algorithm=\"{EXC_C14N}\"/>");
    let enveloped = format!("<ds:Transform Algorithm=\"{ENVELOPED_SIGNATURE}\"/>");
    let written = |transforms: &str| {
        let signature = signature(&["body"], ALGORITHM, &x509_data(&trusted()));
        let security = format!(
            "<wsse:Security>{}</wsse:Security>",
            signature.replace(&transform, transforms)
        );
        forge(&envelope(&security, BODY), &trusted(), ALGORITHM)
    };
    assert_eq!(verdict(&written(&format!("{enveloped}{transform}"))), Ok(()));
    assert_refused(&written(&enveloped), "is not accepted");
    for transforms in [
        format!("{transform}{enveloped}"),
        format!("{enveloped}{enveloped}{transform}"),
        format!("{transform}{transform}"),
    ] {
        assert_refused(&written(&transforms), "Transforms has not exactly");
    }
    let changed = written(&format!("{enveloped}{transform}")).replace("<pay/>", "<pay/><pay/>");
    assert_refused(&changed, "the Body was changed");
}

#[test]
fn utc_may_be_written_as_an_offset_of_nought_and_with_white_space_around() {
    for (created, expires) in [
        ("2026-05-04T11:59:00+00:00", "2026-05-04T12:05:00+00:00"),
        ("\n  2026-05-04T11:59:00Z\n", " 2026-05-04T12:05:00.1234567Z "),
    ] {
        let message = signed(&timestamp(created, expires), &x509_data(&trusted()));
        assert_eq!(verdict(&message), Ok(()), "{created}");
    }
    for created in [
        "2026-05-04t11:59:00Z",
        "2026-05-04T11:59:00z",
        "2026-05-04_11:59:00Z",
        "2026-05-04 11:59:00Z",
        "2026-05-03T24:00:00Z",
        "2026-05-04T11:58:60Z",
        "2026-05-04T13:59:00+02:00",
        "2026-05-04T11:59:00",
    ] {
        let message = signed(
            &timestamp(created, "2026-05-04T12:05:00Z"),
            &x509_data(&trusted()),
        );
        assert_refused(&message, "Created is not a time in UTC");
    }
}

/// A key whose certificate has no extensions.
fn without_extensions() -> Signer {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, "Plain").unwrap();
    let name = name.build();
    let at = |seconds: i64| Asn1Time::from_unix(NOW.unix_timestamp() + seconds).unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&at(-60)).unwrap();
    builder.set_not_after(&at(3600)).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    let material = KeyMaterial {
        certificate: Certificate::from_der(&builder.build().to_der().unwrap()).unwrap(),
        private_key: PrivateKey::new(key).unwrap(),
        chain: Vec::new(),
    };
    Signer::new(material, NOW).ok().unwrap()
}

#[test]
fn a_key_identifier_is_computed_where_the_certificate_has_none() {
    let signer = without_extensions();
    let certificate = signer.certificate();
    assert_eq!(certificate.subject_key_identifier(), None);
    let told = |identifier: &[u8]| {
        let identifier = format!(
            "<wsse:KeyIdentifier EncodingType=\"{BASE64_BINARY}\" ValueType=\"{X509_SKI}\">{}</wsse:KeyIdentifier>",
            BASE64.encode(identifier)
        );
        let signed = signature(&["body"], ALGORITHM, &reference(&identifier));
        let message = envelope(&format!("<wsse:Security>{signed}</wsse:Security>"), BODY);
        verify(&trusting(&signer), forge(&message, &signer, ALGORITHM), |_| ())
    };
    let x509 = X509::from_der(certificate.der()).unwrap();
    let key = x509.public_key().unwrap().ec_key().unwrap();
    let mut context = BigNumContext::new().unwrap();
    let form = PointConversionForm::UNCOMPRESSED;
    let bits = key
        .public_key()
        .to_bytes(key.group(), form, &mut context)
        .unwrap();
    assert_eq!(told(&sha1(&bits)), Ok(()));
    let refused = told(&[0; 20]).unwrap_err().to_string();
    assert!(
        refused.contains("is not at hand: subject key identifier 00"),
        "{refused}"
    );
}

#[test]
fn white_space_may_stand_wherever_no_standard_forbids_it() {
    let serial = trusted().certificate().serial().to_owned();
    let spaced = format!(
        "<ds:X509Data>\n{}\n</ds:X509Data>",
        issuer_serial(&format!("\n  {serial}\n"))
    )
    .replace("CN=Test<", "\n CN = Test\n<")
    .replace("><", ">\r\n\t<");
    let message = signed(
        &timestamp("2026-05-04T11:59:00Z", "2026-05-04T12:05:00Z").replace("><", ">\n <"),
        &format!("\n{}\n", reference(&format!("\n {spaced}\n"))),
    );
    assert_eq!(verdict(&message), Ok(()));
    let message = message
        .replace("<s:Header>", "\n<s:Header>\n")
        .replace("<ds:Signature>", "\n<ds:Signature>\n")
        .replace("<ds:SignatureValue>", "\n<ds:SignatureValue>\n  ")
        .replace("<ds:KeyInfo>", "\n<ds:KeyInfo>\n");
    assert_eq!(verdict(&message), Ok(()));
}

#[test]
fn text_among_elements_is_refused() {
    let right = signed(
        &timestamp("2026-05-04T11:59:00Z", "2026-05-04T12:05:00Z"),
        &reference(&format!(
            "<ds:X509Data>{}</ds:X509Data>",
            issuer_serial(trusted().certificate().serial())
        )),
    );
    assert_eq!(verdict(&right), Ok(()));
    for (before, words) in [
        ("<s:Header>", "there is text in Envelope"),
        ("<wsse:Security>", "there is text in Header"),
        ("<ds:Signature>", "there is text in Security"),
        ("<ds:SignedInfo>", "there is text in Signature"),
        ("</ds:Signature>", "there is text in Signature"),
        ("<wsse:SecurityTokenReference>", "there is text in KeyInfo"),
        (
            "</wsse:SecurityTokenReference>",
            "there is text in SecurityTokenReference",
        ),
        ("<ds:X509IssuerName>", "there is text in X509IssuerSerial"),
    ] {
        for text in ["x", "<![CDATA[x]]>", "\u{a0}"] {
            let message = right.replacen(before, &format!("{text}{before}"), 1);
            assert_refused(&message, words);
        }
    }
    // What the signature covers is tried by one who signs it.
    let method = "<ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/>";
    let filled = method.replace("/>", ">x</ds:DigestMethod>");
    let stray = signature(&["body"], ALGORITHM, &x509_data(&trusted())).replace(method, &filled);
    let message = envelope(&format!("<wsse:Security>{stray}</wsse:Security>"), BODY);
    assert_refused(
        &forge(&message, &trusted(), ALGORITHM),
        "there is text in DigestMethod",
    );
    let stray =
        timestamp("2026-05-04T11:59:00Z", "2026-05-04T12:05:00Z").replace("<wsu:Expires>", "x<wsu:Expires>");
    assert_refused(
        &signed(&stray, &x509_data(&trusted())),
        "there is text in Timestamp",
    );
}

#[test]
fn an_id_counts_without_the_white_space_around_it() {
    let right = signed("", &x509_data(&trusted()));
    for attribute in ["xml:id", "wsu:Id", "Id", "ID", "id"] {
        for padded in [" body ", "body ", "&#9;body", "body&#10;"] {
            let other = format!("<s:Header><x xmlns=\"\" {attribute}=\"{padded}\"/>");
            let message = right.replace("<s:Header>", &other);
            assert_refused(&message, "the id body occurs more than once");
        }
    }
    let padded = right.replace("wsu:Id=\"body\"", "wsu:Id=\" body \"");
    assert_refused(&padded, "nothing has the id body");
}

#[test]
fn a_timestamp_that_is_not_signed_passes_by_setting_alone() {
    let signature = signature(&["body"], ALGORITHM, &x509_data(&trusted()));
    let of = |timestamp: &str| {
        let security = format!("<wsse:Security>{timestamp}{signature}</wsse:Security>");
        forge(&envelope(&security, BODY), &trusted(), ALGORITHM)
    };
    let fresh = of(&timestamp("2026-05-04T11:59:00Z", "2026-05-04T12:05:00Z"));
    assert_refused(&fresh, "the Timestamp is not covered by a signature");
    let mut verifier = trusting(&trusted());
    verifier.policy.signed_timestamp = SignedTimestamp::NotNeeded;
    let told = verify(&verifier, &fresh, |message| message.timestamp());
    assert_eq!(told, Ok(None), "nobody signed it, so it tells nothing");
    let stale = of(&timestamp("2026-05-04T10:59:00Z", "2026-05-04T11:05:00Z"));
    let refused = verify(&verifier, &stale, |_| ());
    assert!(matches!(refused, Err(VerifyError::Expired(_))), "{refused:?}");
    // An unsigned Body never passes.
    let body = fresh.replace("<pay/>", "<pay/><pay/>");
    assert!(verify(&verifier, &body, |_| ()).is_err());

    verifier.policy.signed_timestamp = SignedTimestamp::Always;
    let refused = verify(&verifier, of(""), |_| ()).unwrap_err().to_string();
    assert!(refused.contains("it has no Timestamp"), "{refused}");
    let covered = signed(
        &timestamp("2026-05-04T11:59:00Z", "2026-05-04T12:05:00Z"),
        &x509_data(&trusted()),
    );
    assert_eq!(
        verify(&verifier, &covered, |message| message.timestamp().is_some()),
        Ok(true)
    );
}
