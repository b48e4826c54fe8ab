//! What the names of a start tag mean (Namespaces in XML 1.0): declarations, prefixes, uniqueness.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::chars;
use super::different::Different;
use super::lossy;
use super::name::Name;
use super::tag::{Attribute, Fault, Lexer};
use super::{Limits, Problem};
use crate::xml::namespace::{Mark, Namespaces, Prefix, XML, XMLNS};
use crate::xml::word::Word;

/// Puts the tag's declarations into force and takes them out of its attributes; whether there were any.
#[inline(always)]
pub(super) fn declare(
    known: (&mut Namespaces, Option<&mut Different>),
    lexer: &mut Lexer,
    buffer: &[u8],
    mark: Mark,
    limits: &Limits,
) -> Result<bool, Fault> {
    match lexer.may_declare {
        true => declare_some(known, lexer, buffer, mark, limits),
        false => Ok(false),
    }
}

fn declare_some(
    (namespaces, mut different): (&mut Namespaces, Option<&mut Different>),
    lexer: &mut Lexer,
    buffer: &[u8],
    mark: Mark,
    limits: &Limits,
) -> Result<bool, Fault> {
    let made = &lexer.made;
    let mut failed = None;
    let before = lexer.attributes.len();
    lexer.attributes.retain(|attribute| {
        let name = attribute.name(buffer, made);
        let declared = match name.strip_prefix(b"xmlns") {
            Some([]) => &[],
            Some([b':', prefix @ ..]) => prefix,
            _ => return true,
        };
        if failed.is_none() {
            let value = attribute.value(buffer, made);
            let bound = match value.len() > limits.namespace {
                true => Err(Problem::NamespaceTooLong(limits.namespace)),
                false => bind(
                    (namespaces, different.as_deref_mut()),
                    declared,
                    name,
                    value,
                    mark,
                ),
            };
            failed = bound.err().map(|problem| Fault(attribute.name.start(), problem));
        }
        false
    });
    failed.map_or(Ok(lexer.attributes.len() < before), Err)
}

fn bind(
    (namespaces, different): (&mut Namespaces, Option<&mut Different>),
    prefix: &[u8],
    written: &[u8],
    name: &[u8],
    mark: Mark,
) -> Result<(), Problem> {
    let by_default = written == b"xmlns";
    if !by_default && (!chars::starts_ncname(prefix) || prefix.contains(&b':')) {
        return Err(Problem::Name);
    }
    match (prefix, name) {
        (b"xmlns", _) => return Err(Problem::Declared("the prefix xmlns cannot be declared")),
        (b"xml", other) if other != XML => {
            return Err(Problem::Declared("the prefix xml means one thing only"));
        }
        (other, XML) if other != b"xml" => {
            return Err(Problem::Declared("only the prefix xml may mean its namespace"));
        }
        (_, XMLNS) => {
            return Err(Problem::Declared(
                "nothing may be bound to the namespace of xmlns",
            ));
        }
        (_, b"") if !by_default => {
            return Err(Problem::Declared(
                "a prefix cannot be undeclared with an empty name",
            ));
        }
        _ => {}
    }
    let prefix = namespaces.number(prefix);
    // Documents that declare a prefix on each element do so to one name.
    if namespaces.resolve(prefix) != name {
        check_uri(name)?;
        if let Some(different) = different {
            different.meet(name, name.len());
        }
    }
    if namespaces.is_bound_since(prefix, mark) {
        return Err(Problem::DuplicateAttribute(lossy(written)));
    }
    namespaces.bind(prefix, name);
    Ok(())
}

/// A namespace name is a URI reference (Namespaces, section 2.2), and not a relative one, which has no
/// canonical form.
fn check_uri(name: &[u8]) -> Result<(), Problem> {
    let Ok(text) = std::str::from_utf8(name) else {
        return Err(Problem::Utf8);
    };
    let mut text = Cow::Borrowed(text);
    // Canonical text escapes one letter that URIs have, and some that they have not.
    if text.contains('&') {
        text = text
            .replace("&lt;", "<")
            .replace("&quot;", "\"")
            .replace("&#x", " ")
            .replace("&amp;", "&")
            .into();
    }
    match fluent_uri::UriRef::parse(&*text) {
        Ok(uri) if uri.has_scheme() || text.is_empty() => Ok(()),
        Ok(_) => Err(Problem::RelativeNamespace(text.into_owned())),
        Err(_) => Err(Problem::NotAUri(text.into_owned())),
    }
}

