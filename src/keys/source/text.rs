//! PEM as people have it: saved by Windows editors (byte order mark, UTF-16, CRLF), indented in YAML, folded into one line of
//! an environment variable, with any text around; and DER in its place. All of it becomes PEM as RFC 7468 has it.

use std::borrow::Cow;
use std::str::Utf8Error;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use openssl::pkcs7::Pkcs7;
use openssl::x509::{X509, X509Req};
use x509_parser::asn1_rs::{Any, FromBer, Tag};
use zeroize::Zeroizing;

use super::SourceError;
use super::foreign::{foreign, is_pkcs12};

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// One block of PEM.
pub(super) struct Block {
    pub(super) label: String,
    /// `Proc-Type` and `DEK-Info` of RFC 1421, a line each.
    headers: Vec<String>,
    base64: Zeroizing<String>,
}

/// The blocks of a file, in their order.
///
/// # Errors
/// When it is something else; says what.
pub(super) fn blocks(bytes: &[u8]) -> Result<Vec<Block>, SourceError> {
    let text = Zeroizing::new(text(bytes).into_owned());
    let blocks = blocks_of(&text)?;
    if !blocks.is_empty() {
        return Ok(blocks);
    }
    if let Some(sentence) = foreign(bytes) {
        return Err(SourceError::Foreign(sentence));
    }
    Ok(label_of_der(bytes)?
        .map(|label| Block::of_der(label, bytes))
        .into_iter()
        .collect())
}

/// The file as PEM, for whoever takes nothing else.
///
/// # Errors
/// When it is something else; says what.
pub fn to_pem(bytes: &[u8]) -> Result<Zeroizing<String>, SourceError> {
    let blocks = blocks(bytes)?;
    Ok(Zeroizing::new(
        blocks.iter().map(|block| block.pem().to_string()).collect(),
    ))
}

impl Block {
    fn of_der(label: &str, der: &[u8]) -> Self {
        Self {
            label: label.to_owned(),
            headers: Vec::new(),
            base64: Zeroizing::new(BASE64.encode(der)),
        }
    }

    pub(super) fn is_private_key(&self) -> bool {
        self.label.ends_with("PRIVATE KEY")
    }

    /// What it encodes; nothing where it is encrypted as RFC 1421 has it.
    pub(super) fn der(&self) -> Option<Zeroizing<Vec<u8>>> {
        let der = self
            .headers
            .is_empty()
            .then(|| BASE64.decode(self.base64.as_bytes()).ok());
        der.flatten().map(Zeroizing::new)
    }

    pub(super) fn pem(&self) -> Zeroizing<String> {
        // OpenSSL's own certificates with marks of trust behind them.
        let label = self.label.strip_prefix("TRUSTED ").unwrap_or(&self.label);
        let mut pem = Zeroizing::new(format!("{BEGIN}{label}{DASHES}\n"));
        for header in &self.headers {
            pem.push_str(header);
            pem.push('\n');
        }
        if !self.headers.is_empty() {
            pem.push('\n');
        }
        for (at, character) in self.base64.chars().enumerate() {
            if at > 0 && at % 64 == 0 {
                pem.push('\n');
            }
            pem.push(character);
        }
        pem.push_str(&format!("\n-----END {label}{DASHES}\n"));
        pem
    }
}

/// Text in UTF-8 or, with its mark, UTF-16; without the mark.
pub(super) fn of_editors(bytes: &[u8]) -> Result<String, Utf8Error> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => Ok(utf16(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Ok(utf16(rest, u16::from_be_bytes)),
        _ => std::str::from_utf8(bytes).map(|text| text.trim_start_matches('\u{feff}').to_owned()),
    }
}

/// The same, whatever it is. UTF-16 without a mark shows by the noughts beside the dashes of PEM.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    match (bytes, of_editors(bytes)) {
        ([b'-', 0, b'-', 0, ..], _) => Cow::Owned(utf16(bytes, u16::from_le_bytes)),
        ([0, b'-', 0, b'-', ..], _) => Cow::Owned(utf16(bytes, u16::from_be_bytes)),
        (_, Ok(text)) => Cow::Owned(text),
        (_, Err(_)) => String::from_utf8_lossy(bytes),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair));
    let characters = char::decode_utf16(units);
    characters
        .map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

fn blocks_of(text: &str) -> Result<Vec<Block>, SourceError> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, begun)) = rest.split_once(BEGIN) {
        let cut_off = |label: &str| SourceError::CutOff(label.to_owned());
        let (label, begun) = begun.split_once(DASHES).ok_or_else(|| cut_off("of it"))?;
        let end = format!("-----END {label}{DASHES}");
        let (body, after) = begun.split_once(&end).ok_or_else(|| cut_off(label))?;
        if body.contains(BEGIN) {
            return Err(cut_off(label));
        }
        blocks.push(block(label, body));
        rest = after;
    }
    Ok(blocks)
}

fn block(label: &str, body: &str) -> Block {
    // As environment variables and JSON have line ends.
    let body = Zeroizing::new(body.replace("\\r", "\n").replace("\\n", "\n"));
    let (headers, base64): (Vec<_>, Vec<_>) = body
        .split(['\r', '\n'])
        .map(str::trim)
        .partition(|line| line.contains(':'));
    let base64 = base64.into_iter().flat_map(str::chars);
    Block {
        label: label.to_owned(),
        headers: headers.into_iter().map(str::to_owned).collect(),
        base64: Zeroizing::new(
            base64
                .filter(|character| !character.is_whitespace() && *character != '\u{feff}')
                .collect(),
        ),
    }
}

/// What PEM would call it. Nothing for what is no DER that belongs here.
fn label_of_der(bytes: &[u8]) -> Result<Option<&'static str>, SourceError> {
    if is_pkcs12(bytes) {
        return Err(SourceError::Foreign(
            "PKCS#12; name it as that (`pkcs12`), not as PEM",
        ));
    }
    if X509::from_der(bytes).is_ok() {
        return Ok(Some("CERTIFICATE"));
    }
    if X509Req::from_der(bytes).is_ok() {
        return Ok(Some(REQUEST));
    }
    if Pkcs7::from_der(bytes).is_ok() {
        return Ok(Some("PKCS7"));
    }
    let Ok((_, outer)) = Any::from_ber(bytes) else {
        return Ok(None);
    };
    let Ok((rest, first)) = Any::from_ber(outer.data) else {
        return Ok(None);
    };
    let second = Any::from_ber(rest).map(|(_, second)| second.tag());
    Ok(match (first.tag(), second) {
        _ if outer.tag() != Tag::Sequence => None,
        (Tag::Integer, Ok(Tag::Sequence)) => Some("PRIVATE KEY"),
        (Tag::Sequence, Ok(Tag::OctetString)) => Some("ENCRYPTED PRIVATE KEY"),
        (Tag::Integer, Ok(Tag::OctetString)) => Some("EC PRIVATE KEY"),
        (Tag::Integer, Ok(Tag::Integer)) => Some("RSA PRIVATE KEY"),
        _ => None,
    })
}

/// The label of PKCS#10.
pub(super) const REQUEST: &str = "CERTIFICATE REQUEST";
