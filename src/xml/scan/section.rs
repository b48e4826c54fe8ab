//! Comments, CDATA sections and processing instructions (XML 1.0, sections 2.5 to 2.7): told in pieces, so that
//! none is kept, however long.

use super::chars::{self, Checked};
use super::{CDATA, Handler, Problem, Scanner, State, Step};

impl Scanner {
    /// What begins with `<!`: a comment, a CDATA section, or what is refused.
    pub(super) fn declared<H: Handler>(
        &mut self,
        buffer: &[u8],
        at: usize,
        handler: &mut H,
    ) -> Result<Step, H::Error> {
        let rest = buffer.get(at..).unwrap_or(&[]);
        let cdata_allowed = self.state == State::Content;
        if rest.starts_with(b"<!--") {
            let end = at + 4;
            handler.comment(&self.piece(buffer, at..end, None))?;
            self.state = State::Comment;
            Ok(Some(end))
        } else if cdata_allowed && rest.starts_with(CDATA) {
            self.state = State::CData;
            self.text(buffer, at..at + CDATA.len(), Some(b""), handler)
        } else if rest.starts_with(b"<!DOCTYPE") {
            Err(self.error(at, Problem::Doctype).into())
        } else if [&b"<!--"[..], CDATA, b"<!DOCTYPE"]
            .iter()
            .any(|opening| opening.starts_with(rest))
        {
            Ok(None)
        } else {
            Err(self.error(at, Problem::Markup).into())
        }
    }

    /// A piece of what lasts until `terminator`.
    pub(super) fn section<H: Handler>(
        &mut self,
        buffer: &[u8],
        at: usize,
        terminator: &[u8],
        handler: &mut H,
    ) -> Result<Step, H::Error> {
        let rest = buffer.get(at..).unwrap_or(&[]);
        let is_cdata = self.state == State::CData;
        let (length, replaced, ends): (usize, Option<&[u8]>, bool) = match (chars::plain_section(rest), rest)
        {
            (plain @ 1.., _) => (plain, None, false),
            _ if rest.starts_with(terminator) => (terminator.len(), is_cdata.then_some(b""), true),
            _ if terminator.starts_with(rest) || rest == b"\r" => return Ok(None),
            (_, [b'-', b'-', ..]) if self.state == State::Comment => {
                return Err(self.error(at, Problem::Comment).into());
            }
            (_, [b'&', ..]) if is_cdata => (1, Some(b"&amp;"), false),
            (_, [b'<', ..]) if is_cdata => (1, Some(b"&lt;"), false),
            (_, [b'>', ..]) if is_cdata => (1, Some(b"&gt;"), false),
            (_, [b'\r', b'\n', ..]) => (2, Some(b"\n"), false),
            (_, [b'\r', ..]) => (1, Some(b"\n"), false),
            _ => match self.check(rest, at)? {
                Checked::Allowed(length) => (length, None, false),
                Checked::Cut => return Ok(None),
            },
        };
        let piece = self.piece(buffer, at..at + length, replaced);
        match self.state {
            State::CData => handler.text(&piece)?,
            State::Comment => handler.comment(&piece)?,
            State::Start
            | State::Prolog
            | State::Content
            | State::Epilog
            | State::AfterTarget
            | State::ProcessingInstruction => handler.processing_instruction(&piece)?,
        }
        if ends {
            self.state = self.around();
        }
        Ok(Some(at + length))
    }

    /// `<?` and the target of a processing instruction (section 2.6; Namespaces, section 4: no colon).
    pub(super) fn target<H: Handler>(
        &mut self,
        buffer: &[u8],
        at: usize,
        handler: &mut H,
    ) -> Result<Step, H::Error> {
        let rest = buffer.get(at + 2..).unwrap_or(&[]);
        let length = chars::name(rest);
        let Some(after) = rest.get(length) else {
            return Ok(None);
        };
        let target = rest.get(..length).unwrap_or(&[]);
        let closes = matches!(after, b'?') || chars::is_space(*after);
        let cut = !after.is_ascii() && rest.len() - length < 4;
        if length > self.limits.name {
            return Err(self.error(at, Problem::NameTooLong(self.limits.name)).into());
        } else if cut {
            return Ok(None);
        } else if target.is_empty()
            || target.eq_ignore_ascii_case(b"xml")
            || target.contains(&b':')
            || !closes
        {
            return Err(self.error(at, Problem::ProcessingInstruction).into());
        }
        if self.counts_names(at) {
            self.different.meet(target, length);
            self.check_names(at)?;
        }
        let end = at + 2 + length;
        handler.processing_instruction(&self.piece(buffer, at..end, None))?;
        self.state = State::AfterTarget;
        Ok(Some(end))
    }

    /// White space after a target: one space in canonical form if data follows (C14N 1.0, section 2.3).
    pub(super) fn after_target<H: Handler>(
        &mut self,
        buffer: &[u8],
        at: usize,
        handler: &mut H,
    ) -> Result<Step, H::Error> {
        let rest = buffer.get(at..).unwrap_or(&[]);
        let space = chars::spaces(rest);
        if rest.len() < space + 2 {
            return Ok(None);
        }
        let data_follows = !rest.get(space..).unwrap_or(&[]).starts_with(b"?>");
        if data_follows && space == 0 {
            return Err(self.error(at, Problem::ProcessingInstruction).into());
        }
        let separator: &[u8] = if data_follows { b" " } else { b"" };
        handler.processing_instruction(&self.piece(buffer, at..at + space, Some(separator)))?;
        self.state = State::ProcessingInstruction;
        Ok(Some(at + space))
    }
}
