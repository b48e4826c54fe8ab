//! What is sent to be believed: wrapped, doubled, swapped and re-signed parts. Each is one that some
//! product has accepted (CVE numbers where there are any), and is refused here for the right reason.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use countersign::keys::generate::KeyAlgorithm;
use countersign::keys::{SignatureAlgorithm, Signer};
use countersign::wss::Profile;
use countersign::wss::names::{BASE64_BINARY, DS, ENVELOPED_SIGNATURE, EXC_C14N, WSSE, WSU, X509_V3};
use countersign::wss::profile::ProcessingInstructions;

use crate::support::forge::{envelope, forge, reference, signature, x509_data};
use crate::support::signing::{key, message, new_key, sign, trusting, verify};

const ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::EcdsaSha256;
const BODY: &str = "<s:Body wsu:Id=\"body\"><pay amount=\"1\"/></s:Body>";
const TIMESTAMP: &str = "<wsu:Timestamp wsu:Id=\"time\"><wsu:Created>2026-05-04T11:59:00Z</wsu:Created>\
                         <wsu:Expires>2026-05-04T12:05:00Z</wsu:Expires></wsu:Timestamp>";

/// The key that the receiver trusts.
fn trusted() -> Arc<Signer> {
    key(KeyAlgorithm::P256)
}

/// A right message: Body and Timestamp signed with the trusted key.
fn right() -> String {
    let signed = signature(&["body", "time"], ALGORITHM, &x509_data(&trusted()));
    let security = format!("<wsse:Security>{TIMESTAMP}{signed}</wsse:Security>");
    forge(&envelope(&security, BODY), &trusted(), ALGORITHM)
}

/// A message of these header blocks and this Body, signed with the trusted key.
fn forged(headers: &str, body: &str) -> String {
    forge(&envelope(headers, body), &trusted(), ALGORITHM)
}

/// A message whose Security header is this signature, which covers the Body.
fn with_signature(signature: &str) -> String {
    forged(&format!("<wsse:Security>{signature}</wsse:Security>"), BODY)
}

fn refusal(message: &str) -> String {
    match verify(&trusting(&trusted()), message, |_| ()) {
        Ok(()) => panic!("accepted: {message}"),
        Err(refused) => refused.to_string(),
    }
}

#[track_caller]
fn assert_refused(message: &str, reason: &str) {
    let refusal = refusal(message);
    assert!(
        refusal.contains(reason),
        "{refusal:?} is not about {reason:?}: {message}"
    );
}

/// Replaces exactly one occurrence.
#[track_caller]
fn replaced(message: &str, from: &str, to: &str) -> String {
    assert_eq!(message.matches(from).count(), 1, "{from} in {message}");
    message.replace(from, to)
}

#[test]
fn the_right_message_is_accepted() {
    assert_eq!(verify(&trusting(&trusted()), right(), |_| ()), Ok(()));
}

#[test]
fn a_body_moved_away_is_no_body() {
    // Signature wrapping: the signed Body where nobody reads it, another where everybody does
    let other = "<s:Body><pay amount=\"9\"/></s:Body>";
    let moved = |to: &str| replaced(&right(), &format!("</s:Header>{BODY}"), to);
    for wrapped in [
        moved(&format!("<w>{BODY}</w></s:Header>{other}")),
        moved(&format!("{BODY}</s:Header>{other}")),
        moved(&format!("</s:Header><s:Body><w>{BODY}</w></s:Body>")),
        replaced(
            &right(),
            "</ds:Signature>",
            &format!("<ds:Object>{BODY}</ds:Object></ds:Signature>"),
        )
        .replace(&format!("</s:Header>{BODY}"), &format!("</s:Header>{other}")),
    ] {
        refusal(&wrapped);
    }
    assert_refused(
        &moved(&format!("<w>{BODY}</w></s:Header>{other}")),
        "where no signed part is expected",
    );
    assert_refused(
        &moved(&format!("{BODY}</s:Header>{other}")),
        "the Body is not covered",
    );
}

#[test]
fn an_id_that_occurs_twice_leads_nowhere() {
    let ids = ["wsu:Id", "Id", "ID", "id", "xml:id"];
    for id in ids {
        let doubled = replaced(&right(), "<s:Header>", &format!("<s:Header><x {id}=\"body\"/>"));
        assert_refused(&doubled, "the id body occurs more than once");
    }
    let unrelated = replaced(&right(), "<s:Header>", "<s:Header><x Id=\"x\"/><y Id=\"x\"/>");
    assert_eq!(
        verify(&trusting(&trusted()), unrelated, |_| ()),
        Ok(()),
        "payloads have duplicates of their own"
    );
}

