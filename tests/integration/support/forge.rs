//! Signatures made by hand over whatever a test writes, without the signer: what an attacker with a key
//! of his own, or another stack, could send.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::keys::{SignatureAlgorithm, Signer};
use countersign::wss::names;
use countersign::xml::Limits;
use countersign::xml::libxml::{CanonicalForm, Element, Mode, Tree};
use openssl::sha::sha256;

/// Fills in a message: `DIGEST(id)` becomes the SHA-256 of the element with that `wsu:Id` or `Id`, and
/// `SIGNATURE` the value over the first SignedInfo, both in exclusive canonical form.
pub(crate) fn forge(message: &str, signer: &Signer, algorithm: SignatureAlgorithm) -> String {
    let mut message = message.to_owned();
    while let Some((_, rest)) = message.split_once("DIGEST(") {
        let id = rest.split_once(')').unwrap().0.to_owned();
        let octets = canonical(&message, |element| {
            element
                .attribute(names::WSU, "Id")
                .or_else(|| element.attribute("", "Id"))
                .as_ref()
                == Some(&id)
        });
        message = message.replace(&format!("DIGEST({id})"), &STANDARD.encode(sha256(&octets)));
    }
    let octets = canonical(&message, |element| element.is(names::DS, "SignedInfo"));
    let value = signer.sign(algorithm, &octets).unwrap();
    message.replace("SIGNATURE", &STANDARD.encode(value))
}

fn canonical(message: &str, is_meant: impl Fn(&Element<'_>) -> bool) -> Vec<u8> {
    let tree = Tree::parse(message.as_bytes(), &Limits::default()).unwrap();
    let element = tree.root().descendants().find(is_meant).unwrap();
    element
        .canonicalize(&CanonicalForm::new(Mode::Exclusive))
        .unwrap()
}

/// A SOAP 1.1 message of these header blocks and this Body.
pub(crate) fn envelope(headers: &str, body: &str) -> String {
    let (soap, wsse, wsu, ds) = (names::SOAP11, names::WSSE, names::WSU, names::DS);
    format!(
        "<s:Envelope xmlns:s=\"{soap}\" xmlns:wsse=\"{wsse}\" xmlns:wsu=\"{wsu}\" xmlns:ds=\"{ds}\">\
         <s:Header>{headers}</s:Header>{body}</s:Envelope>"
    )
}

/// A `ds:Signature` over these ids.
pub(crate) fn signature(ids: &[&str], algorithm: SignatureAlgorithm, key_info: &str) -> String {
    let (c14n, method) = (names::EXC_C14N, names::signature_algorithm(algorithm));
    let references: String = ids.iter().map(|id| reference(id)).collect();
    format!(
        "<ds:Signature><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"{c14n}\"/>\
         <ds:SignatureMethod Algorithm=\"{method}\"/>{references}</ds:SignedInfo>\
         <ds:SignatureValue>SIGNATURE</ds:SignatureValue><ds:KeyInfo>{key_info}</ds:KeyInfo></ds:Signature>"
    )
}

/// One `ds:Reference`.
pub(crate) fn reference(id: &str) -> String {
    let c14n = names::EXC_C14N;
    format!(
        "<ds:Reference URI=\"#{id}\"><ds:Transforms><ds:Transform Algorithm=\"{c14n}\"/></ds:Transforms>\
         <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/>\
         <ds:DigestValue>DIGEST({id})</ds:DigestValue></ds:Reference>"
    )
}

/// `X509Data` with the signer's certificate.
pub(crate) fn x509_data(signer: &Signer) -> String {
    let certificate = STANDARD.encode(signer.certificate().der());
    format!("<ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data>")
}
