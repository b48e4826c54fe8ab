//! The STR-Transform (WSS 1.1.1, section 8.3): in place of a SecurityTokenReference, the token it
//! refers to is digested, also when that is not in the message.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::key_info::KeyInfo;
use super::{Signer, VerifyError};
use crate::keys::Certificate;
use crate::wss::names::{WSSE, X509_V3};
use crate::xml::libxml::{CanonicalForm, Element};

/// The octets to digest.
pub(super) fn dereference(
    reference: Element<'_>,
    signer: &Signer<'_>,
    form: &CanonicalForm,
) -> Result<Vec<u8>, VerifyError> {
    match signer.key_info {
        KeyInfo::Token(token) => Ok(with_default_namespace(token.canonicalize(form)?)),
        KeyInfo::Certificates(_) | KeyInfo::Described(_) => {
            Ok(rebuilt(&reference.prefix(), signer.certificate).into_bytes())
        }
    }
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

/// A BinarySecurityToken with the prefix of the reference, without EncodingType, and base64 without line breaks.
fn rebuilt(prefix: &str, certificate: &Certificate) -> String {
    let (name, namespaces) = match prefix {
        "" => ("BinarySecurityToken".to_owned(), format!("xmlns=\"{WSSE}\"")),
        _ => (
            format!("{prefix}:BinarySecurityToken"),
            format!("xmlns=\"\" xmlns:{prefix}=\"{WSSE}\""),
        ),
    };
    let content = STANDARD.encode(certificate.der());
    format!("<{name} {namespaces} ValueType=\"{X509_V3}\">{content}</{name}>")
}
