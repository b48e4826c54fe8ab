//! `ds:SignatureMethod`: which algorithm, and its parameters where it has some (XML Signature 1.1, section 4.4.2).

use super::VerifyError;
use super::strict::{algorithm, childless, exactly_of, only_child, text};
use crate::keys::SignatureAlgorithm;
use crate::wss::names::{DS, MGF1, RSA_PSS, XMLDSIG_MORE};
use crate::wss::policy::{Policy, PssParameters};
use crate::xml::libxml::Element;

/// The algorithm, accepted by the policy. Parameters that it does not have would change what it means (BSP R5401:
/// HMACOutputLength).
pub(super) fn read(method: Element<'_>, policy: &Policy) -> Result<SignatureAlgorithm, VerifyError> {
    let uri = algorithm(method)?;
    if uri == RSA_PSS {
        return Ok(policy.pss_algorithm(&pss_parameters(method)?)?);
    }
    childless(method)?;
    Ok(policy.signature_algorithm(&uri)?)
}

/// Each at most once. Their order says nothing, and stacks differ in it: Java has the mask after the salt, RFC 9231
/// before.
fn pss_parameters(method: Element<'_>) -> Result<PssParameters, VerifyError> {
    let mut parameters = PssParameters::default();
    if method.children().next().is_none() {
        return Ok(parameters);
    }
    let [element] = exactly_of(method, XMLDSIG_MORE, ["RSAPSSParams"])?;
    for child in element.children() {
        let is_new = if child.is(DS, "DigestMethod") {
            childless(child)?;
            parameters.digest.replace(algorithm(child)?).is_none()
        } else if child.is(XMLDSIG_MORE, "MaskGenerationFunction") {
            parameters.mask_digest.replace(mask_digest(child)?).is_none()
        } else if child.is(XMLDSIG_MORE, "SaltLength") {
            parameters.salt_length.replace(number(child)?).is_none()
        } else if child.is(XMLDSIG_MORE, "TrailerField") {
            parameters.trailer_field.replace(number(child)?).is_none()
        } else {
            false
        };
        if !is_new {
            return Err(VerifyError::Header(format!(
                "RSAPSSParams has a {} that is unknown or stands there twice",
                child.local_name()
            )));
        }
    }
    Ok(parameters)
}

/// The digest that MGF1, the only function there is, is made with.
fn mask_digest(function: Element<'_>) -> Result<String, VerifyError> {
    let uri = algorithm(function)?;
    if uri != MGF1 {
        return Err(VerifyError::Header(format!(
            "the mask generation function {uri:?} is not known"
        )));
    }
    let method = only_child(function)?;
    if !method.is(DS, "DigestMethod") {
        return Err(VerifyError::header("MaskGenerationFunction has no DigestMethod"));
    }
    childless(method)?;
    algorithm(method)
}

fn number(element: Element<'_>) -> Result<u32, VerifyError> {
    let text = text(element)?;
    let malformed = |_| VerifyError::Header(format!("{} is not a number", element.local_name()));
    text.trim_matches([' ', '\t', '\n', '\r'])
        .parse()
        .map_err(malformed)
}
