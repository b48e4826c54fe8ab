//! Start and end tags: what they open, what they close, and what their names mean in between.

use std::ops::Range;

use super::tag::{Fault, Lexed};
use super::{
    Amendment, EndTag, Handler, Open, Problem, Scanner, Source, StartTag, State, Step, chars, lossy, resolve,
};
use crate::xml::namespace::{Mark, Prefix};
use crate::xml::word::{WIDTH, Word};

impl Scanner {
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
        let mark = self.namespaces.mark();
        let declares = resolve::declare(&mut self.namespaces, &mut self.lexer, buffer, mark);
        let declares = declares.map_err(|Fault(at, problem)| self.error(at, problem))?;
        if declares && self.namespaces.has_more_than(self.most_declarations) {
            let most = self.limits.declarations;
            return Err(self.error(at, Problem::TooManyDeclarations(most)).into());
        }
        let name = buffer.get(lexed.name.clone()).unwrap_or(&[]);
        let word = Word::of(buffer.get(lexed.name.start..).unwrap_or(&[]), name.len());
        let prefix =
            resolve::element(&mut self.namespaces, name, word).map_err(|problem| self.error(at, problem))?;
        let attributes = resolve::attributes(&mut self.namespaces, &mut self.lexer, buffer);
        attributes.map_err(|Fault(at, problem)| self.error(at, problem))?;
        self.open.push(Open {
            name: self.names.len(),
            word,
            mark,
        });
        self.names.extend_from_slice(name);
        self.state = State::Content;
        self.root_seen = true;
        let tag = self.tag(buffer, at, &lexed, prefix, mark, declares);
        match handler.amend(&tag)? {
            None => handler.start_tag(&tag)?,
            Some(amendment) => {
                self.amend(&amendment);
                handler.start_tag(&self.tag(buffer, at, &lexed, prefix, mark, true))?;
            }
        }
        if lexed.is_empty {
            self.close(buffer, lexed.end..lexed.end, false, handler)?;
        }
        Ok(Some(lexed.end))
    }

    /// The tag as it will be.
    fn amend(&mut self, amendment: &Amendment) {
        let prefix = self.namespaces.number(amendment.prefix.as_bytes());
        if let Some(name) = amendment.declare {
            self.namespaces.bind(prefix, name.as_bytes());
        }
        self.lexer.amend(amendment, prefix);
    }

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
            name: lexed.name.clone(),
            local_at,
            values: &self.lexer.made,
        }
    }

    pub(super) fn end_tag<H: Handler>(
        &mut self,
        buffer: &[u8],
        at: usize,
        handler: &mut H,
    ) -> Result<Step, H::Error> {
        let Some(open) = self.open.last() else {
            return Err(self.error(at, Problem::NothingOpen).into());
        };
        let due = self.names.get(open.name..).unwrap_or(&[]);
        let rest = buffer.get(at + 2..).unwrap_or(&[]);
        if rest.get(due.len()) == Some(&b'>')
            && Word::of(rest, due.len()) == open.word
            && rest.get(WIDTH..due.len()) == due.get(WIDTH..)
        {
            let end = at + 2 + due.len() + 1;
            self.close(buffer, at..end, true, handler)?;
            return Ok(Some(end));
        }
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
                        expected: lossy(due),
                        found: lossy(name),
                    },
                )
                .into());
        }
        let end = at + 2 + length + 1;
        self.close(buffer, at..end, false, handler)?;
        Ok(Some(end))
    }

    /// Tells the end of the innermost element and forgets it.
    fn close<H: Handler>(
        &mut self,
        buffer: &[u8],
        span: Range<usize>,
        is_canonical: bool,
        handler: &mut H,
    ) -> Result<(), H::Error> {
        let Some(Open { name, mark, .. }) = self.open.last() else {
            return Ok(());
        };
        let (start, mark) = (*name, *mark);
        let source = Source {
            buffer,
            base: self.base,
            span,
        };
        let name = self.names.get(start..).unwrap_or(&[]);
        handler.end_tag(&EndTag {
            source,
            name,
            depth: self.open.len(),
            is_canonical,
        })?;
        self.open.pop();
        self.names.truncate(start);
        self.namespaces.leave(mark);
        self.state = self.around();
        Ok(())
    }
}
