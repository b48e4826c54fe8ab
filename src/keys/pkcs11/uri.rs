//! PKCS#11 URIs (RFC 7512), read strictly: what is not understood is refused, since ignoring it could name another key.

use std::fmt;
use std::str::FromStr;

use cryptoki::object::Attribute;
use cryptoki::slot::TokenInfo;
use serde::{Deserialize, Serialize};

/// Names a private key: a token by any of its attributes, an object by label, id or both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyUri {
    pub(super) token: TokenName,
    object: Option<String>,
    id: Option<Vec<u8>>,
}

/// What a token is known by; at least one is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub(super) struct TokenName {
    label: Option<String>,
    manufacturer: Option<String>,
    model: Option<String>,
    serial: Option<String>,
}

/// Not a URI that names a private key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidUri(pub String);

const EXAMPLE: &str = "pkcs11:token=signing;object=orders";

impl FromStr for KeyUri {
    type Err = InvalidUri;

    fn from_str(text: &str) -> Result<Self, InvalidUri> {
        let path = text
            .strip_prefix("pkcs11:")
            .ok_or_else(|| InvalidUri(format!("{text:?} is no PKCS#11 URI; write {EXAMPLE:?}")))?;
        if path.contains('?') {
            return Err(invalid(
                "what follows '?' in the URI is not supported; name the module as `module`, and the file of the PIN as `pin_file`",
            ));
        }
        let mut uri = Self {
            token: TokenName::default(),
            object: None,
            id: None,
        };
        for attribute in path.split(';') {
            let (name, value) = attribute.split_once('=').ok_or_else(|| {
                InvalidUri(format!(
                    "{attribute:?} in the URI is no attribute; write {EXAMPLE:?}"
                ))
            })?;
            uri.set(name, decode(value)?)?;
        }
        if uri.token == TokenName::default() {
            return Err(invalid("the URI names no token; add token="));
        }
        if uri.object.is_none() && uri.id.is_none() {
            return Err(invalid(
                "the URI names no object on the token; add object= or id=",
            ));
        }
        Ok(uri)
    }
}

impl KeyUri {
    fn set(&mut self, name: &str, value: Vec<u8>) -> Result<(), InvalidUri> {
        match name {
            "token" => set_text(name, &mut self.token.label, value),
            "manufacturer" => set_text(name, &mut self.token.manufacturer, value),
            "model" => set_text(name, &mut self.token.model, value),
            "serial" => set_text(name, &mut self.token.serial, value),
            "object" => set_text(name, &mut self.object, value),
            "id" => set(name, &mut self.id, value),
            "type" if value == b"private" => Ok(()),
            "type" => Err(invalid(
                "the URI is not one of a private key; write type=private, or leave it out",
            )),
            "pin-value" | "pin-source" => Err(invalid(
                "a PIN does not belong in the URI; name its file as `pin_file`",
            )),
            _ => Err(InvalidUri(format!(
                "{name}= in the URI is not supported; use token, serial, manufacturer, model, and object, id, type"
            ))),
        }
    }

    /// This very object: another one may get its label.
    pub(super) fn with_id(&self, id: Vec<u8>) -> Self {
        Self {
            id: Some(id),
            ..self.clone()
        }
    }

    /// What objects of this name have.
    pub(super) fn template(&self) -> Vec<Attribute> {
        let label = self
            .object
            .iter()
            .map(|label| Attribute::Label(label.as_bytes().to_vec()));
        let id = self.id.iter().map(|id| Attribute::Id(id.clone()));
        label.chain(id).collect()
    }

    /// The object's part, for messages.
    pub(super) fn object_name(&self) -> String {
        let object = self
            .object
            .iter()
            .map(|label| format!("object={}", encode(label.as_bytes())));
        let id = self.id.iter().map(|id| format!("id={}", encode(id)));
        object.chain(id).collect::<Vec<_>>().join(";")
    }
}

impl TokenName {
    pub(super) fn names(&self, token: &TokenInfo) -> bool {
        let same = |asked: &Option<String>, found: &str| {
            asked.as_ref().is_none_or(|asked| asked == found.trim_end())
        };
        same(&self.label, token.label())
            && same(&self.manufacturer, token.manufacturer_id())
            && same(&self.model, token.model())
            && same(&self.serial, token.serial_number())
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("token", &self.label),
            ("manufacturer", &self.manufacturer),
            ("model", &self.model),
            ("serial", &self.serial),
        ];
        let parts = parts.into_iter().filter_map(|(name, value)| {
            let value = value.as_ref()?;
            Some(format!("{name}={}", encode(value.as_bytes())))
        });
        f.write_str(&parts.collect::<Vec<_>>().join(";"))
    }
}

impl fmt::Display for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pkcs11:{};{}", self.token, self.object_name())
    }
}

impl TryFrom<String> for KeyUri {
    type Error = InvalidUri;

