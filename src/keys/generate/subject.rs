//! Whose key it shall be, as people write it: a subject by RFC 4514, and alternative names.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use openssl::error::ErrorStack;
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509Extension, X509Name, X509v3Context};
use x509_parser::asn1_rs::{Any, FromDer};

use crate::keys::distinguished_name::{escaped, object_identifier, octets, push};
use crate::keys::name::text;

/// A subject that a certificate can have.
pub struct Subject {
    name: X509Name,
    text: String,
}

/// A name beside the subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlternativeName {
    /// Of a host.
    Dns(String),
    /// An address.
    Ip(IpAddr),
    /// A URI.
    Uri(String),
    /// A mail address.
    Email(String),
}

/// No name that a certificate can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidName(String);

impl FromStr for Subject {
    type Err = InvalidName;

    /// Most specific first, as `CN=Orders,O=Example,C=DE`. Commas within a value are escaped: `\,`. A type without a keyword
    /// here is written as its object identifier, `2.5.4.97=VATDE-123`.
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let mut parts = Vec::new();
        let written = split(text);
        for part in &written {
            let (keyword, value) = part.split_once('=').ok_or_else(|| {
                InvalidName(format!(
                    "{part:?} is no part of a subject; write CN=Orders,O=Example,C=DE"
                ))
            })?;
            parts.push((keyword.trim(), value_of(value.trim())?));
        }
        let mut builder = X509Name::builder().map_err(|error| InvalidName(error.to_string()))?;
        // In the certificate the least specific part is the first.
        for (keyword, value) in parts.iter().rev() {
            let dotted = object_identifier(keyword);
            if !dotted.starts_with(|first: char| first.is_ascii_digit()) {
                return Err(InvalidName(format!(
                    "{keyword} is not known in a subject; use {}, or an object identifier such as 2.5.4.97",
                    KEYWORDS.join(", ")
                )));
            }
            let added = builder.append_entry_by_text(&dotted, value);
            added.map_err(|_| {
                InvalidName(format!("{keyword}={value} cannot stand in a certificate: it is too long, empty or has letters that do not belong there"))
            })?;
        }
        Ok(Self {
            name: builder.build(),
            text: text.trim().to_owned(),
        })
    }
}

impl Subject {
    pub(super) fn name(&self) -> &X509Name {
        &self.name
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for AlternativeName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let (kind, value) = text.split_once(':').ok_or_else(|| {
            InvalidName(format!(
                "{text:?} is no alternative name; write DNS:…, IP:…, URI:… or email:…"
            ))
        })?;
        let invalid = |what: &str| InvalidName(format!("{value:?} is no {what}"));
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(invalid(
                "alternative name: it is empty, or has spaces, control characters or letters outside ASCII",
            ));
        }
        match kind.to_ascii_lowercase().as_str() {
            "dns" => Ok(Self::Dns(value.to_owned())),
            "ip" => value.parse().map(Self::Ip).map_err(|_| invalid("address")),
            "uri" => Ok(Self::Uri(value.to_owned())),
            "email" => Ok(Self::Email(value.to_owned())),
            _ => Err(InvalidName(format!(
                "{kind:?} is no kind of name; write DNS:…, IP:…, URI:… or email:…"
            ))),
        }
    }
}

/// `None` of no names.
pub(super) fn extension(
    names: &[AlternativeName],
    context: &X509v3Context<'_>,
) -> Result<Option<X509Extension>, ErrorStack> {
    if names.is_empty() {
        return Ok(None);
    }
    let mut extension = SubjectAlternativeName::new();
    for name in names {
        match name {
            AlternativeName::Dns(name) => extension.dns(name),
            AlternativeName::Ip(address) => extension.ip(&address.to_string()),
            AlternativeName::Uri(uri) => extension.uri(uri),
            AlternativeName::Email(address) => extension.email(address),
        };
    }
    extension.build(context).map(Some)
}

/// The usual ones; others that are read are those of distinguished names.
const KEYWORDS: [&str; 15] = [
    "CN",
    "O",
    "OU",
    "C",
    "ST",
    "L",
    "STREET",
    "DC",
    "UID",
    "SERIALNUMBER",
    "GN",
    "SN",
    "TITLE",
    "emailAddress",
    "organizationIdentifier",
];

/// At commas that are not escaped.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for character in text.chars() {
        if character == ',' && !escaped {
            parts.push(String::new());
            continue;
        }
        escaped = character == '\\' && !escaped;
        if let Some(part) = parts.last_mut() {
            part.push(character);
        }
    }
    parts
}