#[test]
fn a_part_counts_only_where_it_is_read() {
    let deep = "<s:Body><pay wsu:Id=\"body\" amount=\"1\"/></s:Body>";
    let signed = signature(&["body"], ALGORITHM, &x509_data(&trusted()));
    let message = forged(&format!("<wsse:Security>{signed}</wsse:Security>"), deep);
    assert_refused(&message, "leads to a pay where no signed part is expected");
}

#[test]
fn a_signature_that_does_not_cover_the_body_proves_nothing() {
    let signed = signature(&["time"], ALGORITHM, &x509_data(&trusted()));
    let message = forged(
        &format!("<wsse:Security>{TIMESTAMP}{signed}</wsse:Security>"),
        BODY,
    );
    assert_refused(&message, "the Body is not covered");
}

#[test]
fn a_timestamp_that_is_not_covered_proves_nothing() {
    let signed = signature(&["body"], ALGORITHM, &x509_data(&trusted()));
    let message = forged(
        &format!("<wsse:Security>{TIMESTAMP}{signed}</wsse:Security>"),
        BODY,
    );
    assert_refused(&message, "the Timestamp is not covered");
    let two = replaced(
        &right(),
        TIMESTAMP,
        &format!("{TIMESTAMP}{}", TIMESTAMP.replace("time", "late")),
    );
    assert_refused(&two, "two Timestamps");
}

#[test]
fn digests_are_bound_to_their_references() {
    // CVE-2026-33487
    let message = right();
    let digest = |id: &str| {
        let (_, rest) = message.split_once(&format!("URI=\"#{id}\"")).unwrap();
        let (_, rest) = rest.split_once("<ds:DigestValue>").unwrap();
        rest.split_once('<').unwrap().0.to_owned()
    };
    let (body, time) = (digest("body"), digest("time"));
    let swapped = message
        .replace(&body, "@")
        .replace(&time, &body)
        .replace('@', &time);
    assert_refused(&swapped, "the signature value does not verify");
    // The same by somebody who holds the key: only the digests are wrong
    let key_info = x509_data(&trusted());
    let swapped = signature(&["body", "time"], ALGORITHM, &key_info)
        .replace("DIGEST(body)", "@")
        .replace("DIGEST(time)", "DIGEST(body)")
        .replace('@', "DIGEST(time)");
    let message = forged(
        &format!("<wsse:Security>{TIMESTAMP}{swapped}</wsse:Security>"),
        BODY,
    );
    assert_refused(&message, "the Body was changed after it was signed");
}

#[test]
fn a_signature_has_each_child_once_and_nothing_else() {
    // CVE-2025-29774, -29775
    let message = right();
    let (_, rest) = message.split_once("<ds:SignedInfo>").unwrap();
    let signed_info = format!(
        "<ds:SignedInfo>{}</ds:SignedInfo>",
        rest.split_once("</ds:SignedInfo>").unwrap().0
    );
    for (from, to) in [
        ("</ds:SignedInfo>", format!("</ds:SignedInfo>{signed_info}")),
        ("<ds:SignedInfo>", format!("{signed_info}<ds:SignedInfo>")),
        (
            "</ds:SignatureValue>",
            "</ds:SignatureValue><ds:SignatureValue>AA==</ds:SignatureValue>".into(),
        ),
        ("</ds:KeyInfo>", "</ds:KeyInfo><ds:KeyInfo/>".into()),
        ("</ds:KeyInfo>", "</ds:KeyInfo><ds:Object/>".into()),
        (
            "</ds:X509Data>",
            "</ds:X509Data><ds:KeyName>x</ds:KeyName>".into(),
        ),
    ] {
        assert_refused(&replaced(&message, from, &to), "has not exactly");
    }
}

#[test]
fn values_hold_text_and_nothing_else() {
    for within in ["<!---->", "<?x?>", "<x/>"] {
        for element in ["DigestValue", "SignatureValue", "X509Certificate"] {
            let start = format!("<ds:{element}>");
            let message = right().replacen(&start, &format!("{start}{within}"), 1);
            let reason = if within == "<?x?>" {
                "processing instruction"
            } else {
                "holds something other than text"
            };
            assert_refused(&message, reason);
        }
    }
}

