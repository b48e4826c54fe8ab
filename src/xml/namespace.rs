//! What prefixes mean where (Namespaces in XML 1.0): the bindings in scope as one stack that grows and
//! shrinks with the open elements. Knows no events and no canonical form.
//!
//! Namespace names are kept as canonical attribute text (C14N 1.0, section 2.3), which is one-to-one
//! with the value: they can be compared and written without being decoded.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::ops::Range;

use super::word::{WIDTH, Word};

/// The namespace that `xml` is bound to, always.
pub const XML: &[u8] = b"http://www.w3.org/XML/1998/namespace";
/// The namespace of declarations themselves; nothing can be bound to it.
pub const XMLNS: &[u8] = b"http://www.w3.org/2000/xmlns/";

/// A prefix of this document, by number: cheaper to compare than its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix(usize);

impl Prefix {
    /// No prefix: elements are in the default namespace, attributes in none.
    pub const NONE: Self = Self(0);
    /// `xml`.
    pub const XML: Self = Self(1);

    /// Position in a table with an entry for each prefix.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0
    }
}

/// A declaration in scope, by its place on the stack, the lowest being 1: so an optional one is compared as fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Binding(NonZeroUsize);

impl Binding {
    /// The one that is made at this height of the stack.
    const fn above(height: usize) -> Self {
        Self(NonZeroUsize::MIN.saturating_add(height))
    }

    const fn height(self) -> usize {
        self.0.get() - 1
    }
}

/// The height of the stack before an element's declarations; [`Namespaces::leave`] goes back to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(usize);

/// All bindings in scope.
#[derive(Debug, Clone)]
pub struct Namespaces {
    prefixes: Vec<Known>,
    /// The texts of `prefixes`, end to end.
    texts: Vec<u8>,
    /// Those beyond the first [`FEW`]: most documents have no more, and need no table.
    numbers: HashMap<Box<[u8]>, Prefix>,
    /// A guess in front of them, by a hash: documents repeat few prefixes often.
    guesses: [Prefix; 1 << GUESS_BITS],
    /// The last name that had a prefix, and its prefix: the next one mostly has the same.
    last: (Word, Prefix),
    bindings: Vec<Bound>,
    /// The namespace names of `bindings`, end to end.
    names: Vec<u8>,
}

const GUESS_BITS: u32 = 4;

/// So many prefixes are found by looking at each.
const FEW: usize = 16;

#[derive(Debug, Clone)]
struct Known {
    text: Range<usize>,
    word: Word,
    innermost: Option<Binding>,
}

#[derive(Debug, Clone)]
struct Bound {
    prefix: Prefix,
    name: Range<usize>,
    /// What this binding hides.
    outer: Option<Binding>,
}

impl Namespaces {
    /// Nothing in scope but `xml`.
    #[must_use]
    pub fn new() -> Self {
        let mut namespaces = Self {
            prefixes: Vec::with_capacity(FEW),
            texts: Vec::with_capacity(128),
            numbers: HashMap::new(),
            guesses: [Prefix::NONE; 1 << GUESS_BITS],
            last: (Word::of_short(b""), Prefix::NONE),
            bindings: Vec::with_capacity(FEW),
            names: Vec::with_capacity(512),
        };
        namespaces.number(b"");
        let xml = namespaces.number(b"xml");
        namespaces.bind(xml, XML);
        namespaces
    }

    /// The number of a prefix, known or new.
    pub fn number(&mut self, text: &[u8]) -> Prefix {
        self.number_of(text, Word::of(text, text.len()))
    }

    /// The prefix at the start of a name whose local part begins at `local_at`.
    #[inline]
    pub(super) fn prefix(&mut self, name: &[u8], local_at: usize) -> Prefix {
        if local_at == 0 {
            return Prefix::NONE;
        }
        let word = Word::at(name);
        let (last, prefix) = self.last;
        // The first colon is part of what they share, so they have one prefix.
        if word.shared(last) >= local_at && local_at <= WIDTH {
            return prefix;
        }
        let prefix = name.get(..local_at - 1).unwrap_or(&[]);
        let prefix = self.number_of(prefix, word.first(prefix.len()));
        self.last = (word, prefix);
        prefix
    }

