//! One `ds:Signature`, read strictly: just the children that XML Signature 1.1, section 4, names, in
//! its order, each once. What is not expected is refused, never skipped (CVE-2025-29774: a second
//! SignedInfo).

use std::collections::HashSet;

use super::strict::{algorithm, base64, childless, exactly, exactly_of};
use super::{VerifyError, signature_method};
use crate::keys::SignatureAlgorithm;
use crate::wss::names::{DS, ENVELOPED_SIGNATURE, EXC_C14N, STR_TRANSFORM, WSSE};
use crate::wss::policy::Policy;
use crate::wss::profile::DigestAlgorithm;
use crate::xml::libxml::{CanonicalForm, Element};

/// A signature as it is written, every algorithm in it accepted by the policy.
pub(super) struct Signature<'t> {
    pub(super) signed_info: Element<'t>,
    pub(super) form: CanonicalForm,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) references: Vec<Reference>,
    pub(super) value: Vec<u8>,
    pub(super) key_info: Element<'t>,
}

/// One `ds:Reference` as it is written.
pub(super) struct Reference {
    pub(super) id: String,
    pub(super) transform: Transform,
    pub(super) digest_algorithm: DigestAlgorithm,
    pub(super) digest: Vec<u8>,
}

/// What turns the part into octets.
pub(super) enum Transform {
    /// The canonical form of the part.
    Canonical(CanonicalForm),
    /// The canonical form of the token that the part, a SecurityTokenReference, refers to.
    SecurityToken(CanonicalForm),
}

impl<'t> Signature<'t> {
    pub(super) fn read(signature: Element<'t>, policy: &Policy) -> Result<Self, VerifyError> {
        let parts = ["SignedInfo", "SignatureValue", "KeyInfo"];
        let [signed_info, value, key_info] = exactly(signature, parts)?;
        let mut within = signed_info.children();
        let mut next = |local| {
            let found = within.next().filter(|child| child.is(DS, local));
            found.ok_or_else(|| VerifyError::header(format!("SignedInfo has no {local} in its place")))
        };
        let canonicalization = next("CanonicalizationMethod")?;
        let method = next("SignatureMethod")?;
        let most = policy.most_references;
        let references: Vec<_> = within.take(most.saturating_add(1)).collect();
        if references.is_empty() || references.len() > most {
            return Err(VerifyError::header(format!(
                "SignedInfo has not 1 to {most} References"
            )));
        }
        let references: Vec<_> = references
            .into_iter()
            .map(|at| Reference::read(at, policy))
            .collect::<Result<_, _>>()?;
        // Each would be canonicalised anew, and says nothing new.
        let mut ids = HashSet::new();
        if let Some(twice) = references.iter().find(|reference| !ids.insert(&reference.id)) {
            let reason = format!("a signature has two References to #{}", twice.id);
            return Err(VerifyError::Header(reason));
        }
        Ok(Self {
            form: canonical_form(canonicalization, policy)?,
            algorithm: signature_method::read(method, policy)?,
            references,
            value: base64(value)?,
            signed_info,
            key_info,
        })
    }
}

impl Reference {
    fn read(reference: Element<'_>, policy: &Policy) -> Result<Self, VerifyError> {
        if !reference.is(DS, "Reference") {
            return Err(VerifyError::header(
                "SignedInfo holds something that is no Reference",
            ));
        }
        let uri = reference.attribute("", "URI");
        let id = uri
            .as_deref()
            .and_then(|uri| uri.strip_prefix('#'))
            .filter(|id| !id.is_empty());
        let id =
            id.ok_or_else(|| VerifyError::header("a Reference does not name its part as #id (BSP R3001)"))?;
        let [transforms, method, value] = exactly(reference, ["Transforms", "DigestMethod", "DigestValue"])?;
        childless(method)?;
        Ok(Self {
            id: id.to_owned(),
            transform: Transform::read(transforms, policy)?,
            digest_algorithm: policy.digest_algorithm(&algorithm(method)?)?,
            digest: base64(value)?,
        })
    }
}

impl Transform {
    /// Exactly one that makes octets: a second would take some, and none of those is accepted. The enveloped-signature
    /// transform before it is taken for what it is of a part that does not hold this signature: nothing. Of one that does,
    /// the digest is over too much, and differs.
    fn read(transforms: Element<'_>, policy: &Policy) -> Result<Self, VerifyError> {
        let transform = match exactly(transforms, ["Transform", "Transform"]) {
            Ok([first, second]) if algorithm(first)? == ENVELOPED_SIGNATURE => {
                childless(first)?;
                return Ok(Self::Canonical(canonical_form(second, policy)?));
            }
            Ok(_) | Err(_) => {
                let [transform] = exactly(transforms, ["Transform"])?;
                transform
            }
        };
        if algorithm(transform)? != STR_TRANSFORM {
            return Ok(Self::Canonical(canonical_form(transform, policy)?));
        }
        let [parameters] = exactly_of(transform, WSSE, ["TransformationParameters"])?;
        let [method] = exactly(parameters, ["CanonicalizationMethod"])?;
        Ok(Self::SecurityToken(canonical_form(method, policy)?))
    }
}

/// The form that a CanonicalizationMethod or Transform names, with its PrefixList.
fn canonical_form(method: Element<'_>, policy: &Policy) -> Result<CanonicalForm, VerifyError> {
    let mut form = CanonicalForm::new(policy.canonical_form(&algorithm(method)?)?);
    let parameters: Vec<_> = method.children().collect();
    let list = match parameters.as_slice() {
        [] => return Ok(form),
        [list] if list.is(EXC_C14N, "InclusiveNamespaces") => list,
        _ => {
            return Err(VerifyError::header(
                "a canonical form has parameters that it does not know",
            ));
        }
    };
    let prefixes = list.attribute("", "PrefixList").unwrap_or_default();
    form.prefixes = prefixes.split_ascii_whitespace().map(str::to_owned).collect();
    let most = policy.most_prefixes;
    if form.prefixes.len() > most {
        return Err(VerifyError::header(format!(
            "a PrefixList has more than {most} prefixes"
        )));
    }
    Ok(form)
}
