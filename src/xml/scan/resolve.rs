//! What the names of a start tag mean (Namespaces in XML 1.0): declarations, prefixes, uniqueness.

use super::Problem;
use super::chars;
use super::lossy;
use super::tag::{Attribute, Fault, Lexer};
use crate::xml::namespace::{Mark, Namespaces, Prefix, XML, XMLNS};
use crate::xml::word::{WIDTH, Word};

/// Puts the tag's declarations into force and takes them out of its attributes; whether there were any.
pub(super) fn declare(
    namespaces: &mut Namespaces,
    lexer: &mut Lexer,
    buffer: &[u8],
    mark: Mark,
) -> Result<bool, Fault> {
    if !lexer.may_declare {
        return Ok(false);
    }
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
            let bound = bind(namespaces, declared, name, attribute.value(buffer, made), mark);
            failed = bound.err().map(|problem| Fault(attribute.name.start(), problem));
        }
        false
    });
    failed.map_or(Ok(lexer.attributes.len() < before), Err)
}

fn bind(
    namespaces: &mut Namespaces,
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
    // Canonical text escapes one letter that URIs have, and some that they have not.
    let text = lossy(name)
        .replace("&lt;", "<")
        .replace("&quot;", "\"")
        .replace("&#x", " ")
        .replace("&amp;", "&");
    match fluent_uri::UriRef::parse(text.as_str()) {
        Ok(uri) if uri.has_scheme() || text.is_empty() => Ok(()),
        Ok(_) => Err(Problem::RelativeNamespace(text)),
        Err(_) => Err(Problem::NotAUri(text)),
    }
}

/// The prefix of the element's name, and where its local part begins.
pub(super) fn element(
    namespaces: &mut Namespaces,
    name: &[u8],
    word: Word,
) -> Result<(Prefix, usize), Problem> {
    let (prefix, local_at) = split(name, word)?;
    if prefix == b"xmlns" {
        return Err(Problem::Declared("no element has the prefix xmlns"));
    }
    let number = namespaces.number_of(prefix, word.first(prefix.len()));
    if number != Prefix::NONE && namespaces.binding(number).is_none() {
        return Err(Problem::UnboundPrefix(lossy(prefix)));
    }
    Ok((number, local_at))
}

/// Finds the prefixes of the attributes and that no two have one name.
pub(super) fn attributes(namespaces: &mut Namespaces, lexer: &mut Lexer, buffer: &[u8]) -> Result<(), Fault> {
    let made = &lexer.made;
    for attribute in &mut lexer.attributes {
        let at = attribute.name.start();
        let name = attribute.name(buffer, made);
        let (prefix, local_at) = split(name, attribute.word).map_err(|problem| Fault(at, problem))?;
        if prefix.is_empty() {
            continue;
        }
        attribute.prefix = namespaces.number_of(prefix, attribute.word.first(prefix.len()));
        attribute.local_at = local_at;
        attribute.word = Word::of(name.get(local_at..).unwrap_or(&[]), name.len() - local_at);
        if namespaces.binding(attribute.prefix).is_none() {
            return Err(Fault(at, Problem::UnboundPrefix(lossy(prefix))));
        }
    }
    match duplicate(namespaces, &lexer.attributes, buffer, made) {
        Some(twice) => Err(Fault(
            twice.name.start(),
            Problem::DuplicateAttribute(lossy(twice.name(buffer, made))),
        )),
        None => Ok(()),
    }
}

/// An attribute whose expanded name another one before it has (Namespaces, section 6.3).
fn duplicate<'a>(
    namespaces: &Namespaces,
    attributes: &'a [Attribute],
    buffer: &[u8],
    made: &[u8],
) -> Option<&'a Attribute> {
    /// Up to here, comparing each with each is cheaper than sorting.
    const FEW: usize = 24;
    let local = |attribute: &Attribute| attribute.local_name(buffer, made);
    let namespace = |attribute: &Attribute| match attribute.prefix {
        Prefix::NONE => &[],
        prefix => namespaces.resolve(prefix),
    };
    let same = |one: &Attribute, other: &Attribute| {
        one.word == other.word
            && local(one) == local(other)
            && (one.prefix == other.prefix || namespace(one) == namespace(other))
    };
    if attributes.len() <= FEW {
        let twice = |(at, attribute): &(usize, &Attribute)| {
            attributes.iter().take(*at).any(|other| same(other, attribute))
        };
        return attributes
            .iter()
            .enumerate()
            .find(twice)
            .map(|(_, attribute)| attribute);
    }
    let key = |attribute: &Attribute| (local(attribute), namespace(attribute));
    let mut sorted: Vec<&Attribute> = attributes.iter().collect();
    sorted.sort_unstable_by(|one, other| one.word.cmp(&other.word).then_with(|| key(one).cmp(&key(other))));
    sorted.windows(2).find_map(|pair| match pair {
        [one, other] if same(one, other) => Some(*other),
        _ => None,
    })
}

/// A qualified name's prefix, empty for none, and where its local part begins (Namespaces, section 4).
fn split(name: &[u8], word: Word) -> Result<(&[u8], usize), Problem> {
    let beyond = || {
        name.iter()
            .skip(WIDTH)
            .position(|byte| *byte == b':')
            .map(|at| at + WIDTH)
    };
    let Some(colon) = word.position(b':').or_else(beyond) else {
        return Ok((&[], 0));
    };
    let (prefix, local) = name.split_at(colon);
    let local = local.get(1..).unwrap_or(&[]);
    if prefix.is_empty() || !chars::starts_ncname(local) || local.contains(&b':') {
        return Err(Problem::Name);
    }
    Ok((prefix, colon + 1))
}
