//! `Content-Encoding` of a request (RFC 9110, section 8.4): gzip and deflate are inflated while they arrive, a bounded
//! piece at a time, and never to more than a bounded multiple of what came.

use std::io;

use bytes::{Buf, Bytes};
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::{DecodeV2, DeflateDecoder, GzipDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

/// Bytes inflated at a time.
const PIECE: usize = 32 * 1024;
/// A message inflates to at most so many times what came of it: no XML that people write needs it, and deflate
/// reaches 1032, for whoever wants to keep us busy.
const MAX_RATIO: usize = 250;
/// Bytes up to which any ratio will do.
const ANY_RATIO: usize = 1024 * 1024;

/// Why a coded message cannot be read.
#[derive(Debug, thiserror::Error)]
pub(in crate::proxy) enum CodingError {
    /// Another coding, or several.
    #[error(
        "the content coding {0} is not supported; send the message as gzip, as deflate, or without Content-Encoding"
    )]
    Unsupported(String),
    /// Not what the coding says.
    #[error(
        "the message is not what its Content-Encoding says: {0}; send it again, or without Content-Encoding"
    )]
    Malformed(#[from] io::Error),
    /// A decompression bomb.
    #[error("the message inflates to more than {MAX_RATIO} times its size; send it without Content-Encoding")]
    Ratio,
}

/// How a message's bytes become the message.
pub(in crate::proxy) enum Decoding {
    /// As they are.
    Identity(Bytes),
    /// By inflating them.
    Inflating(Inflating),
}

impl Decoding {
    /// What a head says.
    pub(in crate::proxy) fn of(headers: &HeaderMap) -> Result<Self, CodingError> {
        let fields: Vec<_> = headers
            .get_all(CONTENT_ENCODING)
            .iter()
            .map(|field| String::from_utf8_lossy(field.as_bytes()).to_ascii_lowercase())
            .collect();
        let named: Vec<_> = fields
            .iter()
            .flat_map(|field| field.split(','))
            .map(str::trim)
            .filter(|coding| !matches!(*coding, "" | "identity"))
            .collect();
        match named.as_slice() {
            [] => Ok(Self::Identity(Bytes::new())),
            // RFC 9110, section 8.4.1.3.
            ["gzip" | "x-gzip"] => Ok(Self::Inflating(Inflating::new(Coding::Gzip))),
            ["deflate"] => Ok(Self::Inflating(Inflating::new(Coding::Deflate))),
            several => Err(CodingError::Unsupported(several.join(", "))),
        }
    }

    /// More bytes came. Those before have been taken.
    pub(in crate::proxy) fn feed(&mut self, chunk: Bytes) {
        match self {
            Self::Identity(bytes) => *bytes = chunk,
            Self::Inflating(inflating) => inflating.input = chunk,
        }
    }

    /// The next piece of the message; `None`: more bytes are needed.
    pub(in crate::proxy) fn next(&mut self) -> Result<Option<Bytes>, CodingError> {
        match self {
            Self::Identity(bytes) => Ok((!bytes.is_empty()).then(|| std::mem::take(bytes))),
            Self::Inflating(inflating) => inflating.next(),
        }
    }

    /// No more bytes will come. Is the message whole?
    pub(in crate::proxy) fn finish(self) -> Result<(), CodingError> {
        match self {
            Self::Identity(_) => Ok(()),
            Self::Inflating(inflating) => inflating.finish(),
        }
    }
}

#[derive(Clone, Copy)]
enum Coding {
    Gzip,
    /// zlib's format by the standard (RFC 9110, section 8.4.1.2), and bare deflate by those who misread it.
    Deflate,
}

impl Coding {
    fn decoder(self, first: u8) -> Box<dyn DecodeV2 + Send> {
        /// The method `deflate` in zlib's first byte (RFC 1950, section 2.2). Bare deflate would begin so with a stored
        /// block whose padding is not zero; nobody writes it.
        const ZLIB: u8 = 8;
        match self {
            Self::Gzip => Box::new(GzipDecoder::new()),
            Self::Deflate if first & 0x0f == ZLIB => Box::new(ZlibDecoder::new()),
            Self::Deflate => Box::new(DeflateDecoder::new()),
        }
    }
}

/// A coded message on its way.
pub(in crate::proxy) struct Inflating {
    coding: Coding,
    /// From the first byte of a member to its last.
    decoder: Option<Box<dyn DecodeV2 + Send>>,
    input: Bytes,
    piece: Box<[u8]>,
    /// The last piece was filled, so that more may wait within the decoder.
    filled: bool,
    members: usize,
    came: usize,
    given: usize,
}

impl Inflating {
    fn new(coding: Coding) -> Self {
        Self {
            coding,
            decoder: None,
            input: Bytes::new(),
            piece: vec![0; PIECE].into(),
            filled: false,
            members: 0,
            came: 0,
            given: 0,
        }
    }

    fn next(&mut self) -> Result<Option<Bytes>, CodingError> {
        while !self.input.is_empty() || self.filled {
            let length = self.step()?;
            self.given += length;
            if self.given > ANY_RATIO && self.given > self.came * MAX_RATIO {
                return Err(CodingError::Ratio);
            }
            if length > 0 {
                // A copy: a piece that holds little would keep all of its memory.
                return Ok(self.piece.get(..length).map(Bytes::copy_from_slice));
            }
        }
        Ok(None)
    }