/// The prefix of the element's name, and where its local part begins.
#[inline(always)]
pub(super) fn element(
    namespaces: &mut Namespaces,
    name: &Name,
    buffer: &[u8],
) -> Result<(Prefix, usize), Problem> {
    let Some(local_at) = name.local_at else {
        return Err(Problem::Name);
    };
    let name = buffer.get(name.start..).unwrap_or(&[]);
    let number = namespaces.prefix(name, local_at);
    if number == Prefix::NONE || namespaces.binding(number).is_some() {
        return Ok((number, local_at));
    }
    let prefix = prefix(local_at, name);
    // Nothing can be bound to it.
    if prefix == b"xmlns" {
        return Err(Problem::Declared("no element has the prefix xmlns"));
    }
    Err(Problem::UnboundPrefix(lossy(prefix)))
}

/// Finds the prefixes of the attributes and that no two have one name; whether they stand in canonical order.
#[inline(always)]
pub(super) fn attributes(
    namespaces: &mut Namespaces,
    lexer: &mut Lexer,
    buffer: &[u8],
) -> Result<bool, Fault> {
    if lexer.attributes.is_empty() {
        return Ok(true);
    }
    for attribute in &mut lexer.attributes {
        let at = attribute.name.start();
        let Some(local_at) = attribute.local_at else {
            return Err(Fault(at, Problem::Name));
        };
        let name = buffer.get(at..).unwrap_or(&[]);
        if local_at > 0 {
            attribute.prefix = namespaces.prefix(name, local_at);
            if namespaces.binding(attribute.prefix).is_none() {
                return Err(Fault(at, Problem::UnboundPrefix(lossy(prefix(local_at, name)))));
            }
        }
        let length = attribute.name.length();
        attribute.word = Word::of(name.get(local_at..).unwrap_or(&[]), length - local_at);
    }
    if lexer.attributes.len() < 2 {
        return Ok(true);
    }
    sort(namespaces, lexer, buffer)?;
    Ok(lexer.order.is_empty())
}

/// Finds the canonical order of the attributes, if they do not stand in it already, and with it those that have the
/// expanded name of another one (Namespaces, section 6.3).
pub(super) fn sort(namespaces: &Namespaces, lexer: &mut Lexer, buffer: &[u8]) -> Result<(), Fault> {
    let Lexer {
        attributes,
        made,
        order,
        ..
    } = lexer;
    let compare = |one: &Attribute, other: &Attribute| canonical_order(namespaces, buffer, made, one, other);
    // What strictly ascends has nothing twice.
    if attributes.is_sorted_by(|one, other| compare(one, other).is_lt()) {
        return Ok(());
    }
    let compare = |one: &usize, other: &usize| match (attributes.get(*one), attributes.get(*other)) {
        (Some(one), Some(other)) => compare(one, other),
        _ => Ordering::Equal,
    };
    order.extend(0..attributes.len());
    order.sort_unstable_by(|one, other| compare(one, other).then(one.cmp(other)));
    let twice = order.windows(2).filter_map(|pair| match pair {
        [one, other] if compare(one, other).is_eq() => Some(*other),
        _ => None,
    });
    match twice.min().and_then(|first| attributes.get(first)) {
        None => Ok(()),
        Some(twice) => Err(Fault(
            twice.name.start(),
            Problem::DuplicateAttribute(lossy(twice.name(buffer, made))),
        )),
    }
}

/// The order of two attributes in canonical form: by namespace name, then by local name (C14N 1.0, section 2.2).
pub(super) fn canonical_order(
    namespaces: &Namespaces,
    buffer: &[u8],
    made: &[u8],
    one: &Attribute,
    other: &Attribute,
) -> Ordering {
    let by_namespace = match one.prefix == other.prefix {
        true => Ordering::Equal,
        false => namespace(namespaces, one).cmp(namespace(namespaces, other)),
    };
    let local = |attribute: &Attribute| attribute.local_name(buffer, made);
    by_namespace
        .then_with(|| one.word.cmp(&other.word))
        .then_with(|| local(one).cmp(local(other)))
}

/// An attribute's namespace name; empty for none, also where there is a default namespace.
pub(super) fn namespace<'n>(namespaces: &'n Namespaces, attribute: &Attribute) -> &'n [u8] {
    match attribute.prefix {
        Prefix::NONE => &[],
        prefix => namespaces.resolve(prefix),
    }
}

/// The prefix at the start of a name whose local part is known; empty for none.
#[inline]
fn prefix(local_at: usize, name: &[u8]) -> &[u8] {
    name.get(..local_at.saturating_sub(1)).unwrap_or(&[])
}