    /// The same, where its word is known.
    #[inline]
    pub(super) fn number_of(&mut self, text: &[u8], word: Word) -> Prefix {
        let slot = word.hash(GUESS_BITS);
        if let Some(&guess) = self.guesses.get(slot)
            && let Some(known) = self.prefixes.get(guess.0)
            && known.word == word
            && known.text.len() == text.len()
            && text.len() <= WIDTH
        {
            return guess;
        }
        let number = self.find(text, word).unwrap_or_else(|| self.learn(text, word));
        if let Some(guess) = self.guesses.get_mut(slot) {
            *guess = number;
        }
        number
    }

    fn find(&self, text: &[u8], word: Word) -> Option<Prefix> {
        let is_it = |known: &Known| known.word == word && self.texts.get(known.text.clone()) == Some(text);
        let few = self.prefixes.iter().take(FEW).position(is_it).map(Prefix);
        few.or_else(|| self.numbers.get(text).copied())
    }

    fn learn(&mut self, text: &[u8], word: Word) -> Prefix {
        let number = Prefix(self.prefixes.len());
        let start = self.texts.len();
        self.texts.extend_from_slice(text);
        self.prefixes.push(Known {
            text: start..self.texts.len(),
            word,
            innermost: None,
        });
        if number.0 >= FEW {
            self.numbers.insert(text.into(), number);
        }
        number
    }

    /// The prefix as written; empty for none.
    #[must_use]
    #[inline]
    pub fn text(&self, prefix: Prefix) -> &[u8] {
        self.prefixes.get(prefix.0).map_or(&[], |known| self.known(known))
    }

    fn known(&self, known: &Known) -> &[u8] {
        self.texts.get(known.text.clone()).unwrap_or(&[])
    }

    /// How many declarations are in scope; those of `xml`, which add nothing, do not count.
    #[must_use]
    pub fn declarations(&self) -> usize {
        let of_others = |bound: &&Bound| bound.prefix != Prefix::XML;
        self.bindings.iter().filter(of_others).count()
    }

    /// Whether more declarations are in scope; counts them only where it might be so.
    pub(super) fn has_more_than(&self, most: usize) -> bool {
        self.bindings.len() > most && self.declarations() > most
    }

    /// Where the stack stands now.
    #[must_use]
    #[inline]
    pub fn mark(&self) -> Mark {
        Mark(self.bindings.len())
    }

    /// Binds a prefix from here on; an empty name undeclares the default namespace.
    pub fn bind(&mut self, prefix: Prefix, name: &[u8]) {
        let binding = Binding::above(self.bindings.len());
        let start = self.names.len();
        self.names.extend_from_slice(name);
        let outer = self
            .prefixes
            .get_mut(prefix.0)
            .and_then(|known| known.innermost.replace(binding));
        self.bindings.push(Bound {
            prefix,
            name: start..self.names.len(),
            outer,
        });
    }

    /// Forgets everything bound since the mark.
    pub fn leave(&mut self, mark: Mark) {
        while self.bindings.len() > mark.0 {
            let Some(bound) = self.bindings.pop() else { return };
            self.names.truncate(bound.name.start);
            if let Some(known) = self.prefixes.get_mut(bound.prefix.0) {
                known.innermost = bound.outer;
            }
        }
    }

    /// The declaration that gives the prefix its meaning here.
    #[must_use]
    #[inline]
    pub fn binding(&self, prefix: Prefix) -> Option<Binding> {
        self.prefixes.get(prefix.0).and_then(|known| known.innermost)
    }

    /// The namespace name of a binding; empty for `xmlns=""`.
    #[must_use]
    #[inline]
    pub fn name(&self, binding: Binding) -> &[u8] {
        self.bindings
            .get(binding.height())
            .and_then(|bound| self.names.get(bound.name.clone()))
            .unwrap_or(&[])
    }

    /// The namespace name that the prefix stands for here; empty where it stands for none.
    #[must_use]
    #[inline]
    pub fn resolve(&self, prefix: Prefix) -> &[u8] {
        self.binding(prefix).map_or(&[], |binding| self.name(binding))
    }

