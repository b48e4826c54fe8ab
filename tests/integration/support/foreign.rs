//! Messages that others wrote, or our own where there are none.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::corpus::{corpus, files};

/// A message as it was stored.
pub(crate) struct Message {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// Every message, in the order of their names.
pub(crate) fn messages() -> Vec<Message> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages");
    let foreign = corpus("the messages that others wrote").map(|corpus| corpus.join("soap"));
    let files = files(&foreign.unwrap_or(own), "xml").into_iter();
    files.map(|file| Message::read(&file)).collect()
}

impl Message {
    pub(crate) fn read(file: &Path) -> Self {
        Self {
            name: file.file_name().unwrap().to_string_lossy().into_owned(),
            bytes: fs::read(file).unwrap(),
        }
    }

    /// Its bytes where they are UTF-8; else converted, without the byte order mark and with the declaration
    /// corrected.
    pub(crate) fn in_utf8(&self) -> String {
        let utf16 = |unit: fn([u8; 2]) -> u16, bytes: &[u8]| {
            let units: Vec<u16> = bytes
                .chunks_exact(2)
                .map(|pair| unit([pair[0], pair[1]]))
                .collect();
            String::from_utf16(&units).unwrap()
        };
        let converted = match self.bytes.as_slice() {
            [0xFE, 0xFF, rest @ ..] => utf16(u16::from_be_bytes, rest),
            [0xFF, 0xFE, rest @ ..] => utf16(u16::from_le_bytes, rest),
            utf8 if !DECLARES_SINGLE_BYTES.is_match(utf8) => {
                return String::from_utf8(utf8.to_vec()).unwrap();
            }
            bytes => bytes.iter().map(|&byte| char::from(byte)).collect(),
        };
        DECLARED.replace(&converted, "${1}UTF-8").into_owned()
    }
}

static DECLARES_SINGLE_BYTES: LazyLock<regex::bytes::Regex> = LazyLock::new(|| {
    regex::bytes::Regex::new("(?i-u)^<\\?xml [^>]*encoding=[\"'](?:iso-8859-1|us-ascii)[\"']").unwrap()
});

static DECLARED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("^(<\\?xml [^>]*encoding=[\"'])[^\"']+").unwrap());