    /// Fills the piece with what there is, and tells how much that is.
    fn step(&mut self) -> Result<usize, CodingError> {
        let mut output = WriteBuffer::new_initialized(&mut self.piece);
        let Some(&first) = self.input.first() else {
            if let Some(decoder) = &mut self.decoder {
                decoder.flush(&mut output)?;
            }
            self.filled = output.has_no_spare_space();
            return Ok(output.written_len());
        };
        if self.decoder.is_none() && self.members > 0 && !matches!(self.coding, Coding::Gzip) {
            return Err(io::Error::other("bytes follow its end").into());
        }
        let decoder = self.decoder.get_or_insert_with(|| self.coding.decoder(first));
        let mut input = PartialBuffer::new(self.input.as_ref());
        let ended = decoder.decode(&mut input, &mut output)?;
        let (consumed, length) = (input.written_len(), output.written_len());
        self.filled = output.has_no_spare_space() && !ended;
        if ended {
            self.decoder = None;
            self.members += 1;
        }
        self.input.advance(consumed);
        self.came += consumed;
        Ok(length)
    }

    fn finish(mut self) -> Result<(), CodingError> {
        let whole = match &mut self.decoder {
            None => self.members > 0,
            // The end of bare deflate is in its last byte, which may have been taken with the piece full.
            Some(decoder) => decoder
                .finish(&mut WriteBuffer::new_initialized(&mut self.piece))
                .unwrap_or(false),
        };
        whole
            .then_some(())
            .ok_or_else(|| io::Error::other("it ends too early").into())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn bare(text: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn decoded(coding: &'static str, bytes: &[u8], chunk: usize) -> Result<Vec<u8>, CodingError> {
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(coding))]);
        let (mut decoding, mut text) = (Decoding::of(&headers)?, Vec::new());
        for chunk in bytes.chunks(chunk) {
            decoding.feed(Bytes::copy_from_slice(chunk));
            while let Some(piece) = decoding.next()? {
                text.extend(piece);
            }
        }
        decoding.finish()?;
        Ok(text)
    }

    type Deflate = fn(&[u8]) -> Vec<u8>;

    const CODINGS: [(&str, Deflate); 4] = [
        ("gzip", gzip),
        ("X-GZIP", gzip),
        ("deflate", zlib),
        ("identity, deflate", bare),
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_was_deflated_is_inflated_however_it_comes(
            words in proptest::collection::vec("[a-d]{0,999}", 0..100),
            chunk in prop_oneof![1_usize..50, Just(1000), Just(100_000)],
        ) {
            let text = words.concat().into_bytes();
            for (coding, deflate) in CODINGS {
                let came = decoded(coding, &deflate(&text), chunk).unwrap();
                prop_assert!(came == text, "{}", coding);
            }
        }

        #[test]
        fn what_is_cut_or_altered_or_followed_by_more_is_refused_and_panics_nobody(
            cut in 0_usize..60,
            garbage in proptest::collection::vec(any::<u8>(), 1..40),
        ) {
            let text = b"<a>some text, and some text, and some more of that text</a>";
            for (coding, deflate) in CODINGS {
                let whole = deflate(text);
                let cut = &whole[..cut.min(whole.len() - 1)];
                prop_assert!(decoded(coding, cut, 7).is_err(), "{} {:?}", coding, cut);
                let followed = [whole.as_slice(), garbage.as_slice()].concat();
                prop_assert!(decoded(coding, &followed, 7).is_err(), "{} {:?}", coding, garbage);
                let _anything = decoded(coding, &garbage, 3);
            }
        }
    }

    #[test]
    fn gzip_may_have_several_members() {
        let members = [gzip(b"one, "), gzip(b""), gzip(b"two")].concat();
        for chunk in [1, 1000] {
            assert_eq!(decoded("gzip", &members, chunk).unwrap(), b"one, two");
        }
    }

    #[test]
    fn a_wrong_checksum_is_found() {
        for (coding, deflate) in [CODINGS[0], CODINGS[2]] {
            let mut bytes = deflate(b"some text");
            let place = bytes.len() - if coding == "gzip" { 5 } else { 1 };
            bytes[place] ^= 1;
            assert!(decoded(coding, &bytes, 1000).is_err(), "{coding}");
        }
    }

    #[test]
    fn a_bomb_goes_off_early() {
        let bomb = gzip(&vec![b' '; 50 * ANY_RATIO]);
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
        let (mut decoding, mut given) = (Decoding::of(&headers).unwrap(), 0);
        decoding.feed(Bytes::from(bomb));
        let error = loop {
            match decoding.next() {
                Ok(piece) => given += piece.expect("an error before its end").len(),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, CodingError::Ratio), "{error}");
        assert!(given <= 16 * ANY_RATIO, "{given}");
    }

    #[test]
    fn other_codings_and_several_are_refused_by_name() {
        for coding in [
            "br",
            "zstd",
            "compress",
            "gzip, gzip",
            "deflate, gzip",
            "gzip;q=1",
        ] {
            let error = decoded(coding, b"", 1).unwrap_err();
            assert!(
                matches!(&error, CodingError::Unsupported(named) if named == coding),
                "{error}"
            );
        }
    }
}
