//! A start tag as libxml2 hands it to its callbacks, held against the limits.

use std::ffi::{CStr, c_int};

use libxml::bindings::xmlChar;

use crate::xml::Limits;

/// Elements open at the same time, whatever the limits allow: libxml2's canonicaliser recurses, and a
/// thread of ours has 2 MiB of stack, three times what this takes.
const DEEPEST: usize = 4096;

/// Names that a parser knows before it has read any, and more.
const PARSERS_OWN: usize = 64;

/// Null, or a text that ends with NUL.
pub(super) type Text = *const xmlChar;

/// What the limits are about.
pub(super) struct Tag<'t> {
    /// Elements open around it.
    pub(super) open: usize,
    /// Attributes of those and of its own, declarations among them.
    pub(super) open_attributes: usize,
    /// Namespace declarations in scope, its own among them.
    pub(super) in_scope: usize,
    /// Names and short texts that the parser keeps.
    pub(super) kept: usize,
    /// Prefix and local name.
    pub(super) name: [Text; 2],
    /// Prefix and namespace name of each declaration.
    pub(super) declared: &'t [[Text; 2]],
    /// Local name, prefix, namespace name, begin and end of the value of each attribute.
    pub(super) carried: &'t [[Text; 5]],
}

impl Tag<'_> {
    /// Tells which limit it exceeds. Values are measured as normalised, which is never longer than as
    /// written. Every name is looked up through all declarations in scope: without a limit on them a
    /// small message costs minutes.
    ///
    /// # Safety
    /// Every [`Text`] is one; a value ends where its row says.
    pub(super) unsafe fn check(&self, limits: &Limits) -> Result<(), String> {
        at_most(
            limits.depth.min(DEEPEST),
            self.open + 1,
            "elements open at the same time",
        )?;
        at_most(
            limits.attributes,
            self.declared.len() + self.carried.len(),
            "attributes of one element",
        )?;
        at_most(
            limits.open_attributes,
            self.open_attributes,
            "attributes of elements open at the same time",
        )?;
        at_most(
            limits.declarations,
            self.in_scope,
            "namespace declarations in scope",
        )?;
        // Prefixes are kept apart from local names, those of the first bytes count here, too, and some are the parser's own.
        let kept = limits.names.saturating_mul(3).saturating_add(PARSERS_OWN);
        if self.kept > kept {
            return Err(format!("more than {} different names", limits.names));
        }
        // SAFETY: the caller's promise
        let length = |text| unsafe { length(text) };
        let name = |prefix: usize, local| {
            at_most(
                limits.name,
                prefix + usize::from(prefix > 0) + local,
                "bytes in one name",
            )
        };
        let value = |length| at_most(limits.value, length, "bytes in one attribute value");

        let [prefix, local] = self.name;
        name(length(prefix), length(local))?;
        for &[prefix, namespace] in self.declared {
            name("xmlns".len(), length(prefix))?;
            at_most(limits.namespace, length(namespace), "bytes in one namespace name")?;
        }
        for &[local, prefix, _, begin, end] in self.carried {
            name(length(prefix), length(local))?;
            value(end.addr().saturating_sub(begin.addr()))?;
        }
        Ok(())
    }
}

fn at_most(limit: usize, has: usize, what: &str) -> Result<(), String> {
    if has > limit {
        return Err(format!("more than {limit} {what}"));
    }
    Ok(())
}

/// # Safety
/// `text` is one.
unsafe fn length(text: Text) -> usize {
    match text.is_null() {
        true => 0,
        // SAFETY: the caller's promise
        false => unsafe { CStr::from_ptr(text.cast()) }.count_bytes(),
    }
}

/// An array of libxml2's, in rows of `N`.
///
/// # Safety
/// `first` points to `count` times `N` texts that stay for `'a`, unless `count` is nought.
pub(super) unsafe fn rows<'a, const N: usize>(first: *mut Text, count: c_int) -> &'a [[Text; N]] {
    match usize::try_from(count) {
        // SAFETY: the caller's promise
        Ok(count @ 1..) => unsafe { std::slice::from_raw_parts(first.cast(), count) },
        _ => &[],
    }
}
