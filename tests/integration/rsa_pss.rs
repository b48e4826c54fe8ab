//! RSASSA-PSS whose parameters stand in the message: read as the JDK writes it, and only where they are those of an
//! algorithm that needs none.

use std::fs;
use std::path::Path;

use countersign::keys::SignatureAlgorithm::{self, RsaPssSha256, RsaPssSha384, RsaPssSha512};
use countersign::keys::generate::KeyAlgorithm;
use countersign::wss::policy::{Policy, Sha1};
use countersign::wss::verify::{Trust, Verifier};
use countersign::xml::Limits;
use countersign::xml::libxml::Tree;

use crate::support::forge::{envelope, forge, signature, x509_data};
use crate::support::signing::{key, trusting, verify};

#[test]
fn what_the_jdk_signs_with_standard_parameters_is_accepted() {
    for (name, algorithm) in [
        ("sha256", RsaPssSha256),
        ("sha384", RsaPssSha384),
        ("sha512", RsaPssSha512),
    ] {
        let message = vector(name);
        assert_eq!(verdict(&message), Ok(algorithm), "{name}");
        for (from, to) in [
            ("number=\"1\"", "number=\"2\""),
            ("<ds:SignatureValue>", "<ds:SignatureValue>AAAA"),
        ] {
            let altered = message.replace(from, to);
            assert_ne!(altered, message, "{name}");
            assert!(verdict(&altered).is_err(), "{name}, altered");
        }
    }
}

#[test]
fn other_parameters_are_refused_by_name() {
    for (name, reason) in [
        (
            "short-salt",
            "RSASSA-PSS with a salt length of 20 is not accepted, only with 32",
        ),
        (
            "long-salt",
            "RSASSA-PSS with a salt length of 64 is not accepted, only with 32",
        ),
        (
            "mask-of-another-digest",
            "RSASSA-PSS with MGF1 by http://www.w3.org/2001/04/xmlenc#sha256 is not accepted, only with \
             http://www.w3.org/2001/04/xmlenc#sha512",
        ),
    ] {
        assert_eq!(verdict(&vector(name)), Err(reason.to_owned()), "{name}");
    }
}

const SHA256: &str = "<ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/>";
const SHA512: &str = "<ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha512\"/>";

#[test]
fn parameters_may_be_written_out_in_any_order_but_each_once_and_no_others() {
    let mask = mask(SHA512, "MGF1");
    let (salt, trailer) = (
        "<pss:SaltLength>64</pss:SaltLength>",
        "<pss:TrailerField>1</pss:TrailerField>",
    );
    for accepted in [
        format!("{SHA512}{mask}{salt}{trailer}"),
        format!("{trailer}{salt}{mask}{SHA512}"),
        format!("{SHA512}{salt}"),
        format!("{SHA512}<pss:SaltLength> 064 </pss:SaltLength>"),
    ] {
        assert_eq!(forged(&accepted, RsaPssSha512), Ok(RsaPssSha512), "{accepted}");
    }
    for (refused, reason) in [
        (
            format!("{SHA512}{mask}{salt}<pss:TrailerField>2</pss:TrailerField>"),
            "trailer field 2",
        ),
        (
            format!("{SHA512}<pss:SaltLength>-1</pss:SaltLength>"),
            "SaltLength is not a number",
        ),
        (
            format!("{SHA512}<pss:SaltLength>6<!-- -->4</pss:SaltLength>"),
            "SaltLength holds something other",
        ),
        (format!("{SHA512}<pss:SaltLength/>"), "SaltLength is not a number"),
        (
            format!("{SHA512}{SHA512}"),
            "a DigestMethod that is unknown or stands there twice",
        ),
        (
            format!("{SHA512}{salt}{salt}"),
            "a SaltLength that is unknown or stands there twice",
        ),
        (format!("{SHA512}<pss:Other/>"), "a Other that is unknown"),
        (
            format!("{SHA512}<ds:SaltLength>64</ds:SaltLength>"),
            "a SaltLength that is unknown",
        ),
        (
            format!("{SHA512}{}", self::mask(SHA512, "MGF2")),
            "MGF2\" is not known",
        ),
        (
            format!("{SHA512}{}", self::mask("", "MGF1")),
            "MaskGenerationFunction has not exactly one child",
        ),
        (
            SHA512.replace("/>", "><x/></ds:DigestMethod>"),
            "DigestMethod has a x",
        ),
        (
            SHA512.replace("xmlenc#sha512", "xmldsig-more#md5"),
            "digest algorithm of RSASSA-PSS",
        ),
    ] {
        let sentence = forged(&refused, RsaPssSha512).expect_err(&refused);
        assert!(sentence.contains(reason), "{refused}: {sentence}");
    }
}