#[test]
fn algorithms_are_compared_exactly_and_unknown_ones_refused() {
    // xml-crypto #576; CVE-2025-48994
    let hmac = format!("{DS}hmac-sha256");
    let method = countersign::wss::names::signature_algorithm(ALGORITHM);
    for uri in [
        format!(" {method}"),
        format!("{method} "),
        method.to_uppercase(),
        hmac,
        String::new(),
    ] {
        let signed = signature(&["body"], ALGORITHM, &x509_data(&trusted()));
        let message = with_signature(&replaced(&signed, method, &uri));
        assert_refused(&message, "signature algorithm");
    }
    for uri in [
        "http://www.w3.org/2001/04/xmldsig-more#md5",
        "http://www.w3.org/2001/04/xmlenc#ripemd160",
        "",
    ] {
        let signed = signature(&["body"], ALGORITHM, &x509_data(&trusted()));
        let message = with_signature(&replaced(&signed, "http://www.w3.org/2001/04/xmlenc#sha256", uri));
        assert_refused(&message, "digest algorithm");
    }
}

#[test]
fn an_algorithm_is_bound_to_the_type_of_the_key() {
    let rsa = key(KeyAlgorithm::Rsa2048);
    let method = countersign::wss::names::signature_algorithm(ALGORITHM);
    let signed = signature(&["body"], SignatureAlgorithm::RsaSha256, &x509_data(&trusted()));
    let message = forge(
        &envelope(&format!("<wsse:Security>{signed}</wsse:Security>"), BODY),
        &rsa,
        SignatureAlgorithm::RsaSha256,
    );
    assert_refused(&message, "rsa-sha256 is not made with a key of type P-256");
    let claimed = replaced(
        &message,
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        method,
    );
    assert_refused(&claimed, "the signature value does not verify");
}

#[test]
fn transforms_that_could_show_something_else_are_refused() {
    let transform = format!("<ds:Transform Algorithm=\"{EXC_C14N}\"/>");
    let signed = signature(&["body"], ALGORITHM, &x509_data(&trusted()));
    for uri in [
        "http://www.w3.org/TR/1999/REC-xpath-19991116",
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "http://www.w3.org/2002/06/xmldsig-filter2",
        ENVELOPED_SIGNATURE,
        "http://www.w3.org/2000/09/xmldsig#base64",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
    ] {
        let other = format!("<ds:Transform Algorithm=\"{uri}\"/>");
        assert_refused(
            &with_signature(&replaced(&signed, &transform, &other)),
            "is not accepted",
        );
        if uri == ENVELOPED_SIGNATURE {
            continue; // Before another it is nothing: see `current_stacks`
        }
        let first = format!("{other}{transform}");
        assert_refused(
            &with_signature(&replaced(&signed, &transform, &first)),
            "Transforms has not exactly",
        );
    }
    assert_refused(
        &with_signature(&replaced(&signed, &transform, "")),
        "Transforms has not exactly",
    );
}

#[test]
fn references_lead_to_ids_of_this_document_alone() {
    let signed = signature(&["body"], ALGORITHM, &x509_data(&trusted()));
    for uri in [
        "",
        "#",
        "body",
        "http://example.com/",
        "file:///etc/passwd",
        "cid:body",
    ] {
        let message = replaced(
            &with_signature(&signed),
            "URI=\"#body\"",
            &format!("URI=\"{uri}\""),
        );
        assert_refused(&message, "does not name its part as #id");
    }
    for uri in [
        "#xpointer(/)",
        "#xpointer(id('body'))",
        "#Body",
        "# body",
        "#b%6Fdy",
    ] {
        let message = replaced(
            &with_signature(&signed),
            "URI=\"#body\"",
            &format!("URI=\"{uri}\""),
        );
        refusal(&message);
    }
}

#[test]
fn floods_of_references_certificates_and_signatures_are_refused() {
    let ids = vec!["body"; 31];
    let key_info = x509_data(&trusted());
    assert_refused(
        &with_signature(&signature(&ids, ALGORITHM, &key_info)),
        "1 to 30 References",
    );
    let nine = signature(&["body"], ALGORITHM, &key_info).repeat(9);
    assert_refused(&with_signature(&nine), "more than 8 signatures");
    let prefixes = (0..257).map(|n| format!("p{n} ")).collect::<String>();
    let list = format!("<i:InclusiveNamespaces xmlns:i=\"{EXC_C14N}\" PrefixList=\"{prefixes}\"/>");
    let transform = format!("<ds:Transform Algorithm=\"{EXC_C14N}\"");
    let listed = format!("{transform}>{list}</ds:Transform>");
    let signed = replaced(
        &signature(&["body"], ALGORITHM, &key_info),
        &format!("{transform}/>"),
        &listed,
    );
    assert_refused(&with_signature(&signed), "more than 256 prefixes");
}