/// By RFC 4514: characters, escaped where they have to be, or `#` and the hex of a string in DER.
fn value_of(written: &str) -> Result<String, InvalidName> {
    let value = match written.strip_prefix('#') {
        Some(digits) => of_der(digits.trim()),
        None => unescape(written)?,
    };
    let value = value.ok_or_else(|| InvalidName(format!("{written:?} is no value of a subject")))?;
    if value.chars().any(char::is_control) {
        return Err(InvalidName(format!(
            "{written:?} has a control character, which has no place in a subject"
        )));
    }
    Ok(value)
}

fn of_der(digits: &str) -> Option<String> {
    let der = octets(digits)?;
    let (rest, value) = Any::from_der(&der).ok()?;
    text(&value).filter(|_| rest.is_empty())
}

/// `None` where a backslash has nothing to escape, or octets are no UTF-8.
fn unescape(value: &str) -> Result<Option<String>, InvalidName> {
    let mut text = Vec::new();
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if escaped(&mut characters, &mut text).is_none() => return Ok(None),
            '\\' => {}
            '+' | '"' | ';' | '<' | '>' => {
                return Err(InvalidName(format!(
                    "write \\{character} for {character} in a subject"
                )));
            }
            plain => push(&mut text, plain),
        }
    }
    Ok(String::from_utf8(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_encoded_least_specific_first() {
        let subject: Subject = "CN=Orders\\, signing, O=Ex\u{e4}mple,C=DE".parse().unwrap();
        let entries: Vec<_> = subject
            .name
            .entries()
            .map(|entry| {
                let value = entry.data().to_string().unwrap();
                (entry.object().nid().short_name().unwrap(), value)
            })
            .collect();
        let expected = [("C", "DE"), ("O", "Ex\u{e4}mple"), ("CN", "Orders, signing")];
        assert_eq!(
            entries,
            expected.map(|(keyword, value)| (keyword, value.to_owned()))
        );
    }

    #[test]
    fn a_subject_may_have_any_type_by_keyword_or_number() {
        for (text, expected) in [
            ("organizationIdentifier=VATDE-1", ("2.5.4.97", "VATDE-1")),
            ("2.5.4.97=VATDE-1", ("2.5.4.97", "VATDE-1")),
            ("OID.2.5.4.97=#0c0156", ("2.5.4.97", "V")),
            (
                "emailAddress=a@b.example",
                ("1.2.840.113549.1.9.1", "a@b.example"),
            ),
            ("E=a@b.example", ("1.2.840.113549.1.9.1", "a@b.example")),
            ("GN=Ada", ("2.5.4.42", "Ada")),
            ("SN=Byron", ("2.5.4.4", "Byron")),
            ("serialNumber=7", ("2.5.4.5", "7")),
            ("1.3.6.1.4.1.99999.1=own", ("1.3.6.1.4.1.99999.1", "own")),
            ("CN=M\\C3\\BCller", ("2.5.4.3", "M\u{fc}ller")),
            ("CN=a#b", ("2.5.4.3", "a#b")),
            ("CN=\\#a", ("2.5.4.3", "#a")),
        ] {
            let subject: Subject = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            let der = subject.name.to_der().unwrap();
            let (_, name) = x509_parser::x509::X509Name::from_der(&der).unwrap();
            let attribute = name.iter_attributes().next().unwrap();
            let read = (
                attribute.attr_type().to_id_string(),
                super::text(attribute.attr_value()).unwrap(),
            );
            assert_eq!((read.0.as_str(), read.1.as_str()), expected, "{text}");
        }
    }

    #[test]
    fn what_no_certificate_can_have_is_refused() {
        for (text, sentence) in [
            ("", "no part of a subject"),
            ("Orders", "no part of a subject"),
            ("CN=a,", "no part of a subject"),
            ("CN=", "too long, empty"),
            ("C=Germany", "too long, empty"),
            ("XY=a", "is not known"),
            ("CN=a+OU=b", "write \\+ for +"),
            ("CN=\"a\"", "write \\\""),
            ("CN=a\u{7}b", "control character"),
            ("CN=a\nb", "control character"),
            ("CN=a\\0Ab", "control character"),
            ("CN=a\u{85}b", "control character"),
            ("CN=#0c010a", "control character"),
            ("CN=#0201", "no value of a subject"),
            ("CN=a\\FF", "no value of a subject"),
            ("9.9.9=x", "cannot stand"),
        ] {
            let refused = text.parse::<Subject>().err().map(|error| error.to_string());
            assert!(
                refused.as_ref().is_some_and(|refused| refused.contains(sentence)),
                "{text}: {refused:?}"
            );
        }
        for text in [
            "a.example",
            "DNS:",
            "IP:a",
            "x:y",
            "DNS:a b",
            "URI:\u{fc}",
            "DNS:a\u{1}",
        ] {
            assert!(text.parse::<AlternativeName>().is_err(), "{text}");
        }
        assert_eq!("ip:::1".parse(), Ok(AlternativeName::Ip("::1".parse().unwrap())));
    }
}
