//! Bytes in any encoding that is served to UTF-8, as they arrive.
//!
//! What they are in is decided by RFC 7303, section 3: byte order mark, then the charset of the media type,
//! then the XML declaration, else UTF-8. UTF-8 passes as it is. Malformed input is refused, never
//! replaced. ISO-8859-1 and US-ASCII go by their own tables, not by WHATWG's, which reads both as windows-1252.

mod beginning;
mod charset;

use bytes::Bytes;
use encoding_rs::{DecoderResult, UTF_8};

use super::scan::declaration::{self, Parsed};
use beginning::Beginning;
use charset::{Charset, disagreement};

/// Why the bytes cannot be read as text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such encoding is served.
    #[error("the encoding {0:?} is not served; send UTF-8")]
    Unsupported(String),
    /// Bytes that the encoding does not know.
    #[error(
        "byte {offset} and what follows is not {encoding}; send the message in the encoding that it declares"
    )]
    Malformed {
        /// Bytes of the input before them.
        offset: u64,
        /// The encoding by name.
        encoding: &'static str,
        /// The text before them that has not been handed out.
        before: String,
    },
}

impl Error {
    /// More was held back.
    fn after(self, held: &[u8]) -> Self {
        match self {
            Self::Malformed {
                offset,
                encoding,
                before,
            } => Self::Malformed {
                offset,
                encoding,
                before: String::from_utf8_lossy(held).into_owned() + &before,
            },
            Self::Unsupported(_) => self,
        }
    }
}

/// Turns one document's bytes into UTF-8.
pub struct Decoder {
    charset: Option<String>,
    stage: Stage,
    /// Bytes taken so far.
    taken: u64,
    /// Converted text that may still be in the middle of the XML declaration.
    head: Option<Vec<u8>>,
    disagreement: Option<String>,
}

enum Stage {
    /// Too few bytes to know.
    Deciding(Vec<u8>),
    Utf8,
    /// Bytes are the first 256 characters of Unicode.
    Latin1,
    Ascii,
    Library(Box<encoding_rs::Decoder>),
}

impl Decoder {
    /// `charset` is the parameter of the media type, if it has one.
    #[must_use]
    pub fn new(charset: Option<&str>) -> Self {
        Self {
            charset: charset.map(str::to_owned),
            stage: Stage::Deciding(Vec::new()),
            taken: 0,
            head: None,
            disagreement: None,
        }
    }

    /// The next bytes; the text they complete.
    ///
    /// # Errors
    /// [`Error`]; nothing can be decoded afterwards.
    pub fn decode(&mut self, chunk: Bytes) -> Result<Bytes, Error> {
        match &mut self.stage {
            Stage::Deciding(held) if held.is_empty() => self.decide(&chunk, false),
            Stage::Deciding(held) => {
                held.extend_from_slice(&chunk);
                let held = Bytes::from(std::mem::take(held));
                self.decide(&held, false)
            }
            Stage::Utf8 | Stage::Latin1 | Stage::Ascii | Stage::Library(_) => self.convert_head(chunk, false),
        }
    }

    /// No more bytes; the text that was held back.
    ///
    /// # Errors
    /// [`Error`], when a character is incomplete.
    pub fn finish(&mut self) -> Result<Bytes, Error> {
        match &mut self.stage {
            Stage::Deciding(held) => {
                let held = Bytes::from(std::mem::take(held));
                self.decide(&held, true)
            }
            Stage::Utf8 | Stage::Latin1 | Stage::Ascii | Stage::Library(_) => {
                self.convert(Bytes::new(), true)
            }
        }
    }

    /// Whether the text is not the bytes that came in.
    #[must_use]
    pub fn transcodes(&self) -> bool {
        !matches!(self.stage, Stage::Utf8 | Stage::Deciding(_))
    }

    /// That byte order mark, charset and declaration disagree, in a sentence for the log.
    #[must_use]
    pub fn disagreement(&self) -> Option<&str> {
        self.disagreement.as_deref()
    }

    fn decide(&mut self, start: &Bytes, is_all: bool) -> Result<Bytes, Error> {
        let Some(beginning) = Beginning::of(start, is_all)? else {
            self.stage = Stage::Deciding(start.to_vec());
            return Ok(Bytes::new());
        };
        let charset = self.charset.as_deref().map(Charset::named);
        let declared = beginning.declared.as_deref().map(Charset::named);
        let used = match (beginning.marked, charset.clone()) {
            (Some((marked, _)), _) => marked,
            (None, Some(charset)) => charset?,
            (None, None) => beginning.decided(declared.clone().transpose()?)?,
        };
        self.disagreement = disagreement(used, charset, declared);
        self.stage = used.stage();
        let text = start.slice(
            if self.transcodes() {
                beginning.marked.map_or(0, |(_, length)| length)
            } else {
                0
            }..,
        );
        self.taken = (start.len() - text.len()) as u64;
        self.head = self.transcodes().then(Vec::new);
        self.convert_head(text, is_all)
    }

    /// Converts, and makes the declaration true once it is whole.
    fn convert_head(&mut self, chunk: Bytes, is_last: bool) -> Result<Bytes, Error> {
        let Some(mut head) = self.head.take() else {
            return self.convert(chunk, is_last);
        };
        let text = self.convert(chunk, is_last).map_err(|error| error.after(&head))?;
        head.extend_from_slice(&text);
        if !is_last && (head.is_empty() || declaration::may_go_on(&head)) {
            self.head = Some(head);
            return Ok(Bytes::new());
        }
        Ok(corrected(head.into()))
    }

