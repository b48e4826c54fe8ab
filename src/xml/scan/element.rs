//! Start and end tags: what they open, what they close, and what their names mean in between.

use std::ops::Range;

use super::name::OpenName;
use super::tag::{Fault, Lexed};
use super::{
    Amendment, EndTag, Error, Handler, Open, Problem, Scanner, Source, StartTag, State, Step, chars, lossy,
    resolve,
};
use crate::xml::namespace::{Mark, Prefix};

impl Scanner {
    #[inline(never)]
    pub(super) fn start_tag<H: Handler>(
        &mut self,
        buffer: &[u8],
        at: usize,
        handler: &mut H,
    ) -> Result<Step, H::Error> {
        let lexed = self.lexer.start_tag(buffer, at, &self.limits);
        let Some(lexed) = lexed.map_err(|Fault(at, problem)| self.error(at, problem))? else {
            return Ok(None);
        };
        if self.open.len() >= self.limits.depth {
            return Err(self.error(at, Problem::TooDeep(self.limits.depth)).into());
        }
        let attributes = self.lexer.attributes.len();
        self.open_attributes += attributes;
        if self.open_attributes > self.limits.open_attributes {
            let most = self.limits.open_attributes;
            return Err(self.error(at, Problem::TooManyOpenAttributes(most)).into());
        }
        let counts = self.counts_names(at);
        if counts {
            self.meet_names(buffer, &lexed);
        }
        let mark = self.namespaces.mark();
        let known = (&mut self.namespaces, counts.then_some(&mut self.different));
        let declares = resolve::declare(known, &mut self.lexer, buffer, mark, &self.limits);
        let declares = declares.map_err(|Fault(at, problem)| self.error(at, problem))?;
        if declares && self.namespaces.has_more_than(self.most_declarations) {
            let most = self.limits.declarations;
            return Err(self.error(at, Problem::TooManyDeclarations(most)).into());
        }
        if counts {
            self.check_names(at)?;
        }
        let prefix = resolve::element(&mut self.namespaces, &lexed.name, buffer)
            .map_err(|problem| self.error(at, problem))?;
        let in_order = resolve::attributes(&mut self.namespaces, &mut self.lexer, buffer)
            .map_err(|Fault(at, problem)| self.error(at, problem))?;
        let name = OpenName::keep(&lexed.name, buffer, &mut self.names);
        self.open.push(Open {
            name,
            mark,
            attributes,
        });
        self.state = State::Content;
        self.root_seen = true;
        let tag = self.tag(buffer, at, &lexed, prefix, mark, declares || !in_order);
        match handler.amend(&tag)? {
            None => handler.start_tag(&tag)?,
            Some(amendment) => {
                self.amend(buffer, &amendment)?;
                handler.start_tag(&self.tag(buffer, at, &lexed, prefix, mark, true))?;
            }
        }
        if lexed.is_empty {
            let name = buffer.get(lexed.name.start..lexed.name.end()).unwrap_or(&[]);
            self.close(buffer, lexed.end..lexed.end, name, false, handler)?;
        }
        Ok(Some(lexed.end))
    }

    /// A name takes four bytes with its tag: before as many bytes as there may be names, nobody can have a quarter of them.
    #[inline(always)]
    pub(super) fn counts_names(&self, at: usize) -> bool {
        self.base + at as u64 > self.limits.names as u64
    }

    #[inline(always)]
    pub(super) fn check_names(&self, at: usize) -> Result<(), Error> {
        if self.different.count() > self.limits.names {
            return Err(self.error(at, Problem::TooManyNames(self.limits.names)));
        }
        Ok(())
    }

    #[inline(always)]
    fn meet_names(&mut self, buffer: &[u8], lexed: &Lexed) {
        let from = |start| buffer.get(start..).unwrap_or(&[]);
        self.different.meet(from(lexed.name.start), lexed.name.length);
        for attribute in &self.lexer.attributes {
            let name = &attribute.name;
            self.different.meet(from(name.start()), name.length());
        }
    }

