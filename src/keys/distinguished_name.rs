//! Distinguished names as people and messages write them, compared as what they mean.
//!
//! Stacks disagree about quotes, spaces, keywords and order (WSS4J pull request 41, xades4j 341), so a
//! name is parsed and compared by RFC 5280, section 7.1: without regard to case and to the amount of
//! white space. The other direction, a certificate's name as text, is `name`'s.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};

use x509_parser::asn1_rs::{Any, FromDer};

use super::name::text;

/// A distinguished name. It is shown as it was written, and equal to what means the same.
#[derive(Debug, Clone)]
pub struct DistinguishedName {
    written: String,
    /// Most specific first, as in RFC 4514.
    rdns: Vec<BTreeSet<(String, String)>>,
}

impl PartialEq for DistinguishedName {
    fn eq(&self, other: &Self) -> bool {
        self.rdns == other.rdns
    }
}

impl Eq for DistinguishedName {}

impl Hash for DistinguishedName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rdns.hash(state);
    }
}

impl PartialOrd for DistinguishedName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DistinguishedName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rdns.cmp(&other.rdns)
    }
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl DistinguishedName {
    /// Reads RFC 4514 and its elder forms: `;` for `,`, quoted values, spaces, `OID.1.2`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let mut rdns = Vec::new();
        let mut rdn = BTreeSet::new();
        while !rest.is_empty() {
            let (attribute_type, value) = rest.split_once('=')?;
            let (value, end, after) = attribute_value(value.trim_start())?;
            rdn.insert((object_identifier(attribute_type.trim()), value));
            if end != Some('+') {
                rdns.push(std::mem::take(&mut rdn));
            }
            rest = after.trim_start();
            if rest.is_empty() && end.is_some() {
                return None;
            }
        }
        (!rdns.is_empty()).then(|| Self {
            written: text.to_owned(),
            rdns,
        })
    }

    /// In the opposite order.
    pub(super) fn reversed(&self) -> Self {
        Self {
            written: self.written.clone(),
            rdns: self.rdns.iter().rev().cloned().collect(),
        }
    }

    /// The same name, in the standard's order or in the opposite one that some stacks write. Enough to
    /// select a certificate; where a name grants something, only equality will do.
    pub fn means(&self, other: &Self) -> bool {
        self.rdns.len() == other.rdns.len() && (self == other || self.rdns.iter().eq(other.rdns.iter().rev()))
    }
}

/// One value, what ended it, and what follows.
fn attribute_value(text: &str) -> Option<(String, Option<char>, &str)> {
    match text.strip_prefix('"') {
        Some(quoted) => {
            let (value, after) = quoted_value(quoted)?;
            let mut after = after.trim_start().chars();
            let end = after.next();
            matches!(end, None | Some(',' | ';' | '+')).then(|| (normalize(&value), end, after.as_str()))
        }
        None => plain_value(text),
    }
}

/// Up to the closing quote; a quote within is escaped or, as .NET writes it, doubled.
fn quoted_value(text: &str) -> Option<(Vec<u8>, &str)> {
    let mut value = Vec::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '\\' => escaped(&mut characters, &mut value)?,
            '"' => match characters.as_str().strip_prefix('"') {
                Some(after) => {
                    value.push(b'"');
                    characters = after.chars();
                }
                None => return Some((value, characters.as_str())),
            },
            plain => push(&mut value, plain),
        }
    }
}

fn plain_value(text: &str) -> Option<(String, Option<char>, &str)> {
    let mut value = Vec::new();
    let mut characters = text.chars();
    let end = loop {
        match characters.next() {
            Some('\\') => escaped(&mut characters, &mut value)?,
            end @ (None | Some(',' | ';' | '+')) => break end,
            Some(plain) => push(&mut value, plain),
        }
    };
    let text = text.trim_start();
    let value = match text.strip_prefix('#') {
        Some(_) => hexadecimal(&value)?,
        None => value,
    };
    Some((normalize(&value), end, characters.as_str()))
}

/// RFC 4514, section 3: a backslash before a special character or before two hexadecimal digits,
/// which are one octet of UTF-8.
pub(super) fn escaped(characters: &mut std::str::Chars<'_>, value: &mut Vec<u8>) -> Option<()> {
    let first = characters.next()?;
    let second = characters.clone().next();
    match (first.to_digit(16), second.and_then(|second| second.to_digit(16))) {
        (Some(high), Some(low)) => {
            characters.next();
            value.push(u8::try_from(high * 16 + low).ok()?);
        }
        _ => push(value, first),
    }
    Some(())
}