    fn convert(&mut self, chunk: Bytes, is_last: bool) -> Result<Bytes, Error> {
        let before = self.taken;
        self.taken += chunk.len() as u64;
        match &mut self.stage {
            Stage::Utf8 | Stage::Deciding(_) => Ok(chunk),
            Stage::Latin1 => Ok(chunk
                .iter()
                .map(|byte| char::from(*byte))
                .collect::<String>()
                .into()),
            Stage::Ascii => match chunk.iter().position(|byte| !byte.is_ascii()) {
                Some(at) => Err(Error::Malformed {
                    offset: before + at as u64,
                    encoding: "US-ASCII",
                    before: String::from_utf8_lossy(chunk.get(..at).unwrap_or(&[])).into_owned(),
                }),
                None => Ok(chunk),
            },
            Stage::Library(decoder) => through(decoder, &chunk, is_last, before),
        }
    }
}

/// Through the library, with an error where it would put U+FFFD.
fn through(
    decoder: &mut encoding_rs::Decoder,
    chunk: &[u8],
    is_last: bool,
    before: u64,
) -> Result<Bytes, Error> {
    let encoding = decoder.encoding().name();
    let offset = |read: usize| before + read as u64;
    let Some(room) = decoder.max_utf8_buffer_length_without_replacement(chunk.len()) else {
        return Err(Error::Malformed {
            offset: before,
            encoding,
            before: String::new(),
        });
    };
    let mut text = String::with_capacity(room);
    match decoder.decode_to_string_without_replacement(chunk, &mut text, is_last) {
        (DecoderResult::InputEmpty, _) => Ok(text.into()),
        (DecoderResult::Malformed(bad, after), read) => {
            let end = u64::from(bad) + u64::from(after);
            Err(Error::Malformed {
                offset: offset(read).saturating_sub(end),
                encoding,
                before: text,
            })
        }
        (DecoderResult::OutputFull, read) => Err(Error::Malformed {
            offset: offset(read),
            encoding,
            before: text,
        }),
    }
}

/// The declaration of a transcoded document, made true.
fn corrected(text: Bytes) -> Bytes {
    let Ok(Parsed::Declaration(found)) = declaration::parse(&text) else {
        return text;
    };
    let Some(range) = found.encoding else { return text };
    let (before, rest) = text.split_at(range.start);
    [
        before,
        UTF_8.name().as_bytes(),
        rest.get(range.len()..).unwrap_or(&[]),
    ]
    .concat()
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(charset: Option<&str>, document: &[u8], size: usize) -> Result<Vec<u8>, Error> {
        let mut decoder = Decoder::new(charset);
        let mut text = Vec::new();
        for chunk in document.chunks(size) {
            text.extend_from_slice(&decoder.decode(Bytes::copy_from_slice(chunk))?);
        }
        text.extend_from_slice(&decoder.finish()?);
        Ok(text)
    }

    #[test]
    fn utf16_with_a_mark_becomes_utf8_with_its_declaration_corrected() {
        let text = "\u{FEFF}<?xml version=\"1.0\" encoding=\"UTF-16\"?><a>é\u{1F600}</a>";
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><a>é\u{1F600}</a>";
        for size in 1..=bytes.len() {
            assert_eq!(
                decoded(None, &bytes, size).unwrap(),
                expected.as_bytes(),
                "in chunks of {size}"
            );
        }
    }

    #[test]
    fn the_charset_of_the_media_type_goes_before_the_declaration() {
        let document = b"<?xml version='1.0' encoding='utf-8'?><a>\xE9\x80</a>";
        let expected = "<?xml version='1.0' encoding='UTF-8'?><a>é\u{80}</a>";
        assert_eq!(
            decoded(Some("iso-8859-1"), document, 1000).unwrap(),
            expected.as_bytes()
        );
    }

    #[test]
    fn a_byte_order_mark_goes_before_a_charset_even_one_that_is_not_served() {
        let mut decoder = Decoder::new(Some("utf-7"));
        let text = decoder.decode(Bytes::from_static("\u{FEFF}<a>é</a>".as_bytes()));
        assert_eq!(text.unwrap(), "\u{FEFF}<a>é</a>");
        assert_eq!(
            decoder.disagreement(),
            Some(
                "the charset of the media type says utf-7, the message was read as UTF-8 (RFC 7303, section 3)"
            )
        );
    }

    #[test]
    fn utf8_passes_byte_for_byte_in_any_chunks() {
        let document = "\u{FEFF}<?xml version='1.0' encoding='UTF8'?><a>é</a>".as_bytes();
        for size in 1..document.len() {
            assert_eq!(decoded(None, document, size).unwrap(), document);
        }
    }

    #[test]
    fn what_is_malformed_is_refused_with_its_offset() {
        let offset = |charset, document| match decoded(Some(charset), document, 3) {
            Err(Error::Malformed { offset, .. }) => offset,
            other => panic!("{other:?}"),
        };
        assert_eq!(offset("us-ascii", b"<a>\xE9</a>"), 3);
        assert_eq!(offset("shift_jis", b"<aaaaa>\x81\x20</aaaaa>"), 7);
        assert_eq!(
            decoded(Some("utf-7"), b"<a/>", 9),
            Err(Error::Unsupported("utf-7".into()))
        );
    }
}