    /// Whether the prefix was bound since the mark, that is, on the element itself.
    #[must_use]
    pub fn is_bound_since(&self, prefix: Prefix, mark: Mark) -> bool {
        self.binding(prefix)
            .is_some_and(|binding| binding.height() >= mark.0)
    }

    /// The prefixes bound since the mark, in the order of their declarations.
    pub fn bound_since(&self, mark: Mark) -> impl Iterator<Item = Prefix> {
        self.bindings.iter().skip(mark.0).map(|bound| bound.prefix)
    }

    /// The prefixes bound below the mark, that is, on ancestors, each once and without `xml`.
    pub fn bound_before(&self, mark: Mark) -> impl Iterator<Item = Prefix> {
        let outermost = self
            .bindings
            .iter()
            .take(mark.0)
            .filter(|bound| bound.outer.is_none());
        outermost
            .map(|bound| bound.prefix)
            .filter(|prefix| *prefix != Prefix::XML)
    }

    /// A prefix (not the default) that stands for the namespace here.
    #[must_use]
    pub fn prefix_of(&self, name: &[u8]) -> Option<&[u8]> {
        let mut bound = self.in_force().map(|(bound, _)| bound.prefix);
        bound
            .find(|prefix| *prefix != Prefix::NONE && *prefix != Prefix::XML && self.resolve(*prefix) == name)
            .map(|prefix| self.text(prefix))
    }

    /// `preferred`, or it with a number, whichever means nothing here: never rebinds what others use.
    #[must_use]
    pub fn unused_prefix(&self, preferred: &str) -> String {
        let taken = |candidate: &str| {
            let text = candidate.as_bytes();
            let known = self.find(text, Word::of(text, text.len()));
            known.is_some_and(|prefix| self.binding(prefix).is_some())
        };
        std::iter::once(preferred.to_owned())
            .chain((1_u32..).map(|number| format!("{preferred}{number}")))
            .find(|candidate| !taken(candidate))
            .unwrap_or_default()
    }

    /// Just what is in force here: the document may have had many more prefixes before.
    #[must_use]
    pub fn here(&self) -> Self {
        let mut here = Self::new();
        for (bound, binding) in self.in_force().filter(|(bound, _)| bound.prefix != Prefix::XML) {
            let prefix = here.number(self.text(bound.prefix));
            here.bind(prefix, self.name(binding));
        }
        here
    }

    /// The declarations that no other hides.
    fn in_force(&self) -> impl Iterator<Item = (&Bound, Binding)> {
        let all = self.bindings.iter().enumerate();
        all.map(|(height, bound)| (bound, Binding::above(height)))
            .filter(|(bound, binding)| self.binding(bound.prefix) == Some(*binding))
    }
}

impl Default for Namespaces {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inner_binding_hides_the_outer_until_it_is_left() {
        let mut namespaces = Namespaces::new();
        let p = namespaces.number(b"p");
        namespaces.bind(p, b"urn:outer");
        let mark = namespaces.mark();
        namespaces.bind(p, b"urn:inner");
        assert_eq!(namespaces.resolve(p), b"urn:inner");
        namespaces.leave(mark);
        assert_eq!(namespaces.resolve(p), b"urn:outer");
    }

    #[test]
    fn prefixes_that_share_a_guess_are_told_apart() {
        let mut namespaces = Namespaces::new();
        let all: Vec<_> = (0..500).map(|n| format!("p{n}")).collect();
        let numbers: Vec<_> = all
            .iter()
            .map(|text| namespaces.number(text.as_bytes()))
            .collect();
        for (text, number) in all.iter().zip(numbers) {
            assert_eq!(namespaces.number(text.as_bytes()), number);
            assert_eq!(namespaces.text(number), text.as_bytes());
        }
    }

    #[test]
    fn an_unused_prefix_never_rebinds() {
        let mut namespaces = Namespaces::new();
        let wsu = namespaces.number(b"wsu");
        namespaces.bind(wsu, b"urn:other");
        assert_eq!(namespaces.unused_prefix("wsu"), "wsu1");
        assert_eq!(namespaces.unused_prefix("ds"), "ds");
    }
}
