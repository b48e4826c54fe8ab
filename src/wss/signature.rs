//! `ds:Signature` (XML Signature 1.1): SignedInfo over the References, and its value.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::error::SignError;
use super::names::{self, DS, EXC_C14N, STR_TRANSFORM, WSSE};
use super::profile::Profile;
use super::reference::{PrefixList, Reference, Transform};
use crate::keys::{SignatureAlgorithm, Signer};
use crate::xml::Limits;
use crate::xml::canonical::{Comments, canonicalize};
use crate::xml::namespace::Namespaces;

/// Signs the references, for a Signature that will stand where `namespaces` are in scope.
pub(super) fn element(
    references: &[Reference],
    mut namespaces: Namespaces,
    profile: &Profile,
    signer: &Signer,
    algorithm: SignatureAlgorithm,
    key_info: &str,
) -> Result<String, SignError> {
    let ds = namespaces.number(b"ds");
    namespaces.bind(ds, DS.as_bytes());
    let mark = namespaces.mark();
    let list = PrefixList::of(profile.inclusive_prefixes, &namespaces, mark, |prefix| {
        prefix == ds
    });
    let signed_info = signed_info(references, profile, algorithm, &list);
    let octets = canonicalize(
        signed_info.as_bytes(),
        Limits::default(),
        namespaces,
        list.names(),
        Comments::Omitted,
        Vec::new(),
    )
    .map_err(|error| SignError::Profile(format!("SignedInfo cannot be canonicalised: {error}")))?;
    let value = BASE64.encode(signer.sign(algorithm, &octets)?);
    Ok(format!(
        r#"<ds:Signature xmlns:ds="{DS}">{signed_info}<ds:SignatureValue>{value}</ds:SignatureValue>{key_info}</ds:Signature>"#
    ))
}

fn signed_info(
    references: &[Reference],
    profile: &Profile,
    algorithm: SignatureAlgorithm,
    list: &PrefixList,
) -> String {
    let canonicalization = list.element();
    let method = names::signature_algorithm(algorithm);
    let references: String = references
        .iter()
        .map(|reference| reference_element(reference, profile))
        .collect();
    format!(
        r#"<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{EXC_C14N}">{canonicalization}</ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="{method}"></ds:SignatureMethod>{references}</ds:SignedInfo>"#
    )
}

fn reference_element(reference: &Reference, profile: &Profile) -> String {
    let transform = match &reference.transform {
        Transform::Exclusive(list) => {
            format!(
                r#"<ds:Transform Algorithm="{EXC_C14N}">{}</ds:Transform>"#,
                list.element()
            )
        }
        Transform::SecurityTokenReference => format!(
            r#"<ds:Transform Algorithm="{STR_TRANSFORM}"><wsse:TransformationParameters xmlns:wsse="{WSSE}"><ds:CanonicalizationMethod Algorithm="{EXC_C14N}"></ds:CanonicalizationMethod></wsse:TransformationParameters></ds:Transform>"#
        ),
    };
    let (id, digest) = (&reference.id, BASE64.encode(reference.digest.as_ref()));
    let method = names::digest_algorithm(profile.digest_algorithm);
    format!(
        r##"<ds:Reference URI="#{id}"><ds:Transforms>{transform}</ds:Transforms><ds:DigestMethod Algorithm="{method}"></ds:DigestMethod><ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>"##
    )
}
