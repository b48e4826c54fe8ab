//! The scanner: UTF-8 bytes in, as they arrive; events out. Strict XML 1.0 (5th ed.) with Namespaces 1.0,
//! without document types. One pass, no tree, memory only for what is open.
//!
//! It knows what bytes are in canonical form already ([`Piece::canonical`], [`StartTag::is_canonical`]), so
//! that they can be digested where they lie, and where each stands in the document, so that others
//! can be put between them. It does not know SOAP.
//!
//! What happens at every tag and text is inlined, up to the handler's own work, so that events are values in registers
//! and not structures written to memory and read again; what is rare is kept out of that way.

mod chars;
pub mod declaration;
mod different;
mod element;
mod error;
mod event;
mod name;
mod resolve;
mod section;
mod tag;
mod utf8;

use std::ops::Range;

pub use error::{Error, Problem};
pub use event::{Amendment, EndTag, Handler, Piece, Source, StartTag};
pub use tag::Attribute;

use super::Limits;
use super::namespace::{Mark, Namespaces};
use chars::Checked;
use different::Different;
use name::OpenName;
use tag::Lexer;
use utf8::Utf8;

/// U+FEFF in UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
const CDATA: &[u8] = b"<![CDATA[";
/// Bytes of a broken-off token up to which it is looked at whenever more of it comes.
const SHORT: usize = 1 << 10;

/// Reads one document.
pub struct Scanner {
    limits: Limits,
    state: State,
    /// Bytes of the document before the carry, or before the chunk where there is none.
    base: u64,
    /// The token that the last chunk broke off.
    carry: Vec<u8>,
    /// How long it has to be before it is looked at again: one that comes in drips is read a few times, not once a drip.
    worth_a_look: usize,
    utf8: Utf8,
    lexer: Lexer,
    namespaces: Namespaces,
    /// How many declarations `namespaces` may hold, with those around a fragment, which are others' affair.
    most_declarations: usize,
    open: Vec<Open>,
    /// What they have together.
    open_attributes: usize,
    different: Different,
    root_seen: bool,
    /// What is long about the names of the open elements, end to end.
    names: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not a byte read.
    Start,
    /// Before the root element.
    Prolog,
    Content,
    /// After the root element.
    Epilog,
    CData,
    Comment,
    /// A processing instruction's target has been read.
    AfterTarget,
    ProcessingInstruction,
}

struct Open {
    name: OpenName,
    mark: Mark,
    /// How many it has, declarations among them.
    attributes: usize,
}

/// How far a step came; `None`: the buffer ends within the token.
type Step = Option<usize>;