    /// The tag as it will be.
    fn amend(&mut self, buffer: &[u8], amendment: &Amendment) -> Result<(), Error> {
        let prefix = self.namespaces.number(amendment.prefix.as_bytes());
        if let Some(name) = amendment.declare {
            self.namespaces.bind(prefix, name.as_bytes());
        }
        self.lexer.amend(amendment, prefix);
        resolve::sort(&self.namespaces, &mut self.lexer, buffer)
            .map_err(|Fault(at, problem)| self.error(at, problem))
    }

    #[inline(always)]
    fn tag<'a>(
        &'a self,
        buffer: &'a [u8],
        at: usize,
        lexed: &Lexed,
        (prefix, local_at): (Prefix, usize),
        mark: Mark,
        differs: bool,
    ) -> StartTag<'a> {
        StartTag {
            source: Source {
                buffer,
                base: self.base,
                span: at..lexed.end,
            },
            prefix,
            depth: self.open.len(),
            is_empty: lexed.is_empty,
            is_canonical: lexed.is_canonical && !differs,
            namespaces: &self.namespaces,
            mark,
            attributes: &self.lexer.attributes,
            order: &self.lexer.order,
            name: lexed.name,
            local_at,
            values: &self.lexer.made,
        }
    }

    #[inline(always)]
    pub(super) fn end_tag<H: Handler>(
        &mut self,
        buffer: &[u8],
        at: usize,
        handler: &mut H,
    ) -> Result<Step, H::Error> {
        let Some(open) = self.open.last() else {
            return Err(self.error(at, Problem::NothingOpen).into());
        };
        let due = open.name.length();
        let rest = buffer.get(at + 2..).unwrap_or(&[]);
        if rest.get(due) == Some(&b'>') && open.name.begins(rest, &self.names) {
            let end = at + 2 + due + 1;
            self.close(buffer, at..end, rest.get(..due).unwrap_or(&[]), true, handler)?;
            return Ok(Some(end));
        }
        self.odd_end_tag(buffer, at, handler)
    }

    /// An end tag with white space in it, or with a fault, or cut.
    #[cold]
    fn odd_end_tag<H: Handler>(
        &mut self,
        buffer: &[u8],
        at: usize,
        handler: &mut H,
    ) -> Result<Step, H::Error> {
        let due = self
            .open
            .last()
            .map(|open| open.name.written(&self.names))
            .unwrap_or_default();
        let rest = buffer.get(at + 2..).unwrap_or(&[]);
        let Some(length) = memchr::memchr(b'>', rest) else {
            return if rest.len() > due.len() + self.limits.name {
                Err(self.error(at, Problem::EndTag).into())
            } else {
                Ok(None)
            };
        };
        let inner = rest.get(..length).unwrap_or(&[]);
        let (name, space) = inner.split_at(chars::name(inner));
        if name.is_empty() || chars::spaces(space) < space.len() {
            return Err(self.error(at, Problem::EndTag).into());
        } else if name != due {
            return Err(self
                .error(
                    at,
                    Problem::Mismatch {
                        expected: lossy(&due),
                        found: lossy(name),
                    },
                )
                .into());
        }
        let end = at + 2 + length + 1;
        self.close(buffer, at..end, name, false, handler)?;
        Ok(Some(end))
    }

    /// Tells the end of the innermost element and forgets it.
    #[inline(always)]
    fn close<H: Handler>(
        &mut self,
        buffer: &[u8],
        span: Range<usize>,
        name: &[u8],
        is_canonical: bool,
        handler: &mut H,
    ) -> Result<(), H::Error> {
        let source = Source {
            buffer,
            base: self.base,
            span,
        };
        handler.end_tag(&EndTag {
            source,
            name,
            depth: self.open.len(),
            is_canonical,
        })?;
        if let Some(Open {
            name,
            mark,
            attributes,
        }) = self.open.pop()
        {
            name.forget(&mut self.names);
            self.open_attributes -= attributes;
            if self.namespaces.mark() != mark {
                self.namespaces.leave(mark);
            }
        }
        if self.open.is_empty() {
            self.state = State::Epilog;
        }
        Ok(())
    }
}