#[test]
fn two_security_headers_for_one_actor_are_refused() {
    let empty = "<wsse:Security s:actor=\"\"/>";
    for doubled in [
        replaced(&right(), "<s:Header>", &format!("<s:Header>{empty}")),
        replaced(&right(), "</s:Header>", &format!("{empty}</s:Header>")),
    ] {
        assert_refused(&doubled, "two for the same actor");
    }
    let of_another = replaced(
        &right(),
        "<s:Header>",
        "<s:Header><wsse:Security s:actor=\"urn:other\"/>",
    );
    assert_eq!(verify(&trusting(&trusted()), of_another, |_| ()), Ok(()));
}

#[test]
fn a_key_of_ones_own_is_not_trusted_whatever_the_message_says() {
    // CVE-2024-32962: the certificate in KeyInfo taken for a trusted one
    let mallory = new_key(KeyAlgorithm::P256, "Test");
    let own = signature(&["body"], ALGORITHM, &x509_data(&mallory));
    let message = forge(
        &envelope(&format!("<wsse:Security>{own}</wsse:Security>"), BODY),
        &mallory,
        ALGORITHM,
    );
    assert_refused(&message, "not trusted");
    // With the trusted certificate beside it
    let both = x509_data(&trusted())
        .replace("<ds:X509Data>", "")
        .replace("</ds:X509Data>", "");
    let both = x509_data(&mallory).replace("</ds:X509Data>", &format!("{both}</ds:X509Data>"));
    let own = signature(&["body"], ALGORITHM, &both);
    let message = forge(
        &envelope(&format!("<wsse:Security>{own}</wsse:Security>"), BODY),
        &mallory,
        ALGORITHM,
    );
    assert_refused(&message, "not trusted");
    // Claiming the trusted certificate alone
    let own = signature(&["body"], ALGORITHM, &x509_data(&trusted()));
    let message = forge(
        &envelope(&format!("<wsse:Security>{own}</wsse:Security>"), BODY),
        &mallory,
        ALGORITHM,
    );
    assert_refused(
        &message,
        "the signature value does not verify with the key of CN=Test",
    );
}

#[test]
fn a_signature_of_a_stranger_lends_the_body_no_trust() {
    // Mallory signs the Body that he wrote; the trusted signature that he kept covers another part
    let mallory = new_key(KeyAlgorithm::P256, "Mallory");
    let key_info = x509_data(&trusted());
    let kept = signature(&["time"], ALGORITHM, &key_info);
    let security = format!("<wsse:Security>{TIMESTAMP}{kept}@</wsse:Security>");
    let message = forged(&security, BODY);
    let own = signature(&["body"], ALGORITHM, &x509_data(&mallory));
    let own = forge(
        &envelope(&format!("<wsse:Security>{own}</wsse:Security>"), BODY),
        &mallory,
        ALGORITHM,
    );
    let (_, own) = own.split_once("<wsse:Security>").unwrap();
    let message = message.replace('@', own.split_once("</wsse:Security>").unwrap().0);
    assert_refused(&message, "signed by CN=Mallory");
    assert_refused(&message, "not trusted");
}

#[test]
fn a_document_type_never_gets_as_far_as_its_entities() {
    for doctype in [
        "<!DOCTYPE x>",
        "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>",
    ] {
        assert_refused(&format!("{doctype}{}", right()), "DOCTYPE");
    }
}

#[test]
fn processing_instructions_are_refused_where_the_policy_says_so_and_in_the_security_header_always() {
    let in_body = "<s:Body wsu:Id=\"body\"><?x y?><pay/></s:Body>";
    let signed = signature(&["body"], ALGORITHM, &x509_data(&trusted()));
    let message = forged(&format!("<wsse:Security>{signed}</wsse:Security>"), in_body);
    let mut verifier = trusting(&trusted());
    assert_eq!(verify(&verifier, &message, |_| ()), Ok(()));
    verifier.policy.processing_instructions = ProcessingInstructions::Reject;
    assert!(verify(&verifier, &message, |_| ()).is_err());
    let in_header = replaced(&right(), "<wsse:Security>", "<wsse:Security><?x y?>");
    assert_refused(&in_header, "processing instruction");
}

#[test]
fn an_envelope_has_one_header_then_one_body() {
    let message = right();
    for (from, to) in [
        (BODY, format!("{BODY}<s:Body/>")),
        (BODY, format!("<s:Body/>{BODY}")),
        (BODY, format!("{BODY}<x/>")),
        ("</s:Header>", "</s:Header><s:Header/>".to_owned()),
        ("<s:Header>", "<s:Header/><s:Header>".to_owned()),
    ] {
        assert_refused(&replaced(&message, from, &to), "not a SOAP message");
    }
}

