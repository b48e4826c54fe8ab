//! Whose key it shall be, as people write it: a subject by RFC 4514, and alternative names.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use openssl::error::ErrorStack;
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509Extension, X509Name, X509v3Context};

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

    /// Most specific first, as `CN=Orders,O=Example,C=DE`. Commas within a value are escaped: `\,`.
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let mut parts = Vec::new();
        for part in split(text) {
            let (keyword, value) = part.split_once('=').ok_or_else(|| {
                InvalidName(format!(
                    "{part:?} is no part of a subject; write CN=Orders,O=Example,C=DE"
                ))
            })?;
            parts.push((keyword.trim().to_ascii_uppercase(), unescape(value.trim())?));
        }
        let mut builder = X509Name::builder().map_err(|error| InvalidName(error.to_string()))?;
        // In the certificate the least specific part is the first.
        for (keyword, value) in parts.iter().rev() {
            let known = attribute(keyword).ok_or_else(|| {
                InvalidName(format!(
                    "{keyword} is not known in a subject; use {}",
                    KEYWORDS.join(", ")
                ))
            })?;
            let added = builder.append_entry_by_text(known, value);
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
        if value.is_empty() || !value.is_ascii() || value.contains(char::is_whitespace) {
            return Err(invalid(
                "alternative name: it is empty, or has spaces or letters outside ASCII",
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

const KEYWORDS: [&str; 10] = [
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
];

/// OpenSSL's spelling.
fn attribute(keyword: &str) -> Option<&'static str> {
    let known = KEYWORDS.into_iter().find(|known| *known == keyword)?;
    Some(match known {
        "STREET" => "street",
        "SERIALNUMBER" => "serialNumber",
        other => other,
    })
}

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

fn unescape(value: &str) -> Result<String, InvalidName> {
    let mut text = String::new();
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            '+' | '"' | ';' | '<' | '>' | '#' => {
                return Err(InvalidName(format!(
                    "write \\{character} for {character} in a subject"
                )));
            }
            plain => text.push(plain),
        }
    }
    Ok(text)
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
        ] {
            let refused = text.parse::<Subject>().err().map(|error| error.to_string());
            assert!(
                refused.as_ref().is_some_and(|refused| refused.contains(sentence)),
                "{text}: {refused:?}"
            );
        }
        for text in ["a.example", "DNS:", "IP:a", "x:y", "DNS:a b", "URI:\u{fc}"] {
            assert!(text.parse::<AlternativeName>().is_err(), "{text}");
        }
        assert_eq!("ip:::1".parse(), Ok(AlternativeName::Ip("::1".parse().unwrap())));
    }
}
