//! Reading without tolerance: the children that a standard names, in its order, and nothing else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::VerifyError;
use crate::wss::names::{DS, EXC_C14N, WSSE, XMLDSIG_MORE};
use crate::xml::libxml::Element;

/// The children of an element of XML Signature, when they are exactly these.
pub(super) fn exactly<'t, const N: usize>(
    parent: Element<'t>,
    names: [&str; N],
) -> Result<[Element<'t>; N], VerifyError> {
    exactly_of(parent, DS, names)
}

/// The children of an element, when they are exactly these, of this namespace.
pub(super) fn exactly_of<'t, const N: usize>(
    parent: Element<'t>,
    namespace: &str,
    names: [&str; N],
) -> Result<[Element<'t>; N], VerifyError> {
    let wrong = || {
        let reason = format!(
            "{} has not exactly the children {}",
            parent.local_name(),
            names.join(", ")
        );
        VerifyError::Header(reason)
    };
    let children: Vec<_> = parent.children().take(N + 1).collect();
    let children: [Element<'t>; N] = children.try_into().map_err(|_| wrong())?;
    let named = children
        .iter()
        .zip(names)
        .all(|(child, name)| child.is(namespace, name));
    if named { Ok(children) } else { Err(wrong()) }
}

/// Its only child element.
pub(super) fn only_child(parent: Element<'_>) -> Result<Element<'_>, VerifyError> {
    let mut children = parent.children();
    match (children.next(), children.next()) {
        (Some(child), None) => Ok(child),
        _ => Err(VerifyError::Header(format!(
            "{} has not exactly one child",
            parent.local_name()
        ))),
    }
}

/// Its character content, with nothing else in it.
pub(super) fn text(element: Element<'_>) -> Result<String, VerifyError> {
    let mixed = || {
        VerifyError::Header(format!(
            "{} holds something other than text",
            element.local_name()
        ))
    };
    element.text().ok_or_else(mixed)
}

/// The bytes of its base64 content; white space does not count (XML Schema part 2, section 3.2.16).
pub(super) fn base64(element: Element<'_>) -> Result<Vec<u8>, VerifyError> {
    let mut digits = text(element)?;
    digits.retain(|character| !matches!(character, ' ' | '\t' | '\n' | '\r'));
    let malformed = |_| VerifyError::Header(format!("{} is not base64", element.local_name()));
    STANDARD.decode(digits).map_err(malformed)
}

/// Refuses text among elements, and in elements that are empty, from here down: some read it, others do not. White space
/// may stand there.
pub(super) fn no_stray_text(element: Element<'_>) -> Result<(), VerifyError> {
    let is_leaf = |at: &Element<'_>| at.children().next().is_none() && !is_empty_by_its_standard(*at);
    let mut parents = element.descendants().filter(|at| !is_leaf(at));
    match parents.find(|at| at.holds_words()) {
        None => Ok(()),
        Some(at) => Err(VerifyError::StrayText(at.local_name().into_owned())),
    }
}

fn is_empty_by_its_standard(element: Element<'_>) -> bool {
    const EMPTY: [(&str, &str); 7] = [
        (DS, "CanonicalizationMethod"),
        (DS, "SignatureMethod"),
        (DS, "Transform"),
        (DS, "DigestMethod"),
        (EXC_C14N, "InclusiveNamespaces"),
        (XMLDSIG_MORE, "MaskGenerationFunction"),
        (WSSE, "Reference"),
    ];
    EMPTY
        .iter()
        .any(|(namespace, local)| element.is(namespace, local))
}

/// The value of an attribute without namespace.
pub(super) fn attribute(element: Element<'_>, name: &str) -> Result<String, VerifyError> {
    let missing = || VerifyError::Header(format!("{} has no {name}", element.local_name()));
    element.attribute("", name).ok_or_else(missing)
}

/// The algorithm that a method or transform names.
pub(super) fn algorithm(method: Element<'_>) -> Result<String, VerifyError> {
    attribute(method, "Algorithm")
}

/// For algorithms without parameters.
pub(super) fn childless(method: Element<'_>) -> Result<(), VerifyError> {
    match method.children().next() {
        None => Ok(()),
        Some(child) => Err(VerifyError::Header(format!(
            "{} has a {}",
            method.local_name(),
            child.local_name()
        ))),
    }
}
