//! The STR-Transform (WSS 1.1.1, section 8.3): in place of a SecurityTokenReference, the token it
//! refers to is digested, also when that is not in the message.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::key_info::KeyInfo;
use super::{Signer, VerifyError};
use crate::keys::Certificate;
use crate::wss::names::{BASE64_BINARY, WSSE, X509_V3};
use crate::xml::libxml::{CanonicalForm, Element};

/// The octets to digest. A token rebuilt from the certificate has two forms in use: the standard
/// leaves open whether it has an EncodingType, and WSS4J leaves it out. Both mean this certificate.
pub(super) fn dereference(
    reference: Element<'_>,
    signer: &Signer<'_>,
    form: &CanonicalForm,
) -> Result<Vec<Vec<u8>>, VerifyError> {
    if let KeyInfo::Token(token) = signer.key_info {
        return Ok(vec![with_default_namespace(token.canonicalize(form)?)]);
    }
    let prefix = reference.prefix();
    let encodings = [String::new(), format!(" EncodingType=\"{BASE64_BINARY}\"")];
    let token = |encoding: String| rebuilt(&prefix, &encoding, signer.certificate).into_bytes();
    Ok(encodings.into_iter().map(token).collect())
}

/// An apex without default namespace carries `xmlns=""`, even where exclusive C14N gives none. It
/// comes first after the name.
fn with_default_namespace(mut octets: Vec<u8>) -> Vec<u8> {
    let name_end = octets
        .iter()
        .position(|octet| matches!(octet, b' ' | b'>'))
        .unwrap_or(0);
    let declared = octets
        .get(name_end..)
        .is_some_and(|rest| rest.starts_with(b" xmlns=\""));
    if !declared {
        octets.splice(name_end..name_end, *b" xmlns=\"\"");
    }
    octets
}

/// A BinarySecurityToken with the prefix of the reference and base64 without line breaks.
fn rebuilt(prefix: &str, encoding: &str, certificate: &Certificate) -> String {
    let (name, namespaces) = match prefix {
        "" => ("BinarySecurityToken".to_owned(), format!("xmlns=\"{WSSE}\"")),
        _ => (
            format!("{prefix}:BinarySecurityToken"),
            format!("xmlns=\"\" xmlns:{prefix}=\"{WSSE}\""),
        ),
    };
    let content = STANDARD.encode(certificate.der());
    format!("<{name} {namespaces}{encoding} ValueType=\"{X509_V3}\">{content}</{name}>")
}