impl Scanner {
    /// Before the first byte.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self::within(limits, Namespaces::new())
    }

    /// For a fragment that will stand where these namespaces are in scope.
    #[must_use]
    pub fn within(limits: Limits, namespaces: Namespaces) -> Self {
        Self {
            limits,
            state: State::Start,
            base: 0,
            carry: Vec::new(),
            worth_a_look: 0,
            utf8: Utf8::default(),
            lexer: Lexer::default(),
            most_declarations: limits.declarations.saturating_add(namespaces.declarations()),
            namespaces,
            open: Vec::with_capacity(16),
            open_attributes: 0,
            different: Different::default(),
            root_seen: false,
            names: Vec::new(),
        }
    }

    /// The next bytes of the document.
    ///
    /// # Errors
    /// The scanner's or the handler's, at the latest when the document is complete; nothing can be fed afterwards.
    pub fn feed<H: Handler>(&mut self, chunk: &[u8], handler: &mut H) -> Result<(), H::Error> {
        let arrived = self.base + self.carry.len() as u64;
        self.utf8.check(chunk).map_err(|at| Error {
            offset: arrived + at as u64,
            problem: Problem::Utf8,
        })?;
        let used = if self.carry.is_empty() {
            0
        } else {
            self.finish_carried(chunk, handler)?
        };
        if self.carry.is_empty() {
            let rest = chunk.get(used..).unwrap_or(&[]);
            let done = self.scan(rest, 0, rest.len(), handler)?;
            self.base += done as u64;
            self.carry.extend_from_slice(rest.get(done..).unwrap_or(&[]));
        }
        Ok(())
    }

    /// The document is complete.
    ///
    /// # Errors
    /// When it isn't, and those of [`Scanner::feed`].
    pub fn finish<H: Handler>(&mut self, handler: &mut H) -> Result<(), H::Error> {
        let rest = std::mem::take(&mut self.carry);
        let done = self.scan(&rest, 0, rest.len(), handler)?;
        self.base += done as u64;
        self.carry = rest.get(done..).unwrap_or(&[]).to_vec();
        Ok(self.is_complete()?)
    }

    fn is_complete(&self) -> Result<(), Error> {
        let what = match self.state {
            _ if !self.carry.is_empty() => "in the middle of a tag, a reference or a line end",
            State::Epilog if self.utf8.is_complete() => return Ok(()),
            State::Epilog | State::Start | State::Prolog => "with no root element",
            State::Content => "with elements still open",
            State::CData | State::Comment | State::AfterTarget | State::ProcessingInstruction => {
                "in the middle of a comment, a processing instruction or a CDATA section"
            }
        };
        Err(Error {
            offset: self.base + self.carry.len() as u64,
            problem: Problem::End(what),
        })
    }

    /// Completes the broken-off token with as little of the chunk as it takes; how much that was.
    fn finish_carried<H: Handler>(&mut self, chunk: &[u8], handler: &mut H) -> Result<usize, H::Error> {
        let mut buffer = std::mem::take(&mut self.carry);
        if buffer.len() + chunk.len() < self.worth_a_look {
            buffer.extend_from_slice(chunk);
            self.carry = buffer;
            return Ok(chunk.len());
        }
        let broken_off = buffer.len();
        let (mut taken, mut at) = (0, 0);
        while at < broken_off {
            if taken == chunk.len() {
                buffer.drain(..at);
                self.worth_a_look = match buffer.len() {
                    ..SHORT => 0,
                    long => long * 2,
                };
                self.carry = buffer;
                break;
            }
            // Doubling keeps a token that comes in drips linear.
            let more = buffer.len().max(64).min(chunk.len() - taken);
            buffer.extend_from_slice(chunk.get(taken..taken + more).unwrap_or(&[]));
            taken += more;
            at = self.scan(&buffer, at, broken_off, handler)?;
        }
        self.base += at as u64;
        Ok(at.saturating_sub(broken_off))
    }

    /// Reads the tokens that begin in `from..until`, as far as the buffer holds them whole.
    fn scan<H: Handler>(
        &mut self,
        buffer: &[u8],
        from: usize,
        until: usize,
        handler: &mut H,
    ) -> Result<usize, H::Error> {
        let mut at = from;
        while at < until {
            let Some(next) = self.step(buffer, at, handler)? else {
                break;
            };
            at = next;
        }
        handler.buffer_ends(buffer);
        Ok(at)
    }

    /// Reads one token, or a piece of one that may be long.
    #[inline(always)]
    fn step<H: Handler>(&mut self, buffer: &[u8], at: usize, handler: &mut H) -> Result<Step, H::Error> {
        match self.state {
            State::Content if buffer.get(at) == Some(&b'<') => self.markup(buffer, at, handler),
            State::Start => Ok(self.start(buffer, at)?),
            State::Content => self.content(buffer, at, handler),
            State::Prolog | State::Epilog => self.outside(buffer, at, handler),
            State::CData => self.section(buffer, at, b"]]>", handler),
            State::Comment => self.section(buffer, at, b"-->", handler),
            State::ProcessingInstruction => self.section(buffer, at, b"?>", handler),
            State::AfterTarget => self.after_target(buffer, at, handler),
        }
    }

    /// Byte order mark and XML declaration.
    fn start(&mut self, buffer: &[u8], at: usize) -> Result<Step, Error> {
        let rest = buffer.get(at..).unwrap_or(&[]);
        if rest.starts_with(BYTE_ORDER_MARK) && self.base + at as u64 == 0 {
            return Ok(Some(at + BYTE_ORDER_MARK.len()));
        }
        if BYTE_ORDER_MARK.starts_with(rest) || declaration::OPENS.starts_with(rest) {
            return Ok(None);
        }
        let declaration = declaration::parse(rest).map_err(|problem| self.error(at, problem))?;
        let length = match declaration {
            declaration::Parsed::Cut => return Ok(None),
            declaration::Parsed::None => 0,
            declaration::Parsed::Declaration(declaration) => declaration.length,
        };
        self.state = State::Prolog;
        Ok(Some(at + length))
    }

    /// Around the root element: white space, comments, processing instructions.
    fn outside<H: Handler>(&mut self, buffer: &[u8], at: usize, handler: &mut H) -> Result<Step, H::Error> {
        let rest = buffer.get(at..).unwrap_or(&[]);
        match (chars::spaces(rest), rest.first()) {
            (0, Some(b'<')) => self.markup(buffer, at, handler),
            (0, _) => Err(self
                .error(at, chars::check(rest).err().unwrap_or(Problem::TextOutside))
                .into()),
            (space, _) => Ok(Some(at + space)),
        }
    }

    /// Text within the root element.
    #[inline(always)]
    fn content<H: Handler>(&mut self, buffer: &[u8], at: usize, handler: &mut H) -> Result<Step, H::Error> {
        match chars::plain_text(buffer.get(at..).unwrap_or(&[])) {
            0 => self.odd_text(buffer, at, handler),
            plain => self.text(buffer, at..at + plain, None, handler),
        }
    }

    /// What ends plain text and is no markup.
    #[inline(never)]
    fn odd_text<H: Handler>(&mut self, buffer: &[u8], at: usize, handler: &mut H) -> Result<Step, H::Error> {
        let rest = buffer.get(at..).unwrap_or(&[]);
        let mut room = [0; 4];
        let (length, replaced): (usize, Option<&[u8]>) = match rest {
            // as canonical text writes them
            [b'&', b'a', b'm', b'p', b';', ..] => (5, None),
            [b'&', b'l' | b'g', b't', b';', ..] => (4, None),
            [b'&', ..] => match chars::reference(rest).map_err(|problem| self.error(at, problem))? {
                Some((length, character)) => (length, Some(chars::canonical_text(character, &mut room))),
                None => return Ok(None),
            },
            [b']', b']', b'>', ..] => return Err(self.error(at, Problem::CDataEnd).into()),
            [b']', b']'] | [b']'] | [b'\r'] => return Ok(None),
            [b']', ..] => (1, None),
            [b'>', ..] => (1, Some(b"&gt;")),
            // section 2.11: every line end is one line feed
            [b'\r', b'\n', ..] => (2, Some(b"\n")),
            [b'\r', ..] => (1, Some(b"\n")),
            _ => match self.check(rest, at)? {
                Checked::Allowed(length) => (length, None),
                Checked::Cut => return Ok(None),
            },
        };
        let as_written = replaced == rest.get(..length);
        self.text(buffer, at..at + length, replaced.filter(|_| !as_written), handler)
    }

    #[inline(always)]
    fn text<H: Handler>(
        &self,
        buffer: &[u8],
        span: Range<usize>,
        replaced: Option<&[u8]>,
        handler: &mut H,
    ) -> Result<Step, H::Error> {
        let end = span.end;
        handler.text(&self.piece(buffer, span, replaced))?;
        Ok(Some(end))
    }

    /// What begins with `<`.
    #[inline(always)]
    fn markup<H: Handler>(&mut self, buffer: &[u8], at: usize, handler: &mut H) -> Result<Step, H::Error> {
        let rest = buffer.get(at..).unwrap_or(&[]);
        match rest {
            [b'<', b'/', ..] => self.end_tag(buffer, at, handler),
            [b'<', b'?', ..] => self.target(buffer, at, handler),
            [b'<', b'!', ..] => self.declared(buffer, at, handler),
            [b'<', _, ..] if self.open.is_empty() && self.root_seen => {
                Err(self.error(at, Problem::SecondRoot).into())
            }
            [b'<', _, ..] => self.start_tag(buffer, at, handler),
            _ => Ok(None),
        }
    }

    /// The state of what is around a comment, a processing instruction, or an element just closed.
    fn around(&self) -> State {
        match (self.open.is_empty(), self.root_seen) {
            (false, _) => State::Content,
            (true, true) => State::Epilog,
            (true, false) => State::Prolog,
        }
    }

    fn piece<'a>(&self, buffer: &'a [u8], span: Range<usize>, replaced: Option<&'a [u8]>) -> Piece<'a> {
        Piece {
            source: Source {
                buffer,
                base: self.base,
                span,
            },
            replaced,
            depth: self.open.len(),
        }
    }

    fn check(&self, bytes: &[u8], at: usize) -> Result<Checked, Error> {
        chars::check(bytes).map_err(|problem| self.error(at, problem))
    }

    #[cold]
    fn error(&self, at: usize, problem: Problem) -> Error {
        Error {
            offset: self.base + at as u64,
            problem,
        }
    }
}

fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