#[test]
fn a_token_reference_leads_to_a_token_of_the_same_header() {
    let key = trusted();
    let signed = sign(&message("soap11"), Profile::default(), &key);
    let signed = String::from_utf8(signed).unwrap();
    let (_, rest) = signed.split_once("<wsse:BinarySecurityToken ").unwrap();
    let token = format!(
        "<wsse:BinarySecurityToken {}</wsse:BinarySecurityToken>",
        rest.split_once("</wsse:B").unwrap().0
    );
    let elsewhere = replaced(&signed, &token, "");
    let elsewhere = replaced(
        &elsewhere,
        "<soapenv:Header>",
        &format!("<soapenv:Header><x xmlns:wsse=\"{WSSE}\" xmlns:wsu=\"{WSU}\">{token}</x>"),
    );
    assert_refused(&elsewhere, "a reference to a token leads to something else");
}

#[test]
fn names_and_serials_of_issuers_compare_by_meaning() {
    let key = trusted();
    let serial = key.certificate().serial();
    let hexadecimal = openssl::bn::BigNum::from_dec_str(serial)
        .unwrap()
        .to_hex_str()
        .unwrap()
        .to_string();
    for (name, serial) in [
        ("CN=Test", serial.to_owned()),
        ("cn = \"test\"", serial.to_owned()),
        (" CN=Test\n", format!("0x{hexadecimal}")),
        ("2.5.4.3=Test", format!("00{serial}")),
    ] {
        let described = format!(
            "<wsse:SecurityTokenReference><ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>{name}</ds:X509IssuerName>\
             <ds:X509SerialNumber>{serial}</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data></wsse:SecurityTokenReference>"
        );
        let message = with_signature(&signature(&["body"], ALGORITHM, &described));
        assert_eq!(
            verify(&trusting(&key), message, |_| ()),
            Ok(()),
            "{name} {serial}"
        );
    }
}

#[test]
fn the_str_transform_is_of_the_signatures_own_reference() {
    let key = trusted();
    let thumbprint = BASE64.encode(key.certificate().thumbprint());
    let reference_to = |id: &str| {
        format!(
            "<wsse:SecurityTokenReference wsu:Id=\"{id}\"><wsse:KeyIdentifier \
             ValueType=\"http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1\">{thumbprint}\
             </wsse:KeyIdentifier></wsse:SecurityTokenReference>"
        )
    };
    let transform = format!("<ds:Transform Algorithm=\"{EXC_C14N}\"/>");
    let dereferencing = format!(
        "<ds:Transform Algorithm=\"{}\"><wsse:TransformationParameters><ds:CanonicalizationMethod Algorithm=\"{EXC_C14N}\"/>\
         </wsse:TransformationParameters></ds:Transform>",
        countersign::wss::names::STR_TRANSFORM
    );
    let token = replaced(&reference("str"), &transform, &dereferencing).replace("DIGEST(str)", "AAAA");
    let signed = signature(&["body"], ALGORITHM, &reference_to("own"));
    let signed = replaced(&signed, "</ds:SignedInfo>", &format!("{token}</ds:SignedInfo>"));
    let own = signed.replace("#str", "#own");
    assert_refused(&with_signature(&own), "the signing token was changed");
    // WSS 1.1.1, section 8.3: the rebuilt token has no EncodingType
    let digest_of = |encoding: &str| {
        let certificate = BASE64.encode(key.certificate().der());
        let token = format!(
            "<wsse:BinarySecurityToken xmlns=\"\" xmlns:wsse=\"{WSSE}\"{encoding} ValueType=\"{X509_V3}\">\
             {certificate}</wsse:BinarySecurityToken>"
        );
        BASE64.encode(openssl::sha::sha256(token.as_bytes()))
    };
    let with_digest = |digest: &str| with_signature(&own.replace("AAAA", digest));
    assert_eq!(
        verify(&trusting(&key), with_digest(&digest_of("")), |_| ()),
        Ok(())
    );
    let encoded = digest_of(&format!(" EncodingType=\"{BASE64_BINARY}\""));
    assert_refused(&with_digest(&encoded), "the signing token was changed");
    let message = forged(
        &format!("<wsse:Security>{signed}{}</wsse:Security>", reference_to("str")),
        BODY,
    );
    assert_refused(&message, "where no signed part is expected");
}