    fn try_from(text: String) -> Result<Self, InvalidUri> {
        text.parse()
    }
}

impl From<KeyUri> for String {
    fn from(uri: KeyUri) -> Self {
        uri.to_string()
    }
}

fn set<T>(name: &str, place: &mut Option<T>, value: T) -> Result<(), InvalidUri> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(InvalidUri(format!("{name}= is twice in the URI; leave one"))),
    }
}

fn set_text(name: &str, place: &mut Option<String>, value: Vec<u8>) -> Result<(), InvalidUri> {
    let text =
        String::from_utf8(value).map_err(|_| InvalidUri(format!("{name}= in the URI is not UTF-8")))?;
    set(name, place, text)
}

/// RFC 7512, section 2.3: unreserved characters and these stand for themselves.
const RESERVED_AVAILABLE: &[u8] = b":[]@!$'()*+,=&";

fn stands_for_itself(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn decode(value: &str) -> Result<Vec<u8>, InvalidUri> {
    if value.is_empty() {
        return Err(invalid("an attribute of the URI is empty; leave it out"));
    }
    let mut decoded = Vec::new();
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits =
                [bytes.next(), bytes.next()].map(|digit| char::from(digit.unwrap_or_default()).to_digit(16));
            let [Some(high), Some(low)] = digits else {
                return Err(invalid("after '%' in the URI come two hexadecimal digits"));
            };
            decoded.push(u8::try_from(high * 16 + low).unwrap_or_default());
        } else if stands_for_itself(byte) || RESERVED_AVAILABLE.contains(&byte) {
            decoded.push(byte);
        } else {
            let shown = char::from(byte);
            return Err(InvalidUri(if byte.is_ascii() {
                format!("{shown:?} may not stand in the URI; write %{byte:02X}")
            } else {
                "letters outside ASCII may not stand in the URI; write their UTF-8 bytes as %C3%BC".to_owned()
            }));
        }
    }
    Ok(decoded)
}

fn encode(value: &[u8]) -> String {
    let encoded = value.iter().map(|byte| {
        if stands_for_itself(*byte) {
            char::from(*byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    });
    encoded.collect()
}

fn invalid(sentence: &str) -> InvalidUri {
    InvalidUri(sentence.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<KeyUri, String> {
        text.parse().map_err(|InvalidUri(sentence)| sentence)
    }

    #[test]
    fn a_uri_names_token_and_object_and_is_written_as_it_is_read() {
        let uri = read("pkcs11:token=My%20HSM;object=orders;id=%01%aB;type=private").unwrap();
        assert_eq!(uri.token.label.as_deref(), Some("My HSM"));
        assert_eq!(uri.object.as_deref(), Some("orders"));
        assert_eq!(uri.id.as_deref(), Some(&[1, 0xab][..]));
        assert_eq!(uri.to_string(), "pkcs11:token=My%20HSM;object=orders;id=%01%AB");
        assert_eq!(read(&uri.to_string()), Ok(uri));
        assert!(read("pkcs11:serial=0a:1;id=a").is_ok());
        assert_eq!(
            read("pkcs11:token=%C3%BC;id=a").unwrap().token.label.as_deref(),
            Some("ü")
        );
    }

    #[test]
    fn what_is_not_understood_is_refused_with_what_to_write() {
        for (uri, sentence) in [
            ("pkcs12:token=a", "is no PKCS#11 URI"),
            ("pkcs11:", "is no attribute"),
            ("pkcs11:token", "is no attribute"),
            ("pkcs11:token=a", "add object= or id="),
            ("pkcs11:object=a", "add token="),
            ("pkcs11:token=;object=a", "is empty"),
            ("pkcs11:token=a;token=b;object=c", "token= is twice"),
            (
                "pkcs11:token=a;object=c;colour=red",
                "colour= in the URI is not supported",
            ),
            (
                "pkcs11:token=a;object=c;slot-id=1",
                "slot-id= in the URI is not supported",
            ),
            ("pkcs11:token=a;object=c;type=cert", "not one of a private key"),
            (
                "pkcs11:token=a;object=c;pin-value=1234",
                "name its file as `pin_file`",
            ),
            (
                "pkcs11:token=a;object=c?pin-value=1234",
                "name the module as `module`",
            ),
            ("pkcs11:token=a b;object=c", "write %20"),
            ("pkcs11:token=ü;object=c", "outside ASCII"),
            ("pkcs11:token=%zz;object=c", "two hexadecimal digits"),
            ("pkcs11:token=%4", "two hexadecimal digits"),
            ("pkcs11:token=%ff;object=c", "is not UTF-8"),
        ] {
            let refused = read(uri).unwrap_err();
            assert!(refused.contains(sentence), "{uri}: {refused}");
            assert!(!refused.contains("1234"));
        }
    }
}