#[test]
fn parameters_decide_how_the_value_is_verified() {
    let misread = |parameters: &str, made_by| forged(parameters, made_by).unwrap_err();
    for (parameters, made_by) in [(SHA256, RsaPssSha512), (SHA512, RsaPssSha256), ("", RsaPssSha384)] {
        let sentence = misread(parameters, made_by);
        assert!(
            sentence.starts_with("the signature value does not verify"),
            "{sentence}"
        );
    }
    assert_eq!(forged("", RsaPssSha256), Ok(RsaPssSha256));
}

#[test]
fn sha1_is_no_digest_of_pss_even_where_sha1_is_allowed() {
    let sha1 = "<ds:DigestMethod Algorithm=\"http://www.w3.org/2000/09/xmldsig#sha1\"/>";
    let sentence = forged(sha1, RsaPssSha256).unwrap_err();
    assert!(sentence.contains("digest algorithm of RSASSA-PSS"), "{sentence}");
}

fn mask(digest: &str, function: &str) -> String {
    format!(
        "<pss:MaskGenerationFunction Algorithm=\"http://www.w3.org/2007/05/xmldsig-more#{function}\">{digest}\
         </pss:MaskGenerationFunction>"
    )
}

/// A message with these parameters, signed so.
fn forged(parameters: &str, made_by: SignatureAlgorithm) -> Result<SignatureAlgorithm, String> {
    let key = key(KeyAlgorithm::Rsa2048);
    let method = format!(
        "Algorithm=\"http://www.w3.org/2007/05/xmldsig-more#rsa-pss\"><pss:RSAPSSParams \
         xmlns:pss=\"http://www.w3.org/2007/05/xmldsig-more#\">{parameters}</pss:RSAPSSParams></ds:SignatureMethod>"
    );
    let named = format!(
        "Algorithm=\"{}\"/>",
        countersign::wss::names::signature_algorithm(made_by)
    );
    let signature = signature(&["body"], made_by, &x509_data(&key)).replace(&named, &method);
    let plain = envelope(
        &format!("<wsse:Security>{signature}</wsse:Security>"),
        "<s:Body wsu:Id=\"body\"><order/></s:Body>",
    );
    let mut verifier = trusting(&key);
    verifier.policy.sha1 = Sha1::Allowed;
    verify(&verifier, forge(&plain, &key, made_by), |message| {
        message.body_signature().algorithm
    })
    .map_err(|refused| refused.to_string())
}

fn vector(name: &str) -> String {
    fs::read_to_string(vectors().join(name).with_extension("xml")).unwrap()
}

fn vectors() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/rsa-pss")
}

/// At a time when the certificate was valid.
fn verdict(message: &str) -> Result<SignatureAlgorithm, String> {
    let trust = trust();
    let now = trust.certificates()[0].not_before() + time::Duration::DAY;
    let verifier = Verifier {
        trust,
        policy: Policy::default(),
        actor: None,
    };
    let tree = Tree::parse(message.as_bytes(), &Limits::default()).map_err(|refused| refused.to_string())?;
    let verified = verifier.verify(&tree, now);
    verified
        .map(|message| message.body_signature().algorithm)
        .map_err(|refused| refused.to_string())
}

fn trust() -> Trust {
    Trust::read(&fs::read(vectors().join("certificate.pem")).unwrap()).unwrap()
}