pub(super) fn push(value: &mut Vec<u8>, character: char) {
    value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// RFC 4514, section 2.4: `#` and the hexadecimal digits of a DER value; of strings, their characters.
fn hexadecimal(digits: &[u8]) -> Option<Vec<u8>> {
    let digits = std::str::from_utf8(digits).ok()?.trim().strip_prefix('#')?;
    let der = octets(digits)?;
    let string = Any::from_der(&der).ok().filter(|(rest, _)| rest.is_empty());
    let characters = string.and_then(|(_, value)| text(&value));
    Some(
        characters
            .unwrap_or_else(|| digits.to_ascii_lowercase())
            .into_bytes(),
    )
}

/// Two hexadecimal digits each.
pub(super) fn octets(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let octet = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok();
    let octets: Option<Vec<_>> = pairs.iter().map(octet).collect();
    octets.filter(|octets| rest.is_empty() && !octets.is_empty())
}

/// Without case, outer white space and repeated inner white space.
fn normalize(value: &[u8]) -> String {
    let words = String::from_utf8_lossy(value).to_lowercase();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Keywords that stacks write, in upper case; any other type is as it is.
pub(super) fn object_identifier(attribute_type: &str) -> String {
    let keyword = attribute_type.to_ascii_uppercase();
    let dotted = match keyword.as_str() {
        "CN" => "2.5.4.3",
        "SN" | "SURNAME" => "2.5.4.4",
        "SERIALNUMBER" => "2.5.4.5",
        "C" => "2.5.4.6",
        "L" => "2.5.4.7",
        "ST" | "S" => "2.5.4.8",
        "STREET" => "2.5.4.9",
        "O" => "2.5.4.10",
        "OU" => "2.5.4.11",
        "T" | "TITLE" => "2.5.4.12",
        "DESCRIPTION" => "2.5.4.13",
        "BUSINESSCATEGORY" => "2.5.4.15",
        "POSTALCODE" => "2.5.4.17",
        "NAME" => "2.5.4.41",
        "G" | "GN" | "GIVENNAME" => "2.5.4.42",
        "I" | "INITIALS" => "2.5.4.43",
        "GENERATION" | "GENERATIONQUALIFIER" => "2.5.4.44",
        "DN" | "DNQ" | "DNQUALIFIER" => "2.5.4.46",
        "PSEUDONYM" => "2.5.4.65",
        "ORGANIZATIONIDENTIFIER" => "2.5.4.97",
        "DC" => "0.9.2342.19200300.100.1.25",
        "UID" => "0.9.2342.19200300.100.1.1",
        "E" | "EMAIL" | "EMAILADDRESS" => "1.2.840.113549.1.9.1",
        other => other.strip_prefix("OID.").unwrap_or(other),
    };
    dotted.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        let name = |text| DistinguishedName::parse(text).unwrap_or_else(|| panic!("{text}"));
        name(one).means(&name(other))
    }

    #[test]
    fn the_same_name_in_the_spelling_of_another_stack() {
        let long_hex = format!("CN=#0c8180{}", "61".repeat(128));
        let long_text = format!("CN={}", "a".repeat(128));
        for (one, other) in [
            ("CN=Test CA,O=Example,C=DE", "cn = test  ca, o = Example; C=de"),
            ("CN=Test CA,O=Example,C=DE", "C=DE, O=Example, CN=Test CA"),
            (r"O=Example\, Inc.,C=DE", r#"O="Example, Inc.", C=DE"#),
            (r#"O=The \"Firm\",C=DE"#, r#"O="The ""Firm""", C=DE"#),
            (r"CN=M\C3\BCller", "CN=Müller"),
            ("ST=Bayern,L=Ulm", "S=Bayern, L=Ulm"),
            ("1.2.840.113549.1.9.1=#1603614062,CN=x", "E=a@b, CN=x"),
            ("1.2.840.113549.1.9.1=#1603614062,CN=x", "EMAILADDRESS=A@B,CN=x"),
            ("OID.2.5.4.97=x", "2.5.4.97=x"),
            ("2.5.4.97=#0c0156", "organizationIdentifier=v"),
            ("GN=Ada,SN=Byron", "2.5.4.42=#0c03416461,SURNAME=byron"),
            ("O=#1e0c004d00fc006c006c00650072", "O=Müller"),
            ("O=#14064dfc6c6c6572", "O=Müller"),
            ("O=#1c080000004d000000fc", "O=Mü"),
            (&long_hex, &long_text),
            ("OU=a+CN=b,O=c", "CN=b+OU=a,O=c"),
        ] {
            assert!(same(one, other), "{one} / {other}");
        }
    }

    #[test]
    fn other_names_are_other_names() {
        for (one, other) in [
            ("CN=a,O=b", "CN=a"),
            ("CN=a,O=b", "CN=b,O=a"),
            ("CN=a,O=b,C=c", "O=b,CN=a,C=c"),
            ("CN=a+O=b", "CN=a,O=b"),
            ("CN=a b", "CN=ab"),
            (r"CN=a\,O=b", "CN=a,O=b"),
            ("O=#020161", "O=a"),
            ("O=#0c0161,CN=x", "O=#0c0162,CN=x"),
        ] {
            assert!(!same(one, other), "{one} / {other}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            " ",
            "CN",
            "CN=a,",
            "CN=a,b",
            r#"CN="a"#,
            r#"CN="a"b"#,
            r"CN=a\",
            "CN=#0c016",
            "CN=#xx",
        ] {
            assert_eq!(DistinguishedName::parse(text), None, "{text}");
        }
    }
}
